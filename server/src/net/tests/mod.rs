//! The accept loop and its connections, with clients that behave badly: on real sockets, and in memory where time matters.

mod connections;
mod harness;
mod protocol;
mod stalled;
mod tls;
