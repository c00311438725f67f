//! What modules count with `prometheus_client`: workers are asked when somebody scrapes, and say a last word when they
//! stop. What a worker counted stays in the sums after its end, so that counters never go down.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::lock;
use super::shared::{Order, Shared};
use crate::telemetry::metrics::{Hosted, Hosting, Reading, Sort, read_hosted};

/// How long a scrape waits for the workers. Of those that take longer, it shows what they said before.
const PATIENCE: Duration = Duration::from_millis(500);

/// Bytes of one worker's text.
const MOST_BYTES: usize = 4 << 20;

/// Series that are kept of workers that have ended.
const MOST_SERIES: usize = 20_000;

/// Warnings of which each is given once.
const MOST_WARNINGS: usize = 100;

/// What every process with `prometheus_client` has: it is about the process, and the server shows its own.
const OF_THE_PROCESS: [&str; 10] = [
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_virtual_memory_bytes",
    "python_gc_collections_total",
    "python_gc_objects_collected_total",
    "python_gc_objects_uncollectable_total",
    "python_info",
];

/// What the vendor's package counts itself wherever it is imported: the server counts it in its stead.
const OF_THE_ORIGINAL: &str = "gdfs_";

/// Names that are the server's, used today or not.
const OURS: &str = "flexconnect_";

/// What all workers told.
#[derive(Debug, Default)]
pub(super) struct Board {
    workers: BTreeMap<u64, Worker>,
    /// The sums of those that are gone.
    ended: Hosted,
    waiting: Vec<oneshot::Sender<()>>,
    warned: BTreeSet<String>,
}

#[derive(Debug)]
struct Worker {
    place: usize,
    /// Whether its process is there, as far as is known.
    lives: bool,
    /// When it was asked for what it has not told yet.
    asked: Option<Instant>,
    told: Hosted,
}

impl Board {
    /// A worker has loaded its modules.
    pub(super) fn begin(&mut self, worker: u64, place: usize) {
        let begun = Worker {
            place,
            lives: true,
            asked: None,
            told: Hosted::default(),
        };
        self.workers.insert(worker, begun);
    }

    /// Somebody waits for what is new. Tells which workers are to be asked: those that do not owe an answer.
    pub(super) fn ask(&mut self, waiting: oneshot::Sender<()>, now: Instant) -> Vec<u64> {
        let mut asked = Vec::new();
        for (&worker, found) in self.workers.iter_mut().filter(|(_, found)| found.lives) {
            if found.asked.is_none() {
                found.asked = Some(now);
                asked.push(worker);
            }
        }
        self.waiting.push(waiting);
        self.settle(now);
        asked
    }

    /// A worker told what it counts; nothing when it cannot.
    fn tell(&mut self, worker: u64, told: Option<Hosted>, now: Instant) {
        if let Some(found) = self.workers.get_mut(&worker) {
            found.asked = None;
            if let Some(told) = told {
                found.told = told;
            }
        }
        self.settle(now);
    }

    /// The process of a worker is gone. It may have said something that is not heard yet.
    pub(super) fn died(&mut self, worker: u64, now: Instant) {
        if let Some(found) = self.workers.get_mut(&worker) {
            (found.lives, found.asked) = (false, None);
        }
        self.settle(now);
    }

    /// All that a worker said is heard.
    pub(super) fn ended(&mut self, worker: u64, now: Instant) {
        if let Some(found) = self.workers.remove(&worker)
            && self.ended.add(&found.told, MOST_SERIES)
        {
            self.warn("series of workers that have ended are too many, and some are not counted any more");
        }
        self.settle(now);
    }

    /// Those who wait wait no longer when all have answered, but for those that were too slow for others already.
    fn settle(&mut self, now: Instant) {
        let mut asked = self.workers.values().filter_map(|worker| worker.asked);
        if asked.all(|at| now.duration_since(at) >= PATIENCE) {
            for waiting in self.waiting.drain(..) {
                // It may have gone.
                let _ = waiting.send(());
            }
        }
    }

    /// The sums, and the gauges of those that live.
    fn sums(&mut self, is_ours: &dyn Fn(&str) -> bool) -> Hosted {
        let mut sums = self.ended.clone();
        for worker in self.workers.values() {
            sums.add(&worker.told, usize::MAX);
            if worker.lives {
                sums.add_of(&worker.told, worker.place);
            }
        }
        let mut refused = Vec::new();
        let mut theirs = HashSet::new();
        sums.retain(|name, sort| match verdict(name, sort, is_ours) {
            Verdict::Shown => {
                let names = sort.names(name);
                let clashes = names.iter().any(|name| theirs.contains(name));
                theirs.extend(names);
                if clashes {
                    refused.push(format!(
                        "'{name}' is a name that another metric of a module has as well"
                    ));
                }
                !clashes
            }
            Verdict::LeftOut => false,
            Verdict::Taken => {
                refused.push(format!("'{name}' is a name of the server's own"));
                false
            }
        });
        for problem in refused {
            self.warn(&problem);
        }
        sums
    }

    fn warn(&mut self, problem: &str) {
        if self.warned.len() < MOST_WARNINGS && self.warned.insert(problem.to_owned()) {
            tracing::warn!(problem, "python_metrics_left_out");
        }
    }
}

enum Verdict {
    Shown,
    /// As is to be expected.
    LeftOut,
    /// Its author should choose another name.
    Taken,
}

fn verdict(name: &str, sort: Sort, is_ours: &dyn Fn(&str) -> bool) -> Verdict {
    if OF_THE_PROCESS.contains(&name) || name.starts_with(OF_THE_ORIGINAL) {
        Verdict::LeftOut
    } else if name.starts_with(OURS) || sort.names(name).iter().any(|name| is_ours(name)) {
        Verdict::Taken
    } else {
        Verdict::Shown
    }
}

/// Takes what a worker told.
pub(super) fn take(shared: &Shared, worker: u64, text: &Bytes) {
    let mut problem = None;
    let told = match std::str::from_utf8(text) {
        // It has none, or could not collect them, and then said so itself.
        Ok("") => None,
        Ok(_) if text.len() > MOST_BYTES => {
            problem = Some(format!("the metrics of a worker take more than {MOST_BYTES} bytes"));
            None
        }
        Ok(text) => {
            let Reading { hosted, first, .. } = read_hosted(text);
            // The number of a line differs from time to time, and would have it said again and again.
            problem = first.map(|(_, wrong)| format!("a line of a worker's metrics has {wrong}"));
            Some(hosted)
        }
        Err(_) => {
            problem = Some("the metrics of a worker are no UTF-8".to_owned());
            None
        }
    };
    let mut board = lock(&shared.board);
    if let Some(problem) = problem {
        board.warn(&problem);
    }
    board.tell(worker, told, Instant::now());
}

/// Asks the workers of a server when somebody scrapes.
pub(super) struct Asking(pub(super) Arc<Shared>);

impl Hosting for Asking {
    fn refresh(&self) -> BoxFuture<'static, ()> {
        let (told, waiting) = oneshot::channel();
        self.0.order(Order::Measure { waiting: told });
        timeout(PATIENCE, waiting).map(drop).boxed()
    }

    fn told(&self, is_ours: &dyn Fn(&str) -> bool) -> Hosted {
        lock(&self.0.board).sums(is_ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;
    use crate::telemetry::metrics::Format;

    const ALL: &str = "# TYPE rows_total counter\nrows_total{of=\"a\"} N\n# TYPE size gauge\nsize N\n";

    #[expect(clippy::unnecessary_wraps, reason = "as a worker tells them, or does not")]
    fn told(text: &str, n: u32) -> Option<Hosted> {
        Some(read_hosted(&text.replace('N', &n.to_string())).hosted)
    }

    /// The samples that are shown.
    fn samples(board: &mut Board) -> Vec<String> {
        struct Fixed(Hosted);
        impl Hosting for Fixed {
            fn refresh(&self) -> BoxFuture<'static, ()> {
                std::future::ready(()).boxed()
            }
            fn told(&self, _: &dyn Fn(&str) -> bool) -> Hosted {
                self.0.clone()
            }
        }
        let metrics = Metrics::new();
        let sums = board.sums(&|name| name == "taken");
        metrics.host(Fixed(sums));
        let text = metrics.text(Format::Plain, &[]);
        let lines = text.lines().filter(|line| {
            let ours = ["#", "gdfs_", "flexconnect_", "process_"];
            !ours.iter().any(|prefix| line.starts_with(prefix))
        });
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn counters_are_summed_and_do_not_go_down_when_a_worker_ends() {
        let now = Instant::now();
        let mut board = Board::default();
        board.begin(1, 0);
        board.begin(2, 1);
        board.tell(1, told(ALL, 3), now);
        board.tell(2, told(ALL, 4), now);
        let gauges = ["size{worker=\"0\"} 3.0", "size{worker=\"1\"} 4.0"];
        assert_eq!(samples(&mut board), ["rows_total{of=\"a\"} 7.0", gauges[0], gauges[1]]);

        // The process is gone, and its last word is heard after that.
        board.died(1, now);
        assert_eq!(samples(&mut board), ["rows_total{of=\"a\"} 7.0", gauges[1]]);
        board.tell(1, told(ALL, 5), now);
        board.ended(1, now);
        board.begin(3, 0);
        assert_eq!(samples(&mut board), ["rows_total{of=\"a\"} 9.0", gauges[1]]);
        board.tell(3, told(ALL, 1), now);
        board.tell(3, None, now);
        let gauges = ["size{worker=\"0\"} 1.0", gauges[1]];
        assert_eq!(samples(&mut board), ["rows_total{of=\"a\"} 10.0", gauges[0], gauges[1]]);
    }

    #[test]
    fn a_scrape_waits_for_those_that_answer() {
        let now = Instant::now();
        let mut board = Board::default();
        let ask = |board: &mut Board, now| {
            let (told, mut waiting) = oneshot::channel();
            let asked = board.ask(told, now);
            (asked, move || waiting.try_recv().is_ok())
        };
        assert!(ask(&mut board, now).1(), "there is nobody to wait for");
        board.begin(1, 0);
        board.begin(2, 1);
        let (asked, mut is_told) = ask(&mut board, now);
        assert_eq!(asked, [1, 2]);
        board.tell(2, None, now);
        assert!(!is_told());
        let (asked, mut other) = ask(&mut board, now);
        assert_eq!(asked, [2], "the first one has been asked");
        board.tell(2, None, now);
        assert!(!is_told() && !other());
        board.died(1, now);
        assert!(is_told() && other());

        // One that hangs makes only one scrape wait.
        board.begin(3, 0);
        let (asked, mut is_told) = ask(&mut board, now);
        assert_eq!((asked, is_told()), (vec![2, 3], false));
        board.tell(2, None, now);
        let later = now + PATIENCE;
        let (asked, mut is_told) = ask(&mut board, later);
        board.tell(2, None, later);
        assert_eq!((asked, is_told()), (vec![2], true));
    }

    #[test]
    fn names_of_the_server_are_not_taken_over() {
        let mut board = Board::default();
        board.begin(1, 0);
        let text = "python_info 1\nprocess_open_fds 1\ngdfs_task_queue 1\nflexconnect_mine 1\ntaken 1\n\
                    # TYPE a histogram\na_sum 1\n# TYPE a_count gauge\na_count 1\n";
        board.tell(1, told(text, 0), Instant::now());
        let shown = samples(&mut board);
        assert_eq!(shown, ["a_bucket{le=\"+Inf\"} 0.0", "a_count 0.0", "a_sum 1.0"]);
        assert_eq!(board.warned.len(), 3, "{:?}", board.warned);
        samples(&mut board);
        assert_eq!(board.warned.len(), 3, "each is said once");
    }
}
