//! Load on a server, and what came of it.

mod closed;
mod open;
mod tally;
mod work;

pub(crate) use closed::{Load, drive, runtime};
pub(crate) use open::flood;
pub(crate) use tally::{Tally, Window};
pub(crate) use work::{Step, Work, call};
