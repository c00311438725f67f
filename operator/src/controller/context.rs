//! What every pass shares.

use std::collections::BTreeSet;
use std::time::Duration;

use kube::Client;
use tokio::sync::Semaphore;

use super::asking::Asked;
use super::polls::Polls;
use super::rolling::Unnamed;
use crate::dereference::SERVER_IMAGE;
use crate::registration::Traffic;
use crate::runtime::backoff::Backoff;
use crate::runtime::events::Events;
use crate::runtime::fence::Fence;
use crate::runtime::health::Passes;
use crate::runtime::metrics::Metrics;
use crate::runtime::quiet::Quiet;

/// How many objects are worked on at the same time. Without a bound, an API server that comes back meets all of them.
const SLOTS: usize = 8;
/// What somebody changes in GoodData by hand is repaired within this time, and the minute until the next pass.
const POLL: Duration = Duration::from_mins(5);
/// How long a watch lasts, unless it is said otherwise: less than what load balancers call idle.
const WATCH: Duration = Duration::from_secs(200);

/// Which objects the operator looks after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of all namespaces.
    Cluster,
    /// Those of some namespaces.
    Namespaces(BTreeSet<String>),
}

impl Scope {
    /// None means all.
    #[must_use]
    pub fn of(namespaces: impl IntoIterator<Item = String>) -> Self {
        let namespaces: BTreeSet<String> = namespaces.into_iter().collect();
        if namespaces.is_empty() {
            Self::Cluster
        } else {
            Self::Namespaces(namespaces)
        }
    }
}

/// How long the deletion of an object waits for GoodData, counted from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// While credentials are missing or not accepted: that does not go away by itself.
    pub without_credentials: Duration,
    /// While GoodData does not answer: that does.
    pub without_answer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            without_credentials: Duration::from_mins(5),
            without_answer: Duration::from_hours(1),
        }
    }
}

/// What every pass shares.
pub struct Context {
    /// Speaks with the API server.
    pub client: Client,
    /// Which objects are looked after.
    pub scope: Scope,
    /// How long deletions wait.
    pub patience: Patience,
    /// The image of servers that name none.
    pub server_image: String,
    pub(super) backoff: Backoff,
    pub(super) events: Events,
    pub(super) asked: Asked,
    pub(super) metrics: Metrics,
    pub(super) passes: Passes,
    /// What all clients of GoodData share.
    pub(super) traffic: Traffic,
    /// When GoodData is looked at although nothing changed here.
    pub(super) polls: Polls,
    /// How long a watch lasts.
    pub(super) watch: Duration,
    /// Bounds the work on the API server, and not the waiting for GoodData.
    pub(super) slots: Semaphore,
    /// Says seldom that the API server does not answer.
    pub(super) outage: Quiet,
    pub(super) unnamed: Unnamed,
}

impl Context {
    /// For one run of the controller.
    #[must_use]
    pub fn new(client: Client, scope: Scope, patience: Patience) -> Self {
        Self {
            events: Events::new(client.clone()),
            client,
            scope,
            patience,
            server_image: SERVER_IMAGE.to_owned(),
            backoff: Backoff::default(),
            asked: Asked::default(),
            unnamed: Unnamed::default(),
            metrics: Metrics::default(),
            passes: Passes::default(),
            traffic: Traffic::default(),
            polls: Polls::new(POLL),
            watch: WATCH,
            slots: Semaphore::new(SLOTS),
            outage: Quiet::new(Duration::from_secs(30)),
        }
    }

    /// With the fence of its lease, and with what tells how it is.
    #[must_use]
    pub fn conducted(self, fence: Fence, metrics: Metrics, passes: Passes) -> Self {
        Self {
            traffic: Traffic::new(fence, metrics.clone()),
            metrics,
            passes,
            ..self
        }
    }

    /// With a look at each data source in this time, though nothing changed here.
    #[must_use]
    pub fn polling_every(self, interval: Duration) -> Self {
        Self {
            polls: Polls::new(interval),
            ..self
        }
    }

    /// With waits after failures that are multiplied by this.
    #[must_use]
    pub fn hurried(self, pace: f64) -> Self {
        Self {
            backoff: Backoff::paced(pace),
            ..self
        }
    }

    /// With watches that last this long.
    #[must_use]
    pub fn watching_for(self, watch: Duration) -> Self {
        Self { watch, ..self }
    }

    /// Forgets an object that is gone.
    pub(super) fn forget(&self, object: &impl kube::ResourceExt) {
        self.asked.forget(object);
        self.unnamed.forget(object);
    }
}
