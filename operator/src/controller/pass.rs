//! One pass over an object: dereference, validate, build, apply, register, status.

use flexconnect_crds::{DataSourceStatus, FlexConnectServer};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;

use super::announce::write_status;
use super::asking::Round;
use super::register::{self, Registration};
use super::{Context, Outcome, PassError, finalize};
use crate::apply::{Applier, ApplyError};
use crate::build;
use crate::dereference::{observe, read_pods, read_references};
use crate::fleet::ValidatedFleet;
use crate::reason::Reason;
use crate::registration::Class;
use crate::rollout;
use crate::status::{self, Finding, Findings, PAUSED, READY};
use crate::validate::{Invalid, validate};

/// One pass. What keeps the object from becoming a fleet is told in its status.
pub(super) async fn pass(object: &FlexConnectServer, context: &Context) -> Result<Outcome, PassError> {
    if object.spec.paused {
        return pause(object, context).await;
    }
    // Held while the API server is worked on. Nobody closes it.
    let slot = context.slots.acquire().await.ok();
    finalize::guard(object, context).await?;
    let read = |source| PassError::Read(Box::new(source));
    let references = read_references(&context.client, object, &context.server_image)
        .await
        .map_err(read)?;
    let fleet = match validate(object, &references) {
        Ok(fleet) => fleet,
        Err(invalid) => return refuse(object, &invalid, context).await,
    };
    let observed = observe(&context.client, object).await.map_err(read)?;
    let kept = observed.kept(fleet.uid.as_deref());
    let mut objects = build::build(&fleet, &kept, observed.serving(), Timestamp::now())?;

    let replicas = rollout::replicas_now(&fleet, observed.stateful_set.as_ref(), recorded_urls(object));
    let wanted = objects.stateful_set.clone();
    scale(&mut objects.stateful_set, replicas);
    let writer = Applier::new(&context.client, &fleet);
    let outcome = Box::pin(writer.apply(objects, &observed)).await;
    let applied = match outcome {
        Ok(applied) => applied,
        Err(error) => return Err(tell(object, error, context).await),
    };

    // GoodData may take its time, and replicas too; the next fleet need not wait for them.
    drop(slot);
    let mut set = applied.stateful_set.clone();
    let round = Round::of(object, &fleet, &set, context);
    let is_settled = fleet.replicas == 0 || rollout::is_settled(&set, fleet.replicas);
    // The pods tell which replicas are ready, and where those are that have to be asked.
    let pods = if is_settled && round.is_empty() {
        Vec::new()
    } else {
        read_pods(&context.client, &fleet).await.map_err(read)?
    };
    let answers = round.ask(object, &fleet, &applied, &pods, context).await;
    let mut registration = register::register(object, &fleet, &applied, &answers, context).await;
    if replicas != fleet.replicas && may_scale_in(&fleet, &set, &registration) {
        set = writer.stateful_set(wanted, Some(&set)).await?;
    }
    let findings = Findings {
        set: &set,
        pods: &pods,
        functions: answers.functions.as_deref(),
        sources: &registration.sources,
    };
    let status = status::of_fleet(object, &fleet, &findings, Timestamp::now());
    write_status(object, &status, context).await?;
    for (tone, reason, note) in registration.news.drain(..) {
        context.events.publish(object, tone, reason, &note).await;
    }
    Ok(registration.worst.map_or(Outcome::Settled, Outcome::Unsettled))
}

fn scale(set: &mut StatefulSet, replicas: u16) {
    if let Some(spec) = &mut set.spec {
        spec.replicas = Some(replicas.into());
    }
}

/// The URLs of all data sources that the status remembers, those that are no longer asked for excepted: nobody could
/// take a replica out of them.
fn recorded_urls(object: &FlexConnectServer) -> impl Iterator<Item = &str> {
    let asked_for = |source: &&DataSourceStatus| {
        object
            .spec
            .data_sources
            .iter()
            .any(|asked| asked.endpoint == source.endpoint && asked.id == source.id)
    };
    let sources = object.status.iter().flat_map(|status| &status.data_sources);
    sources.filter(asked_for).filter_map(|source| source.url.as_deref())
}

/// Whether no data source names a replica beyond the wanted ones any more.
fn may_scale_in(fleet: &ValidatedFleet, set: &StatefulSet, registration: &Registration) -> bool {
    let records = registration.sources.iter().filter_map(|source| source.record.as_ref());
    rollout::replicas_now(fleet, Some(set), records.map(|record| record.url.as_str())) == fleet.replicas
}

/// Tells that nothing is done.
async fn pause(object: &FlexConnectServer, context: &Context) -> Result<Outcome, PassError> {
    let message = "spec.paused is true: nothing but this status is written";
    let finding = Finding::good(PAUSED, Reason::Paused, message);
    let status = status::with_finding(object, finding, Timestamp::now());
    write_status(object, &status, context).await?;
    Ok(Outcome::Settled)
}

/// Tells what is wrong with the object. The fleet stays as it is.
async fn refuse(object: &FlexConnectServer, invalid: &Invalid, context: &Context) -> Result<Outcome, PassError> {
    let (reason, class) = if invalid.fields.is_empty() {
        (Reason::ReferenceMissing, Class::Blocked)
    } else {
        (Reason::InvalidSpec, Class::Terminal)
    };
    let finding = Finding::bad(READY, reason, invalid.to_string());
    write_status(
        object,
        &status::with_finding(object, finding, Timestamp::now()),
        context,
    )
    .await?;
    Ok(Outcome::Unsettled(class))
}

/// Tells why the fleet could not be applied, unless it is a matter of seconds.
async fn tell(object: &FlexConnectServer, error: ApplyError, context: &Context) -> PassError {
    let reason = match &error {
        ApplyError::Foreign { .. } => Reason::ForeignObject,
        ApplyError::Request { .. } => Reason::ApplyFailed,
    };
    let error = PassError::Apply(error);
    let told = match error.class() {
        Class::Transient => Ok(()),
        Class::Blocked | Class::Terminal => {
            let finding = Finding::bad(READY, reason, error.text());
            write_status(
                object,
                &status::with_finding(object, finding, Timestamp::now()),
                context,
            )
            .await
        }
    };
    told.err().unwrap_or(error)
}
