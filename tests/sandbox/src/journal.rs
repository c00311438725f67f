//! What clients asked for: a bounded ring of requests, and counters that never forget.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use crate::state::lock;

/// Requests that are kept; older ones are only counted.
const CAPACITY: usize = 4096;

/// One request to the API, in the order of the answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The query as it was sent, without `?`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The status that was answered, or would have been when the connection was reset instead.
    pub status: u16,
    /// Whether a fault reset the connection in place of the answer.
    #[serde(default)]
    pub reset: bool,
}

/// Totals since the start, or since the last clearing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    /// All requests to the API.
    pub requests: u64,
    /// Creations, replacements, patches and deletions that were applied, cache invalidations included; connection
    /// tests and scans are none.
    pub writes: u64,
    /// `uploadNotification` calls that succeeded, by data source id.
    pub upload_notifications: BTreeMap<String, u64>,
}

/// The ring and the counters behind one lock.
#[derive(Debug, Default)]
pub(crate) struct Journal(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    ring: VecDeque<Recorded>,
    counters: Counters,
}

impl Journal {
    pub(crate) fn record(&self, request: Recorded) {
        let mut entries = lock(&self.0);
        entries.counters.requests += 1;
        if is_applied_write(&request) {
            entries.counters.writes += 1;
        }
        if let Some(id) = notified_data_source(&request) {
            // Ids are those of stored data sources, so the map is bounded by what was ever created.
            *entries.counters.upload_notifications.entry(id).or_default() += 1;
        }
        if entries.ring.len() == CAPACITY {
            entries.ring.pop_front();
        }
        entries.ring.push_back(request);
    }

    pub(crate) fn requests(&self) -> Vec<Recorded> {
        lock(&self.0).ring.iter().cloned().collect()
    }

    pub(crate) fn counters(&self) -> Counters {
        lock(&self.0).counters.clone()
    }

    pub(crate) fn clear(&self) {
        *lock(&self.0) = Entries::default();
    }
}

/// Whether a method changes what is stored when the call succeeds.
pub(crate) fn is_write(method: &Method, path: &str) -> bool {
    let changes = matches!(*method, Method::POST | Method::PUT | Method::PATCH | Method::DELETE);
    changes && (path.starts_with("/api/v1/entities/") || path.ends_with("/uploadNotification"))
}

fn is_applied_write(request: &Recorded) -> bool {
    let succeeded = StatusCode::from_u16(request.status).is_ok_and(|status| status.is_success());
    succeeded
        && request
            .method
            .parse()
            .is_ok_and(|method| is_write(&method, &request.path))
}

fn notified_data_source(request: &Recorded) -> Option<String> {
    let id = request
        .path
        .strip_prefix("/api/v1/actions/dataSources/")?
        .strip_suffix("/uploadNotification")?;
    is_applied_write(request).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, path: &str, status: u16) -> Recorded {
        Recorded {
            method: method.to_owned(),
            path: path.to_owned(),
            query: None,
            status,
            reset: false,
        }
    }

    #[test]
    fn counts_only_what_changed_something() {
        let journal = Journal::default();
        journal.record(request("GET", "/api/v1/entities/dataSources", 200));
        journal.record(request("POST", "/api/v1/entities/dataSources", 201));
        journal.record(request("POST", "/api/v1/entities/dataSources", 409));
        journal.record(request("POST", "/api/v1/actions/dataSources/a/test", 200));
        journal.record(request("POST", "/api/v1/actions/dataSources/a/uploadNotification", 204));
        let counters = journal.counters();
        assert_eq!((counters.requests, counters.writes), (5, 2));
        assert_eq!(counters.upload_notifications, BTreeMap::from([("a".to_owned(), 1)]));
    }

    #[test]
    fn the_ring_is_bounded_and_the_counter_is_not() {
        let journal = Journal::default();
        for _ in 0..CAPACITY + 10 {
            journal.record(request("GET", "/api/v1/profile", 200));
        }
        assert_eq!(journal.requests().len(), CAPACITY);
        assert_eq!(journal.counters().requests, CAPACITY as u64 + 10);
    }
}
