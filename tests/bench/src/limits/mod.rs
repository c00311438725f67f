//! What the machine can do at best: programs that only move bytes, or only answer.

mod copying;
mod echo;
mod loopback;

pub(crate) use copying::copy;
pub(crate) use echo::{Echo, serve as serve_echo};
pub(crate) use loopback::{Rate, send};

use std::sync::OnceLock;

/// Which limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// TCP over loopback: so many streams, each written in pieces of so many bytes.
    Tcp { streams: usize, write: usize },
    /// The same through rustls, one stream.
    Tls,
    /// An HTTP/2 server that answers each request with a few bytes.
    Echo,
}

impl Limit {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tcp {
                streams: 1,
                write: ..=16_384,
            } => "loopback TCP, 16K writes",
            Self::Tcp { streams: 1, .. } => "loopback TCP",
            Self::Tcp { .. } => "loopback TCP, 4 streams",
            Self::Tls => "raw rustls",
            Self::Echo => "HTTP/2 echo",
        }
    }
}

const SOURCE: usize = 256 << 20;

/// 256 MiB to send from: more than any cache holds.
fn source() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| vec![0x5a; SOURCE])
}
