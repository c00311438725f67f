//! A Flight client that reads frames and row counts and no further, so that it takes as little of the machine as a
//! client can.

mod call;
mod connect;
mod download;
mod failure;
mod frames;
mod header;

pub(crate) use call::{Chunk, Method, framed, read, request, ticket_of, unary};
pub(crate) use connect::{Connection, Frame, Target, connect};
pub(crate) use download::download;
pub(crate) use failure::{BACKPRESSURE, CANCELLED, CallError, ErrorInfo, FAILED, IN_PROGRESS};
