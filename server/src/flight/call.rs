//! What a method knows about the call it answers.

use std::fmt;
use std::net::SocketAddr;
use std::sync::OnceLock;

use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::metadata::MetadataMap;
use tonic::transport::server::TcpConnectInfo;

use crate::app::ServerContext;
use crate::function::Headers;

/// One call of a Flight method: who calls, with what headers, and the server it came to.
pub struct CallContext {
    metadata: MetadataMap,
    peer: Option<SocketAddr>,
    server: ServerContext,
    /// Made when somebody asks for it; most calls never do.
    over: OnceLock<DropGuard>,
}

impl CallContext {
    pub(super) fn new(metadata: MetadataMap, extensions: &http::Extensions, server: ServerContext) -> Self {
        let peer = extensions.get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
        Self {
            metadata,
            peer,
            server,
            over: OnceLock::new(),
        }
    }

    /// A call from nowhere, for tests of methods without a network.
    #[must_use]
    pub fn local(metadata: MetadataMap, server: ServerContext) -> Self {
        Self::new(metadata, &http::Extensions::new(), server)
    }

    /// The metadata of the call, without the caller's credentials and what belongs to the transport.
    #[must_use]
    pub fn headers(&self) -> Headers {
        Headers::from_metadata(&self.metadata, self.server.credentials_header())
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

/// Headers hold credentials, so only the peer is shown.
impl fmt::Debug for CallContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallContext")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
