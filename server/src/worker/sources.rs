//! Follows the files of people's modules while functions are developed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

use super::lock;
use super::shared::Order;
use super::wire::Listed;

/// How often files are looked at: people wait for it.
const PERIOD: Duration = Duration::from_millis(250);

/// Files of one folder that are looked at.
const MOST: usize = 4_096;

/// Folders that are followed. Modules tell them when they are loaded, and none is forgotten: one that does not load any
/// more tells none.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources(Arc<Mutex<BTreeSet<PathBuf>>>);

/// What is followed, and who hears of other functions.
pub(super) struct Follows {
    pub(super) sources: Sources,
    tell: mpsc::UnboundedSender<Vec<Listed>>,
}

/// Which functions the modules have since they changed.
#[derive(Debug)]
pub(super) struct Changes {
    pub(super) listed: mpsc::UnboundedReceiver<Vec<Listed>>,
    /// Looks at the files until it is dropped.
    pub(super) following: AbortOnDropHandle<()>,
}

/// Follows the modules of functions: a change is an order for new workers.
pub(super) fn follow(orders: mpsc::UnboundedSender<Order>) -> (Follows, Changes) {
    let (tell, listed) = mpsc::unbounded_channel();
    let sources = Sources::default();
    let following = sources.clone().follow(move || {
        // Without a supervisor there is nothing to renew.
        let _ = orders.send(Order::Renew);
    });
    let changes = Changes {
        listed,
        following: AbortOnDropHandle::new(tokio::spawn(following)),
    };
    (Follows { sources, tell }, changes)
}

impl Follows {
    /// The modules have other functions now.
    pub(super) fn tell(&self, functions: Vec<Listed>) {
        // Whoever does not hear of it ends.
        let _ = self.tell.send(functions);
    }
}

/// The files of a folder: when each was changed, and its size.
type Files = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

impl Sources {
    pub(super) fn add(&self, folders: Vec<PathBuf>) {
        lock(&self.0).extend(folders);
    }

    /// Looks for ever, and tells once what stays changed from one look to the next: editors write in several steps.
    pub(super) async fn follow(self, mut changed: impl FnMut()) {
        let mut seen = Seen::default();
        let mut looks = interval(PERIOD);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let folders: Vec<_> = lock(&self.0).iter().cloned().collect();
            let look = || {
                folders
                    .into_iter()
                    .map(|folder| (files(&folder), folder))
                    .collect::<Vec<_>>()
            };
            // A look that the end of the runtime cut off saw nothing.
            let Ok(found) = tokio::task::spawn_blocking(look).await else {
                return;
            };
            if seen.look(found) {
                changed();
            }
        }
    }
}

/// What was seen last, by folder.
#[derive(Debug, Default)]
struct Seen {
    settled: BTreeMap<PathBuf, Files>,
    last: BTreeMap<PathBuf, Files>,
}

impl Seen {
    /// Whether a folder that was known has changed, and stayed as it is since the last look.
    fn look(&mut self, found: Vec<(Files, PathBuf)>) -> bool {
        let mut news = false;
        for (files, folder) in found {
            let known = self.settled.entry(folder.clone()).or_insert_with(|| files.clone());
            if *known != files && self.last.get(&folder) == Some(&files) {
                known.clone_from(&files);
                news = true;
            }
            self.last.insert(folder, files);
        }
        news
    }
}

/// The Python files in a folder; none where it cannot be read.
fn files(folder: &Path) -> Files {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let python = paths.filter(|path| path.extension().is_some_and(|extension| extension == "py"));
    let stated = python.take(MOST).filter_map(|path| {
        let about = fs::metadata(&path).ok()?;
        Some((path, (about.modified().ok(), about.len())))
    });
    stated.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(seen: &mut Seen, sizes: &[(&str, u64)]) -> bool {
        let found = sizes.iter().map(|(folder, size)| {
            let file = Path::new(folder).join("a.py");
            (Files::from([(file, (None, *size))]), PathBuf::from(folder))
        });
        seen.look(found.collect())
    }

    #[test]
    fn a_change_counts_once_it_stays_and_a_new_folder_is_none() {
        let mut seen = Seen::default();
        assert!(!look(&mut seen, &[("one", 1)]));
        assert!(!look(&mut seen, &[("one", 1), ("two", 1)]), "the folder is new");
        assert!(!look(&mut seen, &[("one", 2), ("two", 1)]), "it may be half written");
        assert!(!look(&mut seen, &[("one", 3), ("two", 1)]));
        assert!(look(&mut seen, &[("one", 3), ("two", 1)]));
        assert!(!look(&mut seen, &[("one", 3), ("two", 1)]), "it was told");
        assert!(!look(&mut seen, &[("one", 4), ("two", 1)]));
        assert!(!look(&mut seen, &[("one", 3), ("two", 1)]), "it is as it was");
    }

    #[test]
    fn only_python_files_count() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.py", "b.pyc", "c.txt"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        let found: Vec<_> = files(folder.path()).into_keys().collect();
        assert_eq!(found, [folder.path().join("a.py")]);
        assert!(files(&folder.path().join("none")).is_empty());
    }
}
