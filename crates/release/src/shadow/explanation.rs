//! A summary in words.

use super::{
    Summary,
    features::{FeatureSummary, ValueCount, share},
};

/// Less association than this is not worth a sentence.
const NOTABLE: f64 = 0.1;
/// Scores that are less than this much further apart than elsewhere are not worth a number.
const FURTHER: f64 = 1.1;
/// Features that are named.
const MOST_FEATURES: usize = 5;
/// Pairs of values that are named with a feature.
const MOST_PAIRS: usize = 3;

pub(super) fn of(summary: &Summary) -> Vec<String> {
    let mut lines = vec![whole(summary)];
    if summary.errors > 0 {
        let said = summary.messages.first().map_or(String::new(), |message| format!(", such as: {message}"));
        lines.push(format!("the shadow failed to answer {}{said}", counted(summary.errors, "request")));
    }
    if let (Some(primary), Some(shadow)) =
        (summary.primary_latency.quantile(0.95), summary.shadow_latency.quantile(0.95))
    {
        lines.push(format!("p95 of the primary {}, of the shadow {}", primary.approximate(), shadow.approximate()));
    }
    if summary.differing > 0 {
        let features = summary.features();
        let named: Vec<_> = features.iter().filter_map(sentence).take(MOST_FEATURES).collect();
        if named.is_empty() {
            lines.push("no single feature goes along with the differences".to_owned());
        }
        lines.extend(named);
    }
    lines
}

fn whole(summary: &Summary) -> String {
    if summary.rows == 0 {
        return "nothing was compared yet".to_owned();
    }
    let rows = counted(summary.rows, "row");
    if summary.incomparable == summary.rows {
        return format!("{rows} compared, and the two have no output in common");
    }
    if summary.differing == 0 {
        return format!("{rows} compared, none differs");
    }
    format!(
        "{rows} compared, {} ({}), by {:.4} at most and {:.4} on average",
        if summary.differing == 1 { "1 differs".to_owned() } else { format!("{} differ", summary.differing) },
        percent(share(summary.differing, summary.rows)),
        summary.max_difference,
        summary.mean_difference(),
    )
}

fn sentence(feature: &FeatureSummary) -> Option<String> {
    if let Some(mismatches) = feature.mismatches.filter(|mismatches| *mismatches > 0) {
        let pairs: Vec<_> = feature
            .pairs
            .iter()
            .take(MOST_PAIRS)
            .map(|pair| format!("{} there is {} here ({})", pair.primary, pair.shadow, counted(pair.rows, "row")))
            .collect();
        let goes_along = match feature.apart {
            _ if feature.explains >= NOTABLE => String::new(),
            Some((there, elsewhere)) if there > FURTHER * elsewhere => {
                format!(", where scores are {there:.4} apart and elsewhere {elsewhere:.4}")
            }
            Some(_) | None => ", which the answers hardly follow".to_owned(),
        };
        let differs = counted(mismatches, "row");
        return Some(format!("`{}` differs in {differs}{goes_along}: {}", feature.feature, pairs.join(", ")));
    }
    if feature.mismatches.is_some() || feature.explains < NOTABLE {
        return None;
    }
    let (first, others) = feature.values.split_first()?;
    let sum = |part: fn(&ValueCount) -> u64| others.iter().map(part).sum();
    let elsewhere = share(sum(|value| value.differing), sum(|value| value.rows));
    Some(format!(
        "where `{}` is {}, {} of the rows differ; elsewhere {}",
        feature.feature,
        first.value,
        percent(share(first.differing, first.rows)),
        percent(elsewhere),
    ))
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
