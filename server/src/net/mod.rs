//! From a socket to the service: listening, TLS, the accept loop, the life of a connection, the layers every call passes.

pub(crate) mod accept;
mod advertise;
mod coalesce;
mod connection;
pub(crate) mod descriptors;
pub(crate) mod listen;
mod names;
mod patience;
mod preface;
pub(crate) mod stack;
mod streams;
pub(crate) mod tls;
mod writing;

pub use advertise::Advertised;
pub(crate) use advertise::check as check_advertised;
#[cfg(feature = "fuzzing")]
pub(crate) use connection::fuzz_connection;
pub use listen::BindError;
pub(crate) use names::peer_name;
pub use names::{location, machine_name};
pub use tls::TlsError;

#[cfg(test)]
mod tests;
