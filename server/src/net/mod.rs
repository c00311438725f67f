//! From a socket to the service: listening, TLS, the accept loop, the layers every call passes.

pub(crate) mod accept;
pub(crate) mod listen;
mod names;
mod preface;
pub(crate) mod stack;
pub(crate) mod tls;

pub use listen::BindError;
pub use names::{location, machine_name};
pub use tls::TlsError;
