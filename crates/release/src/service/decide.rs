//! One decision, in one transaction: the fence is checked, the release read, [`step`] asked, and everything that follows
//! written: the release, its gates and signatures, what serves, and the audit row.

use database::Transaction;
use serde_json::{Value as Json, json};
use types::{AuditEntry, Principal, Timestamp};

use super::{assign::assigned, desk::Desk};
use crate::{
    Approval, Assignment, Error, GateName, NewWaiver, Release, ReleaseId, Verdict, Waiver,
    machine::{GateState, Observation, State, step},
    repo::{self, rollouts, traffic},
};

/// The lease of whoever decides without being asked.
pub(crate) const LEASE: &str = "release-controller";
/// Who decides then, in the audit trail.
pub(crate) const CONTROLLER: &str = "controller";

/// What was observed, with what belongs on the record.
#[derive(Debug, Clone)]
pub(crate) struct Decision {
    pub(crate) action: &'static str,
    pub(crate) by: String,
    pub(crate) observation: Observation,
    /// What a signature says.
    pub(crate) comment: Option<String>,
    /// Why a gate is waived.
    pub(crate) waiver: Option<NewWaiver>,
    /// What a gate's verdict rests on.
    pub(crate) evidence: Option<Evidence>,
    /// What a look at a rollout saw.
    pub(crate) numbers: Option<Json>,
    /// The epoch of the lease, when a controller decides.
    pub(crate) epoch: Option<i64>,
}

/// What a gate said.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    pub(crate) gate: GateName,
    pub(crate) summary: String,
    pub(crate) evidence: Json,
}

impl Decision {
    pub(crate) fn new(action: &'static str, by: &str, observation: Observation) -> Self {
        Self {
            action,
            by: by.to_owned(),
            observation,
            comment: None,
            waiver: None,
            evidence: None,
            numbers: None,
            epoch: None,
        }
    }

    pub(crate) fn approve(by: &Principal, comment: Option<String>) -> Self {
        Self { comment, ..Self::new("release.approve", &by.name, Observation::Approved { by: by.clone() }) }
    }

    pub(crate) fn waive(by: &Principal, waiver: &NewWaiver) -> Self {
        let observation = Observation::Waived { by: by.clone(), gate: waiver.gate, until: waiver.until };
        Self { waiver: Some(waiver.clone()), ..Self::new("release.waive", &by.name, observation) }
    }

    pub(crate) fn of_controller(action: &'static str, observation: Observation, epoch: i64) -> Self {
        Self { epoch: Some(epoch), ..Self::new(action, CONTROLLER, observation) }
    }
}

/// Takes a decision and writes what follows. Answers the release as it is then; one that nothing followed from leaves
/// no trace.
pub(crate) async fn decide(
    tx: &mut Transaction,
    desk: &Desk,
    id: ReleaseId,
    decision: &Decision,
) -> Result<Release, Error> {
    if let Some(epoch) = decision.epoch {
        tx.check_fence(LEASE, epoch).await?;
    }
    tx.lock(repo::LOCK).await?;
    let before = repo::load(tx, id).await?;
    let now = desk.now(tx).await?;
    let latest = traffic::latest(tx, &before.version.model).await?;
    take(tx, desk, before, latest, decision, now).await
}

/// The same for a release that was read in this transaction, beside the last decision about its model.
pub(crate) async fn take(
    tx: &mut Transaction,
    desk: &Desk,
    before: Release,
    latest: Option<Assignment>,
    decision: &Decision,
    now: Timestamp,
) -> Result<Release, Error> {
    let state = before.state();
    let has_stable = latest.as_ref().is_some_and(|latest| latest.stable.is_some());
    let (next, effects) = step(&before.policy(has_stable), &state, &decision.observation, now)?;
    if next == state && effects.is_empty() {
        return Ok(before);
    }
    let mut after = before.clone();
    after.enter(&next);
    if next.progress != state.progress {
        rollouts::put_progress(tx, after.id, &next.progress, now).await?;
    }
    if effects.is_empty() && state.only_progresses_to(&next) {
        return Ok(after);
    }
    after.sequence += 1;
    after.updated_at = now;
    write_signatures(tx, &mut after, &state, &next, decision, now).await?;
    write_gates(tx, &mut after, &state, &next, decision, now).await?;
    let assignment = effects.first().map(|effect| assigned(latest, &mut after, *effect));
    if let Some(assignment) = assignment {
        traffic::push(tx, assignment, decision.epoch, now).await?;
    }
    repo::update(tx, &after, before.sequence).await?;
    let detail = detail_of(&before, &after, decision);
    record(tx, desk, &after, &decision.by, decision.action, detail).await?;
    Ok(after)
}

/// Writes an audit row about a release.
pub(crate) async fn record(
    tx: &mut Transaction,
    desk: &Desk,
    release: &Release,
    principal: &str,
    action: &str,
    detail: Json,
) -> Result<(), Error> {
    let entry = AuditEntry {
        at: release.updated_at,
        principal: principal.to_owned(),
        action: action.to_owned(),
        subject: format!("release {}", release.id),
        detail,
    };
    Ok(desk.audit.record(tx, &entry).await?)
}

fn detail_of(before: &Release, after: &Release, decision: &Decision) -> Json {
    let mut detail = json!({
        "version": after.version.to_string(),
        "sequence": after.sequence,
        "from": before.stage,
        "to": after.stage,
    });
    let mut add = |key: &str, value: Json| detail[key] = value;
    if let Some(reason) = &after.reason {
        add("reason", reason.clone().into());
    }
    if let Some(comment) = &decision.comment {
        add("comment", comment.clone().into());
    }
    if let Some(waiver) = &decision.waiver {
        add("waiver", json!(waiver));
    }
    if let Some(evidence) = &decision.evidence {
        add("gate", json!(evidence.gate));
        add("summary", evidence.summary.clone().into());
    }
    if let Some(numbers) = &decision.numbers {
        add("numbers", numbers.clone());
    }
    if let Some(epoch) = decision.epoch {
        add("epoch", epoch.into());
    }
    if before.step_entered_at != after.step_entered_at {
        add("step", after.step.into());
    }
    if before.weight != after.weight {
        add("weight", json!(after.weight));
    }
    if before.progress.slow_after != after.progress.slow_after {
        add("slow_after", json!(after.progress.slow_after));
    }
    if before.paused != after.paused {
        add("paused", after.paused.into());
    }
    detail
}

async fn write_signatures(
    tx: &mut Transaction,
    after: &mut Release,
    state: &State,
    next: &State,
    decision: &Decision,
    now: Timestamp,
) -> Result<(), Error> {
    for principal in next.approvals.difference(&state.approvals) {
        let approval = Approval { principal: principal.clone(), comment: decision.comment.clone(), at: now };
        repo::add_approval(tx, after.id, &approval).await?;
        after.approvals.push(approval);
    }
    if next.waivers != state.waivers
        && let Some(waiver) = &decision.waiver
    {
        let waiver = Waiver::new(waiver, &decision.by, now);
        repo::add_waiver(tx, after.id, &waiver).await?;
        after.waivers.push(waiver);
    }
    Ok(())
}

async fn write_gates(
    tx: &mut Transaction,
    after: &mut Release,
    state: &State,
    next: &State,
    decision: &Decision,
    now: Timestamp,
) -> Result<(), Error> {
    let id = after.id;
    for report in &mut after.gates {
        let Some(gate) = next.gates.get(&report.gate).filter(|gate| state.gates.get(&report.gate) != Some(*gate))
        else {
            continue;
        };
        match gate {
            GateState::Pending { attempts, not_before } => {
                report.attempts = *attempts;
                report.not_before = *not_before;
            }
            GateState::Passed | GateState::Failed => {
                report.verdict = if *gate == GateState::Passed { Verdict::Passed } else { Verdict::Failed };
                report.concluded_at = Some(now);
            }
        }
        if let Some(evidence) = decision.evidence.as_ref().filter(|evidence| evidence.gate == report.gate) {
            report.summary = Some(evidence.summary.clone());
            report.evidence = Some(evidence.evidence.clone());
        }
        repo::put_gate(tx, id, report).await?;
    }
    Ok(())
}
