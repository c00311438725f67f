//! Two objects that claim one data source: it belongs to the older one.

use flexconnect_crds::{AdoptionPolicy, DataSource, FlexConnectServer};
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};

use super::{Context, Scope};
use crate::status;

/// The older object that has this data source; `None`: it is free, or ours. Asked only where the policy would take it
/// away from somebody: the others take nothing that another fleet's URL is in.
pub(super) async fn older_owner(
    object: &FlexConnectServer,
    source: &DataSource,
    context: &Context,
) -> kube::Result<Option<String>> {
    if source.adoption_policy != AdoptionPolicy::Always {
        return Ok(None);
    }
    let apis: Vec<Api<FlexConnectServer>> = match &context.scope {
        Scope::Cluster => vec![Api::all(context.client.clone())],
        Scope::Namespaces(namespaces) => namespaces
            .iter()
            .map(|namespace| Api::namespaced(context.client.clone(), namespace))
            .collect(),
    };
    for api in apis {
        let objects = api.list(&ListParams::default()).await?.items;
        if let Some(owner) = objects.iter().find(|other| owns_before(other, object, source)) {
            return Ok(Some(format!(
                "{}/{}",
                owner.namespace().unwrap_or_default(),
                owner.name_any()
            )));
        }
    }
    Ok(None)
}

/// Whether another object has registered the data source, and is older. Two endpoints can lead to one organization, which
/// is known once both have been there.
fn owns_before(other: &FlexConnectServer, object: &FlexConnectServer, source: &DataSource) -> bool {
    let ours = status::record(object, &source.endpoint, &source.id);
    let theirs = other.status.iter().flat_map(|status| &status.data_sources);
    let is_same = |theirs: &flexconnect_crds::DataSourceStatus| {
        let organization = ours.as_ref().map(|record| record.organization.as_str());
        let same_organization = organization.is_some() && theirs.organization.as_deref() == organization;
        theirs.id == source.id && theirs.hash.is_some() && (theirs.endpoint == source.endpoint || same_organization)
    };
    let age = |object: &FlexConnectServer| (object.creation_timestamp(), object.uid());
    other.uid() != object.uid() && age(other) < age(object) && theirs.clone().any(is_same)
}

#[cfg(test)]
mod tests {
    use flexconnect_crds::Manifest;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn object(uid: &str, born: i64, endpoint: &str, organization: &str) -> FlexConnectServer {
        let text = format!(
            "{{apiVersion: flexconnect.dev/v1alpha1, kind: FlexConnectServer, metadata: {{name: {uid}, namespace: n}}, \
             spec: {{server: {{image: c}}, dataSources: [{{id: sales, endpoint: '{endpoint}', \
             tokenSecret: {{name: s, key: t}}, adoptionPolicy: Always}}]}}}}"
        );
        let mut object = Manifest::read(&text).unwrap().server;
        object.metadata.uid = Some(uid.to_owned());
        object.metadata.creation_timestamp = Some(Time(jiff::Timestamp::from_second(born).unwrap()));
        let known =
            json!({"id": "sales", "endpoint": endpoint, "organization": organization, "hash": "h", "registered": true});
        object.status = serde_json::from_value(json!({"dataSources": [known]})).unwrap();
        object
    }

    #[rstest]
    #[case::older(object("a", 1, "https://one", "acme"), true)]
    #[case::younger(object("a", 3, "https://one", "acme"), false)]
    #[case::as_old_and_first_by_name(object("a", 2, "https://one", "acme"), true)]
    #[case::as_old_and_last_by_name(object("c", 2, "https://one", "acme"), false)]
    #[case::same_organization_elsewhere(object("a", 1, "https://two", "acme"), true)]
    #[case::another_organization(object("a", 1, "https://two", "other"), false)]
    #[case::itself(object("b", 1, "https://one", "acme"), false)]
    fn the_older_one_has_it(#[case] other: FlexConnectServer, #[case] expected: bool) {
        let object = object("b", 2, "https://one", "acme");
        assert_eq!(owns_before(&other, &object, &object.spec.data_sources[0]), expected);
    }
}
