//! What is refused, and when.

use futures::StreamExt as _;

use super::*;

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
    assert_eq!(tasks.submit(submission(&function)).err(), Some(Refusal::QueueFull));
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
    let held: usize = messages.iter().map(Message::len).sum();
    assert!((300..1400).contains(&held), "{held} bytes of result");
    assert_eq!(tasks.submit(submission(&function)).err(), Some(Refusal::OutOfBytes));

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

#[tokio::test]
async fn a_closed_executor_takes_nothing_new_and_keeps_what_it_has() {
    let tasks = Tasks::start(limits());
    let function = rows();
    let task = submit(&tasks, &function);
    tasks.close();
    assert_eq!(tasks.submit(submission(&function)).err(), Some(Refusal::Closed));
    assert_eq!(read_all(&tasks, &task).await.len(), 2);
    assert!(tasks.find(&task.id().to_string()).is_some());
}
