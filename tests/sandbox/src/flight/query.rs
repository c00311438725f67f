//! One query through a data source, from the choice of the server to the last row.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use arrow_flight::FlightEndpoint;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::data_source::DataSource;
use crate::options::Profile;
use crate::state::lock;

use super::balance::{Balancing, order};
use super::context::{Asker, command};
use super::error::QueryError;
use super::filter::{Filter, InvalidQuery};
use super::pool::Pool;
use super::route::Route;
use super::rows::Rows;
use super::session::{Deadline, Session};
use super::target::Target;

/// Rows that an answer holds at most.
const MAX_LIMIT: usize = 100_000;
const MAX_TIMEOUT_SECONDS: u64 = 3600;

/// The location that means "where you asked".
const REUSE_CONNECTION: &str = "arrow-flight-reuse-connection://";

/// What `POST /sandbox/dataSources/{id}/query` takes; only `function` is required.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Query {
    /// The name of the function.
    pub function: String,
    /// The columns that the report needs; none leaves the choice to the function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// Filters of the execution context.
    #[serde(default)]
    pub filters: Vec<Filter>,
    /// Further members of the command's `parameters`.
    #[serde(default)]
    pub parameters: Map<String, Value>,
    /// The moment that relative filters count from; none is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// An IANA time zone.
    #[serde(default = "defaults::timezone")]
    pub timezone: String,
    /// `monday` or `sunday`.
    #[serde(default = "defaults::week_start")]
    pub week_start: String,
    /// How many rows the answer holds at most, up to 100,000; all are read and counted.
    #[serde(default = "defaults::limit")]
    pub limit: usize,
    /// When to give up, up to an hour.
    #[serde(default = "defaults::timeout_seconds")]
    pub timeout_seconds: u64,
}

mod defaults {
    pub(super) fn timezone() -> String {
        "Etc/UTC".to_owned()
    }

    pub(super) fn week_start() -> String {
        "monday".to_owned()
    }

    pub(super) fn limit() -> usize {
        100
    }

    pub(super) fn timeout_seconds() -> u64 {
        60
    }
}

impl Query {
    /// A query without columns and filters.
    #[must_use]
    pub fn of(function: impl Into<String>) -> Self {
        Self {
            function: function.into(),
            columns: None,
            filters: Vec::new(),
            parameters: Map::new(),
            timestamp: None,
            timezone: defaults::timezone(),
            week_start: defaults::week_start(),
            limit: defaults::limit(),
            timeout_seconds: defaults::timeout_seconds(),
        }
    }

    fn check(&self) -> Result<(), InvalidQuery> {
        if self.limit > MAX_LIMIT {
            return Err(InvalidQuery(format!(
                "`limit` is {}, but must be at most {MAX_LIMIT}",
                self.limit
            )));
        }
        if !(1..=MAX_TIMEOUT_SECONDS).contains(&self.timeout_seconds) {
            let seconds = self.timeout_seconds;
            let reason = format!("`timeoutSeconds` is {seconds}, but must be from 1 to {MAX_TIMEOUT_SECONDS}");
            return Err(InvalidQuery(reason));
        }
        Ok(())
    }
}

/// What an answered query brought.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The columns of the result in their order.
    pub columns: Vec<Column>,
    /// The first rows: numbers and booleans as such, everything else as text.
    pub rows: Vec<Vec<Value>>,
    /// How many rows the result has.
    pub row_count: u64,
    /// The URL of the data source that answered.
    pub called: String,
    /// Where the rows came from: the location that the server advertises.
    pub location: String,
    /// The URLs that were tried before.
    pub failed_attempts: Vec<FailedAttempt>,
    /// From the first attempt to the last row.
    pub milliseconds: u64,
    /// What the function says beside its rows.
    pub messages: Vec<Value>,
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Column {
    /// The name of the Arrow field.
    pub name: String,
    /// Its Arrow type.
    pub data_type: String,
}

/// A URL that was tried in vain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedAttempt {
    /// The URL.
    pub url: String,
    /// Why it did not do.
    pub error: String,
}

/// A query that was not answered.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It cannot be asked like this.
    Invalid(InvalidQuery),
    /// The last attempt's error, and all the attempts, that one included.
    Unanswered(QueryError, Vec<FailedAttempt>),
}

/// Makes queries; holds the connections and whose turn it is.
#[derive(Debug, Default)]
pub(crate) struct Engine {
    pool: Pool,
    /// Queries so far by data source.
    turns: Mutex<BTreeMap<String, usize>>,
}

impl Engine {
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Starts over with a data source that was deleted.
    pub(crate) fn forget(&self, id: &str) {
        lock(&self.turns).remove(id);
    }

    /// The servers to try, in their order.
    fn plan<'a>(&self, id: &str, route: &'a Route, profile: Profile) -> Vec<&'a Target> {
        let turn = match route.balancing {
            Balancing::None => 0,
            Balancing::Random => rand::random_range(0..route.targets.len()),
            Balancing::RoundRobin => {
                let mut turns = lock(&self.turns);
                let turn = turns.entry(id.to_owned()).or_default();
                let present = *turn;
                *turn = turn.wrapping_add(1);
                present
            }
        };
        let order = order(route.balancing, profile, route.targets.len(), turn);
        order.into_iter().map(|index| &route.targets[index]).collect()
    }

    pub(crate) async fn query(
        &self,
        source: &DataSource,
        query: &Query,
        profile: Profile,
        organization: &str,
    ) -> Result<Answer, Failure> {
        query.check().map_err(Failure::Invalid)?;
        let command = command(query, Asker { organization }).map_err(Failure::Invalid)?;
        let route = Route::of(source).map_err(|error| Failure::Unanswered(error, Vec::new()))?;
        let started = Instant::now();
        let deadline = Deadline::after(Duration::from_secs(query.timeout_seconds));
        let mut attempts = Vec::new();
        let mut targets = self.plan(source.id(), &route, profile).into_iter().peekable();
        while let Some(target) = targets.next() {
            let error = match self.attempt(target, &route, &command, query.limit, deadline).await {
                Ok((rows, location)) => {
                    return Ok(Answer {
                        columns: rows.columns,
                        rows: rows.kept,
                        row_count: rows.count,
                        called: target.to_string(),
                        location: location.to_string(),
                        failed_attempts: attempts,
                        milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
                        messages: rows.messages,
                    });
                }
                Err(error) => error,
            };
            attempts.push(FailedAttempt {
                url: target.to_string(),
                error: error.error.to_string(),
            });
            if targets.peek().is_none() || !falls_over(&error, profile) {
                return Err(Failure::Unanswered(error.error, attempts));
            }
        }
        unreachable!("a route has a server, and the last attempt returns")
    }

    /// Asks one server and reads the rows from where it says they are.
    async fn attempt(
        &self,
        target: &Target,
        route: &Route,
        command: &[u8],
        limit: usize,
        deadline: Deadline,
    ) -> Result<(Rows, Target), Attempted> {
        let asked = |error| Attempted {
            error,
            while_reading: false,
        };
        let reading = |error| Attempted {
            error,
            while_reading: true,
        };
        let session = Session::open(&self.pool, target, route, deadline)
            .await
            .map_err(asked)?;
        let info = session.run(command.to_vec()).await.map_err(asked)?;
        let mut rows = Rows::first(limit);
        let mut location = target.clone();
        if info.endpoint.is_empty() {
            return Err(asked(QueryError::garbled(target, "the FlightInfo has no endpoint")));
        }
        for endpoint in info.endpoint {
            location = advertised(target, &endpoint).map_err(asked)?;
            let Some(ticket) = endpoint.ticket else {
                return Err(asked(QueryError::garbled(
                    target,
                    "an endpoint of the FlightInfo has no ticket",
                )));
            };
            let session = Session::open(&self.pool, &location, route, deadline)
                .await
                .map_err(reading)?;
            session.read(ticket, &mut rows).await.map_err(reading)?;
        }
        Ok((rows, location))
    }
}

/// A failed attempt, and whether the server had answered by then.
struct Attempted {
    error: QueryError,
    while_reading: bool,
}

fn falls_over(attempted: &Attempted, profile: Profile) -> bool {
    match profile {
        Profile::Strict => attempted.error.is_unreachable() && !attempted.while_reading,
        Profile::Lenient => attempted.error.is_of_connection(),
    }
}

/// Where the rows are, by the server's own word.
fn advertised(target: &Target, endpoint: &FlightEndpoint) -> Result<Target, QueryError> {
    match endpoint.location.first() {
        None => Ok(target.clone()),
        Some(location) if location.uri.starts_with(REUSE_CONNECTION) => Ok(target.clone()),
        Some(location) => location
            .uri
            .parse()
            .map_err(|reason| QueryError::garbled(target, format!("its advertised location {reason}"))),
    }
}
