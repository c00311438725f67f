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
mod register;

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

pub use context::{Context, Patience, Scope};
pub use error::PassError;
use flexconnect_crds::FlexConnectServer;
use futures::StreamExt as _;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Service;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::predicates::generation;
use kube::runtime::reflector::{ObjectRef, reflector, store};
use kube::runtime::utils::WatchStreamExt as _;
use kube::runtime::watcher;
use kube::{Api, Resource, ResourceExt as _};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::build::{MANAGED_BY_LABEL, OPERATOR};
use crate::registration::Class;
use crate::runtime::backoff::resync;
use crate::runtime::health::Ready;

/// How many objects are worked on at the same time. Without a bound, an API server that comes back meets all of them.
const CONCURRENCY: u16 = 8;

/// The longest pass. GoodData gets at most 20 s for an answer and 90 s for its own test.
const PASS_TIMEOUT: Duration = Duration::from_mins(4);

/// The watched part of an object.
type Watched = PartialObjectMeta<FlexConnectServer>;

/// Runs until `shutdown`; passes that have begun are finished. `is_ready` is set once every object is known.
pub async fn run(context: Arc<Context>, is_ready: Ready, shutdown: CancellationToken) {
    let (reader, writer) = store();
    let known = reader.clone();
    let watch = watcher(api::<Watched>(&context), watcher::Config::default())
        .default_backoff()
        .modify(|object| {
            object.managed_fields_mut().clear();
            object.annotations_mut().clear();
        });
    let objects = reflector(writer, watch)
        .applied_objects()
        // A new status is no reason for a pass, a deletion is one: it counts as a generation.
        .predicate_filter(generation, kube::runtime::PredicateConfig::default());
    let children = || watcher::Config::default().labels(&format!("{MANAGED_BY_LABEL}={OPERATOR}"));
    let passes = Controller::for_stream(objects, reader)
        .owns(api::<StatefulSet>(&context), children())
        .owns(api::<Service>(&context), children())
        .with_config(Config::default().concurrency(CONCURRENCY))
        .graceful_shutdown_on(shutdown.cancelled_owned())
        .run(reconcile, retry, context);

    let announce = async {
        if known.wait_until_ready().await.is_ok() {
            info!(objects = known.len(), "every object is known");
            is_ready.set();
        }
        std::future::pending::<()>().await;
    };
    let work = passes.for_each(|outcome| {
        match outcome {
            Ok((object, _)) => debug!(object = %object, "pass done"),
            // Failures of passes are told where they happen.
            Err(kube::runtime::controller::Error::ReconcilerFailed(..)) => {}
            Err(kube::runtime::controller::Error::ObjectNotFound(object)) => debug!(%object, "gone before its pass"),
            Err(error) => warn!(%error, "the watch failed, and is started again"),
        }
        ready(())
    });
    tokio::select! {
        () = announce => {}
        () = work => {}
    }
}

fn api<K>(context: &Context) -> Api<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    match &context.scope {
        Scope::Cluster => Api::all(context.client.clone()),
        Scope::Namespace(namespace) => Api::namespaced(context.client.clone(), namespace),
    }
}

/// One pass over one object, whatever it finds.
async fn reconcile(watched: Arc<Watched>, context: Arc<Context>) -> Result<Action, PassError> {
    let key = ObjectRef::from_obj(watched.as_ref()).to_string();
    let namespace = watched.namespace().unwrap_or_default();
    let api = Api::<FlexConnectServer>::namespaced(context.client.clone(), &namespace);
    let object = match api.get_opt(&watched.name_any()).await {
        Ok(Some(object)) => object,
        Ok(None) => {
            context.backoff.succeeded(&key);
            context.asked.forget(watched.as_ref());
            return Ok(Action::await_change());
        }
        Err(source) => return Err(PassError::Read(Box::new(source))),
    };
    let work = async {
        if object.metadata.deletion_timestamp.is_some() {
            finalize::finalize(&object, &context).await
        } else {
            Box::pin(pass::pass(&object, &context)).await
        }
    };
    // A pass that is given up in its middle is begun again: each of its steps may be repeated.
    let outcome = timeout(PASS_TIMEOUT, work).await.map_err(|_| PassError::TimedOut)??;
    Ok(match outcome {
        Outcome::Settled => {
            context.backoff.succeeded(&key);
            Action::requeue(resync())
        }
        Outcome::Gone => {
            context.backoff.succeeded(&key);
            context.asked.forget(watched.as_ref());
            Action::await_change()
        }
        Outcome::Unsettled(class) => Action::requeue(context.backoff.failed(&key, class)),
    })
}

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// All is as it shall be, or a watch will tell when it goes on.
    Settled,
    /// Something is not, and no watch will tell: look again.
    Unsettled(Class),
    /// There is nothing left to do for this object.
    Gone,
}

#[expect(clippy::needless_pass_by_value, reason = "the controller gives it so")]
fn retry(watched: Arc<Watched>, error: &PassError, context: Arc<Context>) -> Action {
    let key = ObjectRef::from_obj(watched.as_ref()).to_string();
    if error.is_conflict() {
        info!(object = %key, "the object changed during the pass, which starts again");
    } else {
        warn!(object = %key, error = %error.text(), class = ?error.class(), "pass failed");
    }
    Action::requeue(context.backoff.failed(&key, error.class()))
}
