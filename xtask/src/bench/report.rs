//! What was measured, beside what is aimed for: as lines while it runs, then as Markdown and JSON.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use crate::output;

/// One number of each server, and how they compare.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Comparison {
    pub(super) measure: String,
    pub(super) unit: &'static str,
    /// Whether more is better.
    pub(super) more: bool,
    pub(super) crosstie: f64,
    pub(super) mlflow: Option<f64>,
    /// MLflow with clients that acknowledge at once.
    pub(super) mlflow_unstalled: Option<f64>,
    pub(super) fasttrackml: Option<f64>,
    pub(super) aims: Vec<Aim>,
}

/// What a number must reach.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) enum Aim {
    /// So many times as good as MLflow.
    TimesMlflow(f64),
    /// So many times as good as FastTrackML.
    TimesFastTrackMl(f64),
    /// At most this.
    AtMost(f64),
}

impl Comparison {
    /// How many times better than `other` we are.
    fn times(&self, other: Option<f64>) -> Option<f64> {
        let other = other?;
        let (ours, theirs) = if self.more { (self.crosstie, other) } else { (other, self.crosstie) };
        (theirs > 0.0).then_some(ours / theirs)
    }

    /// Whether an aim is met; `None` without the server that it compares with.
    fn meets(&self, aim: Aim) -> Option<bool> {
        match aim {
            Aim::TimesMlflow(times) => self.times(self.mlflow).map(|reached| reached >= times),
            Aim::TimesFastTrackMl(times) => self.times(self.fasttrackml).map(|reached| reached >= times),
            Aim::AtMost(most) => Some(self.crosstie <= most),
        }
    }

    fn verdict(&self) -> String {
        let verdicts = self.aims.iter().map(|aim| {
            let text = match aim {
                Aim::TimesMlflow(times) => format!("≥ {times} × MLflow"),
                Aim::TimesFastTrackMl(times) => format!("≥ {times} × FastTrackML"),
                Aim::AtMost(most) => format!("≤ {most} {}", self.unit),
            };
            match self.meets(*aim) {
                Some(true) => format!("{text}: met"),
                Some(false) => format!("{text}: **not met**"),
                None => format!("{text}: not measured"),
            }
        });
        verdicts.collect::<Vec<_>>().join("; ")
    }

    fn cells(&self) -> Vec<String> {
        let times = |other| self.times(other).map_or_else(String::new, |times| format!("{} ×", number(times)));
        let value = |value: Option<f64>| value.map_or_else(String::new, number);
        vec![
            format!("{} ({})", self.measure, self.unit),
            number(self.crosstie),
            value(self.mlflow),
            value(self.mlflow_unstalled),
            value(self.fasttrackml),
            times(self.mlflow),
            times(self.mlflow_unstalled),
            times(self.fasttrackml),
            self.verdict(),
        ]
    }
}

/// Any other table.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Table {
    pub(super) title: String,
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(title: &str, columns: &[&str]) -> Self {
        Self { title: title.to_owned(), columns: columns.iter().map(|&it| it.to_owned()).collect(), rows: Vec::new() }
    }
}

/// All of it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    /// Facts about machine, versions and method.
    pub(super) notes: Vec<String>,
    pub(super) comparisons: Vec<Comparison>,
    pub(super) tables: Vec<Table>,
}

impl Report {
    /// Notes a fact and shows it.
    pub(super) fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        output::line(format!("   {text}"));
        self.notes.push(text);
    }

    /// Adds a comparison and shows it.
    pub(super) fn compare(&mut self, comparison: Comparison) {
        output::line(format!("   {}", comparison.cells().join(" | ")));
        self.comparisons.push(comparison);
    }

    /// Writes `registry.md` and `registry.json`, and shows the former.
    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let markdown = self.markdown();
        output::line(&markdown);
        for (name, text) in [("registry.md", markdown), ("registry.json", serde_json::to_string_pretty(self)?)] {
            let path = folder.join(name);
            std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
            output::line(format!("   written: {}", path.display()));
        }
        Ok(())
    }

    fn markdown(&self) -> String {
        let mut text = "# The registry, measured\n\n".to_owned();
        for note in &self.notes {
            writeln!(text, "- {note}").ok();
        }
        let columns = [
            "measure",
            "crosstie",
            "mlflow",
            "mlflow, no stall",
            "fasttrackml",
            "× mlflow",
            "× no stall",
            "× fasttrackml",
            "aim",
        ];
        let rows: Vec<_> = self.comparisons.iter().map(Comparison::cells).collect();
        text.push_str(&table("Comparison", &columns.map(str::to_owned), &rows));
        for Table { title, columns, rows } in &self.tables {
            text.push_str(&table(title, columns, rows));
        }
        text
    }
}

fn table(title: &str, columns: &[String], rows: &[Vec<String>]) -> String {
    let mut text = format!("\n## {title}\n\n| {} |\n|{}\n", columns.join(" | "), "---|".repeat(columns.len()));
    for row in rows {
        writeln!(text, "| {} |", row.join(" | ")).ok();
    }
    text
}

/// Three digits that count, thousands apart.
pub(super) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let decimals = if value.abs() >= 100.0 {
        0
    } else if value.abs() >= 10.0 {
        1
    } else {
        2
    };
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), ""), |(whole, rest)| (whole, rest));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) && digit.is_ascii_digit() && grouped != "-" {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if rest.is_empty() { grouped } else { format!("{grouped}.{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(more: bool, crosstie: f64, mlflow: f64, aims: Vec<Aim>) -> Comparison {
        let measure = "calls".to_owned();
        let (mlflow, mlflow_unstalled, fasttrackml) = (Some(mlflow), None, None);
        Comparison { measure, unit: "ms", more, crosstie, mlflow, mlflow_unstalled, fasttrackml, aims }
    }

    #[test]
    fn better_is_more_of_some_things_and_less_of_others() {
        assert_eq!(comparison(true, 40.0, 2.0, vec![]).times(Some(2.0)), Some(20.0));
        assert_eq!(comparison(false, 2.0, 40.0, vec![]).times(Some(40.0)), Some(20.0));
    }

    #[test]
    fn an_aim_is_met_or_not_or_was_not_measured() {
        let aims = vec![Aim::TimesMlflow(20.0), Aim::TimesFastTrackMl(2.0), Aim::AtMost(1.0)];
        let verdict = comparison(false, 2.0, 40.0, aims).verdict();
        assert_eq!(verdict, "≥ 20 × MLflow: met; ≥ 2 × FastTrackML: not measured; ≤ 1 ms: **not met**");
    }

    #[test]
    fn numbers_are_read_at_a_glance() {
        let read: Vec<_> = [1_234_567.8, 123.4, 12.34, 0.456, f64::NAN].into_iter().map(number).collect();
        assert_eq!(read, ["1,234,568", "123", "12.3", "0.46", "–"]);
    }
}
