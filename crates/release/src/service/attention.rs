//! What wants a person's attention now: read off the tables each time, so nothing has to be switched off again.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use serde_json::json;
use types::{Duration, ModelVersion, Timestamp};

use super::{Service, look::judgement};
use crate::{
    Assignment, Attention, AttentionKind, Error, Release, Stage,
    machine::Cause,
    repo::{
        self,
        gateways::{self, Heard},
        rollouts, traffic,
    },
};

/// How long gateways may take to follow: loading a large model takes half a minute.
const SETTLES_WITHIN: Duration = Duration::from_secs(60);

/// The stable versions that were last found missing, and since when. Kept in memory: it only dates what holds now.
#[derive(Debug, Default)]
pub(crate) struct Missing(Mutex<BTreeMap<(types::ModelName, u32), Timestamp>>);

impl Missing {
    /// Remembers what was found out about `version`; `None` if nothing could be. Answers since when it is missing.
    fn note(&self, version: &ModelVersion, exists: Option<bool>, now: Timestamp) -> Option<Timestamp> {
        let mut missing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (version.model.clone(), version.version);
        match exists {
            Some(true) => missing.remove(&key).and(None),
            Some(false) => Some(*missing.entry(key).or_insert(now)),
            None => missing.get(&key).copied(),
        }
    }
}

/// What the tables say.
struct Seen {
    now: Timestamp,
    /// What serves every model, and when that was decided.
    serving: Vec<(Assignment, Timestamp)>,
    heard: Vec<Heard>,
    releases: Vec<Attention>,
}

impl Service {
    /// What wants a person's attention now, of all models: rollouts that went back by themselves or wait for a person,
    /// gateways that do not follow, stable versions that are gone.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn attention(&self) -> Result<Vec<Attention>, Error> {
        let desk = self.inner.desk.clone();
        let seen = self
            .inner
            .database
            .read(async move |tx| {
                let now = desk.now(tx).await?;
                let serving = traffic::current_since(tx).await?;
                let heard = gateways::heard(tx, now - gateways::LIVE).await?;
                let mut releases = Vec::new();
                for release in repo::last_of_each_model(tx).await? {
                    let tally = rollouts::tally(tx, release.id).await?;
                    releases.extend(of_release(&release, || json!(judgement(&release, &tally))));
                }
                Ok::<_, Error>(Seen { now, serving, heard, releases })
            })
            .await?;
        let mut attention = seen.releases;
        for (assignment, decided_at) in &seen.serving {
            attention.extend(unsettled(assignment, *decided_at, &seen.heard, seen.now));
            attention.extend(self.stable_missing(assignment, seen.now).await);
        }
        Ok(attention)
    }

    async fn stable_missing(&self, assignment: &Assignment, now: Timestamp) -> Option<Attention> {
        let stable = assignment.stable.as_ref()?;
        let version = ModelVersion::new(assignment.model.clone(), stable.version);
        let exists = match self.inner.ports.candidates.exists(&version).await {
            Ok(exists) => Some(exists),
            Err(error) => {
                tracing::debug!(%version, %error, "cannot tell whether the stable version is still there");
                None
            }
        };
        let since = self.inner.missing.note(&version, exists, now)?;
        Some(Attention {
            kind: AttentionKind::StableMissing,
            model: version.model.clone(),
            release: stable.release,
            version: version.version,
            since,
            summary: format!(
                "{version} serves, and is gone from the registry or the store: gateways serve on what they have loaded, \
                 and one that has no copy of its own cannot load it again"
            ),
            details: json!({ "artifact": stable.artifact_digest, "previous": assignment.previous.as_ref().map(|p| p.version) }),
        })
    }
}

/// What a model's last release wants.
fn of_release(release: &Release, numbers: impl Fn() -> serde_json::Value) -> Option<Attention> {
    let progress = &release.progress;
    let (kind, since, summary) = if release.stage == Stage::RolledBack {
        let kind = match progress.cause? {
            Cause::Alarm => AttentionKind::RolledBack,
            Cause::DoesNotLoad => AttentionKind::CanaryDoesNotLoad,
        };
        (kind, release.updated_at, format!("{}: {}", release.version, release.reason.clone().unwrap_or_default()))
    } else if release.stage == Stage::Failed {
        // One that failed before its first step changed nothing that anybody is served.
        release.step_entered_at?;
        let reason = release.reason.clone().unwrap_or_default();
        (AttentionKind::Failed, release.updated_at, format!("the rollout of {} failed: {reason}", release.version))
    } else if release.stage == Stage::RollingOut {
        let since = progress.overdue?;
        let summary = format!(
            "the rollout of {} waits at step {} for longer than declared: look at it, then resume, abort or roll it back",
            release.version, release.step
        );
        (AttentionKind::Held, since, summary)
    } else {
        return None;
    };
    Some(Attention {
        kind,
        model: release.version.model.clone(),
        release: release.id,
        version: release.version.version,
        since,
        summary,
        details: json!({ "reason": release.reason, "step": release.step, "analysis": numbers(), "progress": progress }),
    })
}

/// The live gateways that do not follow what was decided, and have said so for long enough. One that was just started has
/// its time to load what it serves, however long ago that was decided.
fn unsettled(assignment: &Assignment, decided_at: Timestamp, heard: &[Heard], now: Timestamp) -> Option<Attention> {
    if now.since(decided_at) <= SETTLES_WITHIN {
        return None;
    }
    let behind: Vec<_> = gateways::acknowledgements(heard, &assignment.model, now)
        .into_iter()
        .filter(|gateway| gateway.live && !gateway.follows(assignment.revision))
        .filter(|gateway| now.since(gateway.changed_at) > SETTLES_WITHIN)
        .collect();
    let serving = assignment.canary.as_ref().map(|canary| &canary.pinned).or(assignment.stable.as_ref())?;
    let names: Vec<_> = behind.iter().map(|gateway| gateway.gateway.as_str()).collect();
    (!behind.is_empty()).then(|| Attention {
        kind: AttentionKind::Unsettled,
        model: assignment.model.clone(),
        release: assignment.release,
        version: serving.version,
        since: decided_at,
        summary: format!(
            "gateways do not serve what was decided about {} (revision {}): {}",
            assignment.model,
            assignment.revision,
            names.join(", ")
        ),
        details: json!({ "revision": assignment.revision, "gateways": behind }),
    })
}
