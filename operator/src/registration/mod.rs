//! The data source in GoodData: observe it, plan what to change (pure), act.
//!
//! GoodData has no compare-and-swap and never shows a secret again, so a pass compares what it can read, remembers a
//! keyed hash of what it sent ([`Record`]), and writes only what differs. A pass over an unchanged data source reads
//! twice and writes nothing.

use std::collections::BTreeSet;

pub use flexconnect_crds::{AdoptionPolicy as Adoption, CacheStrategy, LoadBalancing};
use secrecy::SecretString;

mod act;
mod answer;
mod client;
mod data_source;
mod detail;
mod error;
mod fingerprint;
mod observe;
mod plan;
mod remove;
mod traffic;
mod usage;

pub use act::{notify, reconcile, test};
pub use client::{Client, Timeouts};
pub use error::{Class, Reason, Refusal, RegistrationError};
pub use fingerprint::hash;
pub use remove::remove;
pub use traffic::Traffic;

/// How to reach one GoodData organization.
#[derive(Debug, Clone)]
pub struct Connection {
    /// `https://host[:port]`; no path, no user. GoodData picks the organization by this host.
    pub endpoint: String,
    /// The organization's host name, when `endpoint` names something else (a Service inside the cluster).
    pub host_header: Option<String>,
    /// CA certificates (PEM) that are trusted in addition to those of the system.
    pub ca_pem: Option<String>,
    /// An API token of a user with the permission `MANAGE` on the organization.
    pub token: SecretString,
    /// Allows an `http://` endpoint, which sends the token in the clear.
    pub insecure_http: bool,
}

/// The data source as it shall be.
#[derive(Debug, Clone)]
pub struct Desired {
    /// The data source's id; `[.A-Za-z0-9_-]{1,255}`, no leading dot.
    pub id: String,
    /// What GoodData shows; 1 to 255 characters.
    pub name: String,
    /// `grpc://` or `grpc+tls://` URLs in the order of registration; joined they have at most 255 characters.
    pub urls: Vec<String>,
    /// Every host that a replica of this fleet has or may have had. Together with those of `urls` they tell whether a
    /// data source that no [`Record`] speaks of is ours.
    pub own_hosts: BTreeSet<String>,
    /// What GoodData presents to the replicas; `None` for servers that ask for nothing.
    pub token: Option<SecretString>,
    /// The CA (PEM) of the replicas' certificates; `None` when they have public certificates or no TLS.
    pub tls_root_certificate_pem: Option<String>,
    /// How GoodData picks a replica.
    pub load_balancing: LoadBalancing,
    /// Whether GoodData caches results.
    pub cache_strategy: CacheStrategy,
    /// What happens when the id exists already.
    pub adoption: Adoption,
}

/// What the object's status remembers of the last successful pass. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The id of the organization that answered.
    pub organization: String,
    /// A keyed hash of everything that was sent, the token included.
    pub hash: String,
    /// `url` as GoodData returned it, which need not be what was sent.
    pub url: String,
}

/// The outcome of a successful pass.
#[derive(Debug, Clone)]
pub struct Registered {
    /// To be remembered, and given to the next pass.
    pub record: Record,
    /// Requests that changed something; 0 when nothing differed.
    pub writes: u32,
    /// What GoodData's own connection test said.
    pub tested: TestOutcome,
}

/// What GoodData's connection test said about the data source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestOutcome {
    /// Nothing was written, so nothing was tested.
    NotTested,
    /// GoodData reached the fleet.
    Succeeded,
    /// GoodData did not; its own words, cut and cleaned. Right after a start this is normal: ask again with [`test`].
    Failed {
        /// One sentence.
        message: String,
    },
    /// The test itself failed or took too long, which says nothing about the fleet.
    Unknown {
        /// One sentence.
        message: String,
    },
}

/// What became of a data source that shall be no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// It was deleted.
    Deleted,
    /// The organization answered, and has no such data source.
    Gone,
    /// It is not ours.
    LeftAlone {
        /// Why.
        refusal: Refusal,
    },
}
