//! `crosstie features …`: training sets and materialization, by the server that is up.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use reqwest::Method;
use serde_json::{Value as JsonValue, json};
use types::{ModelName, Timestamp};

use super::{Context, output::table};
use crate::state_dir::write_whole;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Join label rows to feature values as they were known at each row's time.
    TrainingSet(TrainingSetFlags),
    /// Write the newest feature values to the online store.
    Materialize {
        /// Only these views; all of the project otherwise.
        views: Vec<String>,
        /// Rows from this event time on; from where the last materialization ended otherwise.
        #[arg(long, value_name = "TIME")]
        start: Option<Timestamp>,
        /// Rows known by this time; now otherwise.
        #[arg(long, value_name = "TIME")]
        end: Option<Timestamp>,
    },
    /// Show views with their definitions' digests and how far they are materialized.
    List,
}

#[derive(Debug, clap::Args)]
pub(super) struct TrainingSetFlags {
    /// Label rows: Parquet with the entities' keys, request values and a time.
    #[arg(long, value_name = "FILE")]
    labels: PathBuf,
    /// The features of this model, as the project declares it.
    #[arg(long, conflicts_with = "features", required_unless_present = "features")]
    model: Option<ModelName>,
    /// These features: view:feature,…
    #[arg(long, value_delimiter = ',', value_name = "REFS")]
    features: Vec<String>,
    /// The label rows' time column.
    #[arg(long, default_value = "event_timestamp", value_name = "COLUMN")]
    event_timestamp: String,
    /// Where the joined rows go: Parquet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) async fn run(context: &Context, command: Command) -> Result<()> {
    match command {
        Command::TrainingSet(flags) => training_set(context, flags).await,
        Command::Materialize { views, start, end } => materialize(context, views, start, end).await,
        Command::List => {
            let listed: JsonValue = context.client()?.get("features").await?;
            context.output.answer(&listed, || render_views(&listed));
            Ok(())
        }
    }
}

async fn training_set(context: &Context, flags: TrainingSetFlags) -> Result<()> {
    let client = context.client()?;
    let features = match &flags.model {
        Some(model) => features_of(&client.get("project").await?, model)?,
        None => flags.features,
    };
    let labels =
        fs::read(&flags.labels).with_context(|| format!("cannot read the labels {}", flags.labels.display()))?;
    let request = client
        .request(Method::POST, "features/historical")
        .query(&[("features", features.join(",")), ("event_timestamp", flags.event_timestamp)])
        .header("content-type", "application/vnd.apache.parquet")
        .body(labels);
    let response = client.send(request).await?;
    let rows = response
        .headers()
        .get("x-crosstie-rows")
        .and_then(|rows| rows.to_str().ok())
        .and_then(|rows| rows.parse::<u64>().ok());
    let joined = response.bytes().await.context("the answer broke off")?;
    write_whole(&flags.out, &joined)?;
    let answer = json!({ "out": flags.out, "rows": rows, "features": features });
    context.output.answer(&answer, || {
        format!("wrote {} rows with {} features to {}", rows.unwrap_or_default(), features.len(), flags.out.display())
    });
    Ok(())
}

/// The features that the project in force declares for `model`.
fn features_of(project: &JsonValue, model: &ModelName) -> Result<Vec<String>> {
    let models = project.pointer("/content/models").and_then(JsonValue::as_object);
    let declared = models.into_iter().flat_map(|models| models.values()).find(|file| file["model"] == model.as_str());
    let Some(declared) = declared else {
        bail!(
            "the project on the server declares no model `{model}`: add models/{model}.yaml and run `crosstie apply`"
        );
    };
    let features = declared["features"].as_array().into_iter().flatten();
    Ok(features.filter_map(|feature| feature.as_str().map(str::to_owned)).collect())
}

async fn materialize(
    context: &Context,
    views: Vec<String>,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
) -> Result<()> {
    let mut body = json!({});
    if !views.is_empty() {
        body["views"] = views.into();
    }
    if let Some(start) = start {
        body["start"] = start.to_string().into();
    }
    if let Some(end) = end {
        body["end"] = end.to_string().into();
    }
    let report: JsonValue = context.client()?.post("features/materialize", &body).await?;
    context.output.answer(&report, || {
        let views = report["views"].as_array().into_iter().flatten();
        let text = |json: &JsonValue| json.as_str().map_or_else(|| json.to_string(), str::to_owned);
        table(
            ["VIEW", "ROWS", "AS KNOWN AT"],
            views.map(|view| [text(&view["view"]), text(&view["rows"]), text(&view["watermark"])]),
        )
    });
    Ok(())
}

fn render_views(listed: &JsonValue) -> String {
    let text = |json: &JsonValue| json.as_str().unwrap_or("–").to_owned();
    let views = listed["views"].as_array().into_iter().flatten();
    table(
        ["VIEW", "DIGEST", "MATERIALIZED AS KNOWN AT"],
        views.map(|view| [text(&view["name"]), text(&view["digest"]), text(&view["watermark"])]),
    )
}
