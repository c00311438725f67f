//! When a replica may join the data sources, and when it may go. Pure.
//!
//! A replica joins when all are ready and it answers as expected, and leaves only after no data source names it any more.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::StatefulSet;

use crate::exposure::{self, Endpoint};
use crate::fleet::ValidatedFleet;
use crate::names::Ordinal;

/// The separator of the URLs in a data source.
pub const URL_SEPARATOR: char = ';';

/// How many replicas the `StatefulSet` may have now: as many as wanted, unless a data source still names one that would
/// go. A stopped fleet stops at once; its data sources keep their URLs.
#[must_use]
pub fn replicas_now<'a>(
    fleet: &ValidatedFleet,
    live: Option<&StatefulSet>,
    mut registered_urls: impl Iterator<Item = &'a str>,
) -> u16 {
    let wanted = fleet.replicas;
    let running = live
        .and_then(|set| set.spec.as_ref()?.replicas)
        .and_then(|replicas| u16::try_from(replicas).ok())
        .unwrap_or(wanted);
    if wanted == 0 || wanted >= running {
        return wanted;
    }
    let leaving = (wanted..running)
        .map(|ordinal| exposure::endpoint(fleet, Ordinal(ordinal)).url())
        .collect::<Vec<_>>();
    let is_leaving = |url: &str| leaving.iter().any(|leaving| leaving == url);
    if registered_urls.any(|urls| urls.split(URL_SEPARATOR).any(is_leaving)) {
        running
    } else {
        wanted
    }
}

/// The replicas that a data source may name: those that it names already, and those that answered as expected.
#[must_use]
pub fn registrable(
    fleet: &ValidatedFleet,
    answered: &BTreeSet<Ordinal>,
    registered_url: Option<&str>,
) -> Vec<Endpoint> {
    let mut endpoints = exposure::endpoints(fleet);
    endpoints.retain(|endpoint| answered.contains(&endpoint.ordinal) || is_registered(endpoint, registered_url));
    endpoints
}

/// The replicas that want to join: none before every replica is ready, then those that some data source does not name.
#[must_use]
pub fn newcomers<'a>(
    fleet: &ValidatedFleet,
    set: &StatefulSet,
    registered_urls: impl IntoIterator<Item = Option<&'a str>>,
) -> BTreeSet<Ordinal> {
    if !is_settled(set, fleet.replicas) {
        return BTreeSet::new();
    }
    let endpoints = exposure::endpoints(fleet);
    let missing = |urls| {
        let missing = endpoints.iter().filter(move |endpoint| !is_registered(endpoint, urls));
        missing.map(|endpoint| endpoint.ordinal)
    };
    registered_urls.into_iter().flat_map(missing).collect()
}

fn is_registered(endpoint: &Endpoint, registered_url: Option<&str>) -> bool {
    let url = endpoint.url();
    registered_url.is_some_and(|urls| urls.split(URL_SEPARATOR).any(|registered| registered == url))
}

/// How many of the wanted replicas are ready.
#[must_use]
pub fn ready(set: &StatefulSet, wanted: u16) -> u16 {
    let ready = set.status.as_ref().and_then(|status| status.ready_replicas);
    ready
        .and_then(|ready| u16::try_from(ready).ok())
        .unwrap_or(0)
        .min(wanted)
}

/// Whether every wanted replica is ready, and the `StatefulSet` as it is now was looked at when that was said.
#[must_use]
pub fn is_settled(set: &StatefulSet, wanted: u16) -> bool {
    let observed = set.status.as_ref().and_then(|status| status.observed_generation);
    observed.is_some() && observed >= set.metadata.generation && ready(set, wanted) == wanted
}

/// The revision that every replica runs; `None` while they are not all ready, or not all alike.
#[must_use]
pub fn settled_revision(set: &StatefulSet, wanted: u16) -> Option<&str> {
    let status = set.status.as_ref()?;
    let revision = status.update_revision.as_deref()?;
    let is_everywhere = status
        .current_revision
        .as_deref()
        .is_none_or(|current| current == revision)
        || status.updated_replicas == Some(wanted.into());
    (is_settled(set, wanted) && is_everywhere).then_some(revision)
}

#[cfg(test)]
mod tests {
    use flexconnect_crds::Manifest;
    use k8s_openapi::api::apps::v1::{StatefulSetSpec, StatefulSetStatus};
    use rstest::rstest;

    use super::*;
    use crate::dereference::References;
    use crate::validate::validate;

    fn fleet(replicas: u16) -> ValidatedFleet {
        let text = format!(
            "{{apiVersion: flexconnect.dev/v1alpha1, kind: FlexConnectServer, metadata: {{name: a, namespace: b}}, \
             spec: {{replicas: {replicas}, server: {{image: c}}}}}}"
        );
        validate(&Manifest::read(&text).unwrap().server, &References::default()).unwrap()
    }

    fn url(ordinals: impl IntoIterator<Item = u16>) -> String {
        let url = |ordinal| exposure::endpoint(&fleet(9), Ordinal(ordinal)).url();
        ordinals.into_iter().map(url).collect::<Vec<_>>().join(";")
    }

    fn set(replicas: i32, ready: i32, observed: i64) -> StatefulSet {
        let mut set = StatefulSet {
            spec: Some(StatefulSetSpec {
                replicas: Some(replicas),
                ..StatefulSetSpec::default()
            }),
            status: Some(StatefulSetStatus {
                ready_replicas: Some(ready),
                observed_generation: Some(observed),
                ..StatefulSetStatus::default()
            }),
            ..StatefulSet::default()
        };
        set.metadata.generation = Some(2);
        set
    }

    #[rstest]
    #[case::first(3, None, "", 3)]
    #[case::same(3, Some(3), "0..3", 3)]
    #[case::more(5, Some(3), "0..3", 5)]
    #[case::fewer_and_still_named(2, Some(3), "0..3", 3)]
    #[case::fewer_and_no_longer_named(2, Some(3), "0..2", 2)]
    #[case::fewer_and_never_named(2, Some(3), "", 2)]
    #[case::stopped(0, Some(3), "0..3", 0)]
    fn a_replica_goes_after_its_url(
        #[case] wanted: u16,
        #[case] running: Option<i32>,
        #[case] named: &str,
        #[case] expected: u16,
    ) {
        let named = named.strip_prefix("0..").map_or(0, |end| end.parse().unwrap());
        let live = running.map(|running| set(running, running, 2));
        let url = url(0..named);
        assert_eq!(
            replicas_now(&fleet(wanted), live.as_ref(), std::iter::once(url.as_str())),
            expected
        );
    }

    #[rstest]
    #[case::some_never_were_ready(set(3, 2, 2), 0, &[])]
    #[case::all_are_ready(set(3, 3, 2), 0, &[0, 1, 2])]
    #[case::all_were_ready_before_the_change(set(3, 3, 1), 0, &[])]
    #[case::a_new_one_is_not_ready_yet(set(3, 2, 2), 2, &[])]
    #[case::a_new_one_is_ready(set(3, 3, 2), 2, &[2])]
    #[case::all_are_named(set(3, 3, 2), 3, &[])]
    fn replicas_want_to_join_once_all_are_ready(
        #[case] live: StatefulSet,
        #[case] named: u16,
        #[case] expected: &[u16],
    ) {
        let (all, named) = (url(0..3), url(0..named));
        let newcomers = newcomers(&fleet(3), &live, [Some(all.as_str()), Some(named.as_str())]);
        assert_eq!(newcomers, expected.iter().copied().map(Ordinal).collect());
    }

    #[rstest]
    #[case::nobody_answered(&[], 0, 0)]
    #[case::one_does_not_answer_as_expected(&[0, 2], 0, 2)]
    #[case::one_is_down_and_stays_named(&[], 3, 3)]
    #[case::a_new_one_answered(&[2], 2, 3)]
    #[case::one_too_many_is_named(&[], 5, 3)]
    fn a_replica_joins_when_it_answers(#[case] answered: &[u16], #[case] named: u16, #[case] expected: usize) {
        let answered = answered.iter().copied().map(Ordinal).collect();
        let named = url(0..named);
        assert_eq!(registrable(&fleet(3), &answered, Some(&named)).len(), expected);
    }
}
