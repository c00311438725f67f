//! A cluster and a GoodData in miniature, for the property tests: they do what the real ones do, in any order.

use std::collections::BTreeSet;
use std::time::Duration;

use super::decide::{Decision, Removal, Set, Situation, Sources, decide};
use super::replica::{Life, Replica, Template};
use crate::names::Ordinal;

/// A time that is longer than any patience.
const LONG: Duration = Duration::from_hours(1);

/// Templates of an odd number make pods that never answer.
type Version = u32;

const fn is_good(template: Version) -> bool {
    template.is_multiple_of(2)
}

/// What happens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// The operator passes over the object.
    Pass,
    /// The `StatefulSet` controller does one thing.
    Control,
    /// The kubelet of a pod does one thing.
    Kubelet(u16),
    /// Time goes by without calls for those that are not named.
    Quiet,
    /// The user asks for so many replicas.
    Scale(u16),
    /// The user changes the template to one that works, or does not.
    Change { good: bool },
    /// GoodData answers, or does not.
    Reach(bool),
    /// A pod is evicted.
    Evict(u16),
    /// A pod stops answering for long.
    Hang(u16),
    /// A pod answers, and not as expected.
    Misfit(u16),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Starting,
    Ready,
    Hanging,
    Leaving,
}

#[derive(Clone, Copy, Debug)]
struct Pod {
    template: Version,
    phase: Phase,
    quiet: bool,
    /// Whether it answers as expected when it is asked.
    fit: bool,
}

/// What there is.
#[derive(Debug)]
pub(super) struct World {
    pub(super) wanted: u16,
    max_unavailable: u16,
    asked: Version,
    set: Option<Controlled>,
    pods: Vec<Option<Pod>>,
    pub(super) named: BTreeSet<u16>,
    sources: Sources,
    /// What was done to a replica that GoodData sent calls to, and that answered.
    pub(super) harm: Vec<String>,
}

#[derive(Debug)]
struct Controlled {
    replicas: u16,
    partition: u16,
    current: Version,
    update: Version,
    observed: bool,
}

impl World {
    pub(super) fn new(wanted: u16, max_unavailable: u16, has_sources: bool) -> Self {
        Self {
            wanted,
            max_unavailable,
            asked: 0,
            set: None,
            pods: vec![None; 16],
            named: BTreeSet::new(),
            sources: if has_sources { Sources::Told } else { Sources::None },
            harm: Vec::new(),
        }
    }

    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Pass => self.pass(),
            Event::Control => {
                self.control();
            }
            Event::Kubelet(ordinal) => self.kubelet(ordinal),
            Event::Quiet => self.quiet(),
            Event::Scale(wanted) => self.wanted = wanted,
            Event::Change { good } => self.asked = (self.asked | 1) + 1 + u32::from(!good),
            Event::Reach(reached) => {
                if self.sources != Sources::None {
                    self.sources = if reached { Sources::Told } else { Sources::Blocked };
                }
            }
            Event::Evict(ordinal) => {
                if let Some(pod) = self.pod(ordinal) {
                    pod.phase = Phase::Leaving;
                }
            }
            Event::Misfit(ordinal) => {
                if let Some(pod) = self.pod(ordinal) {
                    pod.fit = false;
                }
            }
            Event::Hang(ordinal) => {
                if let Some(pod) = self.pod(ordinal).filter(|pod| pod.phase == Phase::Ready) {
                    pod.phase = Phase::Hanging;
                }
            }
        }
    }

    /// Lets everything happen that can, with everybody well and the last template good, until nothing changes.
    pub(super) fn settle(&mut self) -> Option<Decision> {
        self.happen(Event::Reach(true));
        if !is_good(self.asked) {
            self.happen(Event::Change { good: true });
        }
        for _ in 0..400 {
            self.pass();
            while self.control() {}
            (0..16).for_each(|ordinal| self.kubelet(ordinal));
            self.quiet();
            if self.is_settled() {
                return Some(self.decision());
            }
        }
        None
    }

    fn is_settled(&self) -> bool {
        let serving = |ordinal: u16| {
            let pod = self.pods[usize::from(ordinal)];
            pod.is_some_and(|pod| pod.phase == Phase::Ready && pod.template == self.asked)
        };
        let ordinals = 0..self.wanted;
        ordinals.clone().all(serving)
            && (self.wanted..16).all(|ordinal| self.pods[usize::from(ordinal)].is_none())
            && (self.sources == Sources::None || self.wanted == 0 || self.named == ordinals.collect())
    }

    /// Whether somebody whom GoodData calls answers.
    pub(super) fn answers(&self) -> bool {
        self.named.iter().any(|&ordinal| {
            self.pods[usize::from(ordinal)].is_some_and(|pod| matches!(pod.phase, Phase::Ready | Phase::Leaving))
        })
    }

    pub(super) fn decision(&self) -> Decision {
        decide(&self.situation())
    }

    fn situation(&self) -> Situation {
        let set = self.set.as_ref();
        let replica = |ordinal: u16| {
            let pod = self.pods[usize::from(ordinal)];
            Replica {
                ordinal: Ordinal(ordinal),
                life: match pod.map(|pod| pod.phase) {
                    None => Life::Absent,
                    Some(Phase::Starting | Phase::Hanging) => Life::Unready { lasting: LONG },
                    Some(Phase::Ready) => Life::Ready { lasting: LONG },
                    Some(Phase::Leaving) => Life::Leaving { overdue: false },
                },
                template: match (pod, set) {
                    (Some(pod), Some(set)) if pod.template == set.update => Template::Newest,
                    (Some(pod), Some(set)) if pod.template == set.current => Template::Proven,
                    _ => Template::Superseded,
                },
                named: self.named.contains(&ordinal),
                fit: pod.is_some_and(|pod| pod.fit),
                quiet: pod.is_some_and(|pod| pod.quiet),
            }
        };
        Situation {
            wanted: self.wanted,
            max_unavailable: self.max_unavailable,
            set: set.map(|set| Set {
                replicas: set.replicas,
                partition: set.partition,
                is_current: set.update == self.asked,
                is_observed: set.observed,
            }),
            replicas: (0..set.map_or(0, |set| set.replicas)).map(replica).collect(),
            sources: self.sources,
        }
    }

    /// As the controller of the operator does it: decide, apply, tell the data sources, decide and apply again.
    fn pass(&mut self) {
        let decision = self.decision();
        self.apply(&decision);
        if self.sources == Sources::Told && self.wanted > 0 && !decision.named.is_empty() {
            let named = decision.named.iter().map(|ordinal| ordinal.0).collect();
            for ordinal in self.named.difference(&named) {
                if let Some(pod) = &mut self.pods[usize::from(*ordinal)] {
                    pod.quiet = false;
                }
            }
            self.named = named;
        }
        let decision = self.decision();
        self.apply(&decision);
        for (ordinal, removal) in decision.removals {
            let stuck = self.pods[usize::from(ordinal.0)].is_some_and(|pod| pod.phase != Phase::Ready);
            if removal == Removal::Stuck && !stuck {
                self.harm
                    .push(format!("the pod of {ordinal} was no hindrance, and was removed"));
            }
            self.pods[usize::from(ordinal.0)] = None;
        }
    }

    fn apply(&mut self, decision: &Decision) {
        let (replicas, partition) = (decision.replicas, decision.partition);
        let asked = self.asked;
        match &mut self.set {
            None => {
                self.set = Some(Controlled {
                    replicas,
                    partition,
                    current: asked,
                    update: asked,
                    observed: false,
                });
            }
            Some(set) => {
                if (set.replicas, set.partition, set.update) != (replicas, partition, asked) {
                    (set.replicas, set.partition, set.update) = (replicas, partition, asked);
                    set.observed = false;
                }
            }
        }
    }

    /// One thing, and whether there was any.
    fn control(&mut self) -> bool {
        let Some(set) = &mut self.set else { return false };
        if !set.observed {
            set.observed = true;
            return true;
        }
        for ordinal in 0..set.replicas {
            let pod = &mut self.pods[usize::from(ordinal)];
            if pod.is_none() {
                *pod = Some(Pod {
                    template: if ordinal >= set.partition {
                        set.update
                    } else {
                        set.current
                    },
                    phase: Phase::Starting,
                    quiet: true,
                    fit: true,
                });
                return true;
            }
        }
        let (replicas, partition, update) = (set.replicas, set.partition, set.update);
        for ordinal in (0..16).rev() {
            let Some(pod) = self.pods[usize::from(ordinal)] else {
                continue;
            };
            if pod.phase != Phase::Leaving && (ordinal >= replicas || (ordinal >= partition && pod.template != update))
            {
                self.end(ordinal, pod);
                return true;
            }
        }
        let all_updated = (0..replicas).all(|ordinal| {
            self.pods[usize::from(ordinal)].is_some_and(|pod| pod.template == update && pod.phase == Phase::Ready)
        });
        if let Some(set) = self.set.as_mut().filter(|set| all_updated && set.current != set.update) {
            set.current = set.update;
            return true;
        }
        false
    }

    fn end(&mut self, ordinal: u16, pod: Pod) {
        if pod.phase == Phase::Ready && self.named.contains(&ordinal) && self.wanted > 0 {
            self.harm
                .push(format!("replica {ordinal} was ended while GoodData called it"));
        }
        if pod.phase == Phase::Ready && !pod.quiet && self.sources != Sources::None && self.wanted > 0 {
            self.harm
                .push(format!("replica {ordinal} was ended while calls still came"));
        }
        if let Some(pod) = self.pod(ordinal) {
            pod.phase = Phase::Leaving;
        }
    }

    fn kubelet(&mut self, ordinal: u16) {
        let Some(slot) = self.pods.get_mut(usize::from(ordinal)) else {
            return;
        };
        if let Some(pod) = slot {
            pod.fit = true;
            match pod.phase {
                Phase::Starting if is_good(pod.template) => pod.phase = Phase::Ready,
                Phase::Starting | Phase::Ready => {}
                Phase::Hanging => pod.phase = Phase::Ready,
                Phase::Leaving => *slot = None,
            }
        }
    }

    fn quiet(&mut self) {
        for (ordinal, pod) in (0_u16..).zip(&mut self.pods) {
            if let Some(pod) = pod {
                pod.quiet = !self.named.contains(&ordinal);
            }
        }
    }

    fn pod(&mut self, ordinal: u16) -> Option<&mut Pod> {
        self.pods.get_mut(usize::from(ordinal))?.as_mut()
    }
}
