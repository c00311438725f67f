//! The first steps of a task.
//!
//! Most calls that hold no thread are over after them. So they are taken right where the task was submitted: to have
//! another thread take them, and then tell this one, costs more than all of a small call.

use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Waker};

thread_local! {
    /// Whether this thread takes the first steps of a task.
    static AT_IT: Cell<bool> = const { Cell::new(false) };
}

/// Has a task go on by itself. One that will block, or that another task begins among its own first steps, takes none here.
pub(super) fn begin(life: impl Future<Output = ()> + Send + 'static, blocking: bool) {
    let mut life = Box::pin(life);
    if !blocking && is_over_at_once(life.as_mut()) {
        return;
    }
    // Polled anew there, with a waker of its own.
    tokio::spawn(life);
}

/// Takes the first steps. A panic is the end of the task, as it would be elsewhere.
fn is_over_at_once(life: Pin<&mut impl Future<Output = ()>>) -> bool {
    if AT_IT.replace(true) {
        return false;
    }
    let polled = catch_unwind(AssertUnwindSafe(|| life.poll(&mut Context::from_waker(Waker::noop()))));
    AT_IT.set(false);
    polled.map_or(true, |polled| polled.is_ready())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::{mpsc, oneshot};

    use super::*;

    #[tokio::test]
    async fn what_waits_for_nothing_is_over_before_anybody_else_runs() {
        let (send, mut over) = oneshot::channel();
        begin(async move { send.send(()).unwrap() }, false);
        assert_eq!(over.try_recv(), Ok(()));
    }

    #[tokio::test]
    async fn what_waits_goes_on_by_itself() {
        let (release, held) = oneshot::channel::<()>();
        let (send, over) = oneshot::channel();
        let life = async move {
            held.await.unwrap();
            send.send(()).unwrap();
        };
        begin(life, false);
        release.send(()).unwrap();
        over.await.unwrap();
    }

    #[tokio::test]
    async fn what_blocks_is_not_begun_here() {
        let (send, mut over) = oneshot::channel();
        begin(async move { send.send(()).unwrap() }, true);
        assert!(over.try_recv().is_err());
        over.await.unwrap();
    }

    #[tokio::test]
    async fn a_panic_is_the_end_and_no_more() {
        begin(async { panic!("on purpose") }, false);
        let (send, mut over) = oneshot::channel();
        begin(async move { send.send(()).unwrap() }, false);
        assert_eq!(over.try_recv(), Ok(()));
    }

    /// A stack for each would run out. One that goes on elsewhere may begin one more there.
    #[tokio::test]
    async fn tasks_that_begin_tasks_without_end_do_not_pile_up() {
        fn chain(left: usize, depth: Arc<AtomicUsize>, deepest: Arc<AtomicUsize>, done: mpsc::Sender<()>) {
            let life = async move {
                let now = depth.fetch_add(1, Ordering::SeqCst) + 1;
                deepest.fetch_max(now, Ordering::SeqCst);
                match left.checked_sub(1) {
                    Some(left) => chain(left, Arc::clone(&depth), deepest, done),
                    None => done.try_send(()).unwrap(),
                }
                depth.fetch_sub(1, Ordering::SeqCst);
            };
            begin(life, false);
        }

        let deepest = Arc::new(AtomicUsize::new(0));
        let (send, mut done) = mpsc::channel(1);
        chain(1_000, Arc::default(), Arc::clone(&deepest), send);
        done.recv().await.unwrap();
        assert!(deepest.load(Ordering::SeqCst) <= 2);
    }
}
