//! A running sandbox, as tests hold it: inspect what was asked and stored, inject faults, stop.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::{fmt, io};

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::data_source::DataSource;
use crate::fault::Fault;
use crate::journal::{Counters, Recorded};
use crate::options::Options;
use crate::rest;
use crate::serve::serve;
use crate::state::{Shared, State, lock};

/// A sandbox that listens. Dropping it closes the port and every connection.
pub struct Sandbox {
    address: SocketAddr,
    state: Shared,
    task: JoinHandle<()>,
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: choose another address with --listen, or port 0 for a free one")]
pub struct StartError {
    address: SocketAddr,
    source: io::Error,
}

/// A dataset of a workspace, as far as it says which data source it reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dataset {
    /// The id of the dataset.
    pub id: String,
    /// The id of the data source.
    pub data_source_id: String,
    /// The table, for FlexConnect the name of the function; none makes it an SQL dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_id: Option<String>,
}

impl Sandbox {
    /// Binds the port and serves until dropped. Must be called inside a Tokio runtime.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let address = options.listen;
        let bind = async {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) = bind.await.map_err(|source| StartError { address, source })?;
        let state = Arc::new(State::new(options));
        let router = rest::router(Arc::clone(&state));
        let task = tokio::spawn(async move { match serve(listener, router).await {} });
        Ok(Self { address, state, task })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL for clients, `http://ADDRESS`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The latest requests, oldest first; a bounded number of them is kept.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.state.journal.requests()
    }

    /// Totals since the start, or since [`Sandbox::forget_requests`].
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.state.journal.counters()
    }

    /// Writes that were applied: what a reconciliation of an unchanged object may not raise.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.counters().writes
    }

    /// Empties the journal and its counters.
    pub fn forget_requests(&self) {
        self.state.journal.clear();
    }

    /// A data source as it is stored, secrets included.
    #[must_use]
    pub fn data_source(&self, id: &str) -> Option<DataSource> {
        lock(&self.state.store).get(id).cloned()
    }

    /// The ids of all data sources.
    #[must_use]
    pub fn data_source_ids(&self) -> Vec<String> {
        lock(&self.state.store)
            .iter()
            .map(|source| source.id().to_owned())
            .collect()
    }

    /// Adds faults to those that are on.
    pub fn inject(&self, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.state.faults).extend(faults);
    }

    /// Takes all faults away.
    pub fn heal(&self) {
        lock(&self.state.faults).clear();
    }

    /// The faults that are on.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        lock(&self.state.faults).clone()
    }

    /// Replaces all workspaces and their datasets.
    pub fn set_workspaces(&self, workspaces: BTreeMap<String, Vec<Dataset>>) {
        *lock(&self.state.workspaces) = workspaces;
    }

    /// Closes the port and every connection, and returns when that is done.
    pub async fn stop(mut self) {
        self.task.abort();
        // The only outcome is the cancellation just asked for.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
