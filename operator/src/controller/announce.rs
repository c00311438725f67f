//! What a pass found, told to people: the status, and an event for each condition that changed.

use flexconnect_crds::{FlexConnectServer, FlexConnectServerStatus};
use kube::ResourceExt as _;
use tracing::info;

use super::{Context, PassError};
use crate::runtime::events::Tone;
use crate::status::{self, find};

/// Writes the status when it changed, and publishes an event for each condition with a new reason.
pub(super) async fn write_status(
    object: &FlexConnectServer,
    status: &FlexConnectServerStatus,
    context: &Context,
) -> Result<(), PassError> {
    let wrote = status::write(&context.client, object, status).await;
    if !wrote.map_err(|source| PassError::Status(Box::new(source)))? {
        return Ok(());
    }
    let before = object
        .status
        .as_ref()
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default();
    for condition in &status.conditions {
        let known = find(before, &condition.type_);
        if known.is_some_and(|known| known.reason == condition.reason && known.status == condition.status) {
            continue;
        }
        info!(
            namespace = object.namespace(),
            name = object.name_any(),
            condition = condition.type_,
            status = condition.status,
            reason = condition.reason,
            message = condition.message,
            "condition changed"
        );
        context.metrics.told(&condition.reason);
        let tone = if condition.status == "True" {
            Tone::Normal
        } else {
            Tone::Warning
        };
        context
            .events
            .publish_text(object, tone, &condition.reason, &condition.message)
            .await;
    }
    Ok(())
}
