//! Where results go, and streams that fall silent.

use futures::StreamExt as _;
use tempfile::TempDir;

use super::*;
use crate::error::ErrorCode;
use crate::memory::Spill;

const TABLE: usize = 80_000;

/// Returns a table of about [`TABLE`] bytes.
fn tables() -> Arc<RegisteredFunction> {
    Scripted::new("tables", |_| async {
        let rows: Vec<_> = (0_i64..).take(TABLE / size_of::<i64>()).collect();
        Ok(Output::from(numbers(&rows)))
    })
    .registered()
}

fn room(memory: usize, disk: usize) -> (TempDir, Room) {
    let folder = tempfile::tempdir().expect("a folder");
    let spill = Spill::open(folder.path(), disk).expect("a folder to write in");
    (folder, Room::new(memory, Some(spill)))
}

async fn bytes(tasks: &Tasks, task: &Task) -> Vec<Bytes> {
    let mut bytes = Vec::new();
    for message in read_all(tasks, task).await {
        bytes.push(message.header);
        bytes.push(message.body.into_contiguous().await.expect("readable"));
    }
    bytes
}

#[tokio::test]
async fn what_does_not_fit_in_memory_is_read_from_disk() {
    let (_folder, room) = room(3 * TABLE, 10 * TABLE);
    let tasks = Tasks::start_in(room.clone(), limits(), Metrics::new());
    let function = tables();
    let mut calls = Vec::new();
    for _ in 0..8 {
        let task = submit(&tasks, &function);
        succeeded(&task).await;
        calls.push(task);
    }
    let disk = room.spill().expect("a folder").budget().used();
    assert!(disk > 5 * TABLE, "{disk} bytes on disk");
    assert!(
        room.memory().used() <= 3 * TABLE,
        "{} bytes in memory",
        room.memory().used()
    );
    let first = bytes(&tasks, &calls[0]).await;
    for task in &calls {
        assert_eq!(bytes(&tasks, task).await, first);
        let totals = succeeded(task).await.totals().expect("a table");
        assert_eq!(totals.rows, TABLE / size_of::<i64>());
        assert_eq!(totals.bytes, first.iter().map(Bytes::len).sum::<usize>());
    }
}

#[tokio::test(start_paused = true)]
async fn over_both_limits_a_call_may_be_repeated_until_there_is_room() {
    let (_folder, room) = room(2 * TABLE, 2 * TABLE);
    let tasks = Tasks::start_in(room.clone(), limits(), Metrics::new());
    let function = tables();
    let mut refused = None;
    for _ in 0..5 {
        let task = submit(&tasks, &function);
        if let Outcome::Failed(error) = ended(&task).await {
            refused = Some(error);
        }
    }
    assert_eq!(refused.expect("the last one").code(), Some(ErrorCode::BACKPRESSURE));
    sleep(TTL + SECOND).await;
    until(|| room.memory().used() == 0 && room.spill().is_some_and(|spill| spill.budget().used() == 0)).await;
    succeeded(&submit(&tasks, &function)).await;
}

#[tokio::test]
async fn a_table_that_never_fits_is_an_error_that_names_the_setting() {
    let limits = Limits {
        result_bytes: TABLE / 2,
        ..limits()
    };
    let tasks = Tasks::start(limits);
    let error = failed(&submit(&tasks, &tables())).await;
    assert_eq!(error.code(), Some(ErrorCode::COMMAND_FAILED));
    assert!(error.message().contains("task_result_bytes"), "{error}");
}

#[tokio::test]
async fn a_table_that_fits_in_neither_place_is_an_error_that_names_the_larger() {
    let (_folder, room) = room(TABLE / 2, TABLE - 1);
    let tasks = Tasks::start_in(room, limits(), Metrics::new());
    let error = failed(&submit(&tasks, &tables())).await;
    assert_eq!(error.code(), Some(ErrorCode::COMMAND_FAILED));
    assert!(error.message().contains("task_spill_bytes"), "{error}");
    assert!(
        error.message().contains(&format!("results may have {}", TABLE - 1)),
        "{error}"
    );
}

#[tokio::test]
async fn a_table_that_may_fit_in_memory_later_can_be_asked_for_again() {
    let (_folder, room) = room(2 * TABLE, TABLE / 2);
    let tasks = Tasks::start_in(room.clone(), limits(), Metrics::new());
    let full = room.memory().lease(TABLE).expect("fits");
    let error = failed(&submit(&tasks, &tables())).await;
    assert_eq!(error.code(), Some(ErrorCode::BACKPRESSURE));
    drop(full);
    succeeded(&submit(&tasks, &tables())).await;
}

/// The threads of the network never wait for a disk, however small the table is.
#[test]
fn a_small_table_is_written_to_disk_elsewhere_too() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .enable_time()
        .build();
    runtime.expect("a runtime").block_on(async {
        let (_folder, room) = room(TABLE / 2, 10 * TABLE);
        let (release, held) = std::sync::mpsc::channel::<()>();
        let busy = tokio::task::spawn_blocking(move || {
            let _ = held.recv();
        });
        let output = Output::from(numbers(&vec![7; TABLE / size_of::<i64>()]));
        let metrics = Metrics::new();
        let mut keeping = std::pin::pin!(keep::keep(&room, &metrics, output));
        assert!(
            futures::poll!(&mut keeping).is_pending(),
            "somebody else has the only thread for it"
        );
        drop(release);
        let stored = timeout(10 * SECOND, keeping).await.expect("written");
        assert!(stored.is_ok_and(|stored| stored.totals().is_some()));
        busy.await.expect("released");
    });
}

#[tokio::test]
async fn who_reads_from_disk_takes_from_the_budget() {
    let (_folder, room) = room(TABLE / 2, 10 * TABLE);
    let tasks = Tasks::start_in(room.clone(), limits(), Metrics::new());
    let task = submit(&tasks, &tables());
    let stored = succeeded(&task).await;
    let before = room.memory().used();
    let reading = tasks.read(&task, stored).expect("a table");
    assert!(room.memory().used() >= before + TABLE);
    drop(reading);
    assert_eq!(room.memory().used(), before);
}

#[tokio::test]
async fn a_disk_that_fails_is_an_error_of_its_task() {
    let (folder, room) = room(TABLE, 10 * TABLE);
    drop(folder);
    let tasks = Tasks::start_in(room, limits(), Metrics::new());
    let error = failed(&submit(&tasks, &tables())).await;
    assert_eq!(error.code(), Some(ErrorCode::COMMAND_FAILED));
    assert!(error.message().contains("could not be written to disk"), "{error}");
    assert!(!error.message().contains('/'), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_sends_empty_batches_when_asked_to() {
    let function = Scripted::new("silent", |_| async {
        let batches = futures::stream::once(async {
            sleep(10 * SECOND).await;
            Ok(numbers(&[1]))
        });
        Ok(Output::stream(numbers_schema(), batches))
    });
    let function = function.registered();
    for (keep_alive, messages) in [(None, 2), (Some(3 * SECOND), 5), (Some(60 * SECOND), 2)] {
        let tasks = Tasks::start(limits());
        let task = submit(&tasks, &function);
        let stored = succeeded(&task).await;
        assert_eq!(stored.totals(), None);
        let mut reading = tasks.read(&task, stored).expect("the first");
        if let Some(silence) = keep_alive {
            reading = reading.keep_alive(silence);
        }
        let read: Vec<_> = reading.try_collect().await.expect("no error");
        assert_eq!(read.len(), messages, "{keep_alive:?}");
        assert_eq!(read.iter().map(|message| message.rows).sum::<usize>(), 1);
    }
}

#[tokio::test]
async fn batches_on_their_way_take_from_the_budget() {
    let room = Room::new(1 << 20, None);
    let tasks = Tasks::start_in(room.clone(), limits(), Metrics::new());
    let function = Scripted::new("stream", |_| async {
        let rows: Vec<_> = (0_i64..10_000).collect();
        Ok(batches(vec![Ok(numbers(&rows)), Ok(numbers(&rows))]))
    });
    let task = submit(&tasks, &function.registered());
    let stored = succeeded(&task).await;
    let before = room.memory().used();
    let mut reading = tasks.read(&task, stored).expect("the first");
    assert_eq!(reading.by_ref().take(2).count().await, 2, "schema and batch");
    assert!(room.memory().used() > before + TABLE);
    drop(reading);
    assert_eq!(room.memory().used(), before);
}
