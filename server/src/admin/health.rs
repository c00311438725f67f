//! What `/live` and `/ready` say.

use tokio::sync::watch;

use super::Pulse;
use crate::drain::Phase;

/// The health of the server: its phase, and the pulses of its parts.
#[derive(Clone, Debug)]
pub struct Health {
    phase: watch::Receiver<Phase>,
    pulses: Vec<Pulse>,
}

impl Health {
    /// Health by the phase and by these parts, all of which must live.
    #[must_use]
    pub fn new(phase: watch::Receiver<Phase>, pulses: Vec<Pulse>) -> Self {
        Self { phase, pulses }
    }

    /// Whether every part lives. A server that starts or drains is alive.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.stuck().is_none()
    }

    /// Whether new calls should come here: functions are loaded, and the end has not begun.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        match *self.phase.borrow() {
            Phase::Serving => self.is_live(),
            Phase::Starting | Phase::LameDuck | Phase::Closing | Phase::Stopped => false,
        }
    }

    /// A part that does not live.
    #[must_use]
    pub fn stuck(&self) -> Option<&'static str> {
        self.pulses.iter().find(|pulse| pulse.is_stuck()).map(Pulse::name)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Phase::Starting, false)]
    #[case(Phase::Serving, true)]
    #[case(Phase::LameDuck, false)]
    #[case(Phase::Closing, false)]
    #[case(Phase::Stopped, false)]
    fn readiness_follows_the_phase(#[case] phase: Phase, #[case] ready: bool) {
        let (_sender, phase) = watch::channel(phase);
        let health = Health::new(phase, vec![Pulse::new("part")]);
        assert_eq!((health.is_live(), health.is_ready()), (true, ready));
    }

    #[test]
    fn a_part_that_does_not_beat_is_found() {
        let (_sender, phase) = watch::channel(Phase::Serving);
        let health = Health::new(
            phase,
            vec![Pulse::new("living"), Pulse::silent_for("dead", Pulse::STUCK * 2)],
        );
        assert_eq!((health.is_live(), health.is_ready()), (false, false));
        assert_eq!(health.stuck(), Some("dead"));
    }
}
