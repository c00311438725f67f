//! Events: one for each change that a person would want to know of, never in the way of the work.

use std::time::Duration;

use flexconnect_crds::FlexConnectServer;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource as _};
use tracing::debug;

use crate::build::OPERATOR;
use crate::reason::Reason;

/// An API server that takes longer than this has other worries.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The API server refuses longer notes.
const MAX_NOTE: usize = 1000;

/// Whether an event is good news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// All is well.
    Normal,
    /// Somebody should look.
    Warning,
}

/// Publishes events about objects.
#[derive(Clone)]
pub struct Events {
    recorder: Recorder,
}

impl Events {
    /// With the name of this pod, where there is one, as the instance.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let instance = std::env::var("POD_NAME").ok();
        Self {
            recorder: Recorder::new(
                client,
                Reporter {
                    controller: OPERATOR.to_owned(),
                    instance,
                },
            ),
        }
    }

    /// Publishes one event. A failure is logged and forgotten.
    pub async fn publish(&self, object: &FlexConnectServer, tone: Tone, reason: Reason, note: &str) {
        self.publish_text(object, tone, reason.as_str(), note).await;
    }

    /// Publishes one event whose reason is text already.
    pub async fn publish_text(&self, object: &FlexConnectServer, tone: Tone, reason: &str, note: &str) {
        let end = (0..=MAX_NOTE.min(note.len()))
            .rev()
            .find(|end| note.is_char_boundary(*end))
            .unwrap_or(0);
        let event = Event {
            type_: match tone {
                Tone::Normal => EventType::Normal,
                Tone::Warning => EventType::Warning,
            },
            reason: reason.to_owned(),
            note: note.get(..end).map(str::to_owned),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        // Events about the same thing are counted together only when the reference is the same.
        let about = ObjectReference {
            resource_version: None,
            ..object.object_ref(&())
        };
        match tokio::time::timeout(TIMEOUT, self.recorder.publish(&event, &about)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => debug!(reason, error = %error, "failed to publish an event"),
            Err(_) => debug!(reason, "gave up on publishing an event"),
        }
    }
}
