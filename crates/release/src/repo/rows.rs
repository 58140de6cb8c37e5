//! Rows of releases, gates and waivers as what they stand for.

use database::Row;
use types::{ModelName, ModelVersion, Percent, Timestamp};

use super::{from_json, malformed};
use crate::{
    Candidate, Error, GateReport, Kind, NewWaiver, Release, ReleaseId, Stage, Verdict, Waiver, machine::Progress,
};

/// A release without what belongs to it in other tables.
pub(super) fn release_of(row: &Row) -> Result<Release, Error> {
    let kind = match row.get::<String>("kind")?.as_str() {
        "rollback" => Kind::Rollback,
        _ => Kind::Release,
    };
    let candidate: Candidate = from_json("a candidate", &row.get::<String>("candidate")?)?;
    let model = ModelName::parse(&row.get::<String>("model")?).map_err(malformed("a model name"))?;
    let progress: Option<Progress> =
        row.get::<Option<String>>("progress")?.map(|text| from_json("the progress of a rollout", &text)).transpose()?;
    let mut release = Release {
        id: ReleaseId(row.get("id")?),
        kind,
        version: ModelVersion::new(model, row.get("version")?),
        stage: row.get::<String>("stage")?.parse().map_err(malformed("a stage"))?,
        reason: row.get("reason")?,
        paused: row.get("paused")?,
        sequence: row.get("sequence")?,
        created_by: row.get("created_by")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        author: candidate.author,
        backend: candidate.backend,
        artifact_digest: candidate.artifact_digest,
        project_digest: candidate.project_digest,
        feature_digests: candidate.feature_digests,
        model_file: candidate.model_file,
        gates: Vec::new(),
        approvals: Vec::new(),
        waivers: Vec::new(),
        previous: row.get("previous_version")?,
        step: row.get("step_index")?,
        weight: Percent::new(row.get("weight")?).map_err(malformed("a weight"))?,
        step_entered_at: row.get("step_entered_at")?,
        progress: progress.clone().unwrap_or_default(),
        notes: Vec::new(),
    };
    release.notes = notes(&release, progress.is_some());
    Ok(release)
}

/// What a reader of the record must know about its rollout.
fn notes(release: &Release, has_rollout: bool) -> Vec<String> {
    let is_without_steps = release.kind == Kind::Release
        && release.stage == Stage::Done
        && release.model_file.rollout.is_gradual()
        && (release.previous.is_none() || !has_rollout);
    if !is_without_steps {
        return Vec::new();
    }
    let why = if release.previous.is_none() {
        "no version was stable to compare it with"
    } else {
        "it was released by a Crosstie that did not execute steps yet"
    };
    vec![format!("the version got all traffic at once, without its steps: {why}")]
}

/// A gate.
pub(super) fn gate_of(row: &Row) -> Result<GateReport, Error> {
    let evidence = row.get::<Option<String>>("evidence")?;
    Ok(GateReport {
        gate: row.get::<String>("gate")?.parse().map_err(malformed("a gate"))?,
        verdict: Verdict::parse(&row.get::<String>("verdict")?).map_err(malformed("a verdict"))?,
        summary: row.get("summary")?,
        evidence: evidence.map(|text| from_json("evidence", &text)).transpose()?,
        attempts: row.get("attempts")?,
        not_before: row.get("not_before")?,
        concluded_at: row.get("concluded_at")?,
    })
}

/// A waiver.
pub(super) fn waiver_of(row: &Row) -> Result<Waiver, Error> {
    Ok(Waiver {
        gate: row.get::<String>("gate")?.parse().map_err(malformed("a gate"))?,
        principal: row.get("principal")?,
        reason: row.get("reason")?,
        until: row.get("waived_until")?,
        at: row.get("waived_at")?,
    })
}

impl Waiver {
    /// `waiver`, said by `principal` at `at`.
    pub(crate) fn new(waiver: &NewWaiver, principal: &str, at: Timestamp) -> Self {
        Self {
            gate: waiver.gate,
            principal: principal.to_owned(),
            reason: waiver.reason.clone(),
            until: waiver.until,
            at,
        }
    }
}
