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
    let three = || {
        Scripted::new("stream", |_| async {
            Ok(batches(vec![Ok(numbers(&[1])), Ok(numbers(&[])), Ok(numbers(&[2]))]))
        })
    };
    for function in [three(), three().on_blocking_threads()] {
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
    let panics = || {
        Scripted::new("panics", |_| async {
            let batches = futures::stream::poll_fn(|_| panic!("secret"));
            Ok(Output::stream(numbers_schema(), batches))
        })
    };
    for function in [panics(), panics().on_blocking_threads()] {
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
async fn only_results_are_renewed_and_each_as_often_as_wanted() {
    let tasks = Tasks::start(limits());
    let (task, other) = (submit(&tasks, &rows()), submit(&tasks, &rows()));
    let (id, other_id) = (task.id().to_string(), other.id().to_string());
    let breaks = Scripted::new("fails", |_| async { Err(FunctionError::failed("x")) }).registered();
    let broken = submit(&tasks, &breaks);
    let running = submit(&tasks, &sleeper(10 * SECOND).registered());
    succeeded(&task).await;
    succeeded(&other).await;
    failed(&broken).await;
    for none in [&broken, &running] {
        assert_eq!(tasks.renew(&none.id().to_string()), None);
    }
    for _ in 0..3 {
        sleep(TTL / 2).await;
        assert_eq!(tasks.renew(&id), Some(Instant::now() + TTL));
        assert_eq!(tasks.expiry(&task), Instant::now() + TTL);
    }
    assert!(tasks.find(&other_id).is_none(), "it was not renewed");
    sleep(TTL * 59 / 60).await;
    assert!(tasks.find(&id).is_some());
    sleep(2 * SECOND).await;
    assert!(tasks.find(&id).is_none());
}

#[tokio::test]
async fn what_is_forgotten_leaves_nothing_behind() {
    let tasks = Tasks::start(Limits {
        queue: 5000,
        result_bytes: 1 << 24,
        ..limits()
    });
    let function = rows();
    let ids: Vec<_> = (0..4000).map(|_| submit(&tasks, &function).id().to_string()).collect();
    until(|| tasks.load().running + tasks.load().queued == 0).await;
    let (kept, forgotten) = ids.split_at(1);
    for id in forgotten {
        tasks.cancel(id);
    }
    tasks.find(&kept[0]).expect("not cancelled");
    assert_eq!(lock(&tasks.shared.store).sizes().1, 1, "what is gone does not expire");
    timeout(10 * SECOND, async {
        while tasks.shared.room.memory().used() > 2 * 1024 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the memory is given back");
}

#[tokio::test(start_paused = true)]
async fn room_for_many_tasks_is_given_back_when_they_are_gone() {
    let tasks = Tasks::start(Limits {
        queue: 5000,
        result_bytes: 1 << 24,
        ..limits()
    });
    let function = rows();
    for _ in 0..5000 {
        submit(&tasks, &function);
    }
    assert!(lock(&tasks.shared.store).sizes().2 >= 5000);
    sleep(TTL + SECOND).await;
    let (count, expiring, capacity) = lock(&tasks.shared.store).sizes();
    assert_eq!((count, expiring), (0, 0));
    assert!(capacity < 2500, "room for {capacity}");
}

#[tokio::test]
async fn what_is_being_dropped_is_counted() {
    static DROPPING: std::sync::Barrier = std::sync::Barrier::new(2);

    struct Slow;

    impl Drop for Slow {
        fn drop(&mut self) {
            DROPPING.wait();
            DROPPING.wait();
        }
    }

    let function = Scripted::new("slow to drop", |_| async {
        let slow = Slow;
        let batches = futures::stream::poll_fn(move |_| {
            let _ = &slow;
            std::task::Poll::Ready(None)
        });
        Ok(Output::stream(numbers_schema(), batches))
    });
    let metrics = Metrics::new();
    let tasks = Tasks::start_in(Room::new(1 << 20, None), limits(), metrics.clone());
    let task = submit(&tasks, &function.registered());
    succeeded(&task).await;
    let id = task.id().to_string();
    drop(task);
    let closing = || {
        let text = metrics.text(
            crate::telemetry::metrics::Format::Plain,
            &["gdfs_close_queue".to_owned()],
        );
        text.lines()
            .find_map(|line| line.strip_prefix("gdfs_close_queue "))
            .map(str::to_owned)
    };
    assert_eq!(closing().as_deref(), Some("0.0"));
    tasks.cancel(&id);
    DROPPING.wait();
    assert_eq!(closing().as_deref(), Some("1.0"));
    DROPPING.wait();
    until(|| closing().as_deref() == Some("0.0")).await;
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
