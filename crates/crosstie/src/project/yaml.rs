//! YAML with places: parses a file into a part's type and turns a failure into a problem with line, column and advice.

use api::system::ProjectProblem;
use serde::de::DeserializeOwned;
use serde_saphyr::Error;

/// How alike (Jaro–Winkler, 0 to 1) a known word must be to be suggested; below this, suggestions confuse.
const ALIKE: f64 = 0.75;

/// Parses `text`, the content of `file`.
///
/// # Errors
/// One problem: parsing stops at the first.
pub(crate) fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, ProjectProblem> {
    serde_saphyr::from_str(text).map_err(|error| problem(file, &error))
}

fn problem(file: &str, error: &Error) -> ProjectProblem {
    let error = error.without_snippet();
    let (line, column) = error
        .location()
        .map_or((0, 0), |at| (usize::try_from(at.line()).unwrap_or(0), usize::try_from(at.column()).unwrap_or(0)));
    let (message, help) = describe(error);
    ProjectProblem { file: file.to_owned(), line, column, message, help }
}

fn describe(error: &Error) -> (String, Option<String>) {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign enum of fifty kinds, of which three gain from advice"
    )]
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            let help = did_you_mean(field, expected.iter().copied())
                .unwrap_or_else(|| format!("known keys here: {}", expected.join(", ")));
            (format!("unknown key `{field}`"), Some(help))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            let help = did_you_mean(variant, expected.iter().copied())
                .unwrap_or_else(|| format!("known values here: {}", expected.join(", ")));
            (format!("unknown value `{variant}`"), Some(help))
        }
        Error::SerdeMissingField { field, .. } => (format!("the key `{field}` is missing here"), None),
        other => (without_place(&other.to_string()), None),
    }
}

/// The library's text without the place that it repeats at its start or end.
fn without_place(text: &str) -> String {
    let first = text.lines().next().unwrap_or(text);
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let first = match first.strip_prefix("line ").and_then(|rest| rest.split_once(": ")) {
        Some((_, message)) => message,
        None => first,
    };
    first.split(" at line ").next().unwrap_or(first).trim().to_owned()
}

/// The known word most like `word`, as advice.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| format!("did you mean `{candidate}`?"))
}
