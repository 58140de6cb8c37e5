//! What the protocol is made of, at small bounds: one release in a database, two controllers with a lease, two gateways.
//!
//! Messages have no state of their own. A plan that is late is a gateway that follows a revision which is not the newest;
//! an acknowledgement that is late tells of a revision that the gateway followed once; one that is lost is not sent. What
//! a controller saw may be old by the time it decides, which is more than the real one allows itself: it reads in the
//! transaction in which it decides.

use release::{
    Stage,
    machine::{Effect, Leg, Look, Observation, Phase, Policy, State, Work, step},
    model_file::{Pause, Step},
};
use types::{Digest, Duration, Percent, Principal, Role, Timestamp};

/// When it begins.
const BEGINNING: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
/// How long a hold lasts, and a tick.
const HOLD: Duration = Duration::from_secs(5);

/// Something wrong that is built in, to see whether it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    /// Decisions are committed whoever has the lease by now.
    NoFence,
    /// A decision is made of the state as it was when the controller looked.
    NoReread,
}

/// What serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Plan {
    pub(super) stable: Version,
    pub(super) canary: Option<Version>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Version {
    Stable,
    Candidate,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) release: State,
    /// By revision.
    pub(super) plans: Vec<Plan>,
    /// The latest lease that was given. It expires whenever that does harm.
    pub(super) epoch: u8,
    pub(super) controllers: [Controller; 2],
    pub(super) gateways: [Gateway; 2],
    /// Requests that the canary answered, as counted.
    pub(super) requests: u64,
    /// Whether the canary is worse than stable.
    pub(super) is_bad: bool,
    pub(super) ticks: u8,
    /// How much more may happen.
    pub(super) left: Left,
    pub(super) history: History,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Controller {
    /// The lease that it believes to hold.
    pub(super) epoch: Option<u8>,
    /// What it saw, and has not decided on yet.
    pub(super) seen: Option<Seen>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Seen {
    what: Sight,
    /// The state then, for a controller that does not read it again.
    state: Option<Box<State>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Sight {
    Artifact,
    Rollout { step: u32, settled: bool, requests: u64, is_bad: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Gateway {
    pub(super) revision: usize,
    pub(super) serves: Plan,
    /// What it acknowledged last, as the database knows.
    pub(super) acknowledged: usize,
    /// Whether the database has heard of it lately.
    pub(super) is_live: bool,
}

/// How much more of what has no end by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Left {
    /// Leases that are given.
    pub(super) leases: u8,
    /// Controllers that start again.
    pub(super) crashes: u8,
    /// Gateways that are not heard any more.
    pub(super) silences: u8,
    /// Orders of a person.
    pub(super) orders: u8,
    /// Times of one hold.
    pub(super) ticks: u8,
    /// Requests that the canary answers.
    pub(super) requests: u8,
}

/// What properties are about, beyond the moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct History {
    /// How often each end was decided.
    pub(super) promotions: u8,
    pub(super) withdrawals: u8,
    /// Which controllers decided something.
    pub(super) decided: [bool; 2],
    /// Whether one decided whose lease another had taken over.
    pub(super) is_overtaken: bool,
}

impl World {
    pub(super) fn new(policy: &Policy, left: Left) -> Self {
        let approved = Observation::Approved { by: Principal::known("grace", Role::Approver) };
        let (release, _) = step(policy, &State::new(policy, BEGINNING), &approved, BEGINNING).unwrap();
        assert_eq!(release.phase.stage(), Stage::RollingOut);
        let plan = Plan { stable: Version::Stable, canary: None };
        Self {
            release,
            plans: vec![plan],
            epoch: 0,
            controllers: [Controller::default(), Controller::default()],
            gateways: [Gateway { revision: 0, serves: plan, acknowledged: 0, is_live: true }; 2],
            requests: 0,
            is_bad: false,
            ticks: 0,
            left,
            history: History::default(),
        }
    }

    pub(super) fn stage(&self) -> Stage {
        self.release.phase.stage()
    }

    fn now(&self) -> Timestamp {
        (0..self.ticks).fold(BEGINNING, |now, _| now + HOLD)
    }

    /// What a controller sees now; nothing once the release is over.
    pub(super) fn look(&self, flaw: Flaw) -> Option<Seen> {
        let Phase::RollingOut { step, .. } = self.release.phase else { return None };
        let newest = self.plans.len() - 1;
        let mut live = self.gateways.iter().filter(|gateway| gateway.is_live).peekable();
        let what = match self.release.work(self.now()) {
            Work::CheckArtifact => Sight::Artifact,
            Work::Gates(_) => return None,
            Work::Nothing if self.release.progress.leg == Leg::Starting => return None,
            Work::Nothing => Sight::Rollout {
                step,
                settled: live.peek().is_some() && live.all(|gateway| gateway.acknowledged >= newest),
                requests: self.requests,
                is_bad: self.is_bad,
            },
        };
        let state = (flaw == Flaw::NoReread).then(|| Box::new(self.release.clone()));
        Some(Seen { what, state })
    }

    /// One controller decides on what it saw.
    pub(super) fn decide(&mut self, policy: &Policy, controller: usize, flaw: Flaw) {
        let (epoch, seen) = (self.controllers[controller].epoch, self.controllers[controller].seen.take());
        let (Some(epoch), Some(seen)) = (epoch, seen) else { return };
        if epoch != self.epoch && flaw != Flaw::NoFence {
            self.controllers[controller] = Controller::default();
            return;
        }
        let observation = match seen.what {
            Sight::Artifact => Observation::ArtifactChecked { digest: policy.artifact_digest },
            Sight::Rollout { step, settled, requests, is_bad } => Observation::Looked(Look {
                step,
                settled,
                requests,
                promotable: !is_bad,
                alarm: is_bad.then(|| "the canary is worse".to_owned()),
                ..Look::default()
            }),
        };
        let before = seen.state.map_or_else(|| self.release.clone(), |state| *state);
        if self.take(policy, &before, &observation) {
            self.history.decided[controller] = true;
            self.history.is_overtaken |= epoch != self.epoch;
        }
    }

    /// A person decides, who needs no lease.
    pub(super) fn order(&mut self, policy: &Policy, observation: &Observation) {
        self.left.orders -= 1;
        let before = self.release.clone();
        self.take(policy, &before, observation);
    }

    /// Commits what follows from an observation. Whether something was decided.
    fn take(&mut self, policy: &Policy, before: &State, observation: &Observation) -> bool {
        let Ok((next, effects)) = step(policy, before, observation, self.now()) else { return false };
        let is_decided = !before.only_progresses_to(&next) || !effects.is_empty();
        for effect in effects {
            let newest = *self.plans.last().unwrap();
            let plan = match effect {
                Effect::Route { .. } => Plan { canary: Some(Version::Candidate), ..newest },
                Effect::Judge => newest,
                Effect::Promote => Plan { stable: Version::Candidate, canary: None },
                Effect::Withdraw => Plan { canary: None, ..newest },
            };
            self.history.promotions += u8::from(effect == Effect::Promote);
            self.history.withdrawals += u8::from(effect == Effect::Withdraw);
            self.plans.push(plan);
        }
        self.release = next;
        is_decided
    }
}

/// One step to a share, one pause, all traffic.
pub(super) fn policy() -> Policy {
    let pause = Pause { duration: HOLD, min_requests: None, max: None };
    Policy {
        gates: Vec::new(),
        approvals_required: 1,
        not_author: false,
        author: None,
        artifact_digest: Digest::of("judged"),
        steps: vec![Step::SetWeight(Percent::new(5.0).unwrap()), Step::Pause(pause), Step::SetWeight(Percent::ALL)],
        auto_requests: 0,
        has_stable: true,
    }
}
