//! The Flight protocol: pure parsers of commands and tickets, FlightInfo, and one short method per RPC.

mod answer;
mod body;
mod command;
mod descriptor;
mod dispatch;
mod do_get;
mod frame;
mod info;
mod service;
mod ticket;

pub use body::DataStream;
pub use command::{CommandError, Invocation};
pub use dispatch::FlightServer;
pub use service::{FlexConnectService, Location, Settings};
pub use ticket::{Ticket, TicketError};
