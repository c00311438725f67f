//! Queries through a data source, as GoodData makes them: pick a server, ask it, follow its answer, read the rows.

mod balance;
mod context;
mod error;
mod error_info;
mod filter;
mod pool;
mod probe;
mod query;
mod route;
mod rows;
mod session;
mod target;

pub use error::QueryError;
pub use filter::{Filter, Granularity, InvalidQuery, MatchType};
pub use query::{Answer, Column, FailedAttempt, Query};

pub(crate) use probe::{Listed, list_functions, probe};
pub(crate) use query::{Engine, Failure};
pub(crate) use route::Route;
