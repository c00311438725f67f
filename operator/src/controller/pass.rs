//! One pass over an object: dereference, validate, build, apply, register, status.

use std::collections::BTreeSet;
use std::time::Duration;

use flexconnect_crds::FlexConnectServer;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;

use super::announce::write_status;
use super::asking::Round;
use super::rolling::View;
use super::{Context, Outcome, PassError, finalize, register, rotate};
use crate::apply::{Applier, ApplyError};
use crate::build::{self, replica_services, rolled};
use crate::dereference::{observe, read_references};
use crate::reason::Reason;
use crate::registration::Class;
use crate::rollout;
use crate::runtime::events::Tone;
use crate::status::{self, Finding, Findings, PAUSED, READY};
use crate::validate::{Invalid, validate};

/// How soon the next step of a roll-out follows when nothing has to be waited for.
const NEXT_STEP: Duration = Duration::from_millis(100);

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
    let mut observed = observe(&context.client, object).await.map_err(read)?;
    let kept = observed.kept(fleet.uid.as_deref());
    let mut objects = build::build(&fleet, &kept, observed.serving(), Timestamp::now())?;

    let writer = Applier::new(&context.client, &fleet);
    let desired = objects.stateful_set.clone();
    let live = observed.stateful_set.clone();
    let mut view = View::of(object, &fleet, live.as_ref(), &desired, context).await?;
    let decision = view.decide(live.as_ref(), &desired, &BTreeSet::new());
    objects.stateful_set = rolled(desired.clone(), decision.replicas, decision.partition);
    objects.replica_services = replica_services(&fleet, decision.replicas.max(observed.serving()));
    if let Some(live) = &live {
        announce_roll_out(object, live, &desired, context).await;
        if writer.recreate(live, &desired).await? {
            observed.stateful_set = None;
            let note = "the StatefulSet was made anew, as a field of it cannot be changed; its pods stay";
            context
                .events
                .publish(object, Tone::Normal, Reason::StatefulSetRecreated, note)
                .await;
        }
    }
    let outcome = Box::pin(writer.apply(objects, &observed)).await;
    let mut applied = match outcome {
        Ok(applied) => applied,
        Err(error) => return Err(tell(object, error, context).await),
    };
    view.remove(&decision.removals).await?;

    // GoodData may take its time, and replicas too; the next fleet need not wait for them.
    drop(slot);
    let mut set = applied.stateful_set.clone();
    let round = Round::of(object, &fleet, &set, view.newcomers(&set, &desired), context);
    let is_rotating = rotate::tokens(&applied).is_some_and(|tokens| tokens.to_be_accepted().is_some());
    if is_rotating || !round.is_empty() {
        view.look().await?;
    }
    let pods = view.pods();
    let answers = round.ask(object, &fleet, &applied, &pods, context).await;
    let waiting = rotate::switch(&writer, &fleet, &mut applied, &set, &pods).await?;
    let named = view.decide(Some(&set), &desired, &answers.fit).named;
    let mut registration = register::register(object, &fleet, &applied, &named, &answers, context).await;
    let waiting = match rotate::settle(&writer, &fleet, &mut applied, &registration).await? {
        None => waiting,
        some => some,
    };
    let records = registration.sources.iter().filter_map(|source| source.record.as_ref());
    view.name(records.map(|record| record.url.as_str()));
    let decision = view.decide(Some(&set), &desired, &answers.fit);
    set = writer
        .stateful_set(rolled(desired, decision.replicas, decision.partition), Some(&set))
        .await?;

    let findings = Findings {
        set: &set,
        pods: &pods,
        functions: answers.functions.as_deref(),
        sources: &registration.sources,
        progress: decision.progress,
        tokens: rotate::tokens(&applied).map(|tokens| (tokens.rotated_at, waiting.clone())),
    };
    let status = status::of_fleet(object, &fleet, &findings, Timestamp::now());
    write_status(object, &status, context).await?;
    for (tone, reason, note) in registration.news.drain(..) {
        context.events.publish(object, tone, reason, &note).await;
    }
    // The data sources were told something else than what follows from what they were told.
    let again = if decision.named == named {
        decision.again
    } else {
        Some(NEXT_STEP)
    };
    let worst = registration.worst.or(waiting.map(|_| Class::Transient));
    Ok(match (worst, again) {
        (Some(class), _) => Outcome::Unsettled(class),
        (None, Some(time)) => Outcome::Moving(time),
        (None, None) => Outcome::Settled,
    })
}

/// Tells once why pods are made anew.
async fn announce_roll_out(object: &FlexConnectServer, live: &StatefulSet, desired: &StatefulSet, context: &Context) {
    if !rollout::set(live, desired).is_current {
        let note = format!(
            "the replicas are replaced, as these changed: {}",
            rollout::causes(live, desired)
        );
        context
            .events
            .publish(object, Tone::Normal, Reason::RolloutStarted, &note)
            .await;
    }
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
