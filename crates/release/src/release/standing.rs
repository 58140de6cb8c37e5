//! The record of a release as the decision sees it, and back.

use crate::{
    Candidate, GateReport, Pinned, Release, Stage, Verdict,
    analysis::{self, Limits},
    machine::{GateState, Phase, Policy, State},
    model_file::{MinRequests, Step},
};

impl Release {
    /// What was frozen for the decision, beside what is stable now.
    pub(crate) fn policy(&self, has_stable: bool) -> Policy {
        Policy {
            gates: self.gates.iter().map(|report| report.gate).collect(),
            approvals_required: self.model_file.approvals.required,
            not_author: self.model_file.approvals.not_author,
            author: self.author.clone(),
            artifact_digest: self.artifact_digest,
            steps: self.model_file.rollout.steps.clone(),
            auto_requests: self.auto_requests(),
            has_stable,
        }
    }

    /// What `min_requests: auto` means; not worked out where no step says so.
    fn auto_requests(&self) -> u64 {
        let is_auto = |step: &Step| match step {
            Step::Pause(pause) => pause.min_requests == Some(MinRequests::Auto),
            Step::Shadow(_) | Step::SetWeight(_) => false,
        };
        if self.model_file.rollout.steps.iter().any(is_auto) { analysis::requests_needed(&self.limits()) } else { 0 }
    }

    /// What its rollout is judged by.
    pub(crate) fn limits(&self) -> Limits {
        self.model_file.rollout.rollback_on.as_ref().map_or_else(Limits::default, Limits::of)
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
        let gate_state = |report: &GateReport| match report.verdict {
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
            progress: self.progress.clone(),
        }
    }

    /// Takes over where it stands now.
    pub(crate) fn enter(&mut self, state: &State) {
        self.stage = state.phase.stage();
        self.reason = state.phase.reason().map(str::to_owned);
        self.paused = state.paused;
        self.progress = state.progress.clone();
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
    pub fn candidate(&self) -> Candidate {
        Candidate {
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
