//! Stands in for GoodData in tests and demonstrations: its REST API for data sources as clients see it on the wire,
//! and queries that go through a registered data source to FlexConnect servers.
//!
//! ```no_run
//! # async fn example() -> Result<(), flexconnect_sandbox::StartError> {
//! use flexconnect_sandbox::{Fault, Options, Sandbox};
//!
//! let sandbox = Sandbox::start(Options::default()).await?;
//! let endpoint = sandbox.endpoint();                 // http://127.0.0.1:PORT, token `sandbox-token`
//! sandbox.inject([Fault::down().times(2)]);          // the next two calls get 503
//! assert_eq!(sandbox.writes(), 0);                   // what a second reconciliation may not change
//! # Ok(())
//! # }
//! ```

mod data_source;
mod fault;
mod flight;
mod journal;
mod options;
mod rest;
mod sandbox;
mod serve;
mod state;

pub use data_source::DataSource;
pub use fault::{Fault, FaultKind, InvalidFault};
pub use flight::{Answer, Column, FailedAttempt, Filter, Granularity, InvalidQuery, MatchType, Query, QueryError};
pub use journal::{Counters, Recorded};
pub use options::{ConnectionTest, DEFAULT_ORGANIZATION, DEFAULT_TOKEN, Options, Profile, Variant};
pub use sandbox::{Dataset, Sandbox, StartError};
