//! Arrow data in both directions.

use std::cell::LazyCell;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use arrow_flight::{FlightData, FlightDescriptor};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::runtime::{Builder, Runtime};

use super::columns::{column, schema};
use super::dice::Dice;
use super::fits;
use crate::cli;
use crate::flight::{Upload, send};
use crate::ipc::{BatchEncoder, EncodedTable, Message, read_back};
use crate::memory::Spill;
use crate::task::{Encoded, Output, fuzz_spilled};

/// Batches of a table at most.
const BATCHES: usize = 4;

/// Rows of a batch at most.
const ROWS: usize = 200;

thread_local! {
    static RUNTIME: LazyCell<Runtime> =
        const { LazyCell::new(|| Builder::new_current_thread().build().expect("a runtime")) };
    static SPILL: LazyCell<Spill> =
        const { LazyCell::new(|| Spill::open(&std::env::temp_dir(), 1 << 30).expect("a folder to write in")) };
}

/// A table whose columns and rows the input chooses: what an Arrow reader makes of it is the table again, whether it was
/// kept in memory, written to disk, or sent while it was computed.
pub fn table(bytes: &[u8]) {
    let mut dice = Dice(bytes);
    let schema = schema(&mut dice);
    let batches: Vec<_> = (0..=dice.below(BATCHES)).map(|_| batch(&mut dice, &schema)).collect();
    let Ok(mut encoder) = BatchEncoder::new(schema.clone()) else {
        return; // Views in runs are refused, since nobody could read them.
    };
    let mut sent = vec![encoder.schema().message()];
    for batch in &batches {
        sent.extend(encoder.encode(batch).expect("every batch of the schema can be sent"));
    }
    assert_eq!(read_back(sent).1, batches, "sent");

    let with_rows: Vec<_> = batches.into_iter().filter(|batch| batch.num_rows() > 0).collect();
    let table = EncodedTable::encode(&schema, with_rows.clone()).expect("what can be sent can be kept");
    let kept: Vec<_> = (0..).map_while(|index| table.message(index)).collect();
    assert_eq!(table.len(), kept.iter().map(Message::len).sum::<usize>(), "its length");
    assert_eq!(read_back(kept).1, with_rows, "kept");

    let spilled = SPILL.with(|spill| RUNTIME.with(|runtime| runtime.block_on(fuzz_spilled(&table, spill))));
    let spilled = spilled.expect("what was written can be read");
    assert_eq!(read_back(spilled).1, with_rows, "written to disk");
}

fn batch(dice: &mut Dice<'_>, schema: &SchemaRef) -> RecordBatch {
    let rows = dice.below(ROWS);
    let columns = schema
        .fields()
        .iter()
        .map(|field| column(dice, field.data_type(), rows));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), columns.collect(), &options).expect("columns of the schema")
}

/// The messages of a `DoPut`: of each the lengths of its header and its body, then both. What can be read is sent back.
/// The command line reads the same as the answer of a server.
pub fn upload(bytes: &[u8]) {
    let mut dice = Dice(bytes);
    let mut messages = Vec::new();
    while !dice.is_empty() {
        let [header, body] = [(); 2].map(|()| usize::from(u16::from_le_bytes(dice.array())));
        messages.push(FlightData {
            flight_descriptor: messages.is_empty().then(|| FlightDescriptor::new_cmd("upload")),
            data_header: Bytes::copy_from_slice(dice.bytes(header)),
            data_body: Bytes::copy_from_slice(dice.bytes(body)),
            ..FlightData::default()
        });
    }
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            cli::fuzz_rows(messages.clone()).await;
            let messages = stream::iter(messages.into_iter().map(Ok));
            let Ok(mut upload) = Upload::open(messages.boxed()).await else {
                return;
            };
            let mut batches = Vec::new();
            while let Some(batch) = upload.next().await {
                match batch {
                    Ok(batch) => batches.push(batch),
                    Err(error) => fits(error),
                }
            }
            let Some(schema) = upload.schema().cloned() else { return };
            if let Ok(data) = send(Output::stream(schema, stream::iter(batches.into_iter().map(Ok)))) {
                let _ = data.try_for_each(async |_| Ok(())).await;
            }
        });
    });
}

/// What a worker answers a call with: the table as an IPC stream. It is sent as it is, or read here.
pub fn result(bytes: &[u8]) {
    let Ok(encoded) = Encoded::table(Bytes::copy_from_slice(bytes)) else {
        return;
    };
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let batches = Output::Encoded(encoded).into_batches();
            let _ = batches.try_for_each(async |_| Ok(())).await;
        });
    });
}
