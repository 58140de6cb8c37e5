//! What holds of every release, however its observations arrive.

use proptest::prelude::*;

use types::{Digest, Percent, Role};

use super::*;
use crate::{Author, ReleaseId, model_file::Step};

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const AUTHOR: &str = "ada";

fn policy() -> Policy {
    Policy {
        gates: vec![GateName::Lineage, GateName::Schema],
        approvals_required: 1,
        not_author: true,
        author: Some(Author { name: AUTHOR.to_owned(), anonymous: false }),
        artifact_digest: Digest::of("judged"),
        steps: vec![Step::SetWeight(Percent::ALL)],
        auto_requests: 0,
        has_stable: true,
    }
}

fn after(observations: impl IntoIterator<Item = Observation>) -> State {
    let policy = policy();
    observations
        .into_iter()
        .fold(State::new(&policy, NOW), |state, observation| step(&policy, &state, &observation, NOW).unwrap().0)
}

fn passed(gate: GateName) -> Observation {
    Observation::GateConcluded { gate, passed: true }
}

fn failed(gate: GateName) -> Observation {
    Observation::GateConcluded { gate, passed: false }
}

fn approved(name: &str) -> Observation {
    Observation::Approved { by: Principal::known(name, Role::Approver) }
}

fn waived(gate: GateName, until: Timestamp) -> Observation {
    Observation::Waived { by: Principal::known("grace", Role::Approver), gate, until }
}

fn in_an_hour() -> Timestamp {
    NOW + Duration::from_secs(3_600)
}

fn refused(state: &State, observation: &Observation) -> String {
    step(&policy(), state, observation, NOW).unwrap_err().to_string()
}

#[test]
fn gates_then_approval_then_the_artifact_lead_to_production() {
    let state = after([passed(GateName::Lineage)]);
    assert_eq!(state.phase, Phase::Gating);
    assert_eq!(state.work(NOW), Work::Gates(vec![(GateName::Schema, 0)]));
    let state = after([passed(GateName::Lineage), passed(GateName::Schema)]);
    assert_eq!(state.phase, Phase::AwaitingApproval);
    let state = after([passed(GateName::Lineage), passed(GateName::Schema), approved("grace")]);
    assert_eq!(state.phase, Phase::RollingOut { step: 0, entered_at: NOW });
    assert_eq!(state.work(NOW), Work::CheckArtifact);
    let same = Observation::ArtifactChecked { digest: Digest::of("judged") };
    let (done, effects) = step(&policy(), &state, &same, NOW).unwrap();
    assert_eq!((done.phase, effects.as_slice()), (Phase::Done, [Effect::Promote].as_slice()));
}

#[test]
fn an_artifact_that_changed_after_its_gates_fails_the_release_and_says_so() {
    let state = after([passed(GateName::Lineage), passed(GateName::Schema), approved("grace")]);
    let changed = Observation::ArtifactChecked { digest: Digest::of("swapped") };
    let (failed, effects) = step(&policy(), &state, &changed, NOW).unwrap();
    assert_eq!(effects, [Effect::Withdraw]);
    assert!(failed.phase.reason().unwrap().contains("the artifact changed after its gates"), "{:?}", failed.phase);
}

#[test]
fn the_author_an_anonymous_caller_and_an_editor_cannot_sign() {
    let waiting = after([passed(GateName::Lineage), passed(GateName::Schema)]);
    assert!(refused(&waiting, &approved(AUTHOR)).contains("registered this version"));
    let anonymous = Observation::Approved { by: Principal::anonymous() };
    assert!(refused(&waiting, &anonymous).contains("an anonymous caller cannot"));
    let editor = Observation::Approved { by: Principal::known("bob", Role::Editor) };
    assert!(refused(&waiting, &editor).contains("takes approver or higher"));
    let pretender = Principal { role: Role::Admin, ..Principal::anonymous() };
    assert!(refused(&waiting, &Observation::Approved { by: pretender }).contains("an anonymous caller cannot"));
    let admin_author = Principal::known(AUTHOR, Role::Admin);
    assert!(refused(&waiting, &Observation::Approved { by: admin_author }).contains("someone else must"));
}

#[test]
fn approval_is_refused_before_the_gates_are_through_and_while_one_is_failed() {
    assert!(refused(&after([]), &approved("grace")).contains("still gating"));
    let failed = after([failed(GateName::Lineage), passed(GateName::Schema)]);
    assert_eq!(failed.phase, Phase::GatesFailed);
    assert!(refused(&failed, &approved("grace")).contains("`lineage`"));
}

#[test]
fn a_waiver_before_or_after_the_failure_lets_the_release_wait_for_approval() {
    let waiver = waived(GateName::Lineage, in_an_hour());
    let verdicts = [failed(GateName::Lineage), passed(GateName::Schema)];
    let before = after([waiver.clone()].into_iter().chain(verdicts.clone()));
    let afterwards = after(verdicts.into_iter().chain([waiver]));
    assert_eq!(before.phase, Phase::AwaitingApproval);
    assert_eq!(before, afterwards);
}

#[test]
fn a_waiver_that_runs_out_before_the_approval_does_not_count() {
    let state = after([failed(GateName::Lineage), passed(GateName::Schema), waived(GateName::Lineage, in_an_hour())]);
    let later = in_an_hour();
    let refusal = step(&policy(), &state, &approved("grace"), later).unwrap_err();
    assert!(refusal.to_string().contains("`lineage`"), "{refusal}");
    let (ticked, _) = step(&policy(), &state, &Observation::Tick, later).unwrap();
    assert_eq!(ticked.phase, Phase::GatesFailed);
}

#[test]
fn useless_waivers_are_refused() {
    let state = after([]);
    assert!(refused(&state, &waived(GateName::Quality, in_an_hour())).contains("no gate `quality`"));
    assert!(refused(&state, &waived(GateName::Lineage, NOW)).contains("already over"));
    let author = Observation::Waived {
        by: Principal::known(AUTHOR, Role::Approver),
        gate: GateName::Lineage,
        until: in_an_hour(),
    };
    assert!(refused(&state, &author).contains("cannot waive a gate"));
}

#[test]
fn a_gate_without_verdict_is_asked_again_later_each_time_and_fails_in_the_end() {
    let policy = policy();
    let mut state = State::new(&policy, NOW);
    let mut now = NOW;
    for attempt in 0..GATE_ATTEMPTS {
        assert!(matches!(state.gates[&GateName::Schema], GateState::Pending { attempts, .. } if attempts == attempt));
        let errored = Observation::GateErrored { gate: GateName::Schema, attempt, retryable: true };
        let (next, _) = step(&policy, &state, &errored, now).unwrap();
        let (repeated, _) = step(&policy, &next, &errored, now).unwrap();
        assert_eq!(next, repeated, "a message that comes twice counts once");
        state = next;
        if let GateState::Pending { not_before, .. } = state.gates[&GateName::Schema] {
            assert_eq!(state.work(now), Work::Gates(vec![(GateName::Lineage, 0)]), "not asked before its time");
            now = not_before;
        }
    }
    assert_eq!(state.gates[&GateName::Schema], GateState::Failed);
    let hopeless = Observation::GateErrored { gate: GateName::Lineage, attempt: 0, retryable: false };
    assert_eq!(step(&policy, &state, &hopeless, now).unwrap().0.phase, Phase::GatesFailed);
}

#[test]
fn a_pause_holds_a_signed_release_until_it_is_resumed() {
    let operator = Principal::known("otto", Role::Operator);
    let paused = after([
        passed(GateName::Lineage),
        Observation::Paused { by: operator.clone() },
        passed(GateName::Schema),
        approved("grace"),
    ]);
    assert_eq!(paused.phase, Phase::AwaitingApproval);
    let (resumed, _) = step(&policy(), &paused, &Observation::Resumed { by: operator }, NOW).unwrap();
    assert!(matches!(resumed.phase, Phase::RollingOut { .. }));
    let approver = Principal::known("grace", Role::Approver);
    assert!(refused(&paused, &Observation::Resumed { by: approver }).contains("takes operator or higher"));
}

fn principal() -> impl Strategy<Value = Principal> {
    let names = prop_oneof![Just(AUTHOR), Just("grace"), Just("otto")];
    let known =
        (names, prop::sample::select(Role::ALL.as_slice())).prop_map(|(name, role)| Principal::known(name, role));
    prop_oneof![4 => known, 1 => Just(Principal::anonymous())]
}

fn observation() -> impl Strategy<Value = Observation> {
    let gate = || prop_oneof![Just(GateName::Lineage), Just(GateName::Schema), Just(GateName::Latency)];
    let reason = || Just("because".to_owned());
    prop_oneof![
        Just(Observation::Tick),
        (gate(), any::<bool>()).prop_map(|(gate, passed)| Observation::GateConcluded { gate, passed }),
        (gate(), 0..GATE_ATTEMPTS, any::<bool>()).prop_map(|(gate, attempt, retryable)| Observation::GateErrored {
            gate,
            attempt,
            retryable
        }),
        prop_oneof![3 => Just("judged"), 1 => Just("swapped")]
            .prop_map(|bytes| Observation::ArtifactChecked { digest: Digest::of(bytes) }),
        reason().prop_map(|reason| Observation::ArtifactMissing { reason }),
        principal().prop_map(|by| Observation::Approved { by }),
        (principal(), gate(), 0..10_u32).prop_map(|(by, gate, seconds)| Observation::Waived {
            by,
            gate,
            until: NOW + Duration::from_secs(seconds)
        }),
        principal().prop_map(|by| Observation::Paused { by }),
        principal().prop_map(|by| Observation::Resumed { by }),
        (principal(), reason()).prop_map(|(by, reason)| Observation::Aborted { by, reason }),
        (principal(), reason()).prop_map(|(by, reason)| Observation::RolledBack { by, reason }),
        Just(Observation::Superseded { by: ReleaseId(9) }),
        look().prop_map(Observation::Looked),
        look().prop_map(Observation::Looked),
        look().prop_map(Observation::Looked),
    ]
}

fn short_steps() -> Vec<Step> {
    let steps = serde_json::json!([
        { "shadow": { "duration": "1s" } },
        { "set_weight": 5 },
        { "pause": { "duration": "2s", "min_requests": 2, "max": "5s" } },
        { "set_weight": 100 },
    ]);
    serde_json::from_value(steps).unwrap()
}

fn look() -> impl Strategy<Value = Look> {
    let text = || prop_oneof![8 => Just(None), 1 => Just(Some("worse".to_owned()))];
    let slow = prop_oneof![Just(None), Just(Some(Duration::from_micros(5_000)))];
    (0..4_u32, any::<bool>(), 0..9_u64, any::<bool>(), slow, text(), text()).prop_map(
        |(step, settled, requests, promotable, slow_after, alarm, unloadable)| Look {
            step,
            settled,
            requests,
            promotable,
            slow_after,
            alarm,
            unloadable,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Over any order of observations: a release is promoted at most once, and then never anything else; one that ended
    /// without promotion never is; nobody who may not has signed; repeating the last observation changes nothing.
    #[test]
    fn no_order_of_events_leaves_a_release_both_promoted_and_sent_back(
        is_signed in any::<bool>(),
        has_stable in any::<bool>(),
        events in prop::collection::vec((observation(), 0..3_u32), 0..60),
    ) {
        let policy = Policy { has_stable, steps: short_steps(), ..policy() };
        let signed = [passed(GateName::Lineage), passed(GateName::Schema), approved("grace")];
        let mut state = if is_signed { after(signed) } else { State::new(&policy, NOW) };
        let mut now = NOW;
        let (mut promoted, mut withdrawn) = (0, 0);
        for (observation, seconds) in events {
            now = now + Duration::from_secs(seconds);
            let Ok((next, effects)) = step(&policy, &state, &observation, now) else { continue };
            prop_assert!(effects.len() <= 1, "one effect names one decision");
            promoted += effects.iter().filter(|effect| **effect == Effect::Promote).count();
            withdrawn += effects.iter().filter(|effect| **effect == Effect::Withdraw).count();
            if state.phase.is_over() {
                prop_assert_eq!(&next, &state, "over is over");
                prop_assert!(effects.is_empty());
            }
            if let Ok((repeated, effects)) = step(&policy, &next, &observation, now) {
                prop_assert_eq!(&repeated, &next, "a replay of {:?} changed something", observation);
                prop_assert!(effects.is_empty());
            }
            prop_assert!(!next.approvals.contains(AUTHOR) && !next.approvals.contains("anonymous"));
            prop_assert_eq!(promoted == 1, next.phase == Phase::Done);
            prop_assert_eq!(withdrawn == 1, next.phase.is_over() && next.phase != Phase::Done);
            prop_assert!(promoted + withdrawn <= 1);
            if matches!(next.phase, Phase::RollingOut { .. } | Phase::Done) {
                prop_assert!(!next.approvals.is_empty(), "nothing goes out unsigned");
                let is_met = next.gates.iter().all(|(gate, verdict)| match verdict {
                    GateState::Passed => true,
                    GateState::Failed => next.waivers.contains_key(gate),
                    GateState::Pending { .. } => false,
                });
                prop_assert!(is_met, "nothing goes out past a failed gate");
            }
            state = next;
        }
    }
}
