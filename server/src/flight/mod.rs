//! Arrow Flight: the methods that a service brings, the RPCs that reach them, and what else answers on the same port.
//!
//! [`FlightMethods`] is the seam. FlexConnect is one implementation of it; a service of one's own is another, and gets
//! configuration, authentication, tasks, health and the drain from the server just the same.

mod body;
mod call;
mod contain;
mod dispatch;
mod do_get;
mod flexconnect;
mod fork;
mod frame;
mod health;
mod methods;
mod pieces;
mod received;
mod reflection;
mod results;
mod rpc;
mod server;
mod unreadable;
mod upload;

pub use body::DataStream;
pub use call::CallContext;
pub(crate) use dispatch::service;
pub(crate) use flexconnect::POLLABLE;
pub use flexconnect::{CommandError, FlexConnect, Invocation, Settings, Ticket, TicketError};
pub(crate) use fork::Fork;
pub(crate) use health::{SERVICE as HEALTH, service as health};
pub use methods::{Answers, FlightMethods, Uploads};
pub(crate) use rpc::{Dispatcher, Serving};
pub use server::ServerContext;
pub(crate) use server::{Location, Offered};
pub(crate) use unreadable::error as unreadable;
pub use upload::{Upload, send};
