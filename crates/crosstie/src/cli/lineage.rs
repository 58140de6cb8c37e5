//! `crosstie lineage`: what a version was made from, what became of it and what is not known; who read a dataset or was
//! trained on a feature view; what a run lacks.

use anyhow::{Context as _, Result};
use registry::{Graph, NodeKind, Readers, RunLineage};
use serde_json::Value as JsonValue;
use types::ModelVersion;

use super::{Context, escaped, output::table, path_of, run::attach::judgement};

#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(group(clap::ArgGroup::new("subject").required(true)))]
pub(super) struct Flags {
    /// MODEL/VERSION, such as click-ranker/7.
    #[arg(group = "subject")]
    version: Option<ModelVersion>,
    /// Who read the dataset of this name, or with this digest (or its beginning).
    #[arg(long, group = "subject", value_name = "NAME|DIGEST")]
    dataset: Option<String>,
    /// Who was trained on definitions of this feature view.
    #[arg(long, group = "subject", value_name = "VIEW")]
    feature: Option<String>,
    /// What this run lacks before a version of it could be released.
    #[arg(long, group = "subject", value_name = "RUN_ID")]
    run: Option<String>,
    /// Answer with the graph in Graphviz' language: `crosstie lineage … --dot | dot -Tsvg`.
    #[arg(long, conflicts_with = "run")]
    dot: bool,
}

pub(super) async fn run(context: &Context, flags: Flags) -> Result<()> {
    let client = context.client()?;
    if let Some(id) = &flags.run {
        let judged: RunLineage = client.get(&format!("lineage/runs/{}", escaped(id))).await?;
        context.output.answer(&judged, || judgement(&judged));
        return Ok(());
    }
    let path = match (&flags.version, &flags.dataset, &flags.feature) {
        (Some(version), _, _) => {
            format!("lineage/models/{}/versions/{}", path_of(&version.model), version.version)
        }
        (None, Some(dataset), _) => format!("lineage/datasets/{}", escaped(dataset)),
        (None, None, feature) => format!("lineage/features/{}", escaped(feature.as_deref().unwrap_or_default())),
    };
    let answer: JsonValue = client.get(&path).await?;
    let graph: Graph = serde_json::from_value(answer["graph"].clone()).context("the answer has no graph")?;
    if flags.dot {
        context.output.answer(&graph, || graph.to_dot());
        return Ok(());
    }
    match &flags.version {
        Some(version) => context.output.answer(&answer, || render(version, &answer, &graph)),
        None => {
            let readers: Readers = serde_json::from_value(answer).context("the answer is not what was expected")?;
            context.output.answer(&readers, || render_readers(&readers));
        }
    }
    Ok(())
}

fn text<'a>(json: &'a JsonValue, pointer: &str) -> &'a str {
    json.pointer(pointer).and_then(JsonValue::as_str).unwrap_or("–")
}

fn render(version: &ModelVersion, lineage: &JsonValue, graph: &Graph) -> String {
    let mut lines = format!("{version}\n");
    lines += &format!("  author       {}\n", text(lineage, "/author/name"));
    lines += &format!("  run          {} ({})\n", text(lineage, "/run/id"), text(lineage, "/run/name"));
    let dirty = lineage.pointer("/git/dirty") == Some(&JsonValue::Bool(true));
    let dirty = if dirty { " (with uncommitted changes)" } else { "" };
    lines += &format!("  git commit   {}{dirty}\n", text(lineage, "/git/commit"));
    lines += &format!("  environment  {}\n", text(lineage, "/environment"));
    lines += &format!("  workflow     {} {}\n", text(lineage, "/workflow/name"), text(lineage, "/workflow/digest"));
    let parameters = lineage.pointer("/workflow/parameters").and_then(JsonValue::as_object);
    for (name, value) in parameters.into_iter().flatten() {
        lines += &format!("  parameter    {name}={}\n", value.as_str().unwrap_or("–"));
    }
    for dataset in lineage["datasets"].as_array().into_iter().flatten() {
        lines += &format!(
            "  data         {} {} ({})\n",
            text(dataset, "/name"),
            text(dataset, "/digest"),
            text(dataset, "/context")
        );
    }
    for (view, digest) in lineage["features"].as_object().into_iter().flatten() {
        lines += &format!("  feature      {view} {}\n", digest.as_str().unwrap_or("–"));
    }
    lines += &downstream(graph);
    for missing in lineage["missing"].as_array().into_iter().flatten() {
        lines += &format!("  MISSING      {}: {}\n", text(missing, "/what"), text(missing, "/add"));
        let line = text(missing, "/line");
        if !line.is_empty() {
            lines += &format!("                 {line}\n");
        }
    }
    let is_complete = lineage["missing"].as_array().is_some_and(Vec::is_empty);
    lines += if is_complete { "  releasable: yes\n" } else { "  releasable: no\n" };
    lines
}

/// What became of it.
fn downstream(graph: &Graph) -> String {
    let kinds = [(NodeKind::Release, "released"), (NodeKind::Serving, "serves"), (NodeKind::Alias, "alias")];
    let line = |(kind, name): (NodeKind, &str)| {
        let nodes = graph.of_kind(kind);
        nodes.map(|node| format!("  {name:<12} {} ({})\n", node.label, node.detail)).collect::<String>()
    };
    kinds.map(line).concat()
}

fn render_readers(readers: &Readers) -> String {
    let live: Vec<&str> = readers.live_models.iter().map(types::ModelName::as_str).collect();
    let live = if live.is_empty() { "none".to_owned() } else { live.join(", ") };
    let runs = readers.graph.of_kind(NodeKind::Run).count();
    let more = if readers.more { "  and more: older versions that do not serve, or runs that made none\n" } else { "" };
    let head = format!("{}\n  live models: {live}\n  runs: {runs}\n{more}", readers.subject);
    let rows = readers.versions.iter().map(|reading| {
        let serves = if reading.serves.is_empty() { "–".to_owned() } else { reading.serves.join(", ") };
        [reading.version.to_string(), serves, reading.run_id.clone()]
    });
    if readers.versions.is_empty() { head } else { format!("{head}\n{}", table(["VERSION", "SERVES", "RUN"], rows)) }
}
