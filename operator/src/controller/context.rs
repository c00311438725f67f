//! What every pass shares.

use std::time::Duration;

use kube::Client;

use super::asking::Asked;
use crate::dereference::SERVER_IMAGE;
use crate::runtime::backoff::Backoff;
use crate::runtime::events::Events;

/// Which objects the operator looks after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of all namespaces.
    Cluster,
    /// Those of one namespace.
    Namespace(String),
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
        }
    }
}
