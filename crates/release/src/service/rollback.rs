//! Going back to a version that was stable before.
//!
//! A rollback is a release record of its own, decided in one transaction: it waits for no gate and no signature, because
//! what it brings back had both. Only the stored artifact is compared with what was judged then, and only if the store
//! answers: an emergency does not wait for it, and gateways refuse other bytes by digest anyway.

use database::Transaction;
use serde_json::json;
use types::{ErrorKind, ModelName, ModelVersion, Percent, Principal};

use super::{
    Service,
    assign::following,
    decide::{Decision, decide, record},
    desk::Desk,
    sound_text,
};
use crate::{
    Error, Kind, Pinned, Release, Stage,
    machine::{Observation, Progress, may_roll_back},
    repo,
    repo::traffic,
};

impl Service {
    /// Goes back to what was stable before, or to the version `to`, which must have been stable once. A rollout on its way
    /// is sent back first; without `to`, or where `to` is stable beside it, that is all.
    ///
    /// # Errors
    /// When the caller is no operator; when nothing serves, or there is nothing to go back to; when the target's files are
    /// not those that were released.
    pub async fn rollback(
        &self,
        caller: &Principal,
        model: &ModelName,
        to: Option<u32>,
        reason: Option<String>,
    ) -> Result<Release, Error> {
        let reason = reason.unwrap_or_else(|| "no reason given".to_owned());
        sound_text("reason", &reason)?;
        if let Err(refusal) = may_roll_back(caller) {
            self.record_refusal("release.rollback", &caller.name, model.to_string(), &refusal).await?;
            return Err(refusal.into());
        }
        let named = model.clone();
        let target = self
            .inner
            .database
            .read(async move |tx| {
                let is_enough = rolling_out(tx, &named).await?.is_some() && is_kept(tx, &named, to).await?;
                if is_enough { Ok(None) } else { target(tx, &named, to).await.map(Some) }
            })
            .await?;
        if let Some(target) = target {
            self.is_unchanged(model, &target.pinned).await?;
        }
        let (desk, by, model) = (self.inner.desk.clone(), caller.clone(), model.clone());
        let release =
            self.inner.database.write(async move |tx| roll_back(tx, &desk, &by, &model, to, &reason).await).await?;
        self.decided(&release);
        Ok(release)
    }

    async fn is_unchanged(&self, model: &ModelName, target: &Pinned) -> Result<(), Error> {
        let version = ModelVersion::new(model.clone(), target.version);
        let no_way = |reason| Error::NoWayBack { model: model.clone(), reason };
        match self.inner.ports.candidates.artifact_digest(&version).await {
            Ok(digest) if digest == target.artifact_digest => Ok(()),
            Ok(digest) => Err(no_way(format!(
                "the files of {version} changed since release {}: {} was released, {digest} is stored now",
                target.release, target.artifact_digest
            ))),
            Err(error) if error.kind == ErrorKind::NotFound => {
                Err(no_way(format!("the files of {version} are gone: {}", error.message)))
            }
            Err(error) => {
                tracing::warn!(%version, %error, "rolling back without looking at the artifact store, which does not answer");
                Ok(())
            }
        }
    }
}

async fn rolling_out(tx: &mut Transaction, model: &ModelName) -> Result<Option<Release>, Error> {
    Ok(repo::open_of(tx, model).await?.into_iter().find(|release| release.stage == Stage::RollingOut))
}

/// Whether what is stable is what is wanted, so that a rollout on its way is all that goes back.
async fn is_kept(tx: &mut Transaction, model: &ModelName, to: Option<u32>) -> Result<bool, Error> {
    let Some(to) = to else { return Ok(true) };
    let stable = traffic::latest(tx, model).await?.and_then(|latest| latest.stable);
    Ok(stable.is_some_and(|stable| stable.version == to))
}

/// Where a rollback goes.
struct Target {
    pinned: Pinned,
    /// What was stable before it became stable, so that rolling back twice goes further back.
    previous: Option<Pinned>,
}

async fn target(tx: &mut Transaction, model: &ModelName, to: Option<u32>) -> Result<Target, Error> {
    let nothing = || Error::NothingServes(model.clone());
    let no_way = |reason| Error::NoWayBack { model: model.clone(), reason };
    let latest = traffic::latest(tx, model).await?.ok_or_else(nothing)?;
    let stable = latest.stable.ok_or_else(nothing)?;
    let pinned = match to {
        Some(version) if version == stable.version => {
            return Err(Error::AlreadyServes(ModelVersion::new(model.clone(), version)));
        }
        Some(version) => traffic::when_stable(tx, model, version)
            .await?
            .and_then(|then| then.stable)
            .ok_or_else(|| no_way(format!("version {version} was never released")))?,
        None => latest
            .previous
            .ok_or_else(|| no_way(format!("nothing that served before version {} is left", stable.version)))?,
    };
    let promoted = traffic::promoted_by(tx, model, pinned.release).await?;
    // What is left now must not come back by a second rollback.
    let previous = promoted.and_then(|then| then.previous).filter(|previous| previous.release != stable.release);
    Ok(Target { pinned, previous })
}

async fn roll_back(
    tx: &mut Transaction,
    desk: &Desk,
    by: &Principal,
    model: &ModelName,
    to: Option<u32>,
    reason: &str,
) -> Result<Release, Error> {
    tx.lock(repo::LOCK).await?;
    if let Some(release) = rolling_out(tx, model).await? {
        let observation = Observation::RolledBack { by: by.clone(), reason: reason.to_owned() };
        let sent_back = decide(tx, desk, release.id, &Decision::new("release.rollback", &by.name, observation)).await?;
        if is_kept(tx, model, to).await? {
            return Ok(sent_back);
        }
    }
    let target = target(tx, model, to).await?;
    let from = traffic::latest(tx, model).await?;
    let origin = repo::load(tx, target.pinned.release).await?;
    let left = from.as_ref().and_then(|from| from.stable.as_ref()).map(|stable| stable.version);
    let now = desk.now(tx).await?;
    let release = Release {
        id: repo::next_id(tx).await?,
        kind: Kind::Rollback,
        stage: Stage::Done,
        reason: Some(reason.to_owned()),
        paused: false,
        sequence: 1,
        created_by: by.name.clone(),
        created_at: now,
        updated_at: now,
        gates: Vec::new(),
        approvals: Vec::new(),
        waivers: Vec::new(),
        previous: left,
        step: 0,
        weight: Percent::ALL,
        step_entered_at: Some(now),
        progress: Progress::default(),
        notes: Vec::new(),
        ..origin
    };
    repo::insert(tx, &release).await?;
    let mut assignment = following(from, &release);
    assignment.stable = Some(target.pinned);
    assignment.previous = target.previous;
    let detail = json!({
        "version": release.version.to_string(),
        "from_version": left,
        "reason": reason,
        "revision": traffic::push(tx, assignment, None, now).await?.revision,
    });
    record(tx, desk, &release, &by.name, "release.rollback", detail).await?;
    Ok(release)
}
