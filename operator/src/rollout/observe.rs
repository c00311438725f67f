//! From what the API server shows of a `StatefulSet` and its pods to the replicas of a roll-out. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::decide::Set;
use super::replica::{Life, Replica, Template};
use crate::build::TEMPLATE_ANNOTATION;
use crate::names::Ordinal;

/// The label with the revision of the template that a pod was made from.
const REVISION_LABEL: &str = "controller-revision-hash";

/// A pod that outlives the end of its grace period by this is on a node that does not end it.
const OVERDUE: Duration = Duration::from_secs(30);

/// What is known of the replicas beside their pods.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Those that a data source names.
    pub named: BTreeSet<Ordinal>,
    /// Those that answered as expected.
    pub fit: BTreeSet<Ordinal>,
    /// Those that have had no new call for the propagation delay.
    pub quiet: BTreeSet<Ordinal>,
}

/// The `StatefulSet` as it is, beside the one that shall be.
#[must_use]
pub fn set(live: &StatefulSet, desired: &StatefulSet) -> Set {
    let spec = live.spec.as_ref();
    let rolling = spec.and_then(|spec| spec.update_strategy.as_ref()?.rolling_update.as_ref());
    let observed = live.status.as_ref().and_then(|status| status.observed_generation);
    Set {
        replicas: count(spec.and_then(|spec| spec.replicas)),
        partition: count(rolling.and_then(|rolling| rolling.partition)),
        is_current: template(live) == template(desired),
        is_observed: observed.is_some() && observed >= live.metadata.generation,
    }
}

/// The replicas that a `StatefulSet` asks for, in order.
#[must_use]
pub fn replicas(live: &StatefulSet, pods: &[Pod], known: &Known, now: Timestamp) -> Vec<Replica> {
    let wanted = count(live.spec.as_ref().and_then(|spec| spec.replicas));
    let replica = |ordinal: Ordinal| {
        let pod = pods.iter().find(|pod| is_of(pod, live, ordinal));
        Replica {
            ordinal,
            life: pod.map_or(Life::Absent, |pod| life(pod, now)),
            template: pod.map_or(Template::Superseded, |pod| template_of(pod, live)),
            named: known.named.contains(&ordinal),
            fit: known.fit.contains(&ordinal),
            quiet: known.quiet.contains(&ordinal),
        }
    };
    (0..wanted).map(Ordinal).map(replica).collect()
}

/// The same of a `StatefulSet` all of whose pods are ready and of its newest template, as its status says: nobody has to
/// look at them.
#[must_use]
pub fn settled(live: &StatefulSet, known: &Known) -> Option<Vec<Replica>> {
    let wanted = count(live.spec.as_ref().and_then(|spec| spec.replicas));
    let status = live.status.as_ref()?;
    let all = |count: Option<i32>| count == Some(wanted.into());
    let is_settled = status.observed_generation >= live.metadata.generation
        && status.replicas == i32::from(wanted)
        && all(status.ready_replicas)
        && all(status.updated_replicas)
        && status.current_revision == status.update_revision;
    let replica = |ordinal: Ordinal| Replica {
        ordinal,
        life: Life::Ready {
            lasting: Duration::ZERO,
        },
        template: Template::Newest,
        named: known.named.contains(&ordinal),
        fit: known.fit.contains(&ordinal),
        quiet: known.quiet.contains(&ordinal),
    };
    is_settled.then(|| (0..wanted).map(Ordinal).map(replica).collect())
}

fn count(number: Option<i32>) -> u16 {
    number.and_then(|number| u16::try_from(number).ok()).unwrap_or(0)
}

/// The digest of the template, which the build step leaves on the `StatefulSet`.
fn template(set: &StatefulSet) -> Option<&String> {
    set.metadata.annotations.as_ref()?.get(TEMPLATE_ANNOTATION)
}

fn is_of(pod: &Pod, set: &StatefulSet, ordinal: Ordinal) -> bool {
    let name = format!("{}-{ordinal}", set.metadata.name.as_deref().unwrap_or_default());
    pod.metadata.name.as_ref() == Some(&name)
}

fn template_of(pod: &Pod, set: &StatefulSet) -> Template {
    let labels = pod.metadata.labels.as_ref();
    let revision = labels.and_then(|labels| labels.get(REVISION_LABEL));
    let status = set.status.as_ref();
    let (newest, proven) = (
        status.and_then(|status| status.update_revision.as_ref()),
        status.and_then(|status| status.current_revision.as_ref()),
    );
    match revision {
        _ if newest.is_none() => Template::Newest,
        revision if revision == newest => Template::Newest,
        revision if revision == proven => Template::Proven,
        Some(_) | None => Template::Superseded,
    }
}

fn life(pod: &Pod, now: Timestamp) -> Life {
    let since = |time: &Time| Duration::try_from(now.duration_since(time.0)).unwrap_or_default();
    if let Some(end) = &pod.metadata.deletion_timestamp {
        return Life::Leaving {
            overdue: since(end) >= OVERDUE,
        };
    }
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref());
    let ready = conditions
        .unwrap_or_default()
        .iter()
        .find(|condition| condition.type_ == "Ready");
    let changed = ready.and_then(|condition| condition.last_transition_time.as_ref());
    let lasting = changed
        .or(pod.metadata.creation_timestamp.as_ref())
        .map(since)
        .unwrap_or_default();
    if ready.is_some_and(|condition| condition.status == "True") {
        Life::Ready { lasting }
    } else {
        Life::Unready { lasting }
    }
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
