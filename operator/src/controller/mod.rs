//! The controller: watches, the finalizer, and the five steps of one pass.
//!
//! The watch keeps metadata only, two kilobytes an object; each pass reads its object afresh, so that it never decides on
//! a status that it has written itself since.

mod announce;
mod asking;
mod context;
mod error;
mod finalize;
mod pass;
mod polls;
mod register;
mod rivals;
mod rolling;
mod rotate;

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

pub use context::{Context, Patience, Scope};
pub use error::PassError;
use flexconnect_crds::FlexConnectServer;
use futures::StreamExt as _;
use futures::future::try_join_all;
use futures::stream::{BoxStream, select_all};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Service;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::predicates::generation;
use kube::runtime::reflector::{ObjectRef, Store, reflector, store};
use kube::runtime::utils::WatchStreamExt as _;
use kube::runtime::watcher;
use kube::{Api, ResourceExt as _};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug, info, info_span, warn};

use crate::build::{MANAGED_BY_LABEL, OPERATOR};
use crate::registration::Class;
use crate::runtime::api::counting_writes;
use crate::runtime::backoff::resync;
use crate::runtime::health::Ready;
use crate::runtime::metrics::PassEnd;

/// How many passes run at the same time. Most of them wait for GoodData; the work on the API server has a smaller bound.
const CONCURRENCY: u16 = 64;

/// The longest pass. GoodData gets at most 20 s for an answer and 90 s for its own test.
const PASS_TIMEOUT: Duration = Duration::from_mins(4);
/// A pass that runs for longer than this does not obey its time limit: it is stuck.
pub const LONGEST_PASS: Duration = Duration::from_mins(5);

/// The watched part of an object.
type Watched = PartialObjectMeta<FlexConnectServer>;

/// Runs until `shutdown`; passes that have begun are finished. `is_ready` is set once every object is known.
pub async fn run(context: Arc<Context>, is_ready: Ready, shutdown: CancellationToken) {
    let client = &context.client;
    // A watch is of one namespace or of all: each has its own objects.
    let (stores, controllers): (Vec<_>, Vec<_>) = match &context.scope {
        Scope::Cluster => vec![Place {
            objects: Api::all(client.clone()),
            sets: Api::all(client.clone()),
            services: Api::all(client.clone()),
        }],
        Scope::Namespaces(namespaces) => namespaces
            .iter()
            .map(|namespace| Place {
                objects: Api::namespaced(client.clone(), namespace),
                sets: Api::namespaced(client.clone(), namespace),
                services: Api::namespaced(client.clone(), namespace),
            })
            .collect(),
    }
    .into_iter()
    .map(|place| place.control(&context, &shutdown))
    .unzip();
    let known = || stores.iter().map(Store::len).sum::<usize>();

    let announce = async {
        if try_join_all(stores.iter().map(Store::wait_until_ready)).await.is_ok() {
            info!(objects = known(), "every object is known");
            context.metrics.objects(known());
            is_ready.set();
        }
        std::future::pending::<()>().await;
    };
    let work = select_all(controllers).for_each(|outcome| {
        context.metrics.objects(known());
        context.metrics.backing_off(context.backoff.len());
        match outcome {
            Ok((object, _)) => debug!(object = %object, "pass done"),
            // Failures of passes are told where they happen.
            Err(kube::runtime::controller::Error::ReconcilerFailed(..)) => {}
            Err(kube::runtime::controller::Error::ObjectNotFound(object)) => debug!(%object, "gone before its pass"),
            Err(error) => {
                context.metrics.watch_failed();
                if let Some(left_out) = context.outage.ask() {
                    warn!(%error, left_out, "a watch failed, and is started again");
                }
            }
        }
        ready(())
    });
    tokio::select! {
        () = announce => {}
        () = work => {}
    }
    // Whoever follows counts its own.
    context.metrics.objects(0);
    context.metrics.backing_off(0);
}

/// Where objects and their children are watched.
struct Place {
    objects: Api<Watched>,
    sets: Api<StatefulSet>,
    services: Api<Service>,
}

/// What the passes of one place report.
type Reports = BoxStream<
    'static,
    Result<(ObjectRef<Watched>, Action), kube::runtime::controller::Error<PassError, watcher::Error>>,
>;

impl Place {
    /// The objects that are known, and the passes over them.
    fn control(self, context: &Arc<Context>, shutdown: &CancellationToken) -> (Store<Watched>, Reports) {
        let seconds = u32::try_from(context.watch.as_secs()).unwrap_or(u32::MAX);
        let lasting = watcher::Config::default().timeout(seconds);
        let (reader, writer) = store();
        let watch = watcher(self.objects, lasting.clone())
            .default_backoff()
            .modify(|object| {
                object.managed_fields_mut().clear();
                object.annotations_mut().clear();
            });
        let objects = reflector(writer, watch)
            .applied_objects()
            // A new status is no reason for a pass, a deletion is one: it counts as a generation.
            .predicate_filter(generation, kube::runtime::PredicateConfig::default());
        let children = lasting.labels(&format!("{MANAGED_BY_LABEL}={OPERATOR}"));
        let passes = Controller::for_stream(objects, reader.clone())
            .owns(self.sets, children.clone())
            .owns(self.services, children)
            .with_config(Config::default().concurrency(CONCURRENCY))
            .graceful_shutdown_on(shutdown.clone().cancelled_owned())
            .run(reconcile, retry, Arc::clone(context));
        (reader, passes.boxed())
    }
}

/// One pass over one object, whatever it finds: timed, counted, and seen by who looks for passes that are stuck.
async fn reconcile(watched: Arc<Watched>, context: Arc<Context>) -> Result<Action, PassError> {
    let key = ObjectRef::from_obj(watched.as_ref()).to_string();
    let _running = context.passes.begin(&key);
    let meter = context.metrics.pass_begins();
    let span = info_span!("pass", namespace = watched.namespace(), name = watched.name_any());
    let (outcome, writes) = Box::pin(counting_writes(one(&watched, &context)))
        .instrument(span)
        .await;
    meter.ended(
        match &outcome {
            Ok(Outcome::Settled) => PassEnd::Settled,
            Ok(Outcome::Moving(_) | Outcome::Unsettled(_)) => PassEnd::Unsettled,
            Ok(Outcome::Gone) => PassEnd::Gone,
            Err(error) if error.is_conflict() => PassEnd::Conflict,
            Err(_) => PassEnd::Failed,
        },
        writes,
    );
    Ok(match outcome? {
        Outcome::Settled => {
            context.backoff.succeeded(&key);
            Action::requeue(resync())
        }
        Outcome::Moving(time) => {
            context.backoff.succeeded(&key);
            Action::requeue(time)
        }
        Outcome::Gone => {
            context.backoff.succeeded(&key);
            context.forget(watched.as_ref());
            Action::await_change()
        }
        Outcome::Unsettled(class) => Action::requeue(context.backoff.failed(&key, class)),
    })
}

async fn one(watched: &Watched, context: &Context) -> Result<Outcome, PassError> {
    let api = Api::<FlexConnectServer>::namespaced(context.client.clone(), &watched.namespace().unwrap_or_default());
    let read = api.get_opt(&watched.name_any()).await;
    let Some(object) = read.map_err(|source| PassError::Read(Box::new(source)))? else {
        return Ok(Outcome::Gone);
    };
    let work = async {
        if object.metadata.deletion_timestamp.is_some() {
            finalize::finalize(&object, context).await
        } else {
            Box::pin(pass::pass(&object, context)).await
        }
    };
    // A pass that is given up in its middle is begun again: each of its steps may be repeated.
    timeout(PASS_TIMEOUT, work).await.map_err(|_| PassError::TimedOut)?
}

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// All is as it shall be, or a watch will tell when it goes on.
    Settled,
    /// Something is on its way, and no watch will tell: look again after that time.
    Moving(Duration),
    /// Something is not, and no watch will tell: look again.
    Unsettled(Class),
    /// There is nothing left to do for this object.
    Gone,
}

#[expect(clippy::needless_pass_by_value, reason = "the controller gives it so")]
fn retry(watched: Arc<Watched>, error: &PassError, context: Arc<Context>) -> Action {
    let key = ObjectRef::from_obj(watched.as_ref()).to_string();
    let delay = context.backoff.failed(&key, error.class());
    let failures = context.backoff.failures(&key);
    if error.is_conflict() {
        info!(object = %key, "the object changed during the pass, which starts again");
    } else if error.is_outage() {
        // All objects fail at once, and for one reason.
        if let Some(left_out) = context.outage.ask() {
            warn!(object = %key, error = %error.text(), left_out, "the API server does not answer");
        }
    } else if failures.is_power_of_two() {
        warn!(object = %key, error = %error.text(), class = ?error.class(), failures, "pass failed");
    }
    Action::requeue(delay)
}
