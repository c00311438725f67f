//! How many workers there are, how many calls each runs at a time, and how much memory it may use.

use super::fleet::Bounds;

/// What a worker takes before one was measured.
const GUESS: u64 = 256 << 20;

/// What the host takes.
const HOST: u64 = 32 << 20;

/// A worker needs as much again as it takes to begin with, for what its calls make.
const ROOM: u64 = 2;

/// What was configured, and what is known of host and workers. Pure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// There is exactly one worker, whatever else is said: it has a service of its own, whose state is nowhere else. It is
    /// not replaced while it lives, and calls come to it past its slots.
    pub(super) only_one: bool,
    /// `python.workers`
    pub(super) workers: Option<usize>,
    /// `python.threads`
    pub(super) threads: Option<usize>,
    /// `python.worker_memory_bytes`
    pub(super) memory: Option<u64>,
    /// Calls that the server runs at a time, of all functions.
    pub(super) calls: usize,
    /// Memory for workers.
    pub(super) available: Option<u64>,
    /// Bytes of results that are in the memory of the host's container, where that is not the server's: what workers make
    /// is counted there for as long as it is kept.
    pub(super) results_elsewhere: Option<u64>,
    /// Processors that the host may use.
    pub(super) cpus: usize,
    /// Bytes that a worker takes once it has loaded; `None` until the first one has.
    pub(super) measured: Option<u64>,
}

impl Sizes {
    /// What the host says of the place that workers run in.
    pub(super) fn host(&mut self, cpus: Option<usize>, memory: Option<u64>) {
        self.cpus = cpus.unwrap_or(self.cpus).max(1);
        self.available = match (self.results_elsewhere, self.available, memory) {
            // Some is left for workers, or there would be none.
            (Some(results), _, Some(host)) => Some(host.saturating_sub(results).max(host / 2)),
            (Some(_), own, None) => own,
            (None, Some(own), Some(host)) => Some(own.min(host)),
            (None, own, host) => own.or(host),
        };
    }

    /// What does not add up in the host's container, in a sentence.
    pub(super) fn doubt(&self, memory: Option<u64>) -> Option<String> {
        let (results, memory) = (self.results_elsewhere?, memory?);
        (results.saturating_add(GUESS) > memory).then(|| {
            format!(
                "results may take {results} bytes (server.task_result_bytes) of the {memory} that the container of the \
                 Python host has, which leaves too little for workers: lower that, or give the container more"
            )
        })
    }

    /// What the first worker takes.
    pub(super) fn worker(&mut self, memory: Option<u64>) {
        self.measured = Some(memory.unwrap_or(GUESS).max(1));
    }

    /// One worker, until it is known how much one takes.
    pub(super) fn bounds(&self) -> Bounds {
        let places = self.measured.map_or(1, |_| self.places());
        let share = self
            .available
            .map(|available| self.shared(available) / self.places() as u64);
        let memory = self.memory.or(share).filter(|_| !self.only_one);
        Bounds { places, memory }
    }

    /// What workers may have together. In a container of their own there is nothing else to take from: the host is there
    /// as well, and for a while there is one worker more, whenever one is replaced.
    fn shared(&self, available: u64) -> u64 {
        let Some(_results) = self.results_elsewhere else {
            return available;
        };
        let spare = HOST + self.measured.unwrap_or(GUESS);
        available.saturating_sub(spare).max(available / 2)
    }

    /// Calls that one worker runs at a time.
    pub(super) fn threads(&self) -> usize {
        if self.only_one {
            return 0;
        }
        self.threads
            .unwrap_or_else(|| self.calls.div_ceil(self.places()))
            .max(1)
    }

    fn places(&self) -> usize {
        if self.only_one {
            return 1;
        }
        let each = self.measured.unwrap_or(GUESS).saturating_mul(ROOM);
        let fit = self.available.map_or(u64::MAX, |available| available / each);
        let fit = usize::try_from(fit).unwrap_or(usize::MAX);
        self.workers.unwrap_or_else(|| self.cpus.min(fit)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn sizes() -> Sizes {
        Sizes {
            only_one: false,
            workers: None,
            threads: None,
            memory: None,
            calls: 40,
            available: Some(GIB),
            results_elsewhere: None,
            cpus: 8,
            measured: None,
        }
    }

    #[test]
    fn one_worker_is_measured_before_there_are_more() {
        let mut sizes = sizes();
        assert_eq!(sizes.bounds().places, 1);
        sizes.worker(Some(128 << 20));
        assert_eq!((sizes.bounds().places, sizes.threads()), (4, 10));
        assert_eq!(sizes.bounds().memory, Some(GIB / 4));
        sizes.worker(Some(GIB));
        assert_eq!((sizes.bounds().places, sizes.threads()), (1, 40));
        sizes.worker(Some(1));
        assert_eq!((sizes.bounds().places, sizes.threads()), (8, 5));
    }

    #[test]
    fn what_is_configured_holds() {
        let mut sizes = Sizes {
            workers: Some(3),
            threads: Some(2),
            memory: Some(7),
            ..sizes()
        };
        sizes.worker(Some(GIB));
        assert_eq!(
            (sizes.bounds().places, sizes.threads(), sizes.bounds().memory),
            (3, 2, Some(7))
        );
    }

    #[test]
    fn a_service_has_one_worker_and_nothing_replaces_it() {
        let mut sizes = Sizes {
            only_one: true,
            workers: Some(3),
            memory: Some(7),
            ..sizes()
        };
        sizes.worker(Some(1 << 20));
        let bounds = sizes.bounds();
        assert_eq!((bounds.places, sizes.threads(), bounds.memory), (1, 0, None));
    }

    #[test]
    fn the_host_may_have_less() {
        let mut sizes = sizes();
        sizes.host(Some(2), Some(GIB / 2));
        sizes.worker(Some(1 << 20));
        assert_eq!((sizes.bounds().places, sizes.bounds().memory), (2, Some(GIB / 4)));
    }

    #[test]
    fn a_host_elsewhere_has_its_own_memory_and_keeps_results_in_it() {
        let mut sizes = Sizes {
            results_elsewhere: Some(GIB),
            ..sizes()
        };
        sizes.host(Some(2), None);
        sizes.worker(Some(1 << 20));
        assert_eq!((sizes.cpus, sizes.available), (2, Some(GIB)), "no limit there");
        sizes.host(Some(16), Some(4 * GIB));
        assert_eq!((sizes.cpus, sizes.available), (16, Some(3 * GIB)));
        assert_eq!(sizes.doubt(Some(4 * GIB)), None);
        sizes.worker(Some(GIB));
        let spare = GIB + (32 << 20);
        assert_eq!(sizes.bounds().places, 1);
        assert_eq!(sizes.bounds().memory, Some(3 * GIB - spare), "room for the next worker");
        sizes.host(Some(16), Some(GIB));
        assert_eq!(sizes.available, Some(GIB / 2));
        assert!(
            sizes
                .doubt(Some(GIB))
                .unwrap()
                .contains("1073741824 bytes (server.task_result_bytes)")
        );
    }
}
