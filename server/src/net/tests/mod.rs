//! The accept loop and its connections on real sockets, with clients that behave badly.

mod connections;
mod harness;
mod protocol;
mod stalled;
mod tls;
