//! Fields of a `StatefulSet` that the API server lets nobody change: for them it is made anew, around its pods. Pure.

use k8s_openapi::api::apps::v1::StatefulSet;

/// The first field that differs and cannot be changed.
#[must_use]
pub fn immutable_change(live: &StatefulSet, desired: &StatefulSet) -> Option<&'static str> {
    let (live, desired) = (live.spec.as_ref()?, desired.spec.as_ref()?);
    let fields = [
        ("selector", live.selector != desired.selector),
        ("serviceName", live.service_name != desired.service_name),
        (
            "podManagementPolicy",
            live.pod_management_policy != desired.pod_management_policy,
        ),
    ];
    fields.into_iter().find(|(_, differs)| *differs).map(|(field, _)| field)
}
