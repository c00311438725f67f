use std::sync::Mutex as StdMutex;
use std::sync::mpsc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use proptest::prelude::*;
use serde_json::Map;
use tokio::time::{sleep, timeout};

use super::*;
use crate::error::{ErrorCode, FlightError};
use crate::function::testing::{Scripted, numbers, numbers_schema};
use crate::function::{Call, FunctionError, Headers, Output, RegisteredFunction};
use crate::ipc::Message;

const SECOND: Duration = Duration::from_secs(1);
const DEADLINE: Duration = Duration::from_secs(100);
const TTL: Duration = Duration::from_mins(1);

fn limits() -> Limits {
    Limits {
        threads: 4,
        queue: 100,
        result_ttl: TTL,
        call_deadline: DEADLINE,
        result_bytes: 1 << 20,
    }
}

fn submission(function: &Arc<RegisteredFunction>) -> Submission {
    Submission {
        function: Arc::clone(function),
        parameters: Map::new(),
        columns: None,
        headers: Headers::default(),
        command: Bytes::from_static(b"{}"),
    }
}

fn submit(tasks: &Tasks, function: &Arc<RegisteredFunction>) -> Arc<Task> {
    tasks.submit(submission(function)).expect("there is room")
}

fn rows() -> Arc<RegisteredFunction> {
    Scripted::new("rows", |_| async { Ok(Output::from(numbers(&[1, 2, 3]))) }).registered()
}

fn batches(batches: Vec<Result<RecordBatch, FunctionError>>) -> Output {
    Output::stream(numbers_schema(), futures::stream::iter(batches))
}

/// Runs for so long, unless it is cancelled.
fn sleeper(time: Duration) -> Scripted {
    Scripted::new("sleeper", move |call: Call| async move {
        tokio::select! {
            () = sleep(time) => Ok(Output::from(numbers(&[1]))),
            () = call.cancelled.cancelled() => Err(FunctionError::cancelled()),
        }
    })
}

/// Runs for so long, whatever anybody says.
fn stubborn(time: Duration) -> Scripted {
    Scripted::new("stubborn", move |_| async move {
        sleep(time).await;
        Ok(Output::from(numbers(&[1])))
    })
}

async fn ended(task: &Task) -> Outcome {
    match task.wait(task.time_left()).await {
        Waited::Ended(outcome) => outcome,
        Waited::TimedOut | Waited::Pending => panic!("the task goes on"),
    }
}

async fn succeeded(task: &Task) -> Arc<read::Stored> {
    match ended(task).await {
        Outcome::Succeeded(stored) => stored,
        Outcome::Failed(error) => panic!("failed: {error}"),
        Outcome::Cancelled => panic!("cancelled"),
    }
}

async fn failed(task: &Task) -> FlightError {
    match ended(task).await {
        Outcome::Failed(error) => error,
        Outcome::Succeeded(_) | Outcome::Cancelled => panic!("did not fail"),
    }
}

async fn is_cancelled(task: &Task) -> bool {
    matches!(ended(task).await, Outcome::Cancelled)
}

async fn read_all(tasks: &Tasks, task: &Task) -> Vec<Message> {
    let stored = succeeded(task).await;
    tasks
        .read(task, stored)
        .expect("not read yet")
        .try_collect()
        .await
        .expect("no error")
}

// === running ===

#[tokio::test(start_paused = true)]
async fn tasks_run_on_their_slots_in_the_order_they_came() {
    let order = Arc::new(StdMutex::new(Vec::new()));
    let start = Instant::now();
    let log = Arc::clone(&order);
    let function = Scripted::new("two seconds", move |call: Call| {
        log.lock().expect("not poisoned").push(call.task_id);
        async {
            sleep(2 * SECOND).await;
            Ok(Output::from(numbers(&[1])))
        }
    });
    let function = function.registered();
    let tasks = Tasks::start(limits());
    let submitted: Vec<_> = (0..7).map(|_| submit(&tasks, &function)).collect();
    assert_eq!((tasks.load().running, tasks.load().queued), (4, 3));

    let mut times = Vec::new();
    for task in &submitted {
        succeeded(task).await;
        times.push(start.elapsed().as_secs());
    }
    assert_eq!(times, [2, 2, 2, 2, 4, 4, 4]);
    let ids: Vec<_> = submitted.iter().map(|task| task.id()).collect();
    let order = order.lock().expect("not poisoned");
    // Within a second, the runtime may start tasks in any order.
    assert!(ids[..4].iter().all(|id| order[..4].contains(id)));
    assert!(ids[4..].iter().all(|id| order[4..].contains(id)));
    assert_eq!((tasks.load().running, tasks.load().queued), (0, 0));
}

#[tokio::test]
async fn one_slot_runs_one_task_after_the_other() {
    let order = Arc::new(StdMutex::new(Vec::new()));
    let log = Arc::clone(&order);
    let function = Scripted::new("noted", move |call: Call| {
        log.lock().expect("not poisoned").push(call.task_id);
        async { Ok(Output::from(numbers(&[1]))) }
    });
    let function = function.registered();
    let tasks = Tasks::start(Limits { threads: 1, ..limits() });
    let submitted: Vec<_> = (0..50).map(|_| submit(&tasks, &function)).collect();
    for task in &submitted {
        succeeded(task).await;
    }
    assert_eq!(
        *order.lock().expect("not poisoned"),
        submitted.iter().map(|task| task.id()).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_function_gets_what_was_submitted() {
    let seen = Arc::new(StdMutex::new(None));
    let log = Arc::clone(&seen);
    let function = Scripted::new("seen", move |call: Call| {
        *log.lock().expect("not poisoned") = Some(call);
        async { Ok(Output::from(numbers(&[1]))) }
    });
    let function = function.registered();
    let tasks = Tasks::start(limits());
    let mut submission = submission(&function);
    submission.parameters.insert("a".into(), 1.into());
    submission.columns = Some("a".into());
    let task = tasks.submit(submission).expect("there is room");
    succeeded(&task).await;
    let call = seen.lock().expect("not poisoned").take().expect("was called");
    assert_eq!(call.task_id, task.id());
    assert_eq!(call.parameters["a"], 1);
    assert_eq!(call.columns, Some("a".into()));
    assert!(!call.cancelled.is_cancelled());
}

#[tokio::test]
async fn a_panic_is_an_error_of_its_task_only() {
    let function = Scripted::new("panics", |_| async { panic!("secret") });
    let (function, good) = (function.registered(), rows());
    let blocking = Scripted::new("panics", |_| async { panic!("secret") })
        .on_blocking_threads()
        .registered();
    let tasks = Tasks::start(Limits { threads: 1, ..limits() });
    for function in [function, blocking] {
        let error = failed(&submit(&tasks, &function)).await;
        assert_eq!(error.code(), Some(ErrorCode::COMMAND_FAILED));
        assert_eq!(
            error.message(),
            "There was an error while running task: the function panicked."
        );
    }
    succeeded(&submit(&tasks, &good)).await;
}

#[tokio::test]
async fn a_result_that_contradicts_itself_is_the_functions_failure() {
    let schema = Arc::new(arrow::datatypes::Schema::empty());
    let function = Scripted::new("odd", move |_| {
        let output = Output::table(schema.clone(), vec![numbers(&[1])]);
        async { Ok(output) }
    });
    let function = function.registered();
    let tasks = Tasks::start(limits());
    let error = failed(&submit(&tasks, &function)).await;
    assert_eq!(error.code(), Some(ErrorCode::COMMAND_FAILED));
}

#[tokio::test]
async fn large_tables_are_encoded_too() {
    let function = Scripted::new("large", |_| async {
        let values: Vec<i64> = (0..100_000).collect();
        Ok(Output::from(numbers(&values)))
    });
    let function = function.registered();
    let tasks = Tasks::start(limits());
    let task = submit(&tasks, &function);
    let messages = read_all(&tasks, &task).await;
    assert_eq!(messages.len(), 2);
    assert!(messages[1].body.len() >= 800_000);
}

// === bounds ===

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses() {
    let tasks = Tasks::start(Limits {
        threads: 1,
        queue: 1,
        ..limits()
    });
    let function = sleeper(SECOND).registered();
    let first = submit(&tasks, &function);
    let second = submit(&tasks, &function);
    assert_eq!(tasks.submit(submission(&function)).err(), Some(Refused::QueueFull));
    succeeded(&first).await;
    submit(&tasks, &function);
    succeeded(&second).await;
}

#[tokio::test(start_paused = true)]
async fn results_over_the_limit_refuse_new_calls_until_they_are_gone() {
    let tasks = Tasks::start(Limits {
        result_bytes: 2200,
        ..limits()
    });
    let function = rows();
    let task = submit(&tasks, &function);
    let messages = read_all(&tasks, &task).await;
    let held: usize = messages.iter().map(Message::size).sum();
    assert!((300..1400).contains(&held), "{held} bytes of result");
    assert_eq!(tasks.submit(submission(&function)).err(), Some(Refused::OutOfBytes));

    // A reader keeps the table beyond its time.
    let stored = succeeded(&task).await;
    let reading = tasks.read(&task, stored).expect("repeatable");
    let id = task.id().to_string();
    drop(task);
    sleep(TTL + SECOND).await;
    assert!(tasks.find(&id).is_none());
    assert_eq!(reading.count().await, 2, "schema and batch");
    until(|| tasks.submit(submission(&function)).is_ok()).await;
}

/// Waits for something that other threads bring about.
async fn until(mut condition: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if condition() {
            return;
        }
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
    panic!("did not happen");
}

#[tokio::test]
async fn a_closed_executor_takes_nothing_new_and_keeps_what_it_has() {
    let tasks = Tasks::start(limits());
    let function = rows();
    let task = submit(&tasks, &function);
    tasks.close();
    assert_eq!(tasks.submit(submission(&function)).err(), Some(Refused::Closed));
    assert_eq!(read_all(&tasks, &task).await.len(), 2);
    assert!(tasks.find(&task.id().to_string()).is_some());
}

// === cancelling ===

#[tokio::test(start_paused = true)]
async fn a_running_task_is_cancelled_and_its_hook_runs_once() {
    let tasks = Tasks::start(limits());
    let function = sleeper(DEADLINE);
    let hooks = function.cancellations();
    let function = function.registered();
    let task = submit(&tasks, &function);
    sleep(SECOND).await;
    let id = task.id().to_string();
    assert_eq!(tasks.cancel(&id), Cancelled::Done);
    assert_eq!(tasks.cancel(&id), Cancelled::Done);
    assert!(is_cancelled(&task).await);
    until(|| !hooks.lock().expect("not poisoned").is_empty()).await;
    assert_eq!(*hooks.lock().expect("not poisoned"), [task.id()]);
    assert_eq!(tasks.load().running, 0);
    assert!(tasks.find(&id).is_some(), "is remembered as cancelled");
}

#[tokio::test(start_paused = true)]
async fn a_queued_task_is_cancelled_unseen() {
    let tasks = Tasks::start(Limits {
        threads: 1,
        queue: 1,
        ..limits()
    });
    let running = submit(&tasks, &sleeper(10 * SECOND).registered());
    let called = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&called);
    let function = Scripted::new("queued", move |_| {
        flag.store(true, Ordering::Release);
        async { Ok(Output::from(numbers(&[1]))) }
    });
    let hooks = function.cancellations();
    let function = function.registered();
    let queued = submit(&tasks, &function);
    tasks.cancel(&queued.id().to_string());
    assert!(is_cancelled(&queued).await);
    assert_eq!(tasks.load().queued, 0);
    submit(&tasks, &rows());
    succeeded(&running).await;
    tasks.cancel(&running.id().to_string());
    sleep(SECOND).await;
    assert!(!called.load(Ordering::Acquire));
    assert!(hooks.lock().expect("not poisoned").is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_does_not_listen_is_dropped_after_a_while() {
    let tasks = Tasks::start(Limits { threads: 1, ..limits() });
    let task = submit(&tasks, &stubborn(Duration::MAX).registered());
    let next = submit(&tasks, &rows());
    sleep(SECOND).await;
    let start = Instant::now();
    tasks.cancel(&task.id().to_string());
    assert!(is_cancelled(&task).await);
    assert_eq!(start.elapsed().as_secs(), 5);
    succeeded(&next).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_cancelled_function_returns_is_discarded() {
    let tasks = Tasks::start(limits());
    let task = submit(&tasks, &stubborn(2 * SECOND).registered());
    sleep(SECOND).await;
    tasks.cancel(&task.id().to_string());
    assert!(matches!(task.wait(Duration::ZERO).await, Waited::Pending));
    assert!(is_cancelled(&task).await);
}

#[tokio::test]
async fn a_blocking_call_keeps_its_slot_until_it_returns() {
    let (release, released) = mpsc::channel::<()>();
    let released = StdMutex::new(Some(released));
    let function = Scripted::new("blocks", move |_| {
        let released = released.lock().expect("not poisoned").take().expect("called once");
        async move {
            let _ = released.recv();
            Ok(Output::from(numbers(&[1])))
        }
    });
    let function = function.on_blocking_threads().registered();
    let tasks = Tasks::start(Limits {
        threads: 1,
        call_deadline: Duration::from_millis(20),
        ..limits()
    });
    let task = submit(&tasks, &function);
    assert!(matches!(task.wait(task.time_left()).await, Waited::TimedOut));
    assert!(
        matches!(task.wait(Duration::ZERO).await, Waited::TimedOut),
        "and again, while it runs"
    );
    assert_eq!(tasks.load().running, 1);
    release.send(()).expect("it still waits");
    timeout(10 * SECOND, tasks.idle()).await.expect("it returned");
    assert!(is_cancelled(&task).await);
}

#[tokio::test]
async fn cancelling_what_is_over_forgets_it() {
    let tasks = Tasks::start(limits());
    let task = submit(&tasks, &rows());
    succeeded(&task).await;
    let id = task.id().to_string();
    assert_eq!(tasks.cancel(&id), Cancelled::Done);
    assert!(tasks.find(&id).is_none());
    assert_eq!(tasks.cancel(&id), Cancelled::Done, "nobody knows it any more");
}

// === deadlines ===

#[tokio::test(start_paused = true)]
async fn the_deadline_covers_the_queue() {
    let tasks = Tasks::start(Limits { threads: 1, ..limits() });
    let first = submit(&tasks, &sleeper(2 * DEADLINE).registered());
    let second = submit(&tasks, &rows());
    let (first, second_end) = tokio::join!(first.wait(2 * DEADLINE), second.wait(2 * DEADLINE));
    assert!(matches!(first, Waited::TimedOut));
    assert!(matches!(second_end, Waited::TimedOut));
    sleep(SECOND).await;
    assert!(is_cancelled(&second).await, "who comes later finds it cancelled");
}

#[tokio::test(start_paused = true)]
async fn nobody_has_to_wait_for_the_deadline_to_hold() {
    let tasks = Tasks::start(limits());
    let task = submit(&tasks, &sleeper(Duration::MAX).registered());
    sleep(DEADLINE + SECOND).await;
    assert_eq!(tasks.load().running, 0);
    assert!(is_cancelled(&task).await);
}

#[tokio::test(start_paused = true)]
async fn polling_tells_how_far_it_is() {
    let tasks = Tasks::start(Limits {
        call_deadline: 3 * SECOND,
        ..limits()
    });
    let task = submit(&tasks, &stubborn(Duration::MAX).registered());
    let poll = || task.wait(SECOND / 2);
    let start = Instant::now();
    for _ in 0..5 {
        assert!(matches!(poll().await, Waited::Pending));
    }
    assert!(matches!(poll().await, Waited::TimedOut));
    assert_eq!(start.elapsed(), 3 * SECOND);
    for _ in 0..9 {
        assert!(matches!(poll().await, Waited::TimedOut));
    }
    sleep(SECOND).await;
    assert!(matches!(poll().await, Waited::Ended(Outcome::Cancelled)));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_does_not_lose_its_task() {
    let tasks = Tasks::start(limits());
    let task = submit(&tasks, &sleeper(2 * SECOND).registered());
    let id = task.id().to_string();
    timeout(SECOND, task.wait(DEADLINE))
        .await
        .err()
        .expect("gone after a second");
    drop(task);
    let task = tasks.find(&id).expect("still there");
    assert_eq!(read_all(&tasks, &task).await.len(), 2);
}

// === results ===

#[tokio::test(start_paused = true)]
async fn results_live_from_their_end_and_reading_does_not_prolong() {
    let tasks = Tasks::start(limits());
    let task = submit(&tasks, &sleeper(10 * SECOND).registered());
    let id = task.id().to_string();
    succeeded(&task).await;
    sleep(TTL * 59 / 60).await;
    assert_eq!(read_all(&tasks, &tasks.find(&id).expect("not yet")).await.len(), 2);
    sleep(2 * SECOND).await;
    assert!(tasks.find(&id).is_none());
}

#[tokio::test(start_paused = true)]
async fn each_result_expires_on_its_own() {
    let tasks = Tasks::start(limits());
    let mut ids = Vec::new();
    for _ in 0..3 {
        let task = submit(&tasks, &rows());
        succeeded(&task).await;
        ids.push(task.id().to_string());
        sleep(TTL / 2).await;
    }
    sleep(SECOND).await;
    let there: Vec<_> = ids.iter().map(|id| tasks.find(id).is_some()).collect();
    assert_eq!(there, [false, false, true]);
}

#[tokio::test]
async fn tables_are_read_any_number_of_times() {
    let tasks = Tasks::start(limits());
    let task = submit(&tasks, &rows());
    let first = read_all(&tasks, &task).await;
    assert_eq!(first, read_all(&tasks, &task).await);
}

#[tokio::test]
async fn streams_are_read_once() {
    for blocking in [false, true] {
        let function = Scripted::new("stream", |_| async {
            Ok(batches(vec![Ok(numbers(&[1])), Ok(numbers(&[])), Ok(numbers(&[2]))]))
        });
        let function = if blocking {
            function.on_blocking_threads()
        } else {
            function
        };
        let tasks = Tasks::start(limits());
        let task = submit(&tasks, &function.registered());
        let stored = succeeded(&task).await;
        let reading = tasks.read(&task, Arc::clone(&stored)).expect("the first");
        assert_eq!(
            tasks.read(&task, Arc::clone(&stored)).err(),
            Some(Consumed),
            "while it is read"
        );
        assert_eq!(
            reading.count().await,
            4,
            "schema and batches, also the one without rows"
        );
        assert_eq!(tasks.read(&task, stored).err(), Some(Consumed), "after it was read");
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_error() {
    let error = || FunctionError::bad_argument("no such month");
    let tasks = Tasks::start(limits());
    let function = Scripted::new("breaks", move |_| async move {
        Ok(batches(vec![Ok(numbers(&[1])), Err(error()), Ok(numbers(&[2]))]))
    });
    let task = submit(&tasks, &function.registered());
    let stored = succeeded(&task).await;
    let items: Vec<_> = tasks.read(&task, stored).expect("the first").collect().await;
    assert_eq!(items.len(), 3);
    assert!(items[..2].iter().all(Result::is_ok));
    assert_eq!(items[2].as_ref().expect_err("breaks").to_string(), "no such month");
}

#[tokio::test]
async fn a_panic_in_a_stream_is_its_error() {
    for blocking in [false, true] {
        let function = Scripted::new("panics", |_| async {
            let batches = futures::stream::poll_fn(|_| panic!("secret"));
            Ok(Output::stream(numbers_schema(), batches))
        });
        let function = if blocking {
            function.on_blocking_threads()
        } else {
            function
        };
        let tasks = Tasks::start(limits());
        let task = submit(&tasks, &function.registered());
        let stored = succeeded(&task).await;
        let items: Vec<_> = tasks.read(&task, stored).expect("the first").collect().await;
        assert_eq!(items.len(), 2);
        assert_eq!(
            items[1].as_ref().expect_err("panics").to_string(),
            "the function panicked."
        );
        assert_eq!(tasks.load().streams, 0);
    }
}

// === draining ===

#[tokio::test(start_paused = true)]
async fn idle_is_when_everything_is_read_or_expired() {
    let tasks = Tasks::start(limits());
    assert!(tasks.load().is_idle());
    assert_eq!(tasks.load().last_call, None);

    let task = submit(&tasks, &sleeper(SECOND).registered());
    assert_eq!(tasks.load().last_call, Some(Instant::now()));
    let stored = succeeded(&task).await;
    assert_eq!(tasks.load().unread_results, 1);
    timeout(SECOND, tasks.idle()).await.expect_err("unread");

    let reading = tasks.read(&task, stored).expect("readable");
    assert_eq!((tasks.load().unread_results, tasks.load().streams), (0, 1));
    timeout(SECOND, tasks.idle()).await.expect_err("being read");
    let (count, idle) = tokio::join!(reading.count(), timeout(SECOND, tasks.idle()));
    assert_eq!(count, 2);
    idle.expect("read");

    submit(&tasks, &rows());
    let start = Instant::now();
    tasks.idle().await;
    assert!(start.elapsed() >= TTL, "nobody read it before it expired");
}

#[tokio::test(start_paused = true)]
async fn errors_nobody_was_told_of_are_waited_for() {
    let tasks = Tasks::start(limits());
    let function = Scripted::new("fails", |_| async { Err(FunctionError::failed("x")) }).registered();
    let task = submit(&tasks, &function);
    sleep(SECOND).await;
    assert_eq!(tasks.load().unread_results, 1);
    failed(&task).await;
    assert!(tasks.load().is_idle());
}

#[derive(Clone, Debug)]
enum Action {
    Submit { seconds: u64, heeds: bool },
    Cancel(prop::sample::Index),
    Pass(u64),
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        3 => (0_u64..40, any::<bool>()).prop_map(|(seconds, heeds)| Action::Submit { seconds, heeds }),
        2 => any::<prop::sample::Index>().prop_map(Action::Cancel),
        2 => (0_u64..15).prop_map(Action::Pass),
    ];
    prop::collection::vec(action, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever clients do, slots and queue keep their bounds, every task ends, and nothing is left in the end.
    #[test]
    fn bounds_hold_and_everything_ends(threads in 1_usize..4, queue in 0_usize..4, actions in actions()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(async move {
            let tasks = Tasks::start(Limits { threads, queue, call_deadline: 30 * SECOND, ..limits() });
            let mut submitted = Vec::new();
            for action in actions {
                match action {
                    Action::Submit { seconds, heeds } => {
                        let time = Duration::from_secs(seconds);
                        let function = if heeds { sleeper(time) } else { stubborn(time) };
                        submitted.extend(tasks.submit(submission(&function.registered())));
                    }
                    Action::Cancel(_) if submitted.is_empty() => {}
                    Action::Cancel(index) => {
                        tasks.cancel(&index.get(&submitted).id().to_string());
                    }
                    Action::Pass(seconds) => sleep(Duration::from_secs(seconds)).await,
                }
                let load = tasks.load();
                assert!(load.running <= threads && load.queued <= queue, "{load:?}");
            }
            // Each task ends at its deadline, plus the grace of those that do not listen, at the latest.
            sleep(36 * SECOND).await;
            assert!(submitted.iter().all(|task| task.ending().is_some()));
            assert_eq!(tasks.load().running, 0);
            sleep(TTL + SECOND).await;
            assert!(submitted.iter().all(|task| tasks.find(&task.id().to_string()).is_none()));
            assert!(tasks.load().is_idle());
        });
    }
}
