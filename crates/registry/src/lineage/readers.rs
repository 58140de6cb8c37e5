//! Lineage downstream: who read a dataset or was trained on a feature view, and what of that answers callers now.

use std::collections::{BTreeMap, BTreeSet};

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
/// The most versions that one graph has: beyond it nobody sees anything. The newest of each model come last.
const MOST_VERSIONS: usize = 200;

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
    /// The versions.
    pub versions: Vec<Reading>,
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
        let found = self.database.read(async move |tx| repo::lineage::readers_of_dataset(tx, &wanted).await).await?;
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
        self.readers(key, draft, sources).await
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
        let mut made = self.database.read(async move |tx| repo::lineage::versions_of_runs(tx, &runs).await).await?;
        made.drain(..made.len().saturating_sub(MOST_VERSIONS));
        let mut known: BTreeMap<ModelName, Downstream> = BTreeMap::new();
        let mut versions = Vec::new();
        for version in made {
            // A name that is not valid any more cannot be released either.
            let Ok(model) = ModelName::parse(&version.name) else { continue };
            if !known.contains_key(&model) {
                known.insert(model.clone(), self.deployments.of(&model).await?);
            }
            let id = ModelVersion::new(model, version.version);
            let lineage = self.lineage(&id).await?;
            let aliases = self.aliases_of(&id).await?;
            let downstream = &known[&id.model];
            draft.version(&lineage, &aliases, downstream);
            let serving: Vec<_> = downstream.serving.iter().filter(|serves| serves.version == id.version).collect();
            versions.push(Reading {
                version: id,
                run_id: version.run_id.unwrap_or_default(),
                serves: serving.iter().map(|serves| serves.role.clone()).collect(),
                live: serving.iter().any(|serves| serves.live),
            });
        }
        let live: BTreeSet<ModelName> =
            versions.iter().filter(|reading| reading.live).map(|reading| reading.version.model.clone()).collect();
        let starts = sources.into_iter().map(|source| source.node).collect();
        let graph = draft.only_from(&starts).finish();
        Ok(Readers { subject: subject.to_owned(), live_models: live.into_iter().collect(), versions, graph })
    }

    async fn aliases_of(&self, version: &ModelVersion) -> Result<Vec<String>> {
        let id = version.clone();
        let read = self.database.read(async move |tx| versions::required(tx, id.model.as_str(), id.version).await);
        Ok(read.await?.aliases)
    }
}
