//! Follows files that change while the server runs: certificates, tokens, keys, names.
//!
//! Content is compared, never times of change: Kubernetes swaps a symbolic link some folders above the file, which moves
//! no time that could be watched.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

/// How often files are looked at.
pub(crate) const PERIOD: Duration = Duration::from_secs(2);

/// Looks every [`PERIOD`], for ever, and tells `changed` what it sees once that differs from what was told last.
///
/// `read` may block; it runs on a thread for that. What it returns stands for everything that belongs together, files that
/// cannot be read included, so that they are told once too.
pub(crate) async fn follow<T, R>(told: T, read: R, mut changed: impl FnMut(&T))
where
    T: PartialEq + Send + 'static,
    R: Fn() -> T + Send + Sync + 'static,
{
    let read = Arc::new(read);
    let mut settled = Settled::new(told);
    let mut looks = interval(PERIOD);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let read = Arc::clone(&read);
        // A look that panicked, or that the end of the runtime cut off, saw nothing.
        if let Ok(seen) = tokio::task::spawn_blocking(move || read()).await
            && let Some(news) = settled.look(seen)
        {
            changed(news);
        }
    }
}

/// Believes in a change when two looks in a row see the same: files that belong together are never replaced at one instant,
/// and may be half written.
#[derive(Debug)]
struct Settled<T> {
    told: T,
    unsettled: Option<T>,
}

impl<T: PartialEq> Settled<T> {
    fn new(told: T) -> Self {
        Self { told, unsettled: None }
    }

    /// What is seen now; returned when it is news.
    fn look(&mut self, seen: T) -> Option<&T> {
        if seen == self.told {
            self.unsettled = None;
            None
        } else if self.unsettled.as_ref() == Some(&seen) {
            self.unsettled = None;
            self.told = seen;
            Some(&self.told)
        } else {
            self.unsettled = Some(seen);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use proptest::prelude::*;
    use tokio::sync::mpsc;
    use tokio::time::timeout;

    use super::*;

    #[test]
    fn a_change_counts_when_it_is_seen_twice() {
        let mut settled = Settled::new(0);
        let news: Vec<_> = [0, 1, 2, 2, 2, 3, 2, 3, 3, 0, 0]
            .into_iter()
            .filter_map(|seen| settled.look(seen).copied())
            .collect();
        assert_eq!(news, [2, 3, 0]);
    }

    proptest! {
        #[test]
        fn nothing_is_told_twice_and_the_last_state_wins(seen in prop::collection::vec(0_u8..3, 0..40), last in 0_u8..3) {
            let mut settled = Settled::new(0);
            let mut told = vec![0];
            for state in seen.into_iter().chain([last, last]) {
                told.extend(settled.look(state).copied());
            }
            prop_assert!(told.windows(2).all(|pair| pair[0] != pair[1]));
            prop_assert_eq!(told.last(), Some(&last));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn changes_are_told_once() {
        let state = Arc::new(Mutex::new(1));
        let (sender, mut told) = mpsc::unbounded_channel();
        let read = {
            let state = Arc::clone(&state);
            move || *state.lock().unwrap()
        };
        let following = tokio::spawn(follow(1, read, move |news: &i32| sender.send(*news).unwrap()));
        *state.lock().unwrap() = 2;
        assert_eq!(told.recv().await, Some(2));
        assert!(timeout(PERIOD * 10, told.recv()).await.is_err());
        following.abort();
    }
}
