//! What a sandbox can be told when it starts.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};

use clap::ValueEnum;
use secrecy::SecretString;

use crate::fault::Fault;

/// The API token of the one user who may manage everything.
pub const DEFAULT_TOKEN: &str = "sandbox-token";

/// The id of the one organization.
pub const DEFAULT_ORGANIZATION: &str = "sandbox";

/// How a sandbox behaves. The default listens on a free port of the loopback, answers under every host name and
/// keeps to what GoodData documents.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The organization's host name. Requests for any other get 404; `None` accepts every name.
    pub host: Option<String>,
    /// The organization's id.
    pub organization: String,
    /// The token of a user with every right.
    pub token: SecretString,
    /// The token of a user without rights, who cannot tell a forbidden object from a missing one.
    pub viewer_token: Option<SecretString>,
    /// What a query does when a server of the data source cannot be reached.
    pub profile: Profile,
    /// Whether the connection test dials the servers.
    pub connection_test: ConnectionTest,
    /// Corners of the API that no document settles, answered the other way.
    pub variants: BTreeSet<Variant>,
    /// Faults that are on from the start.
    pub faults: Vec<Fault>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            host: None,
            organization: DEFAULT_ORGANIZATION.to_owned(),
            token: SecretString::from(DEFAULT_TOKEN),
            viewer_token: None,
            profile: Profile::default(),
            connection_test: ConnectionTest::default(),
            variants: BTreeSet::new(),
            faults: Vec::new(),
        }
    }
}

/// What a query does when a server of its data source cannot be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Tries the next URL for `loadBalancing: none` only, and only when no connection can be established: all that is
    /// documented.
    #[default]
    Strict,
    /// Tries the other URLs for every `loadBalancing` when a connection cannot be established or breaks.
    Lenient,
}

/// What the connection test of a data source does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ConnectionTest {
    /// Dials the Flight servers and lists their functions.
    #[default]
    Dial,
    /// Reports success without dialling.
    AssumeSuccess,
}

/// A corner of the API that no document settles. The sandbox answers with the likelier behaviour; naming a variant
/// makes it answer the other way, so that a client can be shown to cope with both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Variant {
    /// PUT without a secret keeps the stored one; otherwise it drops it.
    PutKeepsSecrets,
    /// A body whose id differs from the path's is accepted, the path wins; otherwise it is refused with 400.
    IdMismatchAccepted,
    /// PATCH with only one of `type` and `url` is accepted; otherwise it is refused with 400.
    TypeWithoutUrlAccepted,
    /// DELETE of a missing data source answers 204; otherwise 404.
    DeleteMissingSucceeds,
    /// POST by a user without rights answers 404; otherwise 403.
    CreateWithoutRightsIsNotFound,
    /// Scanned functions are reported as `VIEW`; otherwise as `TABLE`.
    FunctionsAreViews,
}
