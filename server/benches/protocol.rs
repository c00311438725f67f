//! What the protocol costs without a network: reading a command, writing an error, encoding a table.

use std::hint::black_box;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flexconnect_server::error::{ErrorCode, ErrorInfo, FlightError, FlightKind};
use flexconnect_server::flight::{Invocation, Ticket};
use flexconnect_server::ipc::EncodedTable;
use serde_json::json;
use tonic::Status;

/// A command as large as a dashboard sends them.
fn command() -> Vec<u8> {
    let attributes: Vec<_> = (0..10)
        .map(|n| {
            json!({
                "attributeIdentifier": format!("attribute{n}"), "attributeTitle": "Region",
                "labelIdentifier": format!("attribute{n}.name"), "labelTitle": "Region name",
                "dateGranularity": null, "sorting": null,
            })
        })
        .collect();
    let values: Vec<_> = (0..50).map(|n| format!("value {n}")).collect();
    let command = json!({
        "functionName": "Sales",
        "parameters": {
            "columns": ["region", "amount"],
            "executionContext": {
                "executionType": "REPORT", "organizationId": "org", "workspaceId": "ws", "userId": "u",
                "timestamp": "2025-01-31T08:00:00+00:00", "timezone": "Etc/UTC", "weekStart": "monday",
                "attributes": attributes,
                "filters": [
                    {"filterType": "positiveAttributeFilter", "labelIdentifier": "region", "values": values},
                    {"filterType": "absoluteDateFilter", "datasetIdentifier": "date", "from": "2025-01-01", "to": "2025-01-31"},
                ],
            },
        },
    });
    command.to_string().into_bytes()
}

fn parsing(c: &mut Criterion) {
    let command = command();
    let mut group = c.benchmark_group("parse");
    group.throughput(Throughput::Bytes(command.len() as u64));
    group.bench_function("command", |b| b.iter(|| Invocation::parse(black_box(&command))));
    group.finish();
    let ticket = br#"{"task_id":"64f3d261728fa4ae188bc15411118364"}"#;
    c.bench_function("parse/ticket", |b| b.iter(|| Ticket::parse(black_box(ticket))));
}

fn errors(c: &mut Criterion) {
    let mut group = c.benchmark_group("status");
    let short = FlightError::bad_argument("Unsupported FlexConnect function 'Sales'.");
    let info = ErrorInfo::new(ErrorCode::new(1500), "ů".repeat(300))
        .with_detail("d".repeat(600))
        .with_body(vec![7; 4000]);
    let over_budget = FlightError::new(FlightKind::Server, info);
    for (name, error) in [("short", short), ("over budget", over_budget)] {
        group.bench_function(name, |b| b.iter(|| Status::from(black_box(error.clone()))));
    }
    group.finish();
}

fn table(rows: i64) -> RecordBatch {
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..rows).map(|row| format!("region {}", row % 97)),
    ));
    let counts: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    let amounts: ArrayRef = Arc::new(counts_as_amounts(rows));
    RecordBatch::try_from_iter([("region", names), ("count", counts), ("amount", amounts)]).expect("three columns")
}

fn counts_as_amounts(rows: i64) -> Float64Array {
    (0..rows)
        .map(|row| {
            if row % 10 == 0 {
                None
            } else {
                Some(f64::from(u32::try_from(row).unwrap_or(0)) / 3.0)
            }
        })
        .collect()
}

fn encoding(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode table");
    for rows in [10, 10_000, 1_000_000] {
        let batch = table(rows);
        let schema = batch.schema();
        let batches = vec![batch];
        let size = EncodedTable::encode(&schema, batches.clone()).expect("encodes").len();
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(rows), |b| {
            b.iter(|| EncodedTable::encode(black_box(&schema), black_box(batches.clone())));
        });
    }
    group.finish();
}

criterion_group!(benches, parsing, errors, encoding);
criterion_main!(benches);
