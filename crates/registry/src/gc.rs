//! Collecting what was deleted: rows of runs, logged models and experiments that nobody can want back, and their artifacts.
//!
//! What a version was made from stays, with its run; and nothing is collected while a release pins a version that the
//! registry does not have, since then nobody can tell what its files are. Rows go first, in pieces, each in one transaction
//! that looks at what it takes once more and writes down which artifacts are to go; then those go, one place after the other. A process that is killed in
//! between leaves files that nothing points at, which the next collection takes, and never a row whose files are gone.

use artifacts::{ArtifactPath, Store};
use database::Transaction;
use serde::{Deserialize, Serialize};
use types::{Duration, ModelVersion, Timestamp};

use crate::{
    Service,
    error::{Error, Result},
    repo, storage,
};
use candidates::{Candidates, Piece};

mod candidates;

/// What to collect.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Collection {
    /// Only what was deleted at least this long ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older_than: Option<Duration>,
    /// Say what would be collected, and collect nothing.
    pub dry_run: bool,
    /// These runs, in place of all that are deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_ids: Option<Vec<String>>,
    /// These experiments with their runs, in place of all that are deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experiment_ids: Option<Vec<String>>,
    /// These logged models, in place of all that are deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logged_model_ids: Option<Vec<String>>,
}

/// What was collected, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collected {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Runs, by id.
    pub runs: Vec<String>,
    /// Logged models, by id.
    pub logged_models: Vec<String>,
    /// Experiments, by id.
    pub experiments: Vec<String>,
    /// What is deleted and old enough, but stays, and why.
    pub kept: Vec<Kept>,
    /// Artifacts that do not lie in this server's store and were left where they are.
    pub elsewhere: Vec<String>,
    /// Files deleted.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Something that stays though it is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// `run`, `logged model` or `experiment`.
    pub what: String,
    /// Its id.
    pub id: String,
    /// Why.
    pub because: String,
}

impl Collected {
    /// Adds what went in another piece.
    fn add(&mut self, piece: Self) {
        self.runs.extend(piece.runs);
        self.logged_models.extend(piece.logged_models);
        self.experiments.extend(piece.experiments);
        self.kept.extend(piece.kept);
        self.elsewhere.extend(piece.elsewhere);
    }
}

impl Service {
    /// Collects what was deleted; see the module. What an earlier collection began is finished first.
    ///
    /// # Errors
    /// When something named is missing, not deleted or not old enough; when a pinned version is missing; the stores'.
    pub async fn collect(&self, collection: Collection) -> Result<Collected> {
        let mut collected = Collected::default();
        self.collect_into(collection, &mut collected).await?;
        Ok(collected)
    }

    /// As [`Service::collect`], and says in `collected` what is gone, also when it fails in the middle.
    ///
    /// # Errors
    /// As [`Service::collect`]. What was deleted until then stays deleted.
    pub async fn collect_into(&self, collection: Collection, collected: &mut Collected) -> Result<()> {
        let pinned = self.pinned().await?;
        let age = collection.older_than.map_or(0, |age| age.as_micros() / 1_000);
        let before = self.now() - age;
        let (pins, wanted) = (pinned.clone(), collection.clone());
        let find = async move |tx: &mut Transaction| {
            check_pins(tx, &pins).await?;
            Candidates::find(tx, &wanted, before).await
        };
        let candidates = self.database.read(find).await?;
        if collection.dry_run {
            let (found, places) = candidates.places(&self.artifacts);
            let (files, bytes) = self.measure(&places).await?;
            *collected = Collected { files, bytes, dry_run: true, ..found };
            return Ok(());
        }
        let pieces = candidates.pieces();
        collected.kept = candidates.kept();
        for piece in pieces {
            collected.add(self.take(pinned.clone(), piece).await?);
        }
        self.finish_collections(collected).await
    }

    /// Deletes the rows of what is still to go and writes down which artifacts are, in one transaction.
    async fn take(&self, pinned: Vec<ModelVersion>, piece: Piece) -> Result<Collected> {
        let (store, now) = (self.artifacts.clone(), Timestamp::from_millis(self.now()));
        self.database
            .write(async move |tx| {
                check_pins(tx, &pinned).await?;
                let candidates = Candidates::still(tx, &piece).await?;
                let (collected, places) = candidates.places(&store);
                repo::gc::add_work(tx, &places, now).await?;
                let (runs, models) = (candidates.runs(), candidates.logged_models());
                repo::gc::delete(tx, &runs, &models, &candidates.experiments()).await?;
                Ok(collected)
            })
            .await
    }

    /// Deletes the artifacts whose rows are gone.
    async fn finish_collections(&self, collected: &mut Collected) -> Result<()> {
        let work = self.database.read(async |tx| repo::gc::work(tx).await).await?;
        for place in work {
            let path = ArtifactPath::parse(&place)?;
            let (files, bytes) = self.measure(std::slice::from_ref(&place)).await?;
            self.remove_artifacts(&path).await?;
            collected.files += files;
            collected.bytes += bytes;
            self.database.write(async move |tx| repo::gc::done(tx, &place).await).await?;
        }
        Ok(())
    }

    async fn measure(&self, places: &[String]) -> Result<(u64, u64)> {
        let (mut files, mut bytes) = (0, 0);
        for place in places {
            for entry in self.artifacts.walk(&ArtifactPath::parse(place)?).await? {
                files += 1;
                bytes += entry.size;
            }
        }
        Ok((files, bytes))
    }
}

/// Refuses when a pinned version is not there: its files could be any.
async fn check_pins(tx: &mut Transaction, pinned: &[ModelVersion]) -> Result<()> {
    for version in pinned {
        if repo::versions::by_number(tx, version.model.as_str(), version.version).await?.is_none() {
            return Err(Error::InvalidState(format!(
                "a release pins {version}, which the registry does not have, so nobody can tell which files it needs: \
                 nothing was deleted. `crosstie verify` says more; `crosstie rollback` or another release unpins it"
            )));
        }
    }
    Ok(())
}

/// The folder that goes with a run or logged model: the one above `artifacts` if that is its own, which its name says.
/// `None` when nothing in the path says that it is the owner's alone.
fn own_folder(path: &ArtifactPath, owner: &str) -> Option<String> {
    let text = path.as_str();
    let end = text.split('/').scan(0, |end, part| {
        let start = *end;
        *end += part.len() + 1;
        Some((start + part.len(), part))
    });
    let mut owned = end.filter(|(_, part)| *part == owner).map(|(end, _)| end);
    owned.next().map(|end| text[..end].to_owned())
}

/// Where a URI's artifacts lie in the store, for an owner whose they are alone. What is no path is not ours to delete.
fn place_of(store: &Store, uri: &str, owner: &str) -> Option<String> {
    storage::located(store, uri).ok().flatten().and_then(|path| own_folder(&path, owner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_only_if_it_bears_its_owners_name() {
        let folder = |path: &str| own_folder(&ArtifactPath::parse(path).unwrap(), "r1");
        assert_eq!(folder("0/r1/artifacts").as_deref(), Some("0/r1"));
        assert_eq!(folder("team/r1").as_deref(), Some("team/r1"));
        assert_eq!(folder("0/r11/artifacts"), None);
        assert_eq!(folder("shared/artifacts"), None);
        assert_eq!(folder(""), None);
    }
}
