//! How functions share the slots.

use super::*;

fn named(name: &'static str, time: Duration) -> Arc<RegisteredFunction> {
    let function = Scripted::new(name, move |_| async move {
        sleep(time).await;
        Ok(Output::from(numbers(&[1])))
    });
    function.registered()
}

#[tokio::test(start_paused = true)]
async fn who_fills_every_slot_does_not_delay_the_others() {
    let tasks = Tasks::start(limits());
    let (slow, quick) = (named("slow", 50 * SECOND), named("quick", SECOND));
    for _ in 0..20 {
        submit(&tasks, &slow);
    }
    let start = Instant::now();
    for n in 1..=10 {
        succeeded(&submit(&tasks, &quick)).await;
        assert_eq!(start.elapsed(), n * SECOND, "it ran at once");
    }
    assert_eq!((tasks.load().running, tasks.load().queued), (4, 16));
}

#[tokio::test(start_paused = true)]
async fn a_function_keeps_its_own_limits() {
    let one = KindLimits {
        threads: Some(1),
        queue: Some(1),
        call_deadline: None,
    };
    let tasks = Tasks::start(Limits {
        kinds: [("slow".to_owned(), one)].into(),
        ..limits()
    });
    let (slow, quick) = (named("Slow", SECOND), named("quick", SECOND));
    let first = submit(&tasks, &slow);
    let second = submit(&tasks, &slow);
    assert_eq!(tasks.submit(submission(&slow)).err(), Some(Refusal::ShareFull));
    assert_eq!((tasks.load().running, tasks.load().queued), (1, 1));
    let start = Instant::now();
    succeeded(&submit(&tasks, &quick)).await;
    succeeded(&first).await;
    succeeded(&second).await;
    assert_eq!(start.elapsed(), 2 * SECOND);
}

#[tokio::test]
async fn waiting_holds_no_thread() {
    let tasks = Tasks::start(Limits {
        threads: 500,
        ..limits()
    });
    let function = named("waits", Duration::from_millis(50));
    let submitted: Vec<_> = (0..500).map(|_| submit(&tasks, &function)).collect();
    assert_eq!(tasks.load().running, 500);
    for task in &submitted {
        succeeded(task).await;
    }
    assert_eq!(tasks.shared.workshop.calls.count(), 0);
}

#[tokio::test]
async fn blocking_calls_run_side_by_side_on_threads_of_their_own() {
    let meet = Arc::new(std::sync::Barrier::new(4));
    let function = Scripted::new("meets", move |_| {
        let meet = Arc::clone(&meet);
        async move {
            meet.wait();
            Ok(Output::from(numbers(&[1])))
        }
    });
    let function = function.on_blocking_threads().registered();
    let tasks = Tasks::start(limits());
    let submitted: Vec<_> = (0..8).map(|_| submit(&tasks, &function)).collect();
    for task in &submitted {
        timeout(10 * SECOND, succeeded(task))
            .await
            .expect("four meet, and four more");
    }
    assert!(tasks.shared.workshop.calls.count() <= 8);
}

#[tokio::test]
async fn a_stream_that_blocks_comes_batch_by_batch_and_in_order() {
    let function = Scripted::new("stream", |_| async {
        let batches = (0..1000).map(|n| Ok(numbers(&[n])));
        Ok(Output::stream(numbers_schema(), futures::stream::iter(batches)))
    });
    let tasks = Tasks::start(limits());
    let task = submit(&tasks, &function.on_blocking_threads().registered());
    assert_eq!(read_all(&tasks, &task).await.len(), 1001);
    until(|| tasks.shared.workshop.batches.busy() == 0).await;
    // Where the reader is faster than the thread can lie down, a second one takes turns with it.
    assert!(tasks.shared.workshop.batches.count() <= 4);
}
