//! Keeps the data sources of the fleet registered, in a task of its own: a GoodData that is slow or down never delays
//! the fleet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use flexconnect_crds::DeletionPolicy;
use futures::future::join_all;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::events::SourceEvent as Event;
use super::fleet::{ADVERTISED_HOST, LocalFleet, Source};
use super::report::Reporter;
use crate::registration::{
    Client, Connection, Reason, Record, RegistrationError, Removed, TestOutcome, Timeouts, Traffic, reconcile, remove,
    test,
};

/// How often an unchanged registration is looked at.
const CHECK: Duration = Duration::from_secs(15);
const FIRST_BACK_OFF: Duration = Duration::from_secs(1);
const LAST_BACK_OFF: Duration = Duration::from_secs(30);
/// How long the end of a run waits for GoodData.
const GOODBYE: Duration = Duration::from_secs(10);
/// GoodData is near in a local run, and a person waits.
const TIMEOUTS: Timeouts = Timeouts {
    request: Duration::from_secs(10),
    test: Duration::from_secs(30),
};

/// What shall be registered.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) fleet: Arc<LocalFleet>,
    /// The Flight ports of the replicas to register, by ordinal; never empty.
    pub(super) replicas: BTreeMap<u16, u16>,
}

/// The replicas that some data source may name now.
pub(super) type MayBeRegistered = BTreeSet<u16>;

/// The task's state.
pub(super) struct Registrar {
    wanted: watch::Receiver<Option<Wanted>>,
    reports: mpsc::Sender<MayBeRegistered>,
    stop: CancellationToken,
    reporter: Arc<Reporter>,
    sources: BTreeMap<(String, String), Registration>,
    traffic: Traffic,
}

/// One data source, as far as we know it.
struct Registration {
    source: Source,
    record: Option<Record>,
    may_hold: BTreeSet<u16>,
    health: Health,
    failures: u32,
}

/// What was said last about a data source, so that nothing is said twice.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Health {
    New,
    Good,
    Untested { message: String },
    Failing { message: String },
}

impl Registrar {
    pub(super) fn new(
        wanted: watch::Receiver<Option<Wanted>>,
        reports: mpsc::Sender<MayBeRegistered>,
        stop: CancellationToken,
        reporter: Arc<Reporter>,
    ) -> Self {
        Self {
            wanted,
            reports,
            stop,
            reporter,
            sources: BTreeMap::new(),
            traffic: Traffic::default(),
        }
    }

    /// Follows what is wanted until told to stop, then takes away what shall not stay.
    pub(super) async fn run(mut self) {
        let mut next = Instant::now() + CHECK;
        loop {
            let changed = tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                changed = self.wanted.changed() => match changed {
                    Ok(()) => true,
                    Err(_) => break,
                },
                () = sleep_until(next) => false,
            };
            let Some(wanted) = self.wanted.borrow_and_update().clone() else {
                continue;
            };
            let stop = self.stop.clone();
            let delay = tokio::select! {
                delay = self.pass(&wanted, changed) => delay,
                () = stop.cancelled() => break,
            };
            next = Instant::now() + delay;
            let may_be_registered = self
                .sources
                .values()
                .flat_map(|source| source.may_hold.clone())
                .collect();
            if self.reports.send(may_be_registered).await.is_err() {
                break;
            }
        }
        let sources = std::mem::take(&mut self.sources);
        join_all(sources.into_values().map(|registration| self.end(registration))).await;
    }

    /// Looks at every data source once. Returns when to look again.
    async fn pass(&mut self, wanted: &Wanted, changed: bool) -> Duration {
        let key = |source: &Source| (source.source.endpoint.clone(), source.source.id.clone());
        let keys: BTreeSet<_> = wanted.fleet.sources.iter().map(key).collect();
        let dropped: Vec<_> = self
            .sources
            .keys()
            .filter(|key| !keys.contains(*key))
            .cloned()
            .collect();
        for key in dropped {
            if let Some(registration) = self.sources.remove(&key) {
                self.end(registration).await;
            }
        }
        let mut delay = CHECK;
        for source in &wanted.fleet.sources {
            let registration = self
                .sources
                .entry(key(source))
                .or_insert_with(|| Registration::new(source.clone()));
            registration.source = source.clone();
            delay = delay.min(registration.pass(wanted, changed, &self.traffic, &self.reporter).await);
        }
        delay
    }

    /// A data source that this fleet is done with.
    async fn end(&self, registration: Registration) {
        let Registration { source, record, .. } = registration;
        let (endpoint, id) = (source.source.endpoint.clone(), source.source.id.clone());
        let outcome = match source.deletion_policy {
            DeletionPolicy::Retain if record.is_none() => return,
            DeletionPolicy::Retain => "stays, without servers behind it (deletionPolicy: Retain)".to_owned(),
            DeletionPolicy::Delete => delete(&source, record.as_ref(), &self.traffic).await,
        };
        self.reporter.report(&Event::Unregistered {
            data_source: id,
            endpoint,
            outcome,
        });
    }
}

async fn delete(source: &Source, record: Option<&Record>, traffic: &Traffic) -> String {
    let own_hosts = BTreeSet::from([ADVERTISED_HOST.to_owned()]);
    let removed = timeout(GOODBYE, async {
        let client = client(source, traffic)?;
        // Without a record it is ours only when it leads here; then a create whose answer was lost is taken away, too.
        remove(&client, &source.source.id, record, &own_hosts).await
    });
    match removed.await {
        Ok(Ok(Removed::Deleted)) => "deleted".to_owned(),
        Ok(Ok(Removed::Gone)) => "was gone already".to_owned(),
        Ok(Ok(Removed::LeftAlone { refusal })) => format!("is left alone: {refusal}"),
        Ok(Err(error)) => format!("could not be deleted and stays: {}", error.message()),
        Err(_) => format!(
            "could not be deleted and stays: no answer within {} s",
            GOODBYE.as_secs()
        ),
    }
}

fn client(source: &Source, traffic: &Traffic) -> Result<Client, RegistrationError> {
    let connection: &Connection = match &source.source.connection {
        Ok(connection) => connection,
        Err(message) => return Err(RegistrationError::InvalidConnection(message.clone())),
    };
    Ok(Client::new(connection, traffic)?.with_timeouts(TIMEOUTS))
}

impl Registration {
    fn new(source: Source) -> Self {
        Self {
            source,
            record: None,
            may_hold: BTreeSet::new(),
            health: Health::New,
            failures: 0,
        }
    }

    /// One pass over this data source. Returns when the next is due.
    async fn pass(&mut self, wanted: &Wanted, changed: bool, traffic: &Traffic, reporter: &Reporter) -> Duration {
        let desired = wanted.fleet.desired(
            &self.source.source,
            wanted.replicas.iter().map(|(ordinal, port)| (*ordinal, *port)),
        );
        // Set before the request: whatever ends it, GoodData may have got it.
        self.may_hold.extend(wanted.replicas.keys());
        let outcome = match client(&self.source, traffic) {
            Ok(client) => reconcile(&client, &desired, self.record.as_ref())
                .await
                .map(|done| (client, done)),
            Err(error) => Err(error),
        };
        match outcome {
            Ok((client, done)) => {
                self.may_hold = wanted.replicas.keys().copied().collect();
                self.failures = 0;
                self.record = Some(done.record);
                let was_failing = matches!(self.health, Health::New | Health::Failing { .. });
                if done.writes > 0 || was_failing {
                    reporter.report(&Event::Registered {
                        data_source: self.source.source.id.clone(),
                        endpoint: self.source.source.endpoint.clone(),
                        urls: wanted.replicas.len(),
                        writes: done.writes,
                        repaired: done.writes > 0 && !changed && !was_failing,
                    });
                }
                let tested = match (done.tested, &self.health) {
                    (TestOutcome::NotTested, Health::Untested { .. } | Health::Failing { .. }) => {
                        test(&client, &self.source.source.id).await
                    }
                    (tested, _) => tested,
                };
                self.tested(tested, reporter)
            }
            Err(error) => self.failed(&error, reporter),
        }
    }

    /// Says what the connection test said, when that is news.
    fn tested(&mut self, tested: TestOutcome, reporter: &Reporter) -> Duration {
        let (health, successful, message) = match tested {
            TestOutcome::NotTested | TestOutcome::Succeeded => (Health::Good, true, String::new()),
            TestOutcome::Failed { message } => {
                let message = format!("{}: {message}", Reason::ConnectionTestFailed);
                (
                    Health::Untested {
                        message: message.clone(),
                    },
                    false,
                    message,
                )
            }
            TestOutcome::Unknown { message } => (
                Health::Untested {
                    message: message.clone(),
                },
                false,
                message,
            ),
        };
        let is_news = match (&self.health, &health) {
            (Health::Untested { .. }, Health::Good) => true,
            (before, Health::Untested { .. }) => *before != health,
            (Health::New | Health::Good | Health::Failing { .. }, _) | (_, Health::New | Health::Failing { .. }) => {
                false
            }
        };
        self.health = health;
        if is_news {
            let data_source = self.source.source.id.clone();
            let endpoint = self.source.source.endpoint.clone();
            reporter.report(&Event::ConnectionTested {
                data_source,
                endpoint,
                successful,
                message,
            });
        }
        if successful { CHECK } else { CHECK / 3 }
    }

    fn failed(&mut self, error: &RegistrationError, reporter: &Reporter) -> Duration {
        let exponential = FIRST_BACK_OFF
            .saturating_mul(2_u32.saturating_pow(self.failures))
            .min(LAST_BACK_OFF);
        self.failures = self.failures.saturating_add(1);
        let delay = error
            .retry_after()
            .map_or(exponential, |asked| asked.clamp(FIRST_BACK_OFF, LAST_BACK_OFF * 10));
        let health = Health::Failing {
            message: error.message(),
        };
        if self.health != health {
            reporter.report(&Event::RegistrationFailed {
                data_source: self.source.source.id.clone(),
                endpoint: self.source.source.endpoint.clone(),
                reason: error.reason().to_string(),
                message: error.message(),
                retry_in_ms: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
            });
        }
        self.health = health;
        delay
    }
}
