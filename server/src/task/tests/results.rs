//! How results are kept and read, and when nothing is left.

use futures::StreamExt as _;

use super::*;
use crate::task::read::Consumed;

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
