//! A body on disk, read in pieces while it is sent.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::error::{ErrorCode, ErrorInfo, FlightError, FlightKind};
use crate::memory::Region;

/// Bytes of a piece. One is sent while the next one is read.
const PIECE: u64 = 1024 * 1024;

/// The pieces of a region, in order.
pub(super) struct Pieces {
    rest: Region,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Pieces {
    pub(super) fn new(region: Region) -> Self {
        let mut pieces = Self {
            rest: region,
            reading: None,
        };
        pieces.read_ahead();
        pieces
    }

    fn read_ahead(&mut self) {
        let piece = self.rest.split_to(PIECE);
        self.reading = (!piece.is_empty()).then(|| spawn_blocking(move || piece.read()));
    }

    /// The next piece. After an error there is none.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let Some(reading) = &mut self.reading else {
            return Poll::Ready(None);
        };
        let read = ready!(Pin::new(reading).poll(context))
            .map_err(io::Error::from)
            .flatten();
        match &read {
            Ok(_) => self.read_ahead(),
            Err(_) => self.reading = None,
        }
        Poll::Ready(Some(read))
    }
}

/// A body that cannot be read. What the system says is for the log.
pub(super) fn unreadable(error: &io::Error) -> FlightError {
    tracing::error!(%error, "spilled_result_unreadable");
    FlightError::new(
        FlightKind::Internal,
        ErrorInfo::new(ErrorCode::INTERNAL_ERROR, "The result cannot be read back from disk."),
    )
}
