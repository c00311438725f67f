//! Without a query: whether the servers answer, and which functions they have.

use std::time::Duration;

use arrow::datatypes::Schema;
use serde::Deserialize;

use super::balance::Balancing;
use super::error::QueryError;
use super::pool::Pool;
use super::route::Route;
use super::session::{Deadline, Session};
use super::target::Target;

/// How long one server may take to list its functions.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A function that a server lists.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) schema: Schema,
}

/// Lists the functions of every server that a query may be sent to. Without load balancing that is the first one
/// that can be reached; with it, each of them has to answer.
pub(crate) async fn probe(pool: &Pool, route: &Route) -> Result<(), QueryError> {
    match route.balancing {
        Balancing::None => list_functions(pool, route).await.map(drop),
        Balancing::RoundRobin | Balancing::Random => {
            let all = route.targets.iter().map(|target| list_of(pool, target, route));
            futures::future::try_join_all(all).await.map(drop)
        }
    }
}

/// The functions of the first server that can be reached.
pub(crate) async fn list_functions(pool: &Pool, route: &Route) -> Result<Vec<Listed>, QueryError> {
    let mut targets = route.targets.iter().peekable();
    while let Some(target) = targets.next() {
        match list_of(pool, target, route).await {
            Err(error) if error.is_unreachable() && targets.peek().is_some() => {}
            listed => return listed,
        }
    }
    unreachable!("a route has a server, and the last one returns")
}

async fn list_of(pool: &Pool, target: &Target, route: &Route) -> Result<Vec<Listed>, QueryError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Command {
        function_name: String,
    }
    let listed = Session::open(pool, target, route, Deadline::after(TIMEOUT))
        .await?
        .list()
        .await?;
    let functions = listed.into_iter().map(|info| {
        let command = info
            .flight_descriptor
            .as_ref()
            .map(|descriptor| descriptor.cmd.clone())
            .unwrap_or_default();
        let command: Command = serde_json::from_slice(&command)
            .map_err(|_| QueryError::garbled(target, "it lists a flight whose command names no function"))?;
        let schema = info
            .try_decode_schema()
            .map_err(|error| QueryError::garbled(target, error))?;
        Ok(Listed {
            name: command.function_name,
            schema,
        })
    });
    functions.collect()
}
