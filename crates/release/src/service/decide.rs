//! One decision, in one transaction: the fence is checked, the release read, [`step`] asked, and everything that follows
//! written: the release, its gates and signatures, what serves, and the audit row.

use database::Transaction;
use serde_json::{Value as Json, json};
use types::{AuditEntry, Percent, Principal, Timestamp};

use crate::{
    Approval, Assignment, AuditSink, Error, GateName, NewWaiver, Pinned, Release, ReleaseId, Stage, Verdict, Waiver,
    machine::{Effect, GateState, Observation, Phase, Policy, State, step},
    repo::{self, traffic},
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
        Self { action, by: by.to_owned(), observation, comment: None, waiver: None, evidence: None, epoch: None }
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
    audit: &dyn AuditSink,
    id: ReleaseId,
    decision: &Decision,
) -> Result<Release, Error> {
    if let Some(epoch) = decision.epoch {
        tx.check_fence(LEASE, epoch).await?;
    }
    tx.lock(repo::LOCK).await?;
    let before = repo::load(tx, id).await?;
    let now = tx.now().await?;
    let state = before.state();
    let (next, effects) = step(&before.policy(), &state, &decision.observation, now)?;
    if next == state && effects.is_empty() {
        return Ok(before);
    }
    let mut after = before.clone();
    after.sequence += 1;
    after.updated_at = now;
    after.enter(&next);
    write_signatures(tx, &mut after, &state, &next, decision, now).await?;
    write_gates(tx, &mut after, &state, &next, decision, now).await?;
    let latest = traffic::latest(tx, &after.version.model).await?;
    let assignment = effects.first().map(|effect| assigned(latest, &mut after, *effect));
    if let Some(assignment) = assignment {
        traffic::push(tx, assignment, decision.epoch, now).await?;
    }
    repo::update(tx, &after, before.sequence).await?;
    let detail = detail_of(&before, &after, decision);
    record(tx, audit, &after, &decision.by, decision.action, detail).await?;
    Ok(after)
}

/// Writes an audit row about a release.
pub(crate) async fn record(
    tx: &mut Transaction,
    audit: &dyn AuditSink,
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
    Ok(audit.record(tx, &entry).await?)
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
    if let Some(epoch) = decision.epoch {
        add("epoch", epoch.into());
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

/// The assignment in which the release's version can be loaded, and has no traffic.
pub(crate) fn admitted(latest: Option<Assignment>, release: &Release) -> Assignment {
    let mut assignment = following(latest, release);
    assignment.candidates.push(release.pinned());
    assignment
}

/// The assignment that follows from an effect.
fn assigned(latest: Option<Assignment>, release: &mut Release, effect: Effect) -> Assignment {
    let mut assignment = following(latest, release);
    assignment.candidates.retain(|candidate| candidate.release != release.id);
    if assignment.canary.as_ref().is_some_and(|canary| canary.pinned.release == release.id) {
        assignment.canary = None;
    }
    match effect {
        Effect::Withdraw => {}
        Effect::Promote => {
            release.weight = Percent::ALL;
            assignment.previous = assignment.stable.take();
            release.previous = assignment.previous.as_ref().map(|previous| previous.version);
            assignment.stable = Some(release.pinned());
        }
    }
    assignment
}

/// What serves by the last decision, as the next one by `release`. The revision is given when it is written.
pub(crate) fn following(latest: Option<Assignment>, release: &Release) -> Assignment {
    let model = release.version.model.clone();
    let (revision, sequence) = (0, release.sequence);
    match latest {
        Some(latest) => Assignment { revision, sequence, release: release.id, ..latest },
        None => Assignment {
            model,
            revision,
            release: release.id,
            sequence,
            stable: None,
            canary: None,
            shadow: None,
            slow_after: None,
            previous: None,
            candidates: Vec::new(),
        },
    }
}

impl Release {
    /// What was frozen for the decision.
    pub(crate) fn policy(&self) -> Policy {
        Policy {
            gates: self.gates.iter().map(|report| report.gate).collect(),
            approvals_required: self.model_file.approvals.required,
            not_author: self.model_file.approvals.not_author,
            author: self.author.clone(),
            artifact_digest: self.artifact_digest,
        }
    }

    /// Where it stands, for the decision.
    pub(crate) fn state(&self) -> State {
        let reason = || self.reason.clone().unwrap_or_default();
        let phase = match self.stage {
            Stage::Gating => Phase::Gating,
            Stage::GatesFailed => Phase::GatesFailed,
            Stage::AwaitingApproval => Phase::AwaitingApproval,
            Stage::RollingOut => {
                Phase::RollingOut { step: self.step, entered_at: self.step_entered_at.unwrap_or(self.updated_at) }
            }
            Stage::Done => Phase::Done,
            Stage::Failed => Phase::Failed { reason: reason() },
            Stage::Aborted => Phase::Aborted { reason: reason() },
            Stage::RolledBack => Phase::RolledBack { reason: reason() },
        };
        let gate_state = |report: &crate::GateReport| match report.verdict {
            Verdict::Pending => GateState::Pending { attempts: report.attempts, not_before: report.not_before },
            Verdict::Passed => GateState::Passed,
            Verdict::Failed => GateState::Failed,
        };
        State {
            phase,
            paused: self.paused,
            gates: self.gates.iter().map(|report| (report.gate, gate_state(report))).collect(),
            // In the order in which they were given, so the last one of a gate stands.
            waivers: self.waivers.iter().map(|waiver| (waiver.gate, waiver.until)).collect(),
            approvals: self.approvals.iter().map(|approval| approval.principal.clone()).collect(),
        }
    }

    /// Takes over where it stands now.
    fn enter(&mut self, state: &State) {
        self.stage = state.phase.stage();
        self.reason = state.phase.reason().map(str::to_owned);
        self.paused = state.paused;
        if let Phase::RollingOut { step, entered_at } = state.phase {
            self.step = step;
            self.step_entered_at = Some(entered_at);
        }
    }

    /// The version with its frozen digests.
    pub(crate) fn pinned(&self) -> Pinned {
        Pinned {
            version: self.version.version,
            release: self.id,
            backend: self.backend.clone(),
            artifact_digest: self.artifact_digest,
            project_digest: self.project_digest,
            feature_digests: self.feature_digests.clone(),
        }
    }

    /// What its gates judge.
    #[must_use]
    pub fn candidate(&self) -> crate::Candidate {
        crate::Candidate {
            version: self.version.clone(),
            backend: self.backend.clone(),
            artifact_digest: self.artifact_digest,
            project_digest: self.project_digest,
            feature_digests: self.feature_digests.clone(),
            model_file: self.model_file.clone(),
            author: self.author.clone(),
        }
    }
}
