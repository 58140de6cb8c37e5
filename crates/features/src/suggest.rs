//! “Did you mean …?”: the known name nearest to the one that was written.

use datafusion_common::utils::datafusion_strsim::normalized_levenshtein;

/// Below this likeness a suggestion misleads more often than it helps; a typo in a name of five letters still passes.
const ALIKE: f64 = 0.6;

/// The candidate most like `name`, if any is alike enough.
pub(crate) fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (normalized_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.to_owned())
}

/// `; did you mean `x`?`, or nothing.
pub(crate) fn hint(suggestion: Option<&String>) -> String {
    suggestion.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        assert_eq!(closest("clicks_7", ["country", "clicks_7d"]), Some("clicks_7d".to_owned()));
        assert_eq!(closest("Country", ["country", "clicks_7d"]), Some("country".to_owned()));
        assert_eq!(closest("revenue", ["country", "clicks_7d"]), None);
    }
}
