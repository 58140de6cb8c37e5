//! The beginning of a release: what is judged is frozen, and nothing else of the model may be on its way.

use std::sync::Arc;

use serde_json::json;
use types::{ModelVersion, Percent, Principal, Role};

use super::{
    Service,
    assign::admitted,
    decide::{Decision, decide, record},
    desk::Desk,
    sound_waiver,
};
use crate::{
    Candidate, Error, GateReport, Kind, NewWaiver, Pinned, Refusal, Release, ReleaseId, Stage, Verdict,
    machine::{Observation, Progress},
    repo::{self, traffic},
};

impl Service {
    /// Starts a release: freezes what is judged and returns at once. The controller runs the gates.
    ///
    /// # Errors
    /// When the version cannot be released, another release of the model is active, or a waiver is not the caller's to give.
    pub async fn create(
        &self,
        caller: &Principal,
        version: &ModelVersion,
        waivers: Vec<NewWaiver>,
    ) -> Result<Release, Error> {
        if !caller.role.allows(Role::Editor) {
            return Err(Refusal::Role {
                principal: caller.name.clone(),
                has: caller.role,
                action: "create a release",
                role: Role::Editor,
            }
            .into());
        }
        let candidate = self.freeze(version).await?;
        for waiver in &waivers {
            sound_waiver(waiver)?;
        }
        let (desk, by) = (self.inner.desk.clone(), caller.clone());
        let created = self
            .inner
            .database
            .write(async move |tx| {
                tx.lock(repo::LOCK).await?;
                let id = make_way(tx, &desk, &candidate, &by).await?;
                let now = desk.now(tx).await?;
                let mut release = new_release(id, &candidate, &by, now);
                repo::insert(tx, &release).await?;
                let admitted = admitted(traffic::latest(tx, &candidate.version.model).await?, &release);
                traffic::push(tx, admitted, None, now).await?;
                let detail = json!({
                    "version": candidate.version.to_string(),
                    "artifact": candidate.artifact_digest,
                    "project": candidate.project_digest,
                    "gates": release.gates.iter().map(|report| report.gate).collect::<Vec<_>>(),
                });
                record(tx, &desk, &release, &by.name, "release.create", detail).await?;
                for waiver in &waivers {
                    let decision = Decision::waive(&by, waiver);
                    release = decide(tx, &desk, id, &decision).await?;
                }
                Ok::<_, Error>(release)
            })
            .await?;
        self.decided(&created);
        Ok(created)
    }

    async fn freeze(&self, version: &ModelVersion) -> Result<Candidate, Error> {
        let frozen = self.inner.ports.candidates.freeze(version).await;
        let candidate = frozen.map_err(|source| Error::Freeze {
            version: version.clone(),
            reason: source.message.clone(),
            source: Arc::new(source),
        })?;
        if candidate.model_file.model != version.model {
            return Err(Error::Invalid(format!(
                "the model file of `{}` is not about `{}`",
                candidate.model_file.model, version.model
            )));
        }
        let available: Vec<_> = self.inner.ports.gates.iter().map(|gate| gate.name()).collect();
        match candidate.model_file.required_gates().into_iter().find(|gate| !available.contains(gate)) {
            Some(gate) => Err(Error::GateUnavailable { gate, version: version.clone() }),
            None => Ok(candidate),
        }
    }
}

/// Makes sure that nothing is in the way of a release of `candidate`, and answers its number.
async fn make_way(
    tx: &mut database::Transaction,
    desk: &Desk,
    candidate: &Candidate,
    by: &Principal,
) -> Result<ReleaseId, Error> {
    let version = &candidate.version;
    let id = repo::next_id(tx).await?;
    let serving = traffic::latest(tx, &version.model).await?.and_then(|assignment| assignment.stable);
    if let Some(stable) = serving.filter(|stable| stable.version == version.version) {
        may_stand_in_for_itself(&stable, candidate)?;
    }
    for open in repo::open_of(tx, &version.model).await? {
        if open.stage.is_active() {
            return Err(Error::AlreadyActive { active: open.id, version: open.version, stage: open.stage });
        }
        let superseded = Decision::new("release.supersede", &by.name, Observation::Superseded { by: id });
        decide(tx, desk, open.id, &superseded).await?;
    }
    Ok(id)
}

/// Gateways tell versions apart by number: what is rolled out beside a stable version of the same number must be executed
/// the same way, or all traffic would get it at once. A project that changed elsewhere does no harm.
fn may_stand_in_for_itself(stable: &Pinned, candidate: &Candidate) -> Result<(), Error> {
    let version = candidate.version.clone();
    let otherwise = |what| Error::ServesOtherwise { version: version.clone(), release: stable.release, what };
    if stable.artifact_digest != candidate.artifact_digest || stable.backend != candidate.backend {
        Err(otherwise("files"))
    } else if stable.feature_digests != candidate.feature_digests {
        Err(otherwise("feature definitions"))
    } else if stable.project_digest == candidate.project_digest {
        Err(Error::AlreadyServes(version))
    } else {
        Ok(())
    }
}

fn new_release(id: ReleaseId, candidate: &Candidate, by: &Principal, now: types::Timestamp) -> Release {
    let gates = candidate.model_file.required_gates().into_iter().map(|gate| GateReport {
        gate,
        verdict: Verdict::Pending,
        summary: None,
        evidence: None,
        attempts: 0,
        not_before: now,
        concluded_at: None,
    });
    Release {
        id,
        kind: Kind::Release,
        version: candidate.version.clone(),
        stage: Stage::Gating,
        reason: None,
        paused: false,
        sequence: 1,
        created_by: by.name.clone(),
        created_at: now,
        updated_at: now,
        author: candidate.author.clone(),
        backend: candidate.backend.clone(),
        artifact_digest: candidate.artifact_digest,
        project_digest: candidate.project_digest,
        feature_digests: candidate.feature_digests.clone(),
        model_file: candidate.model_file.clone(),
        gates: gates.collect(),
        approvals: Vec::new(),
        waivers: Vec::new(),
        previous: None,
        step: 0,
        weight: Percent::NONE,
        step_entered_at: None,
        progress: Progress::default(),
        notes: Vec::new(),
    }
}
