//! The finalizer: takes the data sources away before their object goes. It needs no valid spec, and no GoodData that
//! answers: a deletion always ends.

use std::time::Duration;

use flexconnect_crds::{DataSource, DeletionPolicy, FINALIZER, FlexConnectServer};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace as KubeNamespace;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use tracing::info;

use super::announce::write_status;
use super::{Context, Outcome, PassError, rivals};
use crate::dereference::{References, read_references};
use crate::exposure::own_hosts;
use crate::names::{FleetName, Namespace};
use crate::reason::Reason;
use crate::registration::{self, Class, Client, Refusal, Removed};
use crate::runtime::events::Tone;
use crate::status::{self, Finding, REGISTERED};
use crate::validate::connection;

/// Sets the finalizer where a data source has to be deleted with the object, and takes it away where none has.
pub(super) async fn guard(object: &FlexConnectServer, context: &Context) -> Result<(), PassError> {
    match (has_to_clean_up(object), has_finalizer(object)) {
        (true, false) => change_finalizers(object, true, context).await,
        (false, true) => change_finalizers(object, false, context).await,
        (true, true) | (false, false) => Ok(()),
    }
}

/// Deletes what has to be deleted, and lets the object go.
pub(super) async fn finalize(object: &FlexConnectServer, context: &Context) -> Result<Outcome, PassError> {
    if !has_finalizer(object) {
        return Ok(Outcome::Gone);
    }
    let references = read_references(&context.client, object, &context.server_image)
        .await
        .map_err(|source| PassError::Read(Box::new(source)))?;
    let mut waiting: Option<(Class, Reason, String)> = None;
    for source in object
        .spec
        .data_sources
        .iter()
        .filter(|source| source.deletion_policy == DeletionPolicy::Delete)
    {
        let Err((class, reason, text)) = remove(object, source, &references, context).await else {
            continue;
        };
        let text = format!("data source {} at {}: {text}", source.id, source.endpoint);
        if is_patience_over(object, class, reason, context).await {
            let note = format!("{text}; it is left behind, delete it by hand");
            context
                .events
                .publish(object, Tone::Warning, Reason::DataSourceLeftBehind, &note)
                .await;
        } else {
            waiting = Some((class, reason, text));
        }
    }
    let Some((class, reason, text)) = waiting else {
        change_finalizers(object, false, context).await?;
        return Ok(Outcome::Gone);
    };
    let finding = Finding::bad(REGISTERED, reason, format!("cannot delete it yet: {text}"));
    write_status(
        object,
        &status::with_finding(object, finding, Timestamp::now()),
        context,
    )
    .await?;
    Ok(Outcome::Unsettled(class))
}

/// Deletes one data source; what could not be done is told with its class.
async fn remove(
    object: &FlexConnectServer,
    source: &DataSource,
    references: &References,
    context: &Context,
) -> Result<(), (Class, Reason, String)> {
    let connection =
        connection(source, references).map_err(|message| (Class::Blocked, Reason::CredentialsMissing, message))?;
    let record = status::record(object, &source.endpoint, &source.id);
    let template = object
        .spec
        .exposure
        .as_ref()
        .and_then(|exposure| exposure.via.as_ref()?.load_balancer.as_ref());
    let template = template.map(|load_balancer| load_balancer.host_template.as_str());
    let names = (
        FleetName::parse(&object.name_any()),
        Namespace::parse(&object.namespace().unwrap_or_default()),
    );
    let hosts = match names {
        (Some(name), Some(namespace)) => own_hosts(&name, &namespace, template),
        // An object with such a name never had a fleet.
        _ => return Ok(()),
    };
    let older = rivals::older_owner(object, source, context).await;
    let older = older.map_err(|error| {
        let text = format!("cannot look for other owners of it: {error}");
        (Class::Transient, Reason::Deleting, text)
    })?;
    let removed = match Client::new(&connection, &context.traffic) {
        Ok(_) if let Some(older) = older => Ok(Removed::LeftAlone {
            refusal: Refusal::Taken { older },
        }),
        Ok(client) => registration::remove(&client, &source.id, record.as_ref(), &hosts).await,
        Err(error) => Err(error),
    };
    let label = format!("data source {} at {}", source.id, source.endpoint);
    match removed {
        Ok(Removed::Deleted) => {
            let note = format!("{label} was deleted");
            context
                .events
                .publish(object, Tone::Normal, Reason::DataSourceDeleted, &note)
                .await;
            Ok(())
        }
        Ok(Removed::Gone) => Ok(()),
        Ok(Removed::LeftAlone { refusal }) => {
            let note = format!("{label} is not deleted: {refusal}");
            context
                .events
                .publish(object, Tone::Warning, Reason::DataSourceLeftAlone, &note)
                .await;
            Ok(())
        }
        Err(error) => Err((error.class(), Reason::Registration(error.reason()), error.message())),
    }
}

/// Whether a data source is not waited for any longer. Nothing brings credentials back into a namespace that goes.
async fn is_patience_over(object: &FlexConnectServer, class: Class, reason: Reason, context: &Context) -> bool {
    let patience = match class {
        Class::Transient => context.patience.without_answer,
        Class::Blocked | Class::Terminal => context.patience.without_credentials,
    };
    let since = object
        .metadata
        .deletion_timestamp
        .as_ref()
        .map_or(Timestamp::UNIX_EPOCH, |time| time.0);
    let waited = Duration::try_from(Timestamp::now().duration_since(since)).unwrap_or_default();
    waited >= patience || (reason == Reason::CredentialsMissing && is_namespace_going(object, context).await)
}

/// False, too, when the operator may not know.
async fn is_namespace_going(object: &FlexConnectServer, context: &Context) -> bool {
    let namespaces = Api::<KubeNamespace>::all(context.client.clone());
    let namespace = namespaces.get_opt(&object.namespace().unwrap_or_default()).await;
    matches!(namespace, Ok(Some(namespace)) if namespace.metadata.deletion_timestamp.is_some())
}

fn has_finalizer(object: &FlexConnectServer) -> bool {
    object.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

async fn change_finalizers(object: &FlexConnectServer, wanted: bool, context: &Context) -> Result<(), PassError> {
    let others = object
        .finalizers()
        .iter()
        .filter(|finalizer| *finalizer != FINALIZER)
        .map(String::as_str);
    let finalizers = others.chain(wanted.then_some(FINALIZER)).collect::<Vec<_>>();
    // Whoever changed the list since it was read is not overruled: the API server answers with a conflict.
    let patch = Patch::Merge(json!({
        "metadata": {"resourceVersion": object.resource_version(), "finalizers": finalizers}
    }));
    let api = Api::<FlexConnectServer>::namespaced(context.client.clone(), &object.namespace().unwrap_or_default());
    match api
        .patch_metadata(&object.name_any(), &PatchParams::default(), &patch)
        .await
    {
        Ok(_) => {
            info!(
                namespace = object.namespace(),
                name = object.name_any(),
                wanted,
                "changed the finalizer"
            );
            Ok(())
        }
        Err(kube::Error::Api(answer)) if answer.is_not_found() => Ok(()),
        Err(source) => Err(PassError::Finalizer(Box::new(source))),
    }
}

/// Whether a data source has to be deleted together with the object.
fn has_to_clean_up(object: &FlexConnectServer) -> bool {
    object
        .spec
        .data_sources
        .iter()
        .any(|source| source.deletion_policy == DeletionPolicy::Delete)
}
