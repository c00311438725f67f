//! What a method knows about the call it answers.

use std::fmt;
use std::net::SocketAddr;
use std::sync::OnceLock;

use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::metadata::MetadataMap;
use tonic::transport::server::TcpConnectInfo;

use super::ServerContext;
use crate::auth::Identity;
use crate::drain::CallInProgress;
use crate::function::Headers;

/// One call of a Flight method: who calls, with what headers, and the server it came to.
pub struct CallContext {
    metadata: MetadataMap,
    peer: Option<SocketAddr>,
    identity: Identity,
    server: ServerContext,
    /// The end of the server waits for the call.
    _in_progress: CallInProgress,
    /// Made when somebody asks for it; most calls never do.
    over: OnceLock<DropGuard>,
}

impl CallContext {
    pub(super) fn new(metadata: MetadataMap, extensions: &http::Extensions, server: ServerContext) -> Self {
        let peer = extensions.get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
        Self {
            metadata,
            peer,
            identity: extensions.get::<Identity>().cloned().unwrap_or_default(),
            _in_progress: server.calls().begin(),
            server,
            over: OnceLock::new(),
        }
    }

    /// A call from nowhere, for tests of methods without a network.
    #[must_use]
    pub fn local(metadata: MetadataMap, server: ServerContext) -> Self {
        Self::new(metadata, &http::Extensions::new(), server)
    }

    /// The metadata of the call, without what belongs to the transport, and without the caller's credentials unless
    /// `server.pass_credentials` asks for them.
    #[must_use]
    pub fn headers(&self) -> Headers {
        Headers::from_metadata(&self.metadata)
    }

    /// Whether a header was sent.
    #[must_use]
    pub fn has_header(&self, name: &str) -> bool {
        self.metadata.contains_key(name)
    }

    /// Where the call comes from; `None` within one process.
    #[must_use]
    pub const fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Who calls, as authentication found out.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The server that was called.
    #[must_use]
    pub const fn server(&self) -> &ServerContext {
        &self.server
    }

    /// Cancelled when the call is over: answered to the end, or given up by its client.
    #[must_use]
    pub fn over(&self) -> CancellationToken {
        let guard = self.over.get_or_init(|| CancellationToken::new().drop_guard());
        guard.token().clone()
    }
}

/// Headers may hold credentials, so they are not shown.
impl fmt::Debug for CallContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallContext")
            .field("peer", &self.peer)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}
