//! Which replicas are asked in a pass, and what becomes of their answers.
//!
//! Those that want to join a data source are asked until they answer as expected. One is asked what the fleet serves when
//! the fleet has changed since that was asked last. A pass over an unchanged fleet asks nobody.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use flexconnect_crds::FlexConnectServer;
use futures::{StreamExt as _, stream};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::ResourceExt;

use super::Context;
use crate::ask::{Function, Question, Unfit, ask};
use crate::build::{Applied, Credentials, Objects};
use crate::dereference::ReplicaPod;
use crate::exposure::{FLIGHT_PORT, endpoint};
use crate::fleet::ValidatedFleet;
use crate::names::Ordinal;
use crate::rollout;

/// How many replicas of one fleet are asked at the same time.
const CONCURRENT_QUESTIONS: usize = 4;

/// The state of each fleet when its functions were asked for last. Entries go when their object does.
#[derive(Debug, Default)]
pub(super) struct Asked(Mutex<HashMap<String, String>>);

impl Asked {
    /// Forgets an object that is gone.
    pub(super) fn forget(&self, object: &impl ResourceExt) {
        self.lock().remove(&key(object));
    }

    fn is_known(&self, object: &str, state: &str) -> bool {
        self.lock().get(object).is_some_and(|known| known == state)
    }

    fn remember(&self, object: String, state: String) {
        self.lock().insert(object, state);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whom a pass asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Round {
    /// Those that want to join.
    newcomers: BTreeSet<Ordinal>,
    /// The state of the fleet, when its functions are not known in it.
    state: Option<String>,
}

/// What the replicas answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    /// Those that answered as expected.
    pub(super) fit: BTreeSet<Ordinal>,
    /// Those that did not.
    pub(super) unfit: BTreeMap<Ordinal, Unfit>,
    /// What the fleet serves, when it was asked for.
    pub(super) functions: Option<Vec<Function>>,
}

impl Round {
    /// Decides whom to ask beside those that want to join.
    pub(super) fn of(
        object: &FlexConnectServer,
        fleet: &ValidatedFleet,
        set: &StatefulSet,
        newcomers: BTreeSet<Ordinal>,
        context: &Context,
    ) -> Self {
        let is_settled = fleet.replicas > 0 && rollout::is_settled(set, fleet.replicas);
        let state = is_settled.then(|| state_of(set));
        Self {
            newcomers,
            state: state.filter(|state| !context.asked.is_known(&key(object), state)),
        }
    }

    /// Whether nobody has to be asked.
    pub(super) fn is_empty(&self) -> bool {
        self.newcomers.is_empty() && self.state.is_none()
    }

    /// Asks.
    pub(super) async fn ask(
        self,
        object: &FlexConnectServer,
        fleet: &ValidatedFleet,
        applied: &Objects<Applied>,
        pods: &[ReplicaPod],
        context: &Context,
    ) -> Answers {
        let mut answers = Answers::default();
        let credentials = applied.credentials();
        let credentials = &credentials;
        let ask = |ordinal: Ordinal| async move { (ordinal, ask_one(fleet, credentials, pods, ordinal).await) };
        let mut asking = stream::iter(self.newcomers.clone())
            .map(ask)
            .buffered(CONCURRENT_QUESTIONS);
        while let Some((ordinal, answer)) = asking.next().await {
            answers.take(ordinal, answer);
        }
        if let Some(state) = self.state {
            let others = fleet.ordinals().filter(|ordinal| !self.newcomers.contains(ordinal));
            // One that answers is enough; more than a few are not tried.
            for ordinal in others.take(CONCURRENT_QUESTIONS) {
                if answers.functions.is_some() {
                    break;
                }
                answers.functions = ask_one(fleet, credentials, pods, ordinal).await.ok();
            }
            if answers.functions.is_some() {
                context.asked.remember(key(object), state);
            }
        }
        answers
    }
}

impl Answers {
    fn take(&mut self, ordinal: Ordinal, answer: Result<Vec<Function>, Unfit>) {
        match answer {
            Ok(functions) => {
                self.fit.insert(ordinal);
                self.functions.get_or_insert(functions);
            }
            Err(unfit) => {
                self.unfit.insert(ordinal, unfit);
            }
        }
    }

    /// Why some replicas are not registered, in one sentence; None: all are fit.
    pub(super) fn complaint(&self) -> Option<String> {
        let complaint = |(ordinal, unfit): (&Ordinal, &Unfit)| format!("replica {ordinal} is not registered: {unfit}");
        let complaints = self.unfit.iter().map(complaint).collect::<Vec<_>>();
        (!complaints.is_empty()).then(|| complaints.join("; "))
    }
}

/// Asks one replica with the credentials that a caller has, or will have.
pub(super) async fn ask_one(
    fleet: &ValidatedFleet,
    credentials: &Credentials,
    pods: &[ReplicaPod],
    ordinal: Ordinal,
) -> Result<Vec<Function>, Unfit> {
    let address = pods
        .iter()
        .find(|pod| pod.ordinal == ordinal)
        .and_then(|pod| pod.address);
    let address = address.ok_or_else(|| Unfit::Unreachable {
        address: fleet.name.replica(ordinal),
        reason: "its pod has no address yet".to_owned(),
    })?;
    ask(&Question {
        address: SocketAddr::new(address, FLIGHT_PORT),
        endpoint: endpoint(fleet, ordinal),
        token: credentials.token.clone(),
        ca_pem: credentials.ca_pem.clone(),
    })
    .await
}

/// What changes when the fleet may serve something else: other pods, or the same ones ready again.
fn state_of(set: &StatefulSet) -> String {
    let status = set.status.as_ref();
    let revision = status.and_then(|status| status.update_revision.as_deref());
    let ready = status.and_then(|status| status.ready_replicas);
    format!(
        "{:?} {:?} {revision:?} {ready:?}",
        set.metadata.uid, set.metadata.generation
    )
}

fn key(object: &impl ResourceExt) -> String {
    format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any())
}
