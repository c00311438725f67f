//! The status step: what the API server and GoodData answered, as conditions and endpoints. The computing is pure; the
//! one write happens only on change.

mod conditions;
mod progress;

use flexconnect_crds::{
    ConnectionTest, DataSourceStatus, EndpointStatus, FlexConnectServer, FlexConnectServerStatus, FunctionStatus,
    TokenStatus,
};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource as _, ResourceExt as _};
use serde_json::json;

pub use self::conditions::{AVAILABLE, Finding, PAUSED, PROGRESSING, READY, REGISTERED, find};
use crate::ask::Function;
use crate::build::selector;
use crate::dereference::ReplicaPod;
use crate::exposure;
use crate::fleet::{Auth, ValidatedFleet};
use crate::reason::Reason;
use crate::registration::Record;
use crate::rollout::{self, Progress};
use crate::token::next_rotation;

/// The field manager of the status, which nobody else writes.
const STATUS_MANAGER: &str = "flexconnect-operator/status";

/// What became of one data source in a pass.
#[derive(Clone, Debug)]
pub struct SourceStatus {
    /// The id of the data source.
    pub id: String,
    /// The organization's address.
    pub endpoint: String,
    /// What is remembered of the last success.
    pub record: Option<Record>,
    /// Why it is not as it shall be; None: it is.
    pub trouble: Option<(Reason, String)>,
    /// What else is remembered.
    pub history: History,
}

/// What is remembered of a data source beside its [`Record`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// When it was last written.
    pub synced: Option<Time>,
    /// What GoodData's last test found.
    pub test: Option<ConnectionTest>,
    /// The revision that GoodData was last told of.
    pub notified: Option<String>,
}

/// What a pass found out.
#[derive(Clone, Debug)]
pub struct Findings<'a> {
    /// The `StatefulSet`, as the API server has it.
    pub set: &'a StatefulSet,
    /// The pods; they need not be known when every replica is ready.
    pub pods: &'a [ReplicaPod],
    /// What the fleet serves; None: as the last pass found it.
    pub functions: Option<&'a [Function]>,
    /// The data sources.
    pub sources: &'a [SourceStatus],
    /// Where the roll-out is.
    pub progress: Progress,
    /// When callers were given their token, and what its rotation waits for.
    pub tokens: Option<(Timestamp, Option<String>)>,
}

/// The status of a fleet whose objects were applied.
#[must_use]
pub fn of_fleet(
    object: &FlexConnectServer,
    fleet: &ValidatedFleet,
    findings: &Findings<'_>,
    now: Timestamp,
) -> FlexConnectServerStatus {
    let Findings {
        set,
        pods,
        functions,
        sources,
        progress,
        tokens,
    } = findings;
    let all_ready = rollout::is_settled(set, fleet.replicas);
    let is_ready = |ordinal| pods.iter().any(|pod| pod.ordinal == ordinal && pod.ready);
    let endpoint = |endpoint: exposure::Endpoint| EndpointStatus {
        replica: endpoint.ordinal.0.into(),
        url: endpoint.url(),
        ready: all_ready || is_ready(endpoint.ordinal),
    };
    let known = object.status.iter().flat_map(|status| status.functions.clone());
    let selector = selector(fleet)
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect::<Vec<_>>();
    let mut findings = vec![
        readiness(fleet, set),
        progress::availability(fleet, rollout::ready(set, u16::MAX)),
        progress::progress(fleet, *progress),
        registration(sources),
    ];
    let conditions = object.status.iter().flat_map(|status| &status.conditions);
    if conditions.clone().any(|condition| condition.type_ == PAUSED) {
        findings.push(Finding::bad(PAUSED, Reason::Resumed, "spec.paused is false"));
    }
    FlexConnectServerStatus {
        observed_generation: object.metadata.generation,
        replicas: set.status.as_ref().map_or(0, |status| status.replicas),
        ready_replicas: rollout::ready(set, u16::MAX).into(),
        selector: Some(selector.join(",")),
        server_image: Some(fleet.container.image.clone()),
        conditions: conditions::update(object, &findings, now),
        endpoints: exposure::endpoints(fleet).into_iter().map(endpoint).collect(),
        functions: functions.map_or_else(|| known.collect(), |functions| functions.iter().map(function).collect()),
        tokens: tokens.as_ref().map(|tokens| token_status(fleet, tokens)),
        data_sources: sources.iter().map(data_source).collect(),
    }
}

/// The status of an object that something keeps from becoming a fleet: as it was, but for one condition.
#[must_use]
pub fn with_finding(object: &FlexConnectServer, finding: Finding, now: Timestamp) -> FlexConnectServerStatus {
    FlexConnectServerStatus {
        observed_generation: object.metadata.generation,
        conditions: conditions::update(object, &[finding], now),
        ..object.status.clone().unwrap_or_default()
    }
}

fn readiness(fleet: &ValidatedFleet, set: &StatefulSet) -> Finding {
    let wanted = fleet.replicas;
    let ready = rollout::ready(set, wanted);
    let replicas = if wanted == 1 { "replica is" } else { "replicas are" };
    if wanted == 0 {
        Finding::bad(READY, Reason::Stopped, "no replicas are wanted: spec.replicas is 0")
    } else if rollout::is_settled(set, wanted) {
        Finding::good(
            READY,
            Reason::AllReplicasReady,
            format!("{ready} of {wanted} {replicas} ready"),
        )
    } else if ready == wanted {
        Finding::bad(READY, Reason::ReplicasNotReady, "the replicas are about to change")
    } else {
        Finding::bad(
            READY,
            Reason::ReplicasNotReady,
            format!("{ready} of {wanted} {replicas} ready"),
        )
    }
}

fn registration(sources: &[SourceStatus]) -> Finding {
    let troubles = sources
        .iter()
        .filter_map(|source| Some((source, source.trouble.as_ref()?)));
    let texts = troubles.clone().map(|(source, (_, text))| {
        // Most texts about GoodData say where it is.
        let place = if text.contains(&source.endpoint) {
            String::new()
        } else {
            format!(" at {}", source.endpoint)
        };
        format!("data source {}{place}: {text}", source.id)
    });
    match troubles.clone().next() {
        Some((_, (reason, _))) => Finding::bad(REGISTERED, *reason, texts.collect::<Vec<_>>().join("; ")),
        None if sources.is_empty() => Finding::good(
            REGISTERED,
            Reason::NothingToRegister,
            "no data source is asked for: spec.dataSources is empty",
        ),
        None => Finding::good(
            REGISTERED,
            Reason::Registered,
            format!("{} of {0} registered", sources.len()),
        ),
    }
}

fn token_status(fleet: &ValidatedFleet, tokens: &(Timestamp, Option<String>)) -> TokenStatus {
    let (rotated_at, waiting) = tokens;
    let every = match fleet.auth {
        Auth::Generated { every } => every,
        Auth::Given(_) | Auth::None => None,
    };
    TokenStatus {
        rotated_at: Time(*rotated_at),
        next: next_rotation(*rotated_at, every).map(Time),
        message: waiting.as_deref().map(conditions::cut),
    }
}

fn function(function: &Function) -> FunctionStatus {
    FunctionStatus {
        name: function.name.clone(),
        columns: function.columns.clone(),
        description: function.description.clone(),
    }
}

fn data_source(source: &SourceStatus) -> DataSourceStatus {
    let record = source.record.as_ref();
    DataSourceStatus {
        id: source.id.clone(),
        endpoint: source.endpoint.clone(),
        organization: record.map(|record| record.organization.clone()),
        registered: source.trouble.is_none(),
        url: record.map(|record| record.url.clone()),
        hash: record.map(|record| record.hash.clone()),
        message: source.trouble.as_ref().map(|(_, text)| conditions::cut(text)),
        last_sync: source.history.synced.clone(),
        connection_test: source.history.test,
        notified_revision: source.history.notified.clone(),
    }
}

/// What the status says of a data source.
#[must_use]
pub fn known<'a>(object: &'a FlexConnectServer, endpoint: &str, id: &str) -> Option<&'a DataSourceStatus> {
    let mut sources = object.status.as_ref()?.data_sources.iter();
    sources.find(|source| source.endpoint == endpoint && source.id == id)
}

/// What the status remembers of a data source beside its record.
#[must_use]
pub fn history(object: &FlexConnectServer, endpoint: &str, id: &str) -> History {
    known(object, endpoint, id).map_or_else(History::default, |source| History {
        synced: source.last_sync.clone(),
        test: source.connection_test,
        notified: source.notified_revision.clone(),
    })
}

/// What the status remembers of a data source.
#[must_use]
pub fn record(object: &FlexConnectServer, endpoint: &str, id: &str) -> Option<Record> {
    let source = known(object, endpoint, id)?;
    Some(Record {
        organization: source.organization.clone()?,
        hash: source.hash.clone()?,
        url: source.url.clone().unwrap_or_default(),
    })
}

/// Writes the status, unless it is written already. Says whether it wrote.
///
/// # Errors
/// When the API server refuses, or does not answer. An object that is gone needs no status.
pub async fn write(
    client: &Client,
    object: &FlexConnectServer,
    status: &FlexConnectServerStatus,
) -> kube::Result<bool> {
    if object.status.as_ref() == Some(status) {
        return Ok(false);
    }
    let api = Api::<FlexConnectServer>::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    let patch = Patch::Apply(json!({
        "apiVersion": FlexConnectServer::api_version(&()),
        "kind": FlexConnectServer::kind(&()),
        // The object that was looked at, and no other that took its name since.
        "metadata": {"name": object.name_any(), "uid": object.uid()},
        "status": status,
    }));
    match api
        .patch_status(&object.name_any(), &PatchParams::apply(STATUS_MANAGER).force(), &patch)
        .await
    {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(answer)) if answer.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}
