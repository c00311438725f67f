//! Tables on disk: their messages one after the other, each behind its two lengths.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::ipc::{Body, EncodedTable, Message, SchemaMessage, rows};
use crate::memory::{Budget, Lease, Region, Spill, SpillError};

/// Bytes that are read at a time.
const WINDOW: usize = 1024 * 1024;

/// A body up to this size is read together with its header; of a larger one only the place is told.
const SMALL_BODY: usize = WINDOW / 4;

/// What a reader holds at most: a window, or of a large body one piece that is sent and one that is read ahead.
const IN_HAND: usize = 2 * WINDOW;

/// The lengths of header and body.
const LENGTHS: usize = size_of::<u32>() + size_of::<u64>();

/// A table that did not fit in memory.
pub(super) struct SpilledTable {
    schema: SchemaMessage,
    rows: usize,
    bytes: usize,
    region: Region,
}

impl SpilledTable {
    /// Writes a table. Blocks.
    pub(super) fn write(table: &EncodedTable, spill: &Spill) -> Result<Self, SpillError> {
        let lengths: Vec<_> = table.batches().iter().map(lengths).collect();
        let len = table.batches().iter().map(|message| LENGTHS + message.len()).sum();
        let pieces = table.batches().iter().zip(&lengths).flat_map(|(message, lengths)| {
            let segments = message.body.segments().iter().map(|segment| &segment[..]);
            [&lengths[..], &message.header[..]].into_iter().chain(segments)
        });
        Ok(Self {
            schema: table.schema().detached(),
            rows: table.rows(),
            bytes: table.len(),
            region: spill.write(len, pieces)?,
        })
    }

    pub(super) const fn schema(&self) -> &SchemaMessage {
        &self.schema
    }

    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes in all messages, as they are sent.
    pub(super) const fn len(&self) -> usize {
        self.bytes
    }

    /// The messages from the first, which is the schema. What is in the reader's hand is taken from `memory`, whatever is
    /// there: it is how results leave.
    pub(super) fn read(&self, memory: &Budget) -> Records {
        let in_hand = usize::try_from(self.region.len()).map_or(IN_HAND, |bytes| bytes.min(IN_HAND));
        Records {
            _in_hand: memory.lease_anyway(in_hand),
            schema: Some(self.schema.message()),
            window: Bytes::new(),
            rest: self.region.clone(),
            reading: None,
        }
    }
}

/// The door of the fuzzers: the messages of a table that was on disk.
#[cfg(feature = "fuzzing")]
pub(crate) async fn fuzz_spilled(table: &EncodedTable, spill: &Spill) -> io::Result<Vec<Message>> {
    let table = SpilledTable::write(table, spill).map_err(io::Error::other)?;
    let mut records = table.read(&Budget::new(usize::MAX));
    let mut messages = Vec::new();
    while let Some(message) = std::future::poll_fn(|context| records.poll_next(context)).await {
        let message = message?;
        let body = message.body.into_contiguous().await?.into();
        messages.push(Message { body, ..message });
    }
    Ok(messages)
}

fn lengths(message: &Message) -> [u8; LENGTHS] {
    let header = u32::try_from(message.header.len()).unwrap_or(u32::MAX);
    let mut lengths = [0; LENGTHS];
    lengths[..4].copy_from_slice(&header.to_le_bytes());
    lengths[4..].copy_from_slice(&(message.body.len() as u64).to_le_bytes());
    lengths
}

/// Reads messages back, a window at a time.
pub(super) struct Records {
    schema: Option<Message>,
    /// What was read and not told yet.
    window: Bytes,
    /// What follows it in the file.
    rest: Region,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    _in_hand: Lease,
}

/// What a window has.
enum Found {
    Message(Message),
    /// A message begins here whose body is larger.
    Large {
        header: Bytes,
        body: u64,
    },
    /// So many bytes are needed to go on.
    Needs(usize),
}

impl Records {
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Message>>> {
        if let Some(schema) = self.schema.take() {
            return Poll::Ready(Some(Ok(schema)));
        }
        loop {
            if let Some(reading) = &mut self.reading {
                let read = ready!(Pin::new(reading).poll(context));
                self.reading = None;
                match read.map_err(io::Error::from).flatten() {
                    Ok(window) => self.window = window,
                    Err(error) => return Poll::Ready(Some(Err(error))),
                }
            }
            match take(&mut self.window) {
                Found::Message(message) => return Poll::Ready(Some(Ok(message))),
                Found::Large { header, body } => {
                    self.rest.step_back(std::mem::take(&mut self.window).len());
                    return Poll::Ready(Some(Ok(Message {
                        rows: rows(&header),
                        header,
                        body: Body::from(self.rest.split_to(body)),
                        app_metadata: Bytes::new(),
                    })));
                }
                Found::Needs(_) if self.window.is_empty() && self.rest.is_empty() => return Poll::Ready(None),
                Found::Needs(_) if self.rest.is_empty() => {
                    return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
                }
                Found::Needs(bytes) => {
                    self.rest.step_back(std::mem::take(&mut self.window).len());
                    let window = self.rest.split_to(bytes.max(WINDOW) as u64);
                    self.reading = Some(spawn_blocking(move || window.read()));
                }
            }
        }
    }
}

/// Takes the next message out of a window. When it is not all there, the window stays as it is.
fn take(window: &mut Bytes) -> Found {
    let mut ahead = &window[..];
    let (Ok(header), Ok(body)) = (ahead.try_get_u32_le(), ahead.try_get_u64_le()) else {
        return Found::Needs(LENGTHS);
    };
    let begin = LENGTHS + header as usize;
    if window.len() < begin {
        return Found::Needs(begin);
    }
    let (body, large) = (usize::try_from(body).unwrap_or(usize::MAX), body);
    let end = begin.saturating_add(body);
    if window.len() < end && body <= SMALL_BODY {
        return Found::Needs(end);
    }
    window.advance(LENGTHS);
    let header = window.split_to(header as usize);
    if window.len() < body {
        return Found::Large { header, body: large };
    }
    Found::Message(Message {
        rows: rows(&header),
        header,
        body: window.split_to(body).into(),
        app_metadata: Bytes::new(),
    })
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use proptest::prelude::*;

    use super::*;

    fn table(batches: &[usize]) -> EncodedTable {
        let batches: Vec<_> = batches
            .iter()
            .map(|&rows| {
                let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values((0_i64..).take(rows)));
                RecordBatch::try_from_iter([("n", numbers)]).expect("one column")
            })
            .collect();
        let empty: ArrayRef = Arc::new(Int64Array::from(Vec::<i64>::new()));
        let schema = RecordBatch::try_from_iter([("n", empty)]).expect("one column").schema();
        EncodedTable::encode(&schema, batches).expect("encodes")
    }

    async fn read(mut records: Records) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(message) = poll_fn(|context| records.poll_next(context)).await {
            let Message {
                header,
                body,
                app_metadata,
                rows,
            } = message.expect("readable");
            let body = body.into_contiguous().await.expect("readable").into();
            messages.push(Message {
                header,
                body,
                app_metadata,
                rows,
            });
        }
        messages
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn tables_come_back_as_they_were(batches in prop::collection::vec(prop_oneof![0_usize..100, 0_usize..200_000], 0..6)) {
            let folder = tempfile::tempdir().expect("a folder");
            let spill = Spill::open(folder.path(), 1 << 30).expect("a folder to write in");
            let table = table(&batches);
            let spilled = SpilledTable::write(&table, &spill).expect("fits");
            prop_assert_eq!((spilled.rows(), spilled.len()), (table.rows(), table.len()));
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let messages = runtime.block_on(read(spilled.read(&Budget::new(0))));
            let expected: Vec<_> = (0..).map_while(|index| table.message(index)).collect();
            prop_assert_eq!(messages, expected);
        }

        #[test]
        fn no_window_is_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = take(&mut Bytes::from(bytes));
        }
    }

    #[tokio::test]
    async fn a_large_body_stays_on_disk_until_it_is_sent() {
        let folder = tempfile::tempdir().expect("a folder");
        let spill = Spill::open(folder.path(), 1 << 30).expect("a folder to write in");
        let spilled = SpilledTable::write(&table(&[1_000_000, 1]), &spill).expect("fits");
        let mut records = spilled.read(&Budget::new(0));
        let mut next = async || {
            poll_fn(|context| records.poll_next(context))
                .await
                .expect("a message")
                .expect("readable")
        };
        next().await;
        assert_eq!(next().await.body.region().expect("on disk").len(), 8_000_000);
        assert!(next().await.body.region().is_none());
    }
}
