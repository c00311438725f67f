//! How long the server waits for a client that should do its part: a clock that runs only while nothing moves.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Runs out when nothing has moved for a limit. Moving costs next to nothing: the timer is set once and looked at again only
/// when it goes off.
#[derive(Debug)]
pub(super) struct Patience {
    /// `None` waits for ever.
    limit: Option<Duration>,
    stuck_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self {
            limit,
            stuck_since: None,
            timer: None,
        }
    }

    /// Something moved, or it is not the client's turn.
    pub(super) fn moved(&mut self) {
        self.stuck_since = None;
    }

    /// It is the client's turn and nothing moved. Ready when that has been so for the limit; else the task is woken then.
    pub(super) fn poll_lost(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(limit) = self.limit else {
            return Poll::Pending;
        };
        let since = *self.stuck_since.get_or_insert_with(Instant::now);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(since + limit)));
        while timer.as_mut().poll(context).is_ready() {
            // It may have been set for an earlier wait that ended well.
            if since.elapsed() >= limit {
                return Poll::Ready(());
            }
            timer.as_mut().reset(since + limit);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::{advance, timeout};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);
    const ALMOST: Duration = Duration::from_millis(9_999);

    async fn lost(patience: &mut Patience, within: Duration) -> bool {
        timeout(within, poll_fn(|context| patience.poll_lost(context)))
            .await
            .is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn it_runs_out_when_nothing_moves() {
        let mut patience = Patience::new(Some(LIMIT));
        assert!(!lost(&mut patience, ALMOST).await);
        assert!(lost(&mut patience, Duration::from_millis(2)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn it_begins_anew_when_something_moved() {
        let mut patience = Patience::new(Some(LIMIT));
        assert!(!lost(&mut patience, LIMIT / 2).await);
        patience.moved();
        advance(LIMIT * 3).await;
        assert!(!lost(&mut patience, ALMOST).await);
        assert!(lost(&mut patience, Duration::from_millis(2)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_it_never_runs_out() {
        assert!(!lost(&mut Patience::new(None), LIMIT * 1_000).await);
    }
}
