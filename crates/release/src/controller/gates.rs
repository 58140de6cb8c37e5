//! What a release needs to know next, found out beside the controller's loop.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration as Wait,
};

use futures::FutureExt as _;
use runtime::{CancellationToken, Tasks};
use serde_json::json;
use tokio::time::Instant;
use types::ErrorKind;

use crate::{
    Error, GateCheck, GateName, GateOutcome, PortError, Release, Service,
    machine::{GATE_ATTEMPTS, Observation, Work},
    metrics::GATE_SECONDS,
    service::decide::{Decision, Evidence},
};

/// The longest that a gate may take. Rescoring a large evaluation set takes minutes; what takes longer hangs.
const LONGEST_GATE: Wait = Wait::from_secs(900);

/// Something being found out. Dropping it stops it.
pub(super) struct Job {
    token: CancellationToken,
    done: Arc<AtomicBool>,
}

impl Job {
    /// Starts finding out what `release` needs to know.
    pub(super) fn start(tasks: &Tasks, service: Service, release: Release, work: Work, epoch: i64) -> Self {
        let token = tasks.shutdown_token().child_token();
        let done = Arc::new(AtomicBool::new(false));
        let job = Self { token: token.clone(), done: Arc::clone(&done) };
        tasks.spawn(format!("release {}", release.id), async move {
            let found = token.run_until_cancelled(find_out(&service, &release, work, epoch)).await;
            if let Some(Err(error)) = found {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, release = %release.id, "cannot decide, trying again");
            }
            done.store(true, Ordering::Release);
        });
        job
    }

    /// Whether it has ended; the state says whether there is more to find out.
    pub(super) fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.token.cancel();
    }
}

async fn find_out(service: &Service, release: &Release, work: Work, epoch: i64) -> Result<(), Error> {
    match work {
        Work::Nothing => Ok(()),
        Work::Gates(due) => {
            for (gate, attempt) in due {
                let decision = judge(service, release, gate, attempt, epoch).await;
                service.controller_decides(release.id, decision).await?;
            }
            Ok(())
        }
        Work::CheckArtifact => {
            let observation = match service.inner.ports.candidates.artifact_digest(&release.version).await {
                Ok(digest) => Observation::ArtifactChecked { digest },
                Err(error) if error.is_retryable() => {
                    tracing::warn!(%error, release = %release.id, "cannot look at the artifact, trying again");
                    return Ok(());
                }
                Err(error) => {
                    let reason = format!("the artifact cannot be read any more: {}", error.message);
                    Observation::ArtifactMissing { reason }
                }
            };
            service
                .controller_decides(release.id, Decision::of_controller("release.advance", observation, epoch))
                .await?;
            Ok(())
        }
    }
}

/// Asks one gate.
async fn judge(service: &Service, release: &Release, gate: GateName, attempt: u32, epoch: i64) -> Decision {
    let started = Instant::now();
    let answer = match service.inner.ports.gates.iter().find(|check| check.name() == gate) {
        Some(check) => ask(&**check, release).await,
        None => Err(PortError::new(ErrorKind::Unimplemented, format!("this Crosstie has no gate `{gate}`"))),
    };
    let seconds = started.elapsed().as_secs_f64();
    let (label, observation, evidence) = match answer {
        Ok(GateOutcome { passed, summary, evidence }) => {
            let label = if passed { "passed" } else { "failed" };
            (label, Observation::GateConcluded { gate, passed }, Evidence { gate, summary, evidence })
        }
        Err(error) => {
            let observation = Observation::GateErrored { gate, attempt, retryable: error.is_retryable() };
            ("error", observation, evidence_of(gate, attempt, &error))
        }
    };
    service.inner.metrics.observe(&GATE_SECONDS, &[gate.as_str(), label], seconds);
    Decision { evidence: Some(evidence), ..Decision::of_controller("release.gate", observation, epoch) }
}

async fn ask(check: &dyn GateCheck, release: &Release) -> Result<GateOutcome, PortError> {
    let candidate = release.candidate();
    let answer = AssertUnwindSafe(check.check(&candidate)).catch_unwind();
    match tokio::time::timeout(LONGEST_GATE, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(PortError::new(ErrorKind::Internal, "the gate panicked; the log says where")),
        Err(_) => {
            let message = format!("the gate gave no answer within {} minutes", LONGEST_GATE.as_secs() / 60);
            Err(PortError::new(ErrorKind::DeadlineExceeded, message))
        }
    }
}

fn evidence_of(gate: GateName, attempt: u32, error: &PortError) -> Evidence {
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    let asked = attempt + 1;
    let summary = if error.is_retryable() && asked < GATE_ATTEMPTS {
        format!("no verdict at attempt {asked} of {GATE_ATTEMPTS}: {}", error.message)
    } else {
        format!("no verdict: {}", error.message)
    };
    Evidence { gate, summary, evidence: json!({ "error": error.message, "causes": causes, "attempts": asked }) }
}
