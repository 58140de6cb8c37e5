//! `crosstie explain PREDICTION_ID`: why a served prediction is what it is.

use anyhow::Result;
use serde_json::Value as JsonValue;
use types::PredictionId;

use super::{Context, output::table};

pub(super) async fn run(context: &Context, prediction: PredictionId) -> Result<()> {
    let explained: JsonValue = context.client()?.get(&format!("predictions/{prediction}/explain")).await?;
    context.output.answer(&explained, || render(&explained));
    Ok(())
}

fn plain(json: &JsonValue) -> String {
    match json {
        JsonValue::Null => "–".to_owned(),
        JsonValue::String(text) => text.clone(),
        JsonValue::Bool(_) | JsonValue::Number(_) | JsonValue::Array(_) | JsonValue::Object(_) => json.to_string(),
    }
}

fn render(explained: &JsonValue) -> String {
    let at = |pointer: &str| plain(explained.pointer(pointer).unwrap_or(&JsonValue::Null));
    let mut text = format!("prediction {} of {} at {}\n", at("/prediction"), at("/version"), at("/at"));
    let pairs = |list: &JsonValue| -> String {
        let items = list.as_object().into_iter().flatten();
        items.map(|(name, value)| format!("{name}={}", plain(value))).collect::<Vec<_>>().join(" ")
    };
    text += &format!("  entities  {}\n", pairs(&explained["entities"]));
    text += &format!("  outputs   {}\n", pairs(&explained["outputs"]));
    text += &format!("  outcomes  {}\n", explained["outcomes"].as_array().map_or(0, Vec::len));
    text += &format!("  run       {}  commit {}\n", at("/lineage/run/id"), at("/lineage/git/commit"));
    text += &format!("  release   {}  approved by {}\n\n", at("/release/id"), at("/release/approved_by"));
    let rows = explained["features"].as_array().into_iter().flatten();
    text + &table(
        ["FEATURE", "SERVED", "AGE", "ORIGIN", "OFFLINE", "SAME"],
        rows.map(|row| {
            [&row["name"], &row["value"], &row["age"], &row["origin"], &row["offline"]["value"], &row["same"]]
                .map(plain)
        }),
    )
}
