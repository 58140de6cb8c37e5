//! The tag `crosstie.releasable` of runs that made a model: the judgement where MLflow's own clients and web client
//! show it. Set when the run ends or a version is made of it, and again whenever what is judged changes.
//!
//! A run without a model never gets it: there is nothing to release. The judgement never makes a client's call fail.

use std::time::Duration;

use artifacts::ArtifactPath;
use tokio::sync::watch;

use super::{
    EVIDENCE,
    judge::{self, verdict},
    judging::Turn,
};
use crate::{KeyValue, Run, RunStatus, Service, error::Result, repo, runs};

/// The tag.
pub const RELEASABLE_TAG: &str = "crosstie.releasable";

/// How long whoever changed a run waits for its judgement.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Characters of a tag's value that the column holds.
const VALUE: usize = 8_000;

impl Service {
    /// Whether changing `tags` may change what is judged of a run in this state.
    pub(crate) fn concerns(status: RunStatus, tags: &[KeyValue]) -> bool {
        is_over(status) && tags.iter().any(|tag| judge::looks_at(&tag.key))
    }

    /// Judges a run that is over again; what went wrong with that is logged, and no concern of whoever changed the run.
    /// A store that keeps it waiting does not keep them.
    pub(crate) async fn judge_again(&self, run_id: &str) {
        let mut over = match self.judging.begin(run_id) {
            Turn::Mine(sender, over) => {
                tokio::spawn(self.clone().judge_until_settled(run_id.to_owned(), sender));
                over
            }
            Turn::Theirs(over) => over,
            Turn::None => {
                tracing::warn!(run = run_id, "a run is not judged: too many wait for the artifact store");
                return;
            }
        };
        // Nothing is ever sent: it ends when the sender is dropped.
        if tokio::time::timeout(LONGEST_WAIT, over.changed()).await.is_err() {
            tracing::warn!(run = run_id, "the artifact store keeps a run from being judged; that goes on by itself");
        }
    }

    /// Judges a run until nothing changed meanwhile.
    async fn judge_until_settled(self, run: String, over: watch::Sender<()>) {
        loop {
            // A task of its own: a panic in it must not leave the run for ever being judged.
            let (service, id) = (self.clone(), run.clone());
            match tokio::spawn(async move { service.judged(&id).await }).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(run, error = &error as &dyn std::error::Error, "a run could not be judged");
                }
                Err(error) => tracing::warn!(run, %error, "a run could not be judged"),
            }
            if !self.judging.again(&run) {
                break;
            }
        }
        drop(over);
    }

    async fn judged(&self, run_id: &str) -> Result<()> {
        let id = run_id.to_owned();
        let found = self
            .database
            .read(async move |tx| {
                let Some(info) = repo::runs::by_id(tx, &id).await? else { return Ok::<_, crate::Error>(None) };
                let is_candidate = is_over(info.status) && repo::lineage::made_a_model(tx, &id).await?;
                if !is_candidate {
                    return Ok(None);
                }
                Ok(repo::runs::with_data(tx, vec![info]).await?.pop())
            })
            .await?;
        let Some(run) = found else { return Ok(()) };
        let evidence = self.evidence_of(&run).await?;
        let said = verdict(&judge::missing(&run, &evidence));
        self.say(run, said.chars().take(VALUE).collect()).await
    }

    async fn say(&self, run: Run, said: String) -> Result<()> {
        if run.tag(RELEASABLE_TAG) == Some(&said) {
            return Ok(());
        }
        self.database
            .write(async move |tx| {
                // It may be gone meanwhile.
                runs::required(tx, &run.info.id).await?;
                repo::runs::set_tags(tx, &run.info.id, &[KeyValue::new(RELEASABLE_TAG, &said)]).await
            })
            .await
    }

    /// Tells that the artifact at `path` was written or deleted: if it is evidence of a run, the run is judged again.
    pub async fn artifact_changed(&self, path: &ArtifactPath) {
        let parts: Vec<&str> = path.as_str().split('/').collect();
        // …/RUN/artifacts/crosstie/FILE, or a folder of these.
        let run = parts.windows(3).find(|three| three[1] == "artifacts" && three[2] == EVIDENCE).map(|three| three[0]);
        if let Some(run) = run {
            self.judge_again(run).await;
        }
    }
}

/// Whether nothing more happens in the run by itself.
const fn is_over(status: RunStatus) -> bool {
    match status {
        RunStatus::Finished | RunStatus::Failed | RunStatus::Killed => true,
        RunStatus::Running | RunStatus::Scheduled => false,
    }
}
