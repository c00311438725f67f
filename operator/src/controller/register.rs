//! The data sources of one fleet in one pass. Whatever goes wrong here, the fleet goes on.

use std::collections::BTreeSet;

use flexconnect_crds::{CacheStrategy, ConnectionTest, FlexConnectServer};
use futures::future::join_all;
use jiff::{Timestamp, Unit};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;

use super::asking::Answers;
use super::{Context, rivals};
use crate::build::{Applied, Credentials, Objects, desired};
use crate::exposure::endpoint;
use crate::fleet::{DataSource, ValidatedFleet};
use crate::names::Ordinal;
use crate::reason::Reason;
use crate::registration::{self, Class, Client, Refusal, RegistrationError, TestOutcome};
use crate::rollout;
use crate::runtime::events::Tone;
use crate::status::{self, History, SourceStatus};

/// What became of the data sources.
#[derive(Debug, Default)]
pub(super) struct Registration {
    /// Each of them, as the status shall tell it.
    pub sources: Vec<SourceStatus>,
    /// What the next pass has to wait for; None: nothing.
    pub worst: Option<Class>,
    /// What a person would want to know.
    pub news: Vec<(Tone, Reason, String)>,
}

/// One data source, and what the pass has to do about it.
struct Outcome {
    status: SourceStatus,
    class: Option<Class>,
    writes: u32,
}

/// Registers every data source of a fleet, all at the same time.
pub(super) async fn register(
    object: &FlexConnectServer,
    fleet: &ValidatedFleet,
    applied: &Objects<Applied>,
    named: &BTreeSet<Ordinal>,
    answers: &Answers,
    context: &Context,
) -> Registration {
    let passes = fleet
        .data_sources
        .iter()
        .map(|source| one(object, fleet, source, applied, named, answers, context));
    let mut registration = Registration {
        news: released(object),
        ..Registration::default()
    };
    for outcome in join_all(passes).await {
        if outcome.writes > 0 {
            let SourceStatus { id, endpoint, .. } = &outcome.status;
            let note = format!("data source {id} at {endpoint} was created or changed");
            registration.news.push((Tone::Normal, Reason::DataSourceChanged, note));
        }
        registration.worst = urgent(registration.worst, outcome.class);
        registration.sources.push(outcome.status);
    }
    registration
}

/// The class that asks for the earliest look.
fn urgent(one: Option<Class>, other: Option<Class>) -> Option<Class> {
    let rank = |class: &Class| match class {
        Class::Transient => 0,
        Class::Blocked => 1,
        Class::Terminal => 2,
    };
    one.into_iter().chain(other).min_by_key(rank)
}

/// Data sources that are no longer asked for. Their credentials are gone from the spec, so they stay as they are.
fn released(object: &FlexConnectServer) -> Vec<(Tone, Reason, String)> {
    let sources = object.status.iter().flat_map(|status| &status.data_sources);
    let released = sources.filter(|known| {
        known.hash.is_some()
            && !object
                .spec
                .data_sources
                .iter()
                .any(|asked| asked.endpoint == known.endpoint && asked.id == known.id)
    });
    let note = |known: &flexconnect_crds::DataSourceStatus| {
        format!(
            "data source {} at {} is no longer in the spec, and stays in GoodData as it is",
            known.id, known.endpoint
        )
    };
    released
        .map(|known| (Tone::Normal, Reason::DataSourceReleased, note(known)))
        .collect()
}

#[expect(
    clippy::too_many_lines,
    reason = "the steps of one registration, each of a few lines"
)]
async fn one(
    object: &FlexConnectServer,
    fleet: &ValidatedFleet,
    source: &DataSource,
    applied: &Objects<Applied>,
    named: &BTreeSet<Ordinal>,
    answers: &Answers,
    context: &Context,
) -> Outcome {
    let before = status::record(object, &source.endpoint, &source.id);
    let history = status::history(object, &source.endpoint, &source.id);
    let outcome = |record, trouble, class, writes, history| Outcome {
        status: SourceStatus {
            id: source.id.clone(),
            endpoint: source.endpoint.clone(),
            record,
            trouble,
            history,
        },
        class,
        writes,
    };
    let trouble = |reason: Reason, text: String, class: Option<Class>| {
        outcome(before.clone(), Some((reason, text)), class, 0, history.clone())
    };

    if fleet.replicas == 0 {
        let text = "no replicas are wanted; the data source stays as it is".to_owned();
        return trouble(Reason::Stopped, text, None);
    }
    let connection = match &source.connection {
        Ok(connection) => connection,
        Err(message) => return trouble(Reason::CredentialsMissing, message.clone(), Some(Class::Blocked)),
    };
    let endpoints: Vec<_> = named.iter().map(|&ordinal| endpoint(fleet, ordinal)).collect();
    let unfit = answers.complaint().map(|text| (Reason::ReplicaUnfit, text));
    if let (true, Some((reason, text))) = (endpoints.is_empty(), &unfit) {
        return trouble(*reason, text.clone(), Some(Class::Transient));
    }
    if endpoints.is_empty() {
        let text = "the replicas have to be ready first".to_owned();
        // The watch of the StatefulSet tells when they are.
        return trouble(Reason::WaitingForReplicas, text, None);
    }

    let Credentials { token, ca_pem } = applied.credentials();
    let desired = desired(fleet, source, &endpoints, Credentials { token, ca_pem });
    let was_registered = status::known(object, &source.endpoint, &source.id).is_some_and(|known| known.registered);
    let revision = match source.cache_strategy {
        CacheStrategy::Always => rollout::settled_revision(&applied.stateful_set, fleet.replicas),
        CacheStrategy::Never => None,
    };
    let is_news = revision.is_some() && revision != history.notified.as_deref();
    let hash = registration::hash(&desired, connection);
    let is_unchanged =
        was_registered && unfit.is_none() && !is_news && before.as_ref().is_some_and(|record| record.hash == hash);
    let poll = format!("{}/{} {} {}", fleet.namespace, fleet.name, source.endpoint, source.id);
    if is_unchanged && !context.polls.is_due(&poll) {
        return outcome(before, None, None, 0, history);
    }

    let attempt = async {
        if let Some(older) = older_owner(object, source, context).await {
            return Err(RegistrationError::ForeignDataSource {
                id: source.id.clone(),
                refusal: Refusal::Taken { older },
            });
        }
        let client = Client::new(connection, &context.traffic)?;
        let registered = registration::reconcile(&client, &desired, before.as_ref()).await?;
        let tested = match registered.tested {
            // It was never found to work: ask again, until it does.
            TestOutcome::NotTested if !was_registered => registration::test(&client, &source.id).await,
            tested => tested,
        };
        // A data source that is new has no results to forget.
        if is_news && history.notified.is_some() {
            registration::notify(&client, &source.id).await?;
        }
        Ok::<_, RegistrationError>((registered.record, registered.writes, tested))
    };
    match attempt.await {
        Ok((record, writes, tested)) => {
            let history = History {
                synced: if writes > 0 { Some(now()) } else { history.synced },
                test: match &tested {
                    TestOutcome::NotTested => history.test,
                    TestOutcome::Succeeded => Some(ConnectionTest::Succeeded),
                    TestOutcome::Failed { .. } => Some(ConnectionTest::Failed),
                    TestOutcome::Unknown { .. } => Some(ConnectionTest::Unknown),
                },
                notified: revision.map(str::to_owned).or(history.notified),
            };
            match tested {
                TestOutcome::Failed { message } => {
                    let text = format!("GoodData cannot reach the fleet: {message}");
                    let reason = Reason::Registration(registration::Reason::ConnectionTestFailed);
                    outcome(
                        Some(record),
                        Some((reason, text)),
                        Some(Class::Transient),
                        writes,
                        history,
                    )
                }
                TestOutcome::NotTested | TestOutcome::Succeeded | TestOutcome::Unknown { .. } => {
                    context.polls.looked(&poll);
                    let class = unfit.as_ref().map(|_| Class::Transient);
                    outcome(Some(record), unfit, class, writes, history)
                }
            }
        }
        Err(error) => {
            tracing::warn!(
                namespace = object.namespace(), name = object.name_any(), data_source = source.id,
                reason = %error.reason(), error = error.message(), "registration failed"
            );
            trouble(
                Reason::Registration(error.reason()),
                error.message(),
                Some(error.class()),
            )
        }
    }
}

/// The older object that has the data source. An API server that does not tell is no reason to give up what is ours.
async fn older_owner(object: &FlexConnectServer, source: &DataSource, context: &Context) -> Option<String> {
    let mut asked = object.spec.data_sources.iter();
    let asked = asked.find(|asked| asked.endpoint == source.endpoint && asked.id == source.id)?;
    match rivals::older_owner(object, asked, context).await {
        Ok(older) => older,
        Err(error) => {
            tracing::debug!(%error, "cannot look for other owners of the data source");
            None
        }
    }
}

/// To the second, as the API server keeps times.
fn now() -> Time {
    let now = Timestamp::now();
    Time(now.round(Unit::Second).unwrap_or(now))
}
