//! The Flight protocol: pure parsers of commands and tickets, FlightInfo, and one short method per RPC.

mod answer;
mod command;
mod descriptor;
mod info;
mod service;
mod ticket;

pub use command::{CommandError, Invocation};
pub use service::{FlexConnectService, Location, Settings};
pub use ticket::{Ticket, TicketError};
