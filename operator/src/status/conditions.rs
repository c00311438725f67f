//! Conditions as Kubernetes wants them: a transition has a time, and what did not change stays byte by byte. Pure.

use flexconnect_crds::FlexConnectServer;
use jiff::{Timestamp, Unit};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::reason::Reason;

/// Every replica is ready.
pub const READY: &str = "Ready";
/// Some replica answers calls.
pub const AVAILABLE: &str = "Available";
/// Every replica is as wanted, or on the way there.
pub const PROGRESSING: &str = "Progressing";
/// Every data source in GoodData is as it shall be.
pub const REGISTERED: &str = "Registered";

/// The fleet is left as it is, whatever the object says.
pub const PAUSED: &str = "Paused";

/// The longest text in a condition, in bytes: it is read on a terminal.
const MAX_MESSAGE: usize = 1024;

/// What a condition shall say.
#[derive(Clone, Debug)]
pub struct Finding {
    kind: &'static str,
    holds: bool,
    /// Why.
    pub reason: Reason,
    /// In a sentence.
    pub message: String,
}

impl Finding {
    /// The condition holds.
    #[must_use]
    pub fn good(kind: &'static str, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            kind,
            holds: true,
            reason,
            message: message.into(),
        }
    }

    /// The condition does not hold.
    #[must_use]
    pub fn bad(kind: &'static str, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            kind,
            holds: false,
            reason,
            message: message.into(),
        }
    }
}

/// The condition of a type.
#[must_use]
pub fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == kind)
}

/// The conditions of an object, with some of them said anew.
pub(super) fn update(object: &FlexConnectServer, findings: &[Finding], now: Timestamp) -> Vec<Condition> {
    let before = object
        .status
        .as_ref()
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default();
    let said = |kind: &str| findings.iter().find(|finding| finding.kind == kind);
    [READY, AVAILABLE, PROGRESSING, REGISTERED, PAUSED]
        .into_iter()
        .filter_map(|kind| match (said(kind), find(before, kind)) {
            (Some(finding), before) => Some(condition(finding, before, object.metadata.generation, now)),
            (None, before) => before.cloned(),
        })
        .collect()
}

fn condition(finding: &Finding, before: Option<&Condition>, generation: Option<i64>, now: Timestamp) -> Condition {
    let status = if finding.holds { "True" } else { "False" };
    let unchanged_since = before
        .filter(|before| before.status == status)
        .map(|before| before.last_transition_time.clone());
    Condition {
        type_: finding.kind.to_owned(),
        status: status.to_owned(),
        reason: finding.reason.as_str().to_owned(),
        message: cut(&finding.message),
        observed_generation: generation,
        last_transition_time: unchanged_since.unwrap_or_else(|| Time(now.round(Unit::Second).unwrap_or(now))),
    }
}

/// A text that fits, cut between two characters.
pub(super) fn cut(text: &str) -> String {
    if text.len() <= MAX_MESSAGE {
        return text.to_owned();
    }
    let end = (0..=MAX_MESSAGE - '…'.len_utf8())
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use flexconnect_crds::{FlexConnectServerSpec, FlexConnectServerStatus};
    use jiff::ToSpan as _;
    use serde_json::json;

    use super::*;

    fn object(conditions: Vec<Condition>) -> FlexConnectServer {
        let spec: FlexConnectServerSpec = serde_json::from_value(json!({"server": {"image": "a"}})).unwrap();
        let mut object = FlexConnectServer::new("sales", spec);
        object.metadata.generation = Some(7);
        object.status = Some(FlexConnectServerStatus {
            conditions,
            ..FlexConnectServerStatus::default()
        });
        object
    }

    #[test]
    fn what_did_not_change_stays_byte_by_byte() {
        let start: Timestamp = "2026-11-21T12:00:00.4Z".parse().unwrap();
        let finding = [Finding::bad(READY, Reason::ReplicasNotReady, "1 of 2")];
        let first = update(&object(Vec::new()), &finding, start);
        assert_eq!(first, update(&object(first.clone()), &finding, start + 1.hour()));
        assert_eq!(first[0].last_transition_time.0.to_string(), "2026-11-21T12:00:00Z");

        let more = update(
            &object(first.clone()),
            &[Finding::bad(READY, Reason::ReplicasNotReady, "0 of 2")],
            start + 1.hour(),
        );
        assert_eq!(
            more[0].last_transition_time, first[0].last_transition_time,
            "False before and after"
        );
        let good = update(
            &object(first.clone()),
            &[Finding::good(READY, Reason::AllReplicasReady, "2 of 2")],
            start + 1.hour(),
        );
        assert_ne!(good[0].last_transition_time, first[0].last_transition_time);
    }

    #[test]
    fn a_condition_that_nobody_speaks_of_stays() {
        let now = Timestamp::UNIX_EPOCH;
        let before = update(
            &object(Vec::new()),
            &[Finding::good(REGISTERED, Reason::Registered, "1 of 1")],
            now,
        );
        let after = update(
            &object(before.clone()),
            &[Finding::bad(READY, Reason::InvalidSpec, "x")],
            now,
        );
        assert_eq!((after.len(), find(&after, REGISTERED)), (2, before.first()));
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        let long = cut(&"ä".repeat(2000));
        assert!(long.len() <= MAX_MESSAGE && long.ends_with("ä…"));
    }
}
