//! Lineage downstream: who read a dataset or was trained on a feature view, and what of that answers callers now.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use database::Transaction;
use serde::{Deserialize, Serialize};
use types::{Digest, ModelName, ModelVersion};

use super::{
    Downstream, Graph, Lineage,
    graph::{Draft, NodeKind},
};
use crate::{
    Service,
    error::{Error, Result},
    repo, versions,
};

/// The most datasets that are listed.
const MOST_DATASETS: i64 = 500;
/// The most versions that one graph has, besides those that serve: beyond it nobody sees anything.
const MOST_VERSIONS: usize = 200;
/// The most runs that one graph has; those that versions were made of come first.
const MOST_RUNS: usize = 2_000;

/// A dataset that runs read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadDataset {
    /// Its name.
    pub name: String,
    /// Its digest.
    pub digest: String,
    /// How many runs read it.
    pub runs: i64,
}

/// A version that something went into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The version.
    pub version: ModelVersion,
    /// The run that made it.
    pub run_id: String,
    /// As what it serves, such as `stable`; empty if it does not.
    pub serves: Vec<String>,
    /// Whether callers get its answers.
    pub live: bool,
}

/// Who read something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readers {
    /// What was asked for.
    pub subject: String,
    /// The models of which a version that read it answers callers.
    pub live_models: Vec<ModelName>,
    /// The versions: all that serve, and the newest of the others.
    pub versions: Vec<Reading>,
    /// Whether there are more versions, or runs that made none, than are told of here.
    #[serde(default)]
    pub more: bool,
    /// All of it, with the runs that no version was made of.
    pub graph: Graph,
}

/// Where a way through the graph begins, and the run that it leads to.
struct Source {
    node: String,
    run: String,
}

impl Service {
    /// A version's graph, upstream and downstream.
    ///
    /// # Errors
    /// When there is no such version, or releases cannot be looked up.
    pub async fn lineage_graph(&self, version: &ModelVersion) -> Result<(Lineage, Graph)> {
        let lineage = self.lineage(version).await?;
        let aliases = self.aliases_of(version).await?;
        let downstream = self.deployments.of(&version.model).await?;
        let graph = Graph::of_version(&lineage, &aliases, &downstream);
        Ok((lineage, graph))
    }

    /// Every dataset that a run read, by name.
    ///
    /// # Errors
    /// The database's.
    pub async fn read_datasets(&self) -> Result<Vec<ReadDataset>> {
        let found = self.database.read(async |tx| repo::lineage::datasets(tx, MOST_DATASETS).await).await?;
        Ok(found.into_iter().map(|(name, digest, runs)| ReadDataset { name, digest, runs }).collect())
    }

    /// Who read the datasets of this name, or with this digest.
    ///
    /// # Errors
    /// When no run read such a dataset, or releases cannot be looked up.
    pub async fn readers_of_dataset(&self, key: &str) -> Result<Readers> {
        let wanted = key.to_owned();
        let limit = MOST_RUNS as i64 + 1;
        let read = async move |tx: &mut Transaction| repo::lineage::readers_of_dataset(tx, &wanted, limit).await;
        let mut found = self.database.read(read).await?;
        let more = found.len() > MOST_RUNS;
        found.truncate(MOST_RUNS);
        if found.is_empty() {
            return Err(Error::NotFound(format!(
                "no run of this server read a dataset named `{key}` or with that digest"
            )));
        }
        let mut draft = Draft::default();
        let mut sources = Vec::new();
        for read in found {
            let node = draft.dataset(&read.name, &read.digest);
            let run = draft.run(&read.run_id, &read.run_name);
            draft.edge(&node, &run);
            sources.push(Source { node, run: read.run_id });
        }
        let readers = self.readers(key, draft, sources).await?;
        Ok(Readers { more: more || readers.more, ..readers })
    }

    /// Which versions were trained on definitions of this feature view.
    ///
    /// # Errors
    /// When there is none, or releases cannot be looked up.
    pub async fn readers_of_feature(&self, view: &str) -> Result<Readers> {
        let tags = self.database.read(async |tx| repo::lineage::feature_tags(tx).await).await?;
        let mut draft = Draft::default();
        let mut sources = Vec::new();
        for (run, text) in tags {
            let used: BTreeMap<String, Digest> = serde_json::from_str(&text).unwrap_or_default();
            if let Some(digest) = used.get(view) {
                let key = format!("{view}@{}", digest.hex());
                let node = draft.node(NodeKind::Feature, &key, view, &digest.short());
                sources.push(Source { node, run });
            }
        }
        if sources.is_empty() {
            return Err(Error::NotFound(format!("no version of this server was trained on a feature view `{view}`")));
        }
        self.readers(view, draft, sources).await
    }

    async fn readers(&self, subject: &str, mut draft: Draft, sources: Vec<Source>) -> Result<Readers> {
        let runs: Vec<String> =
            sources.iter().map(|source| source.run.clone()).collect::<BTreeSet<_>>().into_iter().collect();
        let made = self.database.read(async move |tx| repo::lineage::versions_of_runs(tx, &runs).await).await?;
        let mut known: BTreeMap<ModelName, Downstream> = BTreeMap::new();
        let mut shown = Vec::new();
        for version in made {
            // A name that is not valid any more cannot be released either.
            let Ok(model) = ModelName::parse(&version.name) else { continue };
            if !known.contains_key(&model) {
                known.insert(model.clone(), self.deployments.of(&model).await?);
            }
            let serves = known[&model].serving.iter().any(|serves| serves.version == version.version);
            shown.push((serves, version.created, ModelVersion::new(model, version.version), version.run_id));
        }
        shown.sort_by_key(|(serves, created, ..)| Reverse((*serves, *created)));
        let serving = shown.iter().filter(|(serves, ..)| *serves).count();
        let more = shown.len() > serving + MOST_VERSIONS;
        shown.truncate(serving + MOST_VERSIONS);
        shown.sort_by(|(.., a, _), (.., b, _)| a.cmp(b));
        let mut versions = Vec::new();
        for (_, _, id, run_id) in shown {
            let lineage = self.lineage(&id).await?;
            let aliases = self.aliases_of(&id).await?;
            let downstream = &known[&id.model];
            draft.version(&lineage, &aliases, downstream);
            let serving: Vec<_> = downstream.serving.iter().filter(|serves| serves.version == id.version).collect();
            versions.push(Reading {
                version: id,
                run_id: run_id.unwrap_or_default(),
                serves: serving.iter().map(|serves| serves.role.clone()).collect(),
                live: serving.iter().any(|serves| serves.live),
            });
        }
        let live: BTreeSet<ModelName> =
            versions.iter().filter(|reading| reading.live).map(|reading| reading.version.model.clone()).collect();
        let starts = sources.into_iter().map(|source| source.node).collect();
        let graph = draft.only_from(&starts).finish();
        Ok(Readers { subject: subject.to_owned(), live_models: live.into_iter().collect(), versions, more, graph })
    }

    async fn aliases_of(&self, version: &ModelVersion) -> Result<Vec<String>> {
        let id = version.clone();
        let read = self.database.read(async move |tx| versions::required(tx, id.model.as_str(), id.version).await);
        Ok(read.await?.aliases)
    }
}
