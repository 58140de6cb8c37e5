//! `crosstie lineage MODEL/V`: what a version was made from, and what is not known of that.

use anyhow::Result;
use serde_json::Value as JsonValue;
use types::ModelVersion;

use super::{Context, path_of};

pub(super) async fn run(context: &Context, version: &ModelVersion) -> Result<()> {
    let path = format!("models/{}/versions/{}/lineage", path_of(&version.model), version.version);
    let lineage: JsonValue = context.client()?.get(&path).await?;
    context.output.answer(&lineage, || render(version, &lineage));
    Ok(())
}

fn text<'a>(json: &'a JsonValue, pointer: &str) -> &'a str {
    json.pointer(pointer).and_then(JsonValue::as_str).unwrap_or("–")
}

fn render(version: &ModelVersion, lineage: &JsonValue) -> String {
    let mut lines = format!("{version}\n");
    lines += &format!("  author       {}\n", text(lineage, "/author/name"));
    lines += &format!("  run          {} ({})\n", text(lineage, "/run/id"), text(lineage, "/run/name"));
    let dirty =
        if lineage.pointer("/git/dirty") == Some(&JsonValue::Bool(true)) { " (with uncommitted changes)" } else { "" };
    lines += &format!("  git commit   {}{dirty}\n", text(lineage, "/git/commit"));
    lines += &format!("  environment  {}\n", text(lineage, "/environment"));
    lines += &format!("  workflow     {} {}\n", text(lineage, "/workflow/name"), text(lineage, "/workflow/digest"));
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
    for missing in lineage["missing"].as_array().into_iter().flatten() {
        lines += &format!("  MISSING      {}: {}\n", text(missing, "/what"), text(missing, "/add"));
    }
    if lineage["missing"].as_array().is_some_and(Vec::is_empty) {
        lines += "  releasable   yes: data, features, code and environment are known\n";
    }
    lines
}
