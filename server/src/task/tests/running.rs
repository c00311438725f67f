//! How tasks run, and what goes wrong in them.

use super::*;
use crate::error::ErrorCode;

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
    let parameters = Map::from_iter([("a".to_owned(), 1.into()), ("columns".to_owned(), "a".into())]);
    let task = tasks
        .submit(submission_with(&function, parameters))
        .expect("there is room");
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
async fn a_panic_before_the_run_is_an_error_of_its_task_too() {
    struct Unsure;

    #[async_trait::async_trait]
    impl Work for Unsure {
        fn kind(&self) -> &'static str {
            "unsure"
        }

        fn blocking(&self) -> bool {
            panic!("expected")
        }

        async fn run(&self, _: TaskContext) -> Result<Output, FunctionError> {
            Err(FunctionError::cancelled())
        }
    }

    let tasks = Tasks::start(Limits { threads: 1, ..limits() });
    let unsure = Submission {
        work: Arc::new(Unsure),
        command: Bytes::new(),
        deadline: None,
    };
    let error = failed(&tasks.submit(unsure).expect("there is room")).await;
    assert!(error.message().ends_with("the function panicked."), "{error}");
    succeeded(&submit(&tasks, &rows())).await;
}

#[tokio::test]
async fn an_error_that_cannot_be_put_into_words_is_an_error_of_its_task() {
    #[derive(Debug)]
    struct Speechless;
    impl std::fmt::Display for Speechless {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("secret")
        }
    }
    impl std::error::Error for Speechless {}

    #[derive(Debug, thiserror::Error)]
    #[error("the warehouse is closed")]
    struct Outer(#[source] Speechless);

    let tasks = Tasks::start(limits());
    let plain = Scripted::new("plain", |_| async { Err(Speechless.into()) }).registered();
    let behind = Scripted::new("behind", |_| async { Err(Outer(Speechless).into()) }).registered();
    for function in [plain, behind] {
        let error = failed(&submit(&tasks, &function)).await;
        assert_eq!(error.code(), Some(ErrorCode::COMMAND_FAILED));
        assert!(!error.message().contains("secret"), "{}", error.message());
    }
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
