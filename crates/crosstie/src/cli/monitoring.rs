//! `crosstie alerts`, `crosstie drift MODEL`, `crosstie kpis MODEL`: what is watched, and what was found.

use anyhow::Result;
use drift::{Comparison, DriftReport, KpiRow, State};
use serde::Deserialize;
use serde_json::Value as JsonValue;
use types::ModelName;

use super::{Context, output::table, path_of};

/// How many comparisons of a window are shown: the largest.
const SHOWN: usize = 20;

#[derive(Debug, clap::Args)]
pub(super) struct AlertFlags {
    /// Those that have ended, too.
    #[arg(long)]
    all: bool,
}

pub(super) async fn alerts(context: &Context, flags: &AlertFlags) -> Result<()> {
    let answer: JsonValue = context.client()?.get(&format!("alerts?all={}", flags.all)).await?;
    context.output.answer(&answer, || render_alerts(&answer));
    Ok(())
}

fn render_alerts(answer: &JsonValue) -> String {
    let alerts = answer["alerts"].as_array().map_or(&[][..], Vec::as_slice);
    if alerts.is_empty() {
        return "nothing to act on".to_owned();
    }
    let text = |alert: &JsonValue, key: &str| alert[key].as_str().unwrap_or("–").to_owned();
    let rows = alerts.iter().map(|alert| {
        let status = text(alert, "status");
        [text(alert, "severity"), status, text(alert, "since"), text(alert, "summary")]
    });
    table(["SEVERITY", "STATUS", "SINCE", "WHAT"], rows)
}

pub(super) async fn drift(context: &Context, model: &ModelName) -> Result<()> {
    let report: DriftReport = context.client()?.get(&format!("models/{}/drift", path_of(model))).await?;
    context.output.answer(&report, || render_drift(&report));
    Ok(())
}

fn render_drift(report: &DriftReport) -> String {
    let Some(version) = &report.version else { return format!("{}: nothing was looked at yet", report.model) };
    let Some(frozen) = report.reference_frozen_at else {
        return format!("{version} has no reference data: its training run left no evaluation/evaluation.parquet");
    };
    let mut text = format!("{version} against {} reference rows, frozen {frozen}\n", report.reference_rows);
    for finding in &report.findings {
        text += &format!("{} since {}: {}\n", finding.severity, finding.since, finding.summary);
    }
    if let Some(window) = report.windows.first() {
        let open = if window.is_open { ", still open" } else { "" };
        text += &format!("window of {} rows, {} to {}{open}\n", window.rows, window.since, window.until);
        if window.comparisons.is_empty() {
            return text
                + "distributions are compared when it closes; values that training never had are looked for all the time\n";
        }
        let mut largest: Vec<&Comparison> =
            window.comparisons.iter().filter(|one| !matches!(one.state, State::TooFew | State::NotCompared)).collect();
        largest.sort_by(|a, b| (b.psi / b.psi_threshold).total_cmp(&(a.psi / a.psi_threshold)));
        let rows = largest.into_iter().take(SHOWN).map(|one| {
            let place = one.segment.as_ref().map_or_else(|| "all".to_owned(), ToString::to_string);
            let numbers = [one.psi, one.psi_threshold, one.new_share * 100.0];
            let [psi, threshold, new] = numbers.map(|number| format!("{number:.3}"));
            [one.feature.clone(), place, one.rows.to_string(), psi, threshold, new, one.state.as_str().to_owned()]
        });
        text += &table(["FEATURE", "SEGMENT", "ROWS", "PSI", "LIMIT", "NEW %", "STATE"], rows);
    }
    text
}

#[derive(Deserialize, serde::Serialize)]
struct Kpis {
    kpis: Vec<KpiRow>,
}

pub(super) async fn kpis(context: &Context, model: &ModelName) -> Result<()> {
    let answer: Kpis = context.client()?.get(&format!("models/{}/kpis", path_of(model))).await?;
    context.output.answer(&answer, || render_kpis(&answer.kpis));
    Ok(())
}

fn render_kpis(rows: &[KpiRow]) -> String {
    if rows.is_empty() {
        return "no KPI yet: outcomes are still awaited, or the model declares none".to_owned();
    }
    let share = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{:.3} %", value * 100.0));
    let rows = rows.iter().map(|row| {
        let place = row.segment.as_ref().map_or_else(|| "all".to_owned(), ToString::to_string);
        let interval = format!("{} to {}", share(row.low), share(row.high));
        [row.kpi.clone(), row.version.to_string(), place, row.predictions.to_string(), share(row.value), interval]
    });
    table(["KPI", "VERSION", "SEGMENT", "PREDICTIONS", "VALUE", "95 % INTERVAL"], rows)
}
