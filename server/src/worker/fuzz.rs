//! The door of the fuzzers: packets as they come from a process that may be anybody, descriptors included.

use std::cell::LazyCell;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};

use super::endings::Endings;
use super::floor::Floor;
use super::shared::Shared;
use super::wire::{self, Along, FromHost, FromSlot, Greeting, Packet};
use super::{failure, links};
use crate::function::FunctionError;
use crate::ipc;
use crate::task::Encoded;

thread_local! {
    static RUNTIME: LazyCell<Runtime> =
        const { LazyCell::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime")) };
}

/// Sends the bytes as a packet, and reads it as what comes from a stranger, the host, a worker and a slot. Gives the errors
/// that a client would be told.
pub(crate) fn packet(along: u8, bytes: &[u8]) -> Vec<FunctionError> {
    let along = [Along::Nothing, Along::Sealed, Along::Unsealed, Along::Pipe, Along::Two][usize::from(along) % 5];
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            match wire::through_a_socket(bytes, along).await {
                Ok(packet) => read(&packet),
                Err(_refused) => Vec::new(),
            }
        })
    })
}

fn read(packet: &Packet) -> Vec<FunctionError> {
    let _ = packet.read::<Greeting>();
    if let Ok(FromHost::Exited(ended)) = packet.read() {
        assert!(
            !super::ending::Ending::of(&ended).text().is_empty(),
            "an end without a word"
        );
    }
    let _ = links::understand(1, packet, &nobody());
    let Ok(said) = packet.read::<FromSlot>() else {
        return Vec::new();
    };
    let body = packet.body.clone();
    let error = match said {
        FromSlot::Table { .. } => Encoded::table(body).err(),
        FromSlot::Stream { .. } => Encoded::stream(body, futures::stream::empty()).err(),
        FromSlot::Batch => ipc::stream::rest(body)
            .err()
            .map(|error| FunctionError::unsendable(&error)),
        FromSlot::Error(raised) => Some(failure::of(raised, &body, "Sales", true)),
        FromSlot::Refused(raised) => {
            let _ = super::verifier::told(raised, &body);
            None
        }
        FromSlot::Large { .. } | FromSlot::Verified { .. } | FromSlot::Rest | FromSlot::End => None,
    };
    error.into_iter().collect()
}

/// What is shared where no call runs.
fn nobody() -> Shared {
    Shared {
        floor: Mutex::new(Floor::new(1)),
        orders: mpsc::unbounded_channel().0,
        endings: Endings::default(),
        board: Mutex::default(),
        tasks: Mutex::new(HashMap::new()),
        keys: Mutex::default(),
        up: watch::Sender::new(false),
        runtime: tokio::runtime::Handle::current(),
        grace: Duration::ZERO,
        tracebacks: true,
        room: None,
    }
}
