use std::fs;
use std::sync::Arc;

use arrow::array::{Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow_ipc::reader::FileReader;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use rstest::rstest;

use super::*;

fn batch() -> RecordBatch {
    let fields = vec![
        Field::new("region", DataType::Utf8, true),
        Field::new("sales", DataType::Int64, false),
    ];
    let regions = StringArray::from(vec![Some("EMEA"), None]);
    let sales = Int64Array::from(vec![1, 2]);
    RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![Arc::new(regions), Arc::new(sales)]).unwrap()
}

/// The bytes of a file with the first `rows` rows, written one by one, and what was said about them.
fn written(format: Format, rows: usize, limit: Option<usize>) -> (Vec<u8>, Option<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows");
    let destination = Destination::of(Some(path.clone()), format).unwrap();
    let mut sink = Sink::new(destination, &batch().schema(), limit).unwrap();
    for row in 0..rows {
        if sink.is_full() {
            break;
        }
        sink.write(&batch().slice(row % 2, 1)).unwrap();
        assert!(!path.exists(), "the file must not appear before it is complete");
    }
    let note = sink.finish().unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    (fs::read(&path).unwrap(), note)
}

fn text(format: Format, rows: usize) -> String {
    String::from_utf8(written(format, rows, None).0).unwrap()
}

#[rstest]
#[case(2, "[{\"region\":\"EMEA\",\"sales\":1},{\"region\":null,\"sales\":2}]\n")]
#[case(0, "[]\n")]
fn json(#[case] rows: usize, #[case] expected: &str) {
    assert_eq!(text(Format::Json, rows), expected);
}

#[rstest]
#[case(2, "region,sales\nEMEA,1\n,2\n")]
#[case(0, "region,sales\n")]
fn csv(#[case] rows: usize, #[case] expected: &str) {
    assert_eq!(text(Format::Csv, rows), expected);
}

#[rstest]
#[case(2)]
#[case(0)]
fn arrow_and_parquet_files_are_read_back(#[case] rows: usize) {
    let arrow = written(Format::Arrow, rows, None).0;
    let arrow: Vec<RecordBatch> = FileReader::try_new(io::Cursor::new(arrow), None)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let parquet = written(Format::Parquet, rows, None).0;
    let parquet: Vec<RecordBatch> = ParquetRecordBatchReader::try_new(bytes::Bytes::from(parquet), 10)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for batches in [arrow, parquet] {
        let read = arrow::compute::concat_batches(&batch().schema(), &batches).unwrap();
        assert_eq!(read, batch().slice(0, rows));
    }
}

#[test]
fn rows_beyond_the_limit_are_left_out() {
    let (bytes, note) = written(Format::Csv, 5, Some(3));
    assert_eq!(String::from_utf8(bytes).unwrap(), "region,sales\nEMEA,1\n,2\nEMEA,1\n");
    assert_eq!(note, None);
}

#[test]
fn a_table_shows_a_bounded_number_of_rows_and_says_so() {
    let (exactly, note) = written(Format::Table, TABLE_ROWS, None);
    assert_eq!(note, None);
    let (more, note) = written(Format::Table, TABLE_ROWS + 1, None);
    assert_eq!(exactly, more);
    assert!(
        note.unwrap()
            .starts_with("there are more than these 1000 rows: --limit")
    );
    assert_eq!(written(Format::Table, TABLE_ROWS + 1, Some(2_000)).1, None);
}

#[test]
fn a_file_that_stays_incomplete_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let destination = Destination::of(Some(folder.path().join("rows.csv")), Format::Csv).unwrap();
    let mut sink = Sink::new(destination, &batch().schema(), None).unwrap();
    sink.write(&batch()).unwrap();
    drop(sink);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let Err(error) = Destination::of(Some("/nowhere/rows.csv".into()), Format::Csv) else {
        panic!("there is no such folder")
    };
    assert_eq!(error.to_string(), "/nowhere/rows.csv cannot be written");
}

#[test]
fn pipes_and_links_stay_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let print = |name: &str| {
        let destination = Destination::of(Some(path(name)), Format::Csv).unwrap();
        let mut sink = Sink::new(destination, &batch().schema(), None).unwrap();
        sink.write(&batch()).unwrap();
        sink.finish().unwrap();
    };
    let expected = "region,sales\nEMEA,1\n,2\n";

    let made = std::process::Command::new("mkfifo").arg(path("pipe")).status().unwrap();
    assert!(made.success());
    let pipe = path("pipe");
    let reading = std::thread::spawn(move || fs::read_to_string(pipe).unwrap());
    print("pipe");
    assert_eq!(reading.join().unwrap(), expected);

    fs::write(path("rows.csv"), "old").unwrap();
    std::os::unix::fs::symlink(path("rows.csv"), path("link")).unwrap();
    print("link");
    assert!(path("link").is_symlink());
    assert_eq!(fs::read_to_string(path("rows.csv")).unwrap(), expected);
}
