//! A stream that a worker keeps: pulled in spells, each in whatever slot of that worker is free.
//!
//! A spell runs to its end by itself, so that a reader who is slow holds no slot; what it brings is bounded.

use std::sync::Arc;

use futures::stream;
use futures::{Stream, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::floor::Use;
use super::shared::{Order, Shared};
use super::wire::{FromSlot, ToSlot};
use super::{call, failure, lock};
use crate::function::FunctionError;
use crate::ipc::{self, Message};

/// A spell ends when so much came, or so many milliseconds passed.
const BATCHES: usize = 64;
const BYTES: usize = 1 << 20;
const TIME: u64 = 1;

type Batch = Result<Vec<Message>, FunctionError>;

/// A stream in a worker, until it is dropped.
struct Open {
    shared: Arc<Shared>,
    worker: u64,
    stream: u64,
    /// Whether the worker has let go of it already.
    over: bool,
}

/// What a spell brings.
enum Brought {
    Batch(Vec<Message>),
    /// There may be more.
    Rest,
    End,
    Error(FunctionError),
}

/// The stream that a worker says it keeps. It is dropped there when this is dropped.
pub(super) fn open(
    shared: &Arc<Shared>,
    worker: u64,
    stream: u64,
) -> impl Stream<Item = Batch> + Send + 'static + use<> {
    lock(&shared.floor).stream_opened(worker);
    let open = Open {
        shared: Arc::clone(shared),
        worker,
        stream,
        over: false,
    };
    stream::unfold((Some(open), None), |(open, spell)| next(open, spell)).boxed()
}

type Spell = Option<mpsc::UnboundedReceiver<Brought>>;

async fn next(open: Option<Open>, spell: Spell) -> Option<(Batch, (Option<Open>, Spell))> {
    let (mut open, mut spell) = (open?, spell);
    loop {
        let brings = spell.get_or_insert_with(|| open.pull());
        match brings.recv().await {
            Some(Brought::Batch(messages)) => return Some((Ok(messages), (Some(open), spell))),
            Some(Brought::Rest) => spell = None,
            Some(Brought::End) => {
                open.over = true;
                return None;
            }
            Some(Brought::Error(error)) => {
                open.over = true;
                return Some((Err(error), (None, None)));
            }
            None => {
                let error = FunctionError::failed("the stream was lost as the server ended.");
                return Some((Err(error), (None, None)));
            }
        }
    }
}

impl Open {
    /// Begins a spell.
    fn pull(&self) -> mpsc::UnboundedReceiver<Brought> {
        let (bring, brought) = mpsc::unbounded_channel();
        let spell = pull(Arc::clone(&self.shared), self.worker, self.stream, bring);
        drop(self.shared.runtime.spawn(spell));
        brought
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let (worker, stream) = (self.worker, self.stream);
        if !self.over {
            self.shared.order(Order::Drop { worker, stream });
        }
        if lock(&self.shared.floor).stream_closed(worker) {
            self.shared.order(Order::Idle { worker });
        }
    }
}

/// One spell.
async fn pull(shared: Arc<Shared>, worker: u64, stream: u64, bring: mpsc::UnboundedSender<Brought>) {
    let tell = |brought| drop(bring.send(brought));
    let seat = match shared.seat(Use::Spell { worker }).await {
        Ok(seat) => seat,
        Err(error) => return tell(Brought::Error(error)),
    };
    let asked = ToSlot::Pull {
        stream,
        batches: BATCHES,
        bytes: BYTES,
        time: TIME,
    };
    if let Err(error) = seat.send(&asked, &[]).await {
        return tell(Brought::Error(seat.fails(error).await));
    }
    let mut batches = 0;
    loop {
        let packet = tokio::select! {
            biased;
            packet = seat.recv() => packet,
            // The worker is told that nobody reads; so long it may take to notice.
            () = bring.closed() => {
                let until = Instant::now() + shared.grace;
                if let Ok(packet) = timeout_at(until, seat.recv()).await {
                    packet
                } else {
                    tracing::warn!(worker, "python_stream_hangs");
                    shared.order(Order::Hung { worker });
                    seat.recv().await
                }
            }
        };
        let packet = match packet {
            Ok(packet) => packet,
            Err(error) => return tell(Brought::Error(seat.fails(error).await)),
        };
        match packet.read::<FromSlot>() {
            // What nobody asked for would wait here for a slow reader.
            Ok(FromSlot::Batch) if batches == BATCHES => {
                return tell(Brought::Error(call::unasked(seat).await));
            }
            Ok(FromSlot::Batch) => match ipc::stream::rest(packet.body) {
                Ok(messages) => {
                    batches += 1;
                    tell(Brought::Batch(messages));
                }
                // The spell goes on, and nobody hears it.
                Err(error) => tell(Brought::Error(FunctionError::unsendable(&error))),
            },
            Ok(FromSlot::Rest) => {
                seat.done();
                return tell(Brought::Rest);
            }
            Ok(FromSlot::End) => {
                seat.done();
                return tell(Brought::End);
            }
            Ok(FromSlot::Error(raised)) => {
                seat.done();
                return tell(Brought::Error(failure::of(raised, &packet.body, "", shared.tracebacks)));
            }
            Ok(
                FromSlot::Large { .. }
                | FromSlot::Table { .. }
                | FromSlot::Stream { .. }
                | FromSlot::Verified { .. }
                | FromSlot::Refused(_),
            ) => {
                return tell(Brought::Error(call::unasked(seat).await));
            }
            Err(malformed) => return tell(Brought::Error(seat.fails(malformed.into()).await)),
        }
    }
}
