//! Tasks on a clock that stands still until everything waits for it.

mod bounds;
mod cancelling;
mod model;
mod results;
mod running;
mod sharing;
mod storing;
mod stress;

use std::sync::Mutex as StdMutex;

use arrow::array::RecordBatch;
use bytes::Bytes;
use futures::TryStreamExt as _;
use serde_json::{Map, Value};
use tokio::time::{sleep, timeout};

use super::*;
use crate::error::FlightError;
use crate::function::fixtures::{Scripted, numbers, numbers_schema};
use crate::function::{Call, FunctionCall, FunctionError, Output, RegisteredFunction};
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
        ..Limits::default()
    }
}

fn submission(function: &Arc<RegisteredFunction>) -> Submission {
    submission_with(function, Map::new())
}

fn submission_with(function: &Arc<RegisteredFunction>, parameters: Map<String, Value>) -> Submission {
    Submission {
        work: Arc::new(FunctionCall::new(Arc::clone(function), Call::new(parameters))),
        command: Bytes::from_static(b"{}"),
        deadline: None,
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

/// Waits for something that other threads bring about. Does not sleep, so that a paused clock stays where it is.
async fn until(mut condition: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + 10 * SECOND;
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "it did not happen");
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
}
