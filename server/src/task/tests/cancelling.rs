//! How tasks are cancelled: by clients, and by their deadline.

use std::sync::mpsc;

use super::*;

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
async fn a_thread_that_hangs_is_left_behind_and_its_slot_goes_on() {
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(StdMutex::new(released));
    let hang = Scripted::new("hangs", move |_| {
        let released = Arc::clone(&released);
        async move {
            let _ = released.lock().expect("not poisoned").recv();
            Ok(Output::from(numbers(&[1])))
        }
    });
    let function = hang.on_blocking_threads().registered();
    let tasks = Tasks::start(Limits {
        threads: 1,
        cancel_grace: Duration::from_millis(10),
        ..limits()
    });
    let first = submit(&tasks, &function);
    let second = submit(&tasks, &function);
    tasks.cancel(&first.id().to_string());
    assert!(is_cancelled(&first).await);
    assert_eq!(tasks.shared.workshop.leaks.count(), 1);

    // No more threads may be left behind than there are slots.
    until(|| tasks.load().queued == 0).await;
    tasks.cancel(&second.id().to_string());
    assert!(matches!(second.wait(Duration::from_millis(100)).await, Waited::Pending));
    assert_eq!((tasks.load().running, tasks.shared.workshop.leaks.count()), (1, 1));

    drop(release);
    assert!(is_cancelled(&second).await);
    until(|| tasks.shared.workshop.leaks.count() == 0).await;
    timeout(10 * SECOND, tasks.idle()).await.expect("nothing is left");
}

/// A function on threads of its own that hangs until the gate of its call (the first, the second, …) is opened.
fn hanging<const CALLS: usize>() -> (Arc<RegisteredFunction>, [mpsc::Sender<()>; CALLS]) {
    let (open, gates): (Vec<_>, std::collections::VecDeque<_>) = (0..CALLS).map(|_| mpsc::channel::<()>()).unzip();
    let gates = StdMutex::new(gates);
    let hangs = Scripted::new("hangs", move |_| {
        let gate = gates.lock().expect("not poisoned").pop_front().expect("a gate");
        async move {
            let _ = gate.recv();
            Ok(Output::from(numbers(&[1])))
        }
    });
    let open = open.try_into().expect("one for each call");
    (hangs.on_blocking_threads().registered(), open)
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_is_left_behind_as_soon_as_another_comes_back() {
    let tasks = Tasks::start(Limits {
        threads: 1,
        cancel_grace: 1000 * SECOND,
        call_deadline: Duration::MAX,
        ..limits()
    });
    let (function, [open_first, _open_second]) = hanging();
    let [first, second] = [(); 2].map(|()| submit(&tasks, &function));
    tasks.cancel(&first.id().to_string());
    assert!(is_cancelled(&first).await);
    until(|| tasks.load().queued == 0 && tasks.shared.workshop.calls.busy() == 2).await;
    tasks.cancel(&second.id().to_string());
    sleep(1500 * SECOND).await;
    assert!(
        !second.is_over(),
        "no more threads may be left behind than there are slots"
    );
    drop(open_first);
    // The clock stands still here: nobody waits for another grace.
    until(|| second.is_over()).await;
    assert_eq!(tasks.shared.workshop.leaks.count(), 1);
}

#[tokio::test]
async fn a_hook_that_panics_or_hangs_harms_nobody() {
    struct BadHook(StdMutex<Option<mpsc::Receiver<()>>>);

    #[async_trait::async_trait]
    impl Work for BadHook {
        fn kind(&self) -> &'static str {
            "bad hook"
        }

        async fn run(&self, context: TaskContext) -> Result<Output, FunctionError> {
            context.cancelled.cancelled().await;
            Err(FunctionError::cancelled())
        }

        fn cancel(&self, _: &TaskId) {
            if let Some(hang) = self.0.lock().expect("not poisoned").take() {
                let _ = hang.recv();
            }
            panic!("expected");
        }
    }

    let tasks = Tasks::start(limits());
    let (release, hang) = mpsc::channel();
    for hang in [Some(hang), None] {
        let work = Arc::new(BadHook(StdMutex::new(hang)));
        let task = tasks
            .submit(Submission {
                work,
                command: Bytes::new(),
                deadline: None,
            })
            .expect("there is room");
        tasks.cancel(&task.id().to_string());
        assert!(is_cancelled(&task).await);
    }
    drop(release);
    timeout(10 * SECOND, tasks.idle()).await.expect("nothing is left");
}

#[tokio::test(start_paused = true)]
async fn who_submits_and_each_kind_may_have_a_deadline_of_their_own() {
    let brief = KindLimits {
        call_deadline: Some(5 * SECOND),
        ..KindLimits::default()
    };
    let tasks = Tasks::start(Limits {
        kinds: [("sleeper".to_owned(), brief)].into(),
        ..limits()
    });
    let function = sleeper(DEADLINE).registered();
    let start = Instant::now();
    let task = submit(&tasks, &function);
    assert!(matches!(task.wait(DEADLINE).await, Waited::TimedOut));
    assert_eq!(start.elapsed(), 5 * SECOND);

    let shorter = Submission {
        deadline: Some(SECOND),
        ..submission(&function)
    };
    let task = tasks.submit(shorter).expect("there is room");
    assert!(matches!(task.wait(DEADLINE).await, Waited::TimedOut));
    assert_eq!(start.elapsed(), 6 * SECOND);
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

#[tokio::test]
async fn who_waits_for_a_task_gets_its_result_though_it_was_forgotten_meanwhile() {
    let tasks = Tasks::start(limits());
    let task = submit(&tasks, &rows());
    succeeded(&task).await;
    tasks.cancel(&task.id().to_string());
    assert!(tasks.find(&task.id().to_string()).is_none());
    succeeded(&task).await;
}

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
