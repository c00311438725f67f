//! Everything at once, on real threads and a real clock.

use futures::StreamExt as _;

use super::*;

/// What a call does.
#[derive(Clone, Copy)]
enum Manner {
    Answers,
    Fails,
    Panics,
    Streams,
    /// Until it is told to stop.
    Waits,
    /// Whatever it is told.
    Ignores,
}

const MANNERS: [Manner; 6] = [
    Manner::Answers,
    Manner::Fails,
    Manner::Panics,
    Manner::Streams,
    Manner::Waits,
    Manner::Ignores,
];

fn function(name: &'static str, manner: Manner, blocking: bool) -> Arc<RegisteredFunction> {
    let function = Scripted::new(name, move |call: Call| async move {
        match manner {
            Manner::Answers => Ok(Output::from(numbers(&[1]))),
            Manner::Fails => Err(FunctionError::failed("expected")),
            Manner::Panics => panic!("expected"),
            Manner::Streams => Ok(batches(vec![Ok(numbers(&[1])), Ok(numbers(&[2]))])),
            Manner::Waits => {
                call.cancelled.cancelled().await;
                Err(FunctionError::cancelled())
            }
            Manner::Ignores => {
                sleep(Duration::from_millis(30)).await;
                Ok(Output::from(numbers(&[1])))
            }
        }
    });
    if blocking {
        function.on_blocking_threads()
    } else {
        function
    }
    .registered()
}

/// What a client does, other than wait and read: by turns, so that every pair with a manner comes about.
async fn visit(tasks: &Tasks, task: Arc<Task>, turn: usize) {
    let patience = Duration::from_millis(5);
    match turn % 5 {
        0 => {
            tasks.cancel(&task.id().to_string());
        }
        1 => {
            // A client that goes away while it waits.
            let caller = tasks.cancel_on_drop(&task);
            drop(timeout(patience, task.wait(DEADLINE)).await);
            drop(caller);
        }
        2 => {
            // One that never comes back.
            drop(task);
        }
        3 => {
            if let Waited::Ended(Outcome::Succeeded(stored)) = task.wait(DEADLINE).await
                && let Ok(mut reading) = tasks.read(&task, stored)
            {
                // It reads the beginning only.
                drop(reading.next().await);
            }
        }
        _ => {
            for _ in 0..20 {
                match task.wait(patience).await {
                    Waited::Pending => {}
                    Waited::Ended(Outcome::Succeeded(stored)) => {
                        if let Ok(reading) = tasks.read(&task, stored) {
                            reading.count().await;
                        }
                        break;
                    }
                    Waited::Ended(Outcome::Failed(_) | Outcome::Cancelled) | Waited::TimedOut => break,
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_and_nothing_is_left() {
    let tasks = Tasks::start(Limits {
        threads: 8,
        queue: 40,
        result_ttl: Duration::from_millis(50),
        call_deadline: Duration::from_millis(200),
        cancel_grace: Duration::from_millis(10),
        result_bytes: 1 << 26,
        ..limits()
    });
    let names = ["a", "b", "c", "d", "e", "f"];
    let functions: Vec<_> = [false, true]
        .into_iter()
        .flat_map(|blocking| {
            names
                .into_iter()
                .zip(MANNERS)
                .map(move |(name, manner)| function(name, manner, blocking))
        })
        .collect();
    let clients = (0..16).map(|client| {
        let (tasks, functions) = (tasks.clone(), functions.clone());
        tokio::spawn(async move {
            let mut accepted = Vec::new();
            for call in 0..100 {
                let turn = client * 100 + call;
                match tasks.submit(submission(&functions[turn % functions.len()])) {
                    Ok(task) => {
                        accepted.push(Arc::clone(&task));
                        visit(&tasks, task, turn / functions.len()).await;
                    }
                    Err(Refusal::QueueFull) => tokio::task::yield_now().await,
                    Err(refusal) => panic!("{refusal}"),
                }
                let load = tasks.load();
                assert!(
                    load.running <= Shares::new(8).total() && load.queued <= Shares::new(40).total(),
                    "{load:?}"
                );
            }
            accepted
        })
    });
    let mut accepted = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        accepted.extend(client.await.expect("no client fails"));
    }
    assert!(accepted.len() > 100, "{} calls were accepted", accepted.len());
    timeout(10 * SECOND, tasks.idle()).await.expect("everything ends");
    assert!(accepted.iter().all(|task| task.ending().is_some()), "a task was lost");
    let ids: Vec<_> = accepted.iter().map(|task| task.id().to_string()).collect();
    let brief = accepted.iter().all(|task| task.in_progress(|_| ()).is_none());
    assert!(brief, "a task that is over keeps what it does not need");
    drop(accepted);

    let shared = &tasks.shared;
    until(|| ids.iter().all(|id| tasks.find(id).is_none())).await;
    until(|| shared.room.memory().used() == 0).await;
    until(|| shared.workshop.leaks.count() == 0 && shared.workshop.calls.busy() == 0).await;
    until(|| shared.workshop.batches.busy() == 0).await;
    assert_eq!(lock(&shared.deadlines).len(), 0);
    let Load {
        queued,
        running,
        unread_results,
        streams,
        last_call: _,
    } = tasks.load();
    assert_eq!((queued, running, unread_results, streams), (0, 0, 0, 0));
}
