//! Where a roll-out is, for people. Pure.

use super::conditions::{AVAILABLE, Finding, PROGRESSING};
use crate::fleet::ValidatedFleet;
use crate::reason::Reason;
use crate::rollout::Progress;

/// Whether calls are answered.
pub(super) fn availability(fleet: &ValidatedFleet, ready: u16) -> Finding {
    match (fleet.replicas, ready) {
        (0, _) => Finding::bad(AVAILABLE, Reason::Stopped, "no replicas are wanted: spec.replicas is 0"),
        (_, 0) => Finding::bad(AVAILABLE, Reason::NoReplicaReady, "no replica is ready"),
        (_, 1) => Finding::good(AVAILABLE, Reason::SomeReplicasReady, "1 replica is ready"),
        (_, ready) => Finding::good(
            AVAILABLE,
            Reason::SomeReplicasReady,
            format!("{ready} replicas are ready"),
        ),
    }
}

/// What a roll-out does, or waits for.
pub(super) fn progress(fleet: &ValidatedFleet, progress: Progress) -> Finding {
    let name = |ordinal| fleet.name.replica(ordinal);
    let rolling = |text: String| Finding::good(PROGRESSING, Reason::RollingOut, text);
    match progress {
        Progress::Done => Finding::good(PROGRESSING, Reason::RolloutComplete, "every replica is as wanted"),
        Progress::Observing => rolling("the StatefulSet was changed just now".to_owned()),
        Progress::Withdrawing(ordinal) => rolling(format!("{} is taken out of the data sources", name(ordinal))),
        Progress::Quieting(ordinal) => rolling(format!("{} still gets calls", name(ordinal))),
        Progress::Starting(ordinal) => rolling(format!("{} is not ready yet", name(ordinal))),
        Progress::Joining(ordinal) => rolling(format!("{} joins the data sources", name(ordinal))),
        Progress::Blocked(ordinal) => {
            let text = format!(
                "{} waits for a data source that cannot be told: see Registered",
                name(ordinal)
            );
            Finding::bad(PROGRESSING, Reason::RegistrationBlocked, text)
        }
        Progress::Alone(ordinal) => {
            let text = format!("{} waits for another replica that answers in its place", name(ordinal));
            Finding::bad(PROGRESSING, Reason::NoOtherReplica, text)
        }
    }
}
