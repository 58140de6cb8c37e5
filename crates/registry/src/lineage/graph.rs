//! The graph of lineage: data and features → run → logged model → version → release → what serves. Commit, environment
//! and workflow are facts of the run. Deterministic: nodes and edges are in one order, whatever order they were found in.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use types::ModelVersion;

use super::{Downstream, Lineage};

/// What a node is, in the order in which one leads to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// Data that a run read.
    Dataset,
    /// The definition of a feature view or an on-demand feature.
    Feature,
    /// A run.
    Run,
    /// A model as its run logged it.
    LoggedModel,
    /// A registered version.
    Version,
    /// The attempt to bring a version to production.
    Release,
    /// What callers are answered by.
    Serving,
    /// A name that points to a version.
    Alias,
}

impl NodeKind {
    /// The kind as people read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dataset => "dataset",
            Self::Feature => "feature definition",
            Self::Run => "run",
            Self::LoggedModel => "logged model",
            Self::Version => "version",
            Self::Release => "release",
            Self::Serving => "serving",
            Self::Alias => "alias",
        }
    }

    /// How many steps it is from the data, in a picture.
    #[must_use]
    pub const fn rank(self) -> usize {
        match self {
            Self::Dataset | Self::Feature => 0,
            Self::Run => 1,
            Self::LoggedModel => 2,
            Self::Version => 3,
            Self::Release => 4,
            Self::Serving | Self::Alias => 5,
        }
    }
}

/// Something in the graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Unique in the graph, and the same in every graph: `version:click-ranker/7`.
    pub id: String,
    /// What it is.
    pub kind: NodeKind,
    /// What it is called.
    pub label: String,
    /// More about it, in a word or two: a digest, a stage, a role.
    pub detail: String,
    /// What is known of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
}

/// That one thing went into another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Edge {
    /// What went in.
    pub from: String,
    /// Into what.
    pub to: String,
}

/// Nodes and edges, each in order, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    /// Nodes, by kind, label and id.
    pub nodes: Vec<Node>,
    /// Edges.
    pub edges: Vec<Edge>,
}

impl Graph {
    /// The graph of one version.
    pub(super) fn of_version(lineage: &Lineage, aliases: &[String], downstream: &Downstream) -> Self {
        let mut draft = Draft::default();
        draft.version(lineage, aliases, downstream);
        draft.finish()
    }

    /// The nodes of that kind.
    pub fn of_kind(&self, kind: NodeKind) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(move |node| node.kind == kind)
    }
}

/// A graph that is being put together.
#[derive(Debug, Default)]
pub(super) struct Draft {
    nodes: BTreeMap<String, Node>,
    edges: BTreeSet<Edge>,
}

impl Draft {
    /// Adds a node, unless it is there, and answers its id.
    pub(super) fn node(&mut self, kind: NodeKind, key: &str, label: &str, detail: &str) -> String {
        let prefix = match kind {
            NodeKind::Dataset => "dataset",
            NodeKind::Feature => "feature",
            NodeKind::Run => "run",
            NodeKind::LoggedModel => "model",
            NodeKind::Version => "version",
            NodeKind::Release => "release",
            NodeKind::Serving => "serving",
            NodeKind::Alias => "alias",
        };
        let id = format!("{prefix}:{key}");
        self.nodes.entry(id.clone()).or_insert_with(|| Node {
            id: id.clone(),
            kind,
            label: label.to_owned(),
            detail: detail.to_owned(),
            facts: BTreeMap::new(),
        });
        id
    }

    pub(super) fn edge(&mut self, from: &str, to: &str) {
        self.edges.insert(Edge { from: from.to_owned(), to: to.to_owned() });
    }

    fn fact(&mut self, id: &str, name: &str, value: Option<String>) {
        if let (Some(node), Some(value)) = (self.nodes.get_mut(id), value) {
            node.facts.insert(name.to_owned(), value);
        }
    }

    /// Adds a dataset.
    pub(super) fn dataset(&mut self, name: &str, digest: &str) -> String {
        self.node(NodeKind::Dataset, &format!("{name}@{digest}"), name, digest)
    }

    /// Adds a run.
    pub(super) fn run(&mut self, id: &str, name: &str) -> String {
        let short: String = id.chars().take(8).collect();
        self.node(NodeKind::Run, id, if name.is_empty() { id } else { name }, &short)
    }

    /// Adds a version with what led to it and what became of it.
    pub(super) fn version(&mut self, lineage: &Lineage, aliases: &[String], downstream: &Downstream) {
        let version = self.node(NodeKind::Version, &lineage.version.to_string(), &lineage.version.to_string(), "");
        self.fact(&version, "author", lineage.author.as_ref().map(|author| author.name.clone()));
        let missing: Vec<&str> = lineage.missing.iter().map(|missing| missing.what.as_str()).collect();
        self.fact(&version, "missing", (!missing.is_empty()).then(|| missing.join(", ")));
        let run = lineage.run.as_ref().map(|run| self.run(&run.id, &run.name));
        if let Some(run) = &run {
            self.upstream(lineage, run);
        }
        let before = match &lineage.model_id {
            Some(id) => {
                let model = self.node(NodeKind::LoggedModel, id, id, "");
                if let Some(run) = &run {
                    self.edge(run, &model);
                }
                Some(model)
            }
            None => run,
        };
        if let Some(before) = before {
            self.edge(&before, &version);
        }
        self.downstream(&lineage.version, &version, aliases, downstream);
    }

    fn upstream(&mut self, lineage: &Lineage, run: &str) {
        for dataset in &lineage.datasets {
            let node = self.dataset(&dataset.name, &dataset.digest);
            self.fact(&node, "context", dataset.context.clone());
            self.edge(&node, run);
        }
        for (view, digest) in &lineage.features {
            let node = self.node(NodeKind::Feature, &format!("{view}@{}", digest.hex()), view, &digest.short());
            self.edge(&node, run);
        }
        let git = lineage.git.as_ref();
        self.fact(run, "commit", git.map(|git| git.commit.clone()));
        let changes = git.and_then(|git| git.dirty).map(|dirty| if dirty { "kept with the run" } else { "none" });
        self.fact(run, "uncommitted changes", changes.map(str::to_owned));
        self.fact(run, "environment", lineage.environment.map(|digest| digest.to_string()));
        self.fact(run, "workflow", lineage.workflow.as_ref().map(|workflow| workflow.name.clone()));
        self.fact(run, "source", lineage.source.clone());
        for (name, value) in lineage.workflow.iter().flat_map(|workflow| &workflow.parameters) {
            self.fact(run, &format!("parameter {name}"), Some(value.clone()));
        }
    }

    fn downstream(&mut self, version: &ModelVersion, node: &str, aliases: &[String], downstream: &Downstream) {
        for released in downstream.releases.iter().filter(|released| released.version == version.version) {
            let label = format!("release {}", released.release);
            let release = self.node(NodeKind::Release, &released.release.to_string(), &label, &released.stage);
            self.edge(node, &release);
        }
        for serves in downstream.serving.iter().filter(|serves| serves.version == version.version) {
            let key = format!("{version}/{}", serves.role);
            let serving = self.node(NodeKind::Serving, &key, &format!("{} traffic", version.model), &serves.role);
            let release = format!("release:{}", serves.release);
            let from = if self.nodes.contains_key(&release) { release } else { node.to_owned() };
            self.edge(&from, &serving);
        }
        for alias in aliases {
            let key = format!("{}@{alias}", version.model);
            let alias = self.node(NodeKind::Alias, &key, &format!("@{alias}"), version.model.as_str());
            self.edge(node, &alias);
        }
    }

    /// Only what lies on a way that begins at one of `sources`.
    pub(super) fn only_from(mut self, sources: &BTreeSet<String>) -> Self {
        let mut reached = sources.clone();
        loop {
            let before = reached.len();
            let next = self.edges.iter().filter(|edge| reached.contains(&edge.from)).map(|edge| edge.to.clone());
            reached.extend(next.collect::<Vec<_>>());
            if reached.len() == before {
                break;
            }
        }
        self.nodes.retain(|id, _| reached.contains(id));
        self.edges.retain(|edge| reached.contains(&edge.from) && reached.contains(&edge.to));
        self
    }

    pub(super) fn finish(self) -> Graph {
        let mut nodes: Vec<Node> = self.nodes.into_values().collect();
        nodes.sort_by(|a, b| (a.kind, &a.label, &a.id).cmp(&(b.kind, &b.label, &b.id)));
        Graph { nodes, edges: self.edges.into_iter().collect() }
    }
}
