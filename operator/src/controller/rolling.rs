//! The roll-out of one fleet in one pass: looks at its replicas, and does what was decided about them.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use flexconnect_crds::{DataSourceStatus, FlexConnectServer};
use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Preconditions};
use kube::{Api, ResourceExt};

use super::{Context, PassError};
use crate::ask::since_last_call;
use crate::dereference::{ReplicaPod, read_pods, replica_pod};
use crate::fleet::ValidatedFleet;
use crate::names::Ordinal;
use crate::reason::Reason;
use crate::rollout::{self, Decision, Known, Life, Progress, Removal, Replica, Situation, Sources};
use crate::runtime::events::Tone;

/// When each replica that no data source names was first seen so, by fleet. Entries go with their fleet.
#[derive(Debug, Default)]
pub(super) struct Unnamed(Mutex<HashMap<String, HashMap<Ordinal, Instant>>>);

impl Unnamed {
    /// Forgets an object that is gone.
    pub(super) fn forget(&self, object: &impl ResourceExt) {
        self.lock().remove(&key(object));
    }

    /// How long each of these replicas has been without a name. Others are forgotten.
    fn lasting(&self, object: &str, unnamed: &BTreeSet<Ordinal>) -> HashMap<Ordinal, Duration> {
        let mut fleets = self.lock();
        if unnamed.is_empty() {
            fleets.remove(object);
            return HashMap::new();
        }
        let since = fleets.entry(object.to_owned()).or_default();
        since.retain(|ordinal, _| unnamed.contains(ordinal));
        let lasting = |&ordinal| (ordinal, since.entry(ordinal).or_insert_with(Instant::now).elapsed());
        unnamed.iter().map(lasting).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, HashMap<Ordinal, Instant>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a pass sees of the replicas.
pub(super) struct View<'a> {
    object: &'a FlexConnectServer,
    fleet: &'a ValidatedFleet,
    context: &'a Context,
    /// None where the status of the `StatefulSet` says all that there is to know.
    pods: Option<Vec<Pod>>,
    known: Known,
    sources: Sources,
}

impl<'a> View<'a> {
    /// Looks. `live` is the fleet's own `StatefulSet`, `desired` the one that shall be.
    pub(super) async fn of(
        object: &'a FlexConnectServer,
        fleet: &'a ValidatedFleet,
        live: Option<&StatefulSet>,
        desired: &StatefulSet,
        context: &'a Context,
    ) -> Result<Self, PassError> {
        let mut view = Self {
            object,
            fleet,
            context,
            pods: None,
            known: Known::default(),
            sources: sources(object, fleet),
        };
        let Some(live) = live else { return Ok(view) };
        view.name(recorded(object));
        let decided = view.decide(Some(live), desired, &everybody(live));
        if rollout::settled(live, &view.known).is_none() || decided.progress != Progress::Done {
            view.look().await?;
            view.known.quiet = view.quiet(live).await;
        }
        Ok(view)
    }

    /// Looks at the pods, unless that was done.
    pub(super) async fn look(&mut self) -> Result<(), PassError> {
        if self.pods.is_none() {
            let pods = read_pods(&self.context.client, self.fleet).await;
            self.pods = Some(pods.map_err(|source| PassError::Read(Box::new(source)))?);
        }
        Ok(())
    }

    /// The pods, where they were looked at.
    pub(super) fn pods(&self) -> Vec<ReplicaPod> {
        self.pods.iter().flatten().filter_map(replica_pod).collect()
    }

    /// Takes the URLs of the data sources as what names replicas.
    pub(super) fn name<'u>(&mut self, urls: impl IntoIterator<Item = &'u str>) {
        let urls = urls.into_iter().map(|url| rollout::names(self.fleet, url, MOST));
        self.known.named = urls.flatten().collect();
    }

    /// What shall be, when the replicas in `fit` answered as expected.
    pub(super) fn decide(
        &self,
        live: Option<&StatefulSet>,
        desired: &StatefulSet,
        fit: &BTreeSet<Ordinal>,
    ) -> Decision {
        let known = Known {
            fit: fit.clone(),
            ..self.known.clone()
        };
        rollout::decide(&Situation {
            wanted: self.fleet.replicas,
            max_unavailable: self.fleet.max_unavailable,
            set: live.map(|live| rollout::set(live, desired)),
            replicas: live.map(|live| self.replicas(live, &known)).unwrap_or_default(),
            sources: self.sources,
        })
    }

    fn replicas(&self, live: &StatefulSet, known: &Known) -> Vec<Replica> {
        let settled = match &self.pods {
            None => rollout::settled(live, known),
            Some(_) => None,
        };
        let pods = self.pods.as_deref().unwrap_or_default();
        settled.unwrap_or_else(|| rollout::replicas(live, pods, known, Timestamp::now()))
    }

    /// The replicas that would join if they answered as expected.
    pub(super) fn newcomers(&self, live: &StatefulSet, desired: &StatefulSet) -> BTreeSet<Ordinal> {
        let named = self.decide(Some(live), desired, &everybody(live)).named;
        named.difference(&self.known.named).copied().collect()
    }

    /// The replicas that answer, are named by nobody, and have had no new call for the propagation delay. One that cannot
    /// be asked counts after the time that a server has for that when it ends: it would not wait any longer either.
    async fn quiet(&self, live: &StatefulSet) -> BTreeSet<Ordinal> {
        let replicas = self.replicas(live, &self.known);
        let unnamed = replicas
            .iter()
            .filter(|replica| !replica.named && matches!(replica.life, Life::Ready { .. }));
        let unnamed: BTreeSet<_> = unnamed.map(|replica| replica.ordinal).collect();
        let lasting = self.context.unnamed.lasting(&key(self.object), &unnamed);
        let pods = self.pods();
        let address = |ordinal| {
            pods.iter()
                .find(|pod| pod.ordinal == ordinal)
                .and_then(|pod| pod.address)
        };
        let asked = unnamed.iter().map(|&ordinal| {
            let lasting = lasting.get(&ordinal).copied().unwrap_or_default();
            self.is_quiet(ordinal, address(ordinal), lasting)
        });
        join_all(asked).await.into_iter().flatten().collect()
    }

    async fn is_quiet(&self, ordinal: Ordinal, address: Option<IpAddr>, lasting: Duration) -> Option<Ordinal> {
        let delay = Duration::from_secs(self.fleet.drain.propagation_delay);
        let at_most = Duration::from_secs(self.fleet.drain.lame_duck);
        let said = match address {
            Some(address) => since_last_call(address).await,
            None => None,
        };
        let is_quiet = match said {
            // The first look may come before the data sources' own callers have heard of it.
            Some(since) => since.is_none_or(|since| since >= delay) && lasting >= delay,
            None => lasting >= at_most,
        };
        is_quiet.then_some(ordinal)
    }

    /// Ends the pods that stand in the way.
    pub(super) async fn remove(&self, removals: &[(Ordinal, Removal)]) -> Result<(), PassError> {
        let pods = Api::<Pod>::namespaced(self.context.client.clone(), self.fleet.namespace.as_str());
        for &(ordinal, removal) in removals {
            let name = self.fleet.name.replica(ordinal);
            let seen = self.pods.iter().flatten().find(|pod| pod.name_any() == name);
            let Some(seen) = seen else { continue };
            let this_one = Preconditions {
                uid: seen.uid(),
                resource_version: None,
            };
            let (params, reason, note) = match removal {
                Removal::Stuck => (
                    DeleteParams::default(),
                    Reason::StuckPodDeleted,
                    format!("pod {name} never became ready, and its template was replaced since: it is made anew"),
                ),
                Removal::Lost => (
                    DeleteParams::default().grace_period(0),
                    Reason::LostPodDeleted,
                    format!("pod {name} should have ended, and its node does not answer: it is made anew elsewhere"),
                ),
            };
            match pods.delete(&name, &params.preconditions(this_one)).await {
                Ok(_) => {
                    self.context
                        .events
                        .publish(self.object, Tone::Warning, reason, &note)
                        .await;
                }
                Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {}
                Err(source) => return Err(PassError::Read(Box::new(source))),
            }
        }
        Ok(())
    }
}

/// The highest number of replicas, one more for a roll-out among them.
const MOST: u16 = crate::names::MAX_REPLICAS + 1;

fn everybody(live: &StatefulSet) -> BTreeSet<Ordinal> {
    let replicas = live.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or_default();
    (0..u16::try_from(replicas).unwrap_or_default()).map(Ordinal).collect()
}

/// Whether data sources can be told, as far as the last pass found.
fn sources(object: &FlexConnectServer, fleet: &ValidatedFleet) -> Sources {
    if fleet.data_sources.is_empty() {
        return Sources::None;
    }
    if recorded_sources(object).all(|source| source.registered) {
        Sources::Told
    } else {
        Sources::Blocked
    }
}

/// The URLs of all data sources that the status remembers.
pub(super) fn recorded(object: &FlexConnectServer) -> impl Iterator<Item = &str> {
    recorded_sources(object).filter_map(|source| source.url.as_deref())
}

/// Those that are no longer asked for excepted: nobody could take a replica out of them.
fn recorded_sources(object: &FlexConnectServer) -> impl Iterator<Item = &DataSourceStatus> {
    let asked_for = |source: &&DataSourceStatus| {
        object
            .spec
            .data_sources
            .iter()
            .any(|asked| asked.endpoint == source.endpoint && asked.id == source.id)
    };
    let sources = object.status.iter().flat_map(|status| &status.data_sources);
    sources.filter(asked_for)
}

fn key(object: &impl ResourceExt) -> String {
    format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any())
}
