//! What a model file must say beyond its types.

use std::collections::BTreeSet;

use serde::Serialize;
use types::Percent;

use super::{MetricBound, ModelFile, QualityMetric, Step};

/// The most approvals that a file may ask for: more is a typing error, and no release would ever pass.
const MOST_APPROVALS: u32 = 10;

/// One thing that is wrong in a model file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where, as keys and indices from the top: `["rollout", "steps", "2", "set_weight"]`.
    pub path: Vec<String>,
    /// What is wrong.
    pub message: String,
    /// What to write instead, if that is clear.
    pub suggestion: Option<String>,
}

pub(super) fn validate(file: &ModelFile) -> Vec<Problem> {
    let mut problems = Problems::default();
    names(file, &mut problems);
    features(file, &mut problems);
    gates(file, &mut problems);
    if file.approvals.required > MOST_APPROVALS {
        problems.add(
            &["approvals", "required"],
            format!("{} approvals are more than the {MOST_APPROVALS} that can be asked for", file.approvals.required),
            None,
        );
    }
    steps(file, &mut problems);
    limits(file, &mut problems);
    problems.0
}

#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, path: &[&str], message: impl Into<String>, suggestion: Option<&str>) {
        self.0.push(Problem {
            path: path.iter().map(|key| (*key).to_owned()).collect(),
            message: message.into(),
            suggestion: suggestion.map(str::to_owned),
        });
    }
}

fn names(file: &ModelFile, problems: &mut Problems) {
    for (key, text) in [("owner", &file.owner), ("route_by", &file.route_by)] {
        if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
            problems.add(&[key], format!("`{key}` is empty"), Some("leave it out, or name it"));
        }
    }
    let mut seen = BTreeSet::new();
    for (index, segment) in file.segments.iter().enumerate() {
        let index = index.to_string();
        if segment.trim().is_empty() {
            problems.add(&["segments", &index], "a segment is empty", None);
        } else if !seen.insert(segment) {
            problems.add(&["segments", &index], format!("segment `{segment}` is listed twice"), None);
        }
    }
}

fn features(file: &ModelFile, problems: &mut Problems) {
    let Some(features) = &file.features else { return };
    if features.is_empty() {
        problems.add(
            &["features"],
            "`features` is empty",
            Some("list the model's inputs, or leave `features` out if callers send every input"),
        );
    }
    let mut inputs = BTreeSet::new();
    for (index, feature) in features.iter().enumerate() {
        let index = index.to_string();
        match feature.split_once(':') {
            Some((view, name)) if !view.trim().is_empty() && !name.trim().is_empty() && !name.contains(':') => {
                if !inputs.insert(name) {
                    problems.add(
                        &["features", &index],
                        format!("input `{name}` is given twice: a model input is named by the part after the colon"),
                        None,
                    );
                }
            }
            _ => problems.add(
                &["features", &index],
                format!("`{feature}` is not a feature"),
                Some("write VIEW:FEATURE, request:VALUE or on_demand:FEATURE"),
            ),
        }
    }
}

fn gates(file: &ModelFile, problems: &mut Problems) {
    for (metric, bound) in &file.gates.quality {
        quality(*metric, bound, problems);
    }
    if file.gates.parity.is_some_and(|parity| parity.sample == 0) {
        problems.add(&["gates", "parity", "sample"], "a sample of 0 rows shows nothing", Some("1000"));
    }
    if let Some(latency) = file.gates.latency {
        if latency.p95.as_micros() == 0 {
            problems.add(&["gates", "latency", "p95"], "no answer takes no time", None);
        }
        if latency.max_ratio.is_some_and(|ratio| !ratio.is_finite() || ratio < 1.0) {
            problems.add(
                &["gates", "latency", "max_ratio"],
                "`max_ratio` is how many times stable's latency passes, so at least 1",
                Some("1.05"),
            );
        }
    }
}

fn quality(metric: QualityMetric, bound: &MetricBound, problems: &mut Problems) {
    let name = metric.as_str();
    let bounds = [
        ("min", bound.min, true),
        ("min_delta", bound.min_delta, true),
        ("max", bound.max, false),
        ("max_delta", bound.max_delta, false),
    ];
    if bounds.iter().all(|(_, value, _)| value.is_none()) {
        let wanted = if metric.higher_is_better() { "`min` or `min_delta`" } else { "`max` or `max_delta`" };
        problems.add(&["gates", "quality", name], format!("`{name}` has no bound: give {wanted}"), None);
    }
    for (key, value, is_floor) in bounds {
        let Some(value) = value else { continue };
        let path = ["gates", "quality", name, key];
        if !value.is_finite() {
            problems.add(&path, format!("`{key}` is not a finite number"), None);
        }
        if is_floor != metric.higher_is_better() {
            let (less_or_more, instead) =
                if is_floor { ("less", key.replace("min", "max")) } else { ("more", key.replace("max", "min")) };
            problems.add(
                &path,
                format!("{less_or_more} `{name}` is better, so `{key}` would pass every bad model"),
                Some(&instead),
            );
        }
    }
    let shares = matches!(metric, QualityMetric::Auc | QualityMetric::Accuracy);
    if shares && bound.min.is_some_and(|min| !(0.0..=1.0).contains(&min)) {
        problems.add(&["gates", "quality", name, "min"], format!("`{name}` lies between 0 and 1"), None);
    }
}

fn steps(file: &ModelFile, problems: &mut Problems) {
    let steps = &file.rollout.steps;
    if steps.is_empty() {
        problems.add(&["rollout", "steps"], "`steps` is empty", Some("- set_weight: 100"));
        return;
    }
    let mut weight = Percent::NONE;
    for (index, step) in steps.iter().enumerate() {
        let index = index.to_string();
        match step {
            Step::SetWeight(next) if *next <= weight => problems.add(
                &["rollout", "steps", &index, "set_weight"],
                format!("weights must ascend, and {next} comes after {weight}"),
                None,
            ),
            Step::SetWeight(next) => weight = *next,
            Step::Shadow(_) if weight != Percent::NONE => problems.add(
                &["rollout", "steps", &index, "shadow"],
                "`shadow` comes before the first `set_weight`: afterwards the candidate answers for itself",
                None,
            ),
            Step::Shadow(_) => {}
            Step::Pause(pause) => {
                if weight == Percent::NONE {
                    problems.add(
                        &["rollout", "steps", &index, "pause"],
                        "a `pause` before the first `set_weight` has nothing to look at",
                        Some("shadow: { duration: … }"),
                    );
                }
                if pause.max.is_some_and(|max| max < pause.duration) {
                    problems.add(
                        &["rollout", "steps", &index, "pause", "max"],
                        format!("`max` is shorter than `duration`, {}", pause.duration),
                        None,
                    );
                }
            }
        }
    }
    if steps.last() != Some(&Step::SetWeight(Percent::ALL)) {
        let last = (steps.len() - 1).to_string();
        problems.add(&["rollout", "steps", &last], "the last step must be `set_weight: 100`", Some("set_weight: 100"));
    }
}

fn limits(file: &ModelFile, problems: &mut Problems) {
    if let Some(rollback) = &file.rollout.rollback_on {
        if rollback.errors.is_none() && rollback.latency.is_none() {
            problems.add(&["rollout", "rollback_on"], "`rollback_on` names neither `errors` nor `latency`", None);
        }
        if rollback.false_rollback == Percent::NONE || rollback.false_rollback == Percent::ALL {
            problems.add(
                &["rollout", "rollback_on", "false_rollback"],
                "`false_rollback` must lie between 0 and 100: at 0 nothing is ever rolled back, at 100 everything",
                Some("1%"),
            );
        }
        if rollback.errors.as_ref().is_some_and(|errors| errors.max_excess == Percent::NONE) {
            problems.add(
                &["rollout", "rollback_on", "errors", "max_excess"],
                "an excess below 0 can never be shown, so nothing would be promoted",
                Some("1%"),
            );
        }
    }
    if file.slo.as_ref().is_some_and(|slo| slo.availability == Percent::ALL) {
        problems.add(
            &["slo", "availability"],
            "100% leaves no budget: the first failure breaks it for ever",
            Some("99.9%"),
        );
    }
    drift(file, problems);
}

fn drift(file: &ModelFile, problems: &mut Problems) {
    let Some(drift) = &file.drift else { return };
    if drift.window.as_micros() == 0 {
        problems.add(&["drift", "window"], "a window of no length holds nothing", Some("1h"));
    }
    if drift.min_rows == 0 {
        problems.add(&["drift", "min_rows"], "a window of 0 rows shows nothing", Some("200"));
    }
    // Where callers send every input, only the model itself knows their names.
    let Some(features) = &file.features else { return };
    let input = |feature: &str| feature.rsplit_once(':').map_or(feature, |(_, input)| input).to_owned();
    let inputs: BTreeSet<_> = features.iter().map(|feature| input(feature)).collect();
    for (index, excluded) in drift.exclude.iter().enumerate() {
        if !inputs.contains(&input(excluded)) {
            let message = format!("`{excluded}` is no input of this model, so there is nothing to exclude");
            problems.add(&["drift", "exclude", &index.to_string()], message, None);
        }
    }
}
