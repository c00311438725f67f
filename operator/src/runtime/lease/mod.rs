//! Leader election on a Lease: at most one operator works, and the next one follows within seconds.
//!
//! The leader renews every [`retry`](Terms::retry), counts the time from before each request, and drops its work when it
//! could not for [`renew`](Terms::renew); its [`Fence`] closes at the same time by the clock alone. On shutdown the
//! Lease is released, so that the next operator need not wait for its end.

mod protocol;

use std::future::Future;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::time::{sleep, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

pub use self::protocol::Terms;
use self::protocol::{Candidate, Claim, released, renewed};
use super::fence::Fence;
use super::metrics::Metrics;

/// How long work that has begun may take when the operator stops. What does not end in time is begun again by the next.
const GRACE: Duration = Duration::from_millis(500);
/// How long the farewell may take. Without it the next operator waits for the end of the Lease.
const FAREWELL: Duration = Duration::from_secs(1);

/// One candidate.
pub struct Election {
    api: Api<Lease>,
    name: String,
    identity: String,
    terms: Terms,
    fence: Fence,
    metrics: Metrics,
}

/// Why somebody does not lead any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    /// The Lease names somebody else, or is gone.
    Taken,
    /// It could not be renewed in time.
    Late,
}

impl Election {
    /// A candidate for the Lease of this name. The client should have a connection of its own: renewals must not wait
    /// for the work.
    #[must_use]
    pub fn new(client: Client, namespace: &str, name: &str, terms: Terms, fence: Fence, metrics: Metrics) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity: identity(),
            terms,
            fence,
            metrics,
        }
    }

    /// Works whenever it leads, until `shutdown`. `work` gets a token that tells it to end; it is dropped where it stands
    /// when the lease is lost. `stands` is called whenever
    /// it sees that somebody else does, which is all that it has to be ready for.
    pub async fn run<W: Future<Output = ()>>(
        &self,
        mut work: impl FnMut(CancellationToken) -> W,
        stands: impl Fn(),
        shutdown: CancellationToken,
    ) {
        loop {
            let acquired = tokio::select! {
                acquired = self.acquire(&stands) => acquired,
                () = shutdown.cancelled() => return,
            };
            info!(identity = self.identity, lease = self.name, "leading");
            self.metrics.leading(true);
            let end = self.lead(work(shutdown.child_token()), acquired, &shutdown).await;
            // Before the Lease is: what is written after this, somebody else writes.
            self.fence.close();
            self.metrics.leading(false);
            match end {
                Err(lost) => {
                    self.metrics.lease_lost();
                    warn!(?lost, lease = self.name, "not leading any more: the work was dropped");
                }
                Ok(()) => self.release().await,
            }
            if shutdown.is_cancelled() {
                return;
            }
        }
    }

    /// Works until the work ends, the operator stops, or the lease is lost. The work is gone when this returns.
    async fn lead(
        &self,
        work: impl Future<Output = ()>,
        (lease, since): (Lease, Instant),
        shutdown: &CancellationToken,
    ) -> Result<(), Lost> {
        self.fence.open_until(since + self.terms.renew);
        let stop = async {
            shutdown.cancelled().await;
            sleep(GRACE).await;
            info!("stopping: what has not ended by now is begun again by the next operator");
        };
        tokio::select! {
            biased;
            lost = self.hold(lease, since) => Err(lost),
            () = work => Ok(()),
            () = stop => Ok(()),
        }
    }

    /// Waits until the Lease is ours. Returns it with the time before the request that made it so.
    async fn acquire(&self, stands: &impl Fn()) -> (Lease, Instant) {
        let mut candidate = Candidate::new(&self.identity, self.terms);
        let mut troubled = false;
        loop {
            let wait = match timeout(self.terms.renew, self.try_acquire(&mut candidate, stands)).await {
                Ok(Ok(Attempt::Leading(lease, since))) => return (*lease, since),
                Ok(Ok(Attempt::Waiting(time))) => {
                    troubled = false;
                    time
                }
                outcome => {
                    let (text, forbidden) = match &outcome {
                        Ok(Err(error)) => (error.to_string(), is_forbidden(error)),
                        _ => ("the API server does not answer".to_owned(), false),
                    };
                    // Once, and not every second: it may take minutes.
                    if forbidden && !troubled {
                        error!(
                            lease = self.name,
                            error = text,
                            "may not use the Lease: the role needs get, create and update of leases"
                        );
                    } else if !troubled {
                        warn!(
                            lease = self.name,
                            error = text,
                            "cannot stand for election, and tries again"
                        );
                    }
                    troubled = true;
                    self.terms.retry
                }
            };
            sleep(wait).await;
        }
    }

    async fn try_acquire(&self, candidate: &mut Candidate, stands: &impl Fn()) -> kube::Result<Attempt> {
        let lease = self.api.get_opt(&self.name).await?;
        let spec = lease.as_ref().map(|lease| lease.spec.clone().unwrap_or_default());
        let since = Instant::now();
        let spec = match candidate.decide(spec.as_ref(), since, Timestamp::now()) {
            Claim::Take(spec) => spec,
            Claim::Wait(time) => {
                stands();
                return Ok(Attempt::Waiting(time));
            }
        };
        let written = match lease {
            Some(lease) => self.replace(lease, spec).await,
            None => self.create(spec).await,
        };
        match written {
            Ok(lease) => Ok(Attempt::Leading(Box::new(lease), since)),
            // Somebody else was faster.
            Err(kube::Error::Api(answer)) if answer.is_conflict() || answer.is_already_exists() => {
                Ok(Attempt::Waiting(self.terms.look))
            }
            Err(error) => Err(error),
        }
    }

    /// Renews the Lease for as long as that works.
    async fn hold(&self, mut lease: Lease, mut since: Instant) -> Lost {
        loop {
            let deadline = since + self.terms.renew;
            sleep_until(deadline.min(Instant::now() + self.terms.retry).into()).await;
            let started = Instant::now();
            if started >= deadline {
                return Lost::Late;
            }
            let limit = deadline.min(started + self.terms.attempt());
            match timeout_at(limit.into(), self.renew(&mut lease)).await {
                Ok(Ok(true)) => {
                    since = started;
                    self.fence.open_until(since + self.terms.renew);
                }
                Ok(Ok(false)) => return Lost::Taken,
                Ok(Err(error)) => debug!(%error, "failed to renew the Lease"),
                Err(_) => debug!("renewing the Lease took too long"),
            }
        }
    }

    /// One attempt to renew. False when somebody else holds the Lease, which is looked up and never guessed.
    async fn renew(&self, lease: &mut Lease) -> kube::Result<bool> {
        let known = lease.spec.clone().unwrap_or_default();
        if let Some(spec) = renewed(&self.identity, self.terms, &known, Timestamp::now()) {
            match self.replace(lease.clone(), spec).await {
                Ok(renewed) => {
                    *lease = renewed;
                    return Ok(true);
                }
                Err(kube::Error::Api(answer)) if answer.is_conflict() || answer.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        let Some(live) = self.api.get_opt(&self.name).await? else {
            return Ok(false);
        };
        let spec = live.spec.clone().unwrap_or_default();
        let Some(spec) = renewed(&self.identity, self.terms, &spec, Timestamp::now()) else {
            return Ok(false);
        };
        *lease = self.replace(live, spec).await?;
        Ok(true)
    }

    async fn release(&self) {
        let release = async {
            let Some(lease) = self.api.get_opt(&self.name).await? else {
                return Ok(());
            };
            let spec = lease.spec.clone().unwrap_or_default();
            match released(&self.identity, &spec, Timestamp::now()) {
                Some(spec) => self.replace(lease, spec).await.map(drop),
                None => Ok(()),
            }
        };
        match timeout(FAREWELL, release).await {
            Ok(Ok(())) => info!(lease = self.name, "released the Lease"),
            Ok(Err(error)) => warn!(%error, lease = self.name, "failed to release the Lease, which ends by itself"),
            Err(_) => warn!(
                lease = self.name,
                "failed to release the Lease in time, which ends by itself"
            ),
        }
    }

    async fn create(&self, spec: LeaseSpec) -> kube::Result<Lease> {
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(spec),
        };
        self.api.create(&PostParams::default(), &lease).await
    }

    /// Refused with a conflict when somebody wrote the Lease since it was read.
    async fn replace(&self, lease: Lease, spec: LeaseSpec) -> kube::Result<Lease> {
        let lease = Lease {
            spec: Some(spec),
            ..lease
        };
        self.api.replace(&self.name, &PostParams::default(), &lease).await
    }
}

enum Attempt {
    Leading(Box<Lease>, Instant),
    Waiting(Duration),
}

/// No two processes have the same, not even two lives of one pod.
fn identity() -> String {
    let name =
        std::env::var("POD_NAME").unwrap_or_else(|_| rustix::system::uname().nodename().to_string_lossy().into());
    format!("{name}_{:016x}", rand::random::<u64>())
}

fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(answer) if answer.is_forbidden())
}
