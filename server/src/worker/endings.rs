//! How workers ended, for those who wait to be told: a call learns that its connection is closed before anybody knows why.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::ending::Ending;
use super::lock;

/// How long it takes to find out how a worker ended, at most.
const PATIENCE: Duration = Duration::from_secs(3);

/// Workers that are remembered.
const KEPT: usize = 256;

/// The endings of all workers, those to come included.
#[derive(Debug, Default)]
pub(super) struct Endings(Mutex<BTreeMap<u64, watch::Sender<Option<Ending>>>>);

impl Endings {
    /// A worker begins.
    pub(super) fn begin(&self, worker: u64) {
        let mut workers = lock(&self.0);
        workers.insert(worker, watch::Sender::new(None));
        while workers.len() > KEPT {
            workers.pop_first();
        }
    }

    /// A worker ended. Only the first word counts.
    pub(super) fn tell(&self, worker: u64, ending: &Ending) {
        if let Some(teller) = lock(&self.0).get(&worker) {
            teller.send_if_modified(|known| {
                let news = known.is_none();
                known.get_or_insert_with(|| ending.clone());
                news
            });
        }
    }

    /// How a worker ended, whose connection is closed.
    pub(super) async fn of(&self, worker: u64) -> Ending {
        let listener = lock(&self.0).get(&worker).map(watch::Sender::subscribe);
        let Some(mut listener) = listener else {
            return Ending::Unknown;
        };
        let told = timeout(PATIENCE, listener.wait_for(Option::is_some)).await;
        match told {
            Ok(Ok(ending)) => ending.clone().unwrap_or(Ending::Unknown),
            Ok(Err(_)) | Err(_) => Ending::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_asks_early_waits_and_the_first_word_counts() {
        let endings = Endings::default();
        endings.begin(1);
        let tell = async {
            endings.tell(1, &Ending::Exited(3));
            endings.tell(1, &Ending::HostLost);
        };
        let (ending, ()) = tokio::join!(endings.of(1), tell);
        assert_eq!(ending, Ending::Exited(3));
        assert_eq!(endings.of(1).await, Ending::Exited(3));
        endings.begin(2);
        assert_eq!(endings.of(2).await, Ending::Unknown, "nobody says");
        assert_eq!(endings.of(9).await, Ending::Unknown);
    }
}
