//! Steps in order, holds that nothing but time and requests end, and ways back that are always open.

use types::{Principal, Role};

use super::*;
use crate::{
    GateName,
    machine::{GateState, Observation, Work, step},
};

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn steps(json: serde_json::Value) -> Vec<Step> {
    serde_json::from_value(json).unwrap()
}

/// DESIGN §6, with shorter holds.
fn policy() -> Policy {
    Policy {
        gates: vec![GateName::Lineage],
        approvals_required: 0,
        not_author: true,
        author: None,
        artifact_digest: Digest::of("judged"),
        steps: steps(serde_json::json!([
            { "shadow": { "duration": "10s" } },
            { "set_weight": 5 },
            { "pause": { "duration": "10s", "min_requests": "auto", "max": "1m" } },
            { "set_weight": 25 },
            { "pause": { "duration": "10s", "min_requests": 20 } },
            { "set_weight": 100 },
        ])),
        auto_requests: 50,
        has_stable: true,
    }
}

fn rolling_out(policy: &Policy) -> State {
    let mut state = State::new(policy, NOW);
    state.gates.insert(GateName::Lineage, GateState::Passed);
    state.phase = Phase::RollingOut { step: 0, entered_at: NOW };
    state
}

/// A rollout beside a clock and a count of requests.
struct Rollout {
    policy: Policy,
    state: State,
    now: Timestamp,
    look: Look,
    effects: Vec<Effect>,
}

impl Rollout {
    fn new(policy: Policy) -> Self {
        let state = rolling_out(&policy);
        let look = Look { settled: true, promotable: true, ..Look::default() };
        Self { policy, state, now: NOW, look, effects: Vec::new() }
    }

    /// One that holds at 5 %.
    fn at_five_percent() -> Self {
        let mut rollout = Self::new(policy());
        rollout.checked();
        rollout.look.requests = 1;
        rollout.until_step(2);
        rollout
    }

    fn observe(&mut self, observation: &Observation) {
        let (next, effects) = step(&self.policy, &self.state, observation, self.now).unwrap();
        self.state = next;
        self.effects.extend(effects);
    }

    fn checked(&mut self) {
        self.observe(&Observation::ArtifactChecked { digest: Digest::of("judged") });
    }

    /// A second goes by, and somebody looks.
    fn second(&mut self) {
        self.after(Duration::from_secs(1));
    }

    fn after(&mut self, passed: Duration) {
        self.now = self.now + passed;
        self.look.step = self.step();
        let look = Observation::Looked(self.look.clone());
        self.observe(&look);
    }

    /// Looks each second, with ten requests in each, until the step begins.
    fn until_step(&mut self, wanted: u32) {
        for _ in 0..1_000 {
            if self.step() == wanted {
                return;
            }
            self.look.requests += 10;
            self.second();
        }
        panic!("step {wanted} never began: {:?}", self.state);
    }

    fn step(&self) -> u32 {
        let Phase::RollingOut { step, .. } = self.state.phase else { panic!("{:?}", self.state.phase) };
        step
    }

    fn operator(&mut self, observation: fn(Principal) -> Observation) {
        self.observe(&observation(Principal::known("otto", Role::Operator)));
    }
}

fn pause(by: Principal) -> Observation {
    Observation::Paused { by }
}

fn resume(by: Principal) -> Observation {
    Observation::Resumed { by }
}

#[test]
fn steps_are_executed_in_order_and_the_artifact_is_digested_first_and_last() {
    let mut rollout = Rollout::new(policy());
    assert_eq!(rollout.state.work(NOW), Work::CheckArtifact);
    rollout.second();
    assert_eq!((rollout.step(), rollout.effects.len()), (0, 0), "nothing gets traffic unchecked");
    rollout.checked();
    assert_eq!(rollout.effects, [Effect::Route { step: 0 }]);
    rollout.until_step(4);
    let wanted = [Effect::Route { step: 0 }, Effect::Route { step: 1 }, Effect::Route { step: 3 }];
    assert_eq!(rollout.effects, wanted, "shadow, 5 %, 25 %");
    for _ in 0..20 {
        assert_eq!(rollout.state.progress.leg == Leg::Promoting, rollout.state.work(NOW) == Work::CheckArtifact);
        rollout.look.requests += 10;
        rollout.second();
    }
    assert_eq!((rollout.step(), rollout.state.progress.leg), (4, Leg::Promoting));
    rollout.checked();
    assert_eq!(rollout.state.phase, Phase::Done);
    assert_eq!(rollout.effects.last(), Some(&Effect::Promote));
}

#[test]
fn without_a_stable_version_or_without_steps_everything_goes_at_once() {
    let first = Policy { has_stable: false, ..policy() };
    let plain = Policy { steps: steps(serde_json::json!([{ "set_weight": 100 }])), ..policy() };
    for policy in [first, plain] {
        let mut rollout = Rollout::new(policy);
        rollout.checked();
        assert_eq!((rollout.state.phase, rollout.effects.as_slice()), (Phase::Done, [Effect::Promote].as_slice()));
    }
}

#[test]
fn a_hold_takes_time_and_requests_and_with_no_traffic_it_waits() {
    let mut rollout = Rollout::at_five_percent();
    for _ in 0..30 {
        rollout.second();
    }
    assert_eq!(rollout.step(), 2, "the time is over, and nobody asked it anything");
    rollout.look.requests += 49;
    rollout.second();
    assert_eq!(rollout.step(), 2, "auto is 50 here");
    rollout.look.requests += 1;
    rollout.second();
    assert_eq!(rollout.step(), 3);

    let mut hasty = Rollout::at_five_percent();
    hasty.look.requests += 10_000;
    for _ in 0..9 {
        hasty.second();
    }
    assert_eq!(hasty.step(), 2, "requests alone do not end it");
    hasty.second();
    assert_eq!(hasty.step(), 3);
}

#[test]
fn a_hold_begins_when_every_live_gateway_follows() {
    let mut rollout = Rollout::at_five_percent();
    rollout.until_step(3);
    rollout.look.settled = false;
    for _ in 0..100 {
        rollout.look.requests += 10;
        rollout.second();
    }
    assert_eq!((rollout.step(), rollout.state.progress.leg), (3, Leg::Settling));
    rollout.look.settled = true;
    rollout.second();
    assert_eq!((rollout.step(), rollout.state.progress.held), (4, Duration::from_micros(0)));
    assert_eq!(rollout.state.progress.requests_held(), 0, "requests of before do not count");
}

#[test]
fn a_clock_that_jumps_or_a_controller_that_was_away_ends_no_hold() {
    let mut rollout = Rollout::at_five_percent();
    rollout.look.requests += 10_000;
    rollout.after(Duration::from_secs(86_400));
    assert_eq!((rollout.step(), rollout.state.progress.held), (2, MOST_PER_LOOK));
    // Back by a week: nothing is added, nothing is taken away, and it goes on from there.
    rollout.now = rollout.now - Duration::from_secs(7 * 86_400);
    rollout.second();
    assert_eq!((rollout.step(), rollout.state.progress.held), (2, MOST_PER_LOOK));
    for _ in 0..4 {
        rollout.second();
    }
    assert_eq!(rollout.step(), 2);
    rollout.second();
    assert_eq!(rollout.step(), 3);
}

#[test]
fn a_step_that_takes_too_long_waits_for_a_person_who_may_grant_it_the_time_again() {
    let mut rollout = Rollout::at_five_percent();
    for _ in 0..61 {
        rollout.second();
    }
    assert!(rollout.state.paused);
    assert_eq!(rollout.state.progress.overdue, Some(rollout.now));
    rollout.look.requests += 10_000;
    rollout.second();
    assert_eq!(rollout.step(), 2, "held, whatever happens now");
    rollout.operator(resume);
    assert_eq!((rollout.state.paused, rollout.state.progress.overdue), (false, None));
    rollout.second();
    assert_eq!(rollout.step(), 3, "the time it had held counts");
}

#[test]
fn a_clock_that_jumps_makes_no_step_too_long() {
    let mut rollout = Rollout::at_five_percent();
    rollout.after(Duration::from_secs(86_400));
    assert!(!rollout.state.paused);
}

#[test]
fn an_alarm_rolls_back_at_every_step_also_while_a_person_holds_it() {
    for wanted in 0..=4 {
        for held in [false, true] {
            let mut rollout = Rollout::new(policy());
            rollout.checked();
            rollout.until_step(wanted);
            if held {
                rollout.operator(pause);
            }
            rollout.look.alarm = Some("E of errors is 214, and 200 is enough".to_owned());
            rollout.second();
            let Phase::RolledBack { reason } = &rollout.state.phase else { panic!("{:?}", rollout.state.phase) };
            assert_eq!(reason, "rolled back by itself: E of errors is 214, and 200 is enough");
            assert_eq!(rollout.state.progress.cause, Some(Cause::Alarm));
            assert_eq!(rollout.effects.last(), Some(&Effect::Withdraw));
            rollout.observe(&Observation::ArtifactChecked { digest: Digest::of("judged") });
            assert!(matches!(rollout.state.phase, Phase::RolledBack { .. }), "over is over");
        }
    }
}

#[test]
fn a_candidate_that_a_gateway_cannot_load_goes_back() {
    let mut rollout = Rollout::new(policy());
    rollout.checked();
    rollout.look.settled = false;
    rollout.look.unloadable = Some("gateway a cannot load it: no memory".to_owned());
    rollout.second();
    assert_eq!(rollout.state.progress.cause, Some(Cause::DoesNotLoad));
    assert_eq!(rollout.state.phase.reason(), Some("rolled back by itself: gateway a cannot load it: no memory"));
}

#[test]
fn a_pause_keeps_the_step_and_time_goes_on_being_counted() {
    let mut rollout = Rollout::at_five_percent();
    rollout.operator(pause);
    rollout.look.requests += 100;
    for _ in 0..100 {
        rollout.second();
    }
    assert_eq!(rollout.step(), 2);
    assert_eq!(rollout.state.progress.overdue, None, "the person knows");
    rollout.operator(resume);
    rollout.second();
    assert_eq!(rollout.step(), 3);
}

#[test]
fn all_traffic_needs_the_bound_as_it_is_at_the_last_look() {
    let mut rollout = Rollout::at_five_percent();
    rollout.look.promotable = false;
    rollout.until_step(4);
    for _ in 0..50 {
        rollout.look.requests += 10;
        rollout.second();
    }
    assert_eq!((rollout.step(), rollout.state.progress.leg), (4, Leg::Holding));
    rollout.checked();
    assert_eq!(rollout.step(), 4, "a late answer about the artifact promotes nothing");
    rollout.look.promotable = true;
    rollout.second();
    assert_eq!(rollout.state.progress.leg, Leg::Promoting);
    rollout.look.promotable = false;
    rollout.second();
    rollout.checked();
    assert_eq!(rollout.step(), 4, "what was shown is not any more");
}

#[test]
fn a_rollout_of_weights_alone_waits_for_gateways_and_for_the_bound() {
    let steps = steps(serde_json::json!([{ "set_weight": 5 }, { "set_weight": 25 }, { "set_weight": 100 }]));
    let mut rollout = Rollout::new(Policy { steps, ..policy() });
    rollout.checked();
    rollout.look.promotable = false;
    rollout.second();
    assert_eq!(rollout.effects, [Effect::Route { step: 0 }, Effect::Route { step: 1 }]);
    rollout.second();
    rollout.second();
    assert_eq!((rollout.step(), rollout.state.progress.leg), (1, Leg::Holding));
    rollout.look.promotable = true;
    rollout.second();
    rollout.checked();
    assert_eq!(rollout.state.phase, Phase::Done);
}

#[test]
fn what_is_slow_is_frozen_once_and_carried_on() {
    let mut rollout = Rollout::at_five_percent();
    let before = rollout.effects.len();
    rollout.look.slow_after = Some(Duration::from_micros(7_000));
    rollout.second();
    assert_eq!(rollout.effects[before..], [Effect::Judge]);
    rollout.look.slow_after = Some(Duration::from_micros(9_000));
    rollout.second();
    rollout.until_step(4);
    assert_eq!(rollout.state.progress.slow_after, Some(Duration::from_micros(7_000)));
    assert_eq!(rollout.effects[before..], [Effect::Judge, Effect::Route { step: 3 }]);
}

#[test]
fn a_look_at_another_step_changes_nothing_but_may_still_bring_an_alarm() {
    let mut rollout = Rollout::at_five_percent();
    let late = Look { step: 1, settled: true, requests: 1_000_000, promotable: true, ..Look::default() };
    let before = rollout.state.clone();
    rollout.observe(&Observation::Looked(late.clone()));
    assert_eq!(rollout.state, before);
    rollout.observe(&Observation::Looked(Look { alarm: Some("worse".to_owned()), ..late }));
    assert!(matches!(rollout.state.phase, Phase::RolledBack { .. }));
}

#[test]
fn looks_that_decide_nothing_are_told_from_those_that_do() {
    let mut rollout = Rollout::at_five_percent();
    let before = rollout.state.clone();
    rollout.second();
    assert!(before != rollout.state && before.only_progresses_to(&rollout.state));
    let before = rollout.state.clone();
    rollout.until_step(3);
    assert!(!before.only_progresses_to(&rollout.state));
}

#[test]
fn an_artifact_that_changed_or_vanished_on_the_way_fails_the_release() {
    let mut rollout = Rollout::at_five_percent();
    rollout.observe(&Observation::ArtifactChecked { digest: Digest::of("swapped") });
    assert!(matches!(rollout.state.phase, Phase::Failed { .. }));
    let mut rollout = Rollout::at_five_percent();
    rollout.observe(&Observation::ArtifactMissing { reason: "gone".to_owned() });
    assert_eq!(rollout.effects.last(), Some(&Effect::Withdraw));
}
