//! The worker protocol, from the server's end.

use tonic::Status;

use super::dice::Dice;
use super::fits;
use crate::error::FlightError;
use crate::worker;

/// A packet, with or without descriptors beside it: errors that it makes fit into trailers. That the server maps nothing
/// that could change is the business of a test.
pub fn worker(bytes: &[u8]) {
    let mut dice = Dice(bytes);
    let along = dice.byte();
    for error in worker::fuzz_packet(along, dice.0) {
        fits(Status::from(FlightError::from(error)));
    }
}
