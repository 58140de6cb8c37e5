//! Which runs, logged models and experiments go, decided from rows of one transaction.

use std::collections::{BTreeSet, HashMap};

use artifacts::Store;
use database::Transaction;

use super::{Collected, Collection, Kept, place_of};
use crate::{
    LifecycleStage,
    error::{Error, Result},
    repo::{
        self,
        gc::{Deleted, Source},
    },
    rules,
};

/// Rows that go in one transaction: others' writes wait that long.
const AT_ONCE: usize = 100;

/// What goes in one transaction, by id.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Runs(Vec<String>),
    LoggedModels(Vec<String>),
    /// Of which nothing else is left.
    Experiments(Vec<i64>),
}

/// What is deleted and old enough, and what of it stays.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    runs: Vec<Deleted>,
    logged_models: Vec<Deleted>,
    experiments: Vec<i64>,
    kept: Vec<Kept>,
}

impl Candidates {
    /// What `collection` names, deleted before `before`.
    pub(super) async fn find(tx: &mut Transaction, collection: &Collection, before: i64) -> Result<Self> {
        let experiments = match &collection.experiment_ids {
            Some(ids) => named_experiments(tx, ids, collection, before).await?,
            None if collection.run_ids.is_some() || collection.logged_model_ids.is_some() => Vec::new(),
            None => repo::gc::experiments(tx, before).await?,
        };
        let only_named = collection.experiment_ids.is_some();
        let mut runs = match &collection.run_ids {
            Some(ids) => named(tx, "Run", ids, collection, before).await?,
            None if only_named || collection.logged_model_ids.is_some() => Vec::new(),
            None => repo::gc::runs(tx, before).await?,
        };
        runs.extend(repo::gc::runs_of(tx, &experiments).await?);
        let mut logged_models = match &collection.logged_model_ids {
            Some(ids) => named(tx, "Logged model", ids, collection, before).await?,
            None if only_named || collection.run_ids.is_some() => Vec::new(),
            None => repo::gc::logged_models(tx, before).await?,
        };
        logged_models.extend(repo::gc::logged_models_of(tx, &experiments).await?);
        let mut kept = Vec::new();
        let needed = needed(repo::gc::sources(tx).await?);
        runs = unneeded("run", runs, &needed, &mut kept);
        logged_models = unneeded("logged model", logged_models, &needed, &mut kept);
        let mut found = Self { runs, logged_models, experiments, kept };
        keep_used(tx, &mut found).await?;
        Ok(found)
    }

    /// What of `piece` is deleted now, and in nobody's use.
    pub(super) async fn still(tx: &mut Transaction, piece: &Piece) -> Result<Self> {
        let mut still = Self::default();
        match piece {
            Piece::Runs(ids) => {
                let (found, needed) = (repo::gc::deleted_among(tx, ids).await?, needed(repo::gc::sources(tx).await?));
                still.runs = unneeded("run", found, &needed, &mut still.kept);
            }
            Piece::LoggedModels(ids) => {
                let found = repo::gc::logged_models_among(tx, ids).await?;
                let needed = needed(repo::gc::sources(tx).await?);
                still.logged_models = unneeded("logged model", found, &needed, &mut still.kept);
            }
            Piece::Experiments(ids) => {
                still.experiments = repo::gc::experiments_among(tx, ids).await?;
                keep_used(tx, &mut still).await?;
            }
        }
        Ok(still)
    }

    /// What goes, in pieces: runs and logged models before the experiments that they are in.
    pub(super) fn pieces(&self) -> Vec<Piece> {
        let runs = self.runs.chunks(AT_ONCE).map(|some| Piece::Runs(ids(some)));
        let logged_models = self.logged_models.chunks(AT_ONCE).map(|some| Piece::LoggedModels(ids(some)));
        let experiments = self.experiments.chunks(AT_ONCE).map(|some| Piece::Experiments(some.to_vec()));
        runs.chain(logged_models).chain(experiments).collect()
    }

    /// What is deleted and stays.
    pub(super) fn kept(self) -> Vec<Kept> {
        self.kept
    }

    /// The answer so far, and the folders in the store that go.
    pub(super) fn places(&self, store: &Store) -> (Collected, Vec<String>) {
        let (mut places, mut elsewhere) = (BTreeSet::new(), Vec::new());
        for deleted in self.runs.iter().chain(&self.logged_models) {
            match place_of(store, &deleted.uri, &deleted.id) {
                Some(place) => {
                    places.insert(place);
                }
                None => elsewhere.push(deleted.uri.clone()),
            }
        }
        let collected = Collected {
            runs: self.runs(),
            logged_models: self.logged_models(),
            experiments: self.experiments.iter().map(i64::to_string).collect(),
            kept: self.kept.clone(),
            elsewhere,
            ..Collected::default()
        };
        (collected, places.into_iter().collect())
    }

    pub(super) fn runs(&self) -> Vec<String> {
        ids(&self.runs)
    }

    pub(super) fn logged_models(&self) -> Vec<String> {
        ids(&self.logged_models)
    }

    pub(super) fn experiments(&self) -> Vec<i64> {
        self.experiments.clone()
    }
}

/// Keeps the experiments that hold more than what goes.
async fn keep_used(tx: &mut Transaction, found: &mut Candidates) -> Result<()> {
    let (runs, logged_models) = (found.runs(), found.logged_models());
    let used = repo::gc::experiments_in_use(tx, &found.experiments, &runs, &logged_models).await?;
    let Candidates { experiments, kept, .. } = found;
    experiments.retain(|id| match used.iter().find(|(used, _)| used == id) {
        Some((_, because)) => {
            let because = (*because).to_owned();
            kept.push(Kept { what: "experiment".to_owned(), id: id.to_string(), because });
            false
        }
        None => true,
    });
    Ok(())
}

fn ids(deleted: &[Deleted]) -> Vec<String> {
    deleted.iter().map(|deleted| deleted.id.clone()).collect()
}

/// Those of `deleted` that no version was made from, each once.
fn unneeded(
    what: &str,
    mut deleted: Vec<Deleted>,
    needed: &HashMap<String, String>,
    kept: &mut Vec<Kept>,
) -> Vec<Deleted> {
    deleted.sort_by(|a, b| a.id.cmp(&b.id));
    deleted.dedup_by(|a, b| a.id == b.id);
    deleted.retain(|deleted| match needed.get(&deleted.id) {
        Some(version) => {
            let because = format!("{version} was made from it");
            kept.push(Kept { what: what.to_owned(), id: deleted.id.clone(), because });
            false
        }
        None => true,
    });
    deleted
}

/// Every id that a version's run, source or place names, with one of those versions: `runs:/ID/model`, `models:/m-ID`,
/// `mlflow-artifacts:/0/ID/artifacts/model`. Parts of them that are no ids match nothing.
fn needed(sources: Vec<Source>) -> HashMap<String, String> {
    let mut needed = HashMap::new();
    for source in sources {
        let parts = source.uris.iter().flat_map(|uri| uri.split(['/', ':'])).chain(source.run_id.as_deref());
        for part in parts.filter(|part| !part.is_empty()) {
            needed.entry(part.to_owned()).or_insert_with(|| source.version.clone());
        }
    }
    needed
}

/// Runs or logged models by id; refused as a whole if one is missing, not deleted, or too young.
async fn named(
    tx: &mut Transaction,
    what: &str,
    ids: &[String],
    collection: &Collection,
    before: i64,
) -> Result<Vec<Deleted>> {
    let mut found = Vec::new();
    for id in ids {
        let row = if what == "Run" { repo::gc::run(tx, id).await? } else { repo::gc::logged_model(tx, id).await? };
        let (stage, deleted) = row.ok_or_else(|| Error::NotFound(format!("{what} with id={id} not found")))?;
        check(what, id, stage, deleted.since, collection, before)?;
        found.push(deleted);
    }
    Ok(found)
}

async fn named_experiments(
    tx: &mut Transaction,
    ids: &[String],
    collection: &Collection,
    before: i64,
) -> Result<Vec<i64>> {
    let mut found = Vec::new();
    for id in ids {
        let id = rules::experiment_id(id)?;
        let experiment = repo::experiments::by_id(tx, id).await?;
        let experiment = experiment.ok_or_else(|| Error::NotFound(format!("No Experiment with id={id} exists")))?;
        let since = experiment.updated.unwrap_or_default();
        check("Experiment", &id.to_string(), experiment.stage, since, collection, before)?;
        found.push(id);
    }
    Ok(found)
}

fn check(what: &str, id: &str, stage: LifecycleStage, since: i64, collection: &Collection, before: i64) -> Result<()> {
    if stage != LifecycleStage::Deleted {
        return Err(Error::invalid(format!("{what} {id} is not deleted. Only what is deleted can be collected.")));
    }
    match collection.older_than {
        Some(age) if since > before => Err(Error::invalid(format!(
            "{what} {id} is not older than the required age. Only what was deleted {age} ago \
                                        or earlier can be collected."
        ))),
        Some(_) | None => Ok(()),
    }
}
