//! MLflow's rules for names, keys and lengths, with its texts, which clients match.

use serde_json::Value as Json;

use crate::{
    Metric,
    error::{Error, Result},
};

/// Characters of a metric, param or tag key.
const KEY: usize = 250;
/// Characters of a param's value; longer ones are cut.
const PARAM_VALUE: usize = 6_000;
/// Characters of a run tag's value; longer ones are cut.
const TAG_VALUE: usize = 8_000;
/// Characters of an experiment's name.
const EXPERIMENT_NAME: usize = 500;
/// Characters of an experiment tag's value.
const EXPERIMENT_TAG_VALUE: usize = 20_000;
/// Characters of a model's or version's tag value.
const REGISTRY_TAG_VALUE: usize = 100_000;
/// Characters of an alias.
const ALIAS: usize = 255;

/// `Invalid value "x" for parameter 'p' supplied: why`
pub(crate) fn invalid_value(path: &str, value: &Json, why: &str) -> Error {
    Error::invalid(format!("Invalid value {value} for parameter '{path}' supplied: {why}"))
}

/// `Missing value for required parameter 'p'.`
pub(crate) fn missing(path: &str) -> Error {
    Error::invalid(format!("Missing value for required parameter '{path}'."))
}

fn too_long(what: &str, limit: usize) -> Error {
    Error::invalid(format!("'{what}' exceeds the maximum length of {limit} characters"))
}

fn check_length(what: &str, limit: usize, value: &str) -> Result<()> {
    if value.chars().count() > limit { Err(too_long(what, limit)) } else { Ok(()) }
}

/// The first `limit` characters, as MLflow's default cuts long params and tags.
fn cut(value: &str, limit: usize) -> &str {
    value.char_indices().nth(limit).map_or(value, |(end, _)| &value[..end])
}

/// Whether a key consists of word characters, `/`, `.`, `-`, space and `:` only.
fn has_key_characters(name: &str) -> bool {
    name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '/' | '.' | '-' | ' ' | ':'))
}

/// What `name` is as a POSIX path without `.`, `..` and doubled slashes.
fn normalized(name: &str) -> String {
    let absolute = name.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    if absolute {
        // POSIX keeps exactly two leading slashes.
        let root = if name.starts_with("//") && !name.starts_with("///") { "//" } else { "/" };
        format!("{root}{joined}")
    } else if joined.is_empty() {
        ".".to_owned()
    } else {
        joined
    }
}

/// Refuses names that would be another name as a file's.
fn check_path_unique(name: &str, path: &str) -> Result<()> {
    let norm = normalized(name);
    if norm == name && norm != "." && !norm.starts_with("..") && !norm.starts_with('/') {
        return Ok(());
    }
    let why = format!(
        "Names may be treated as files in certain cases, and must not resolve to other names when treated as such. \
         This name would resolve to {}",
        python_repr(&norm)
    );
    Err(invalid_value(path, &Json::from(name), &why))
}

/// A string as Python's `repr` writes it, for the texts that contain one.
pub(crate) fn python_repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut repr = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => repr.push_str("\\\\"),
            '\n' => repr.push_str("\\n"),
            '\r' => repr.push_str("\\r"),
            '\t' => repr.push_str("\\t"),
            c if c == quote => {
                repr.push('\\');
                repr.push(c);
            }
            c => repr.push(c),
        }
    }
    repr.push(quote);
    repr
}

/// Strings as Python writes a list of them.
pub(crate) fn python_list<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    format!("[{}]", items.into_iter().map(python_repr).collect::<Vec<_>>().join(", "))
}

/// Checks the key of a metric, param or tag; `path` names it in the error.
pub(crate) fn check_key(name: &str, path: &str) -> Result<()> {
    if !has_key_characters(name) {
        let why = "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), \
                   colon(:) and slashes (/).";
        return Err(invalid_value(path, &Json::from(name), why));
    }
    check_path_unique(name, path)
}

/// `path` and `field`, as MLflow joins them.
fn at(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

/// Refuses a metric that names half of a dataset.
pub(crate) fn check_metric_dataset(metric: &Metric) -> Result<()> {
    if metric.dataset_name.is_some() == metric.dataset_digest.is_some() {
        return Ok(());
    }
    Err(Error::invalid("Both dataset_name and dataset_digest must be provided if one is provided"))
}

/// Checks a metric; `path` is `metrics[3]` in a batch, else empty.
pub(crate) fn check_metric(key: &str, timestamp: i64, value: f64, path: &str) -> Result<()> {
    check_key(key, &at(path, "name"))?;
    if timestamp < 0 {
        let why = format!("metric '{key}' (value={value:?}). Timestamp must be a nonnegative long (64-bit integer) ");
        return Err(invalid_value(&at(path, "timestamp"), &Json::from(timestamp), &why));
    }
    check_length("Metric name", KEY, key)
}

/// Checks a param and cuts its value to what fits.
pub(crate) fn checked_param<'a>(key: &str, value: &'a str, path: &str) -> Result<&'a str> {
    check_key(key, &at(path, "key"))?;
    check_length("Param key", KEY, key)?;
    Ok(cut(value, PARAM_VALUE))
}

/// Checks a run's tag and cuts its value to what fits.
pub(crate) fn checked_tag<'a>(key: &str, value: &'a str, path: &str) -> Result<&'a str> {
    let at_key = at(path, "key");
    check_key(key, &at_key)?;
    check_length(&at_key, KEY, key)?;
    Ok(cut(value, TAG_VALUE))
}

/// Checks an experiment's tag.
pub(crate) fn check_experiment_tag(key: &str, value: &str) -> Result<()> {
    check_key(key, "key")?;
    check_length("key", KEY, key)?;
    check_length("value", EXPERIMENT_TAG_VALUE, value)
}

/// Checks the tag of a registered model.
pub(crate) fn check_registry_tag(key: &str, value: &str) -> Result<()> {
    check_key(key, "key")?;
    check_length("key", KEY, key)?;
    check_length("value", REGISTRY_TAG_VALUE, value)
}

/// Checks the tag of a version, which for a prompt's version may be its text.
pub(crate) fn check_version_tag(key: &str, value: &str) -> Result<()> {
    /// The tag that is a prompt's text.
    const PROMPT_TEXT: &str = "mlflow.prompt.text";
    if key == PROMPT_TEXT && value.chars().count() > REGISTRY_TAG_VALUE {
        return Err(Error::invalid(format!("Prompt text exceeds max length of {REGISTRY_TAG_VALUE} characters.")));
    }
    check_registry_tag(key, value)
}

/// Checks an experiment's name.
pub(crate) fn check_experiment_name(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::invalid(format!("Invalid experiment name: '{name}'")));
    }
    check_length("name", EXPERIMENT_NAME, name)
}

/// Parses an experiment id, which MLflow's clients send as text.
pub(crate) fn experiment_id(text: &str) -> Result<i64> {
    text.trim()
        .parse()
        .map_err(|_| Error::invalid(format!("Invalid experiment ID '{text}'. Experiment ID must be a valid integer.")))
}

/// Checks a run id's form, where MLflow does.
pub(crate) fn check_run_id(id: &str) -> Result<()> {
    let mut characters = id.chars();
    let first = characters.next().is_some_and(|c| c.is_ascii_alphanumeric());
    let rest = characters.all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    if first && rest && id.chars().count() <= 256 {
        return Ok(());
    }
    Err(Error::invalid(format!("Invalid value {} for parameter 'run_id' supplied.", Json::from(id))))
}

/// Checks the name of a registered model.
pub(crate) fn check_model_name(name: &str, path: &str) -> Result<()> {
    if name.trim().is_empty() {
        return Err(missing(path));
    }
    if name.contains(['/', ':']) {
        return Err(Error::invalid(format!("Invalid model name '{name}'. Names cannot contain '/' or ':'.")));
    }
    check_path_unique(name, "name")
}

/// Parses the number of a version of model `name`, which MLflow's clients send as text.
pub(crate) fn version_number(name: &str, text: &str) -> Result<u32> {
    let number: Option<i64> = text.trim().parse().ok();
    let number =
        number.ok_or_else(|| Error::invalid(format!("Parameter 'version' must be an integer, got '{text}'.")))?;
    // No version has a number outside this range.
    let missing = |_| Error::NotFound(format!("Model Version (name={name}, version={number}) not found"));
    u32::try_from(number).map_err(missing)
}

/// Checks an alias' form.
pub(crate) fn check_alias(alias: &str) -> Result<()> {
    if alias.is_empty() {
        return Err(Error::invalid("Registered model alias name cannot be empty."));
    }
    if !alias.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-')) {
        return Err(Error::invalid(format!(
            "Invalid alias name: '{alias}'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
        )));
    }
    check_length("Registered model alias name", ALIAS, alias)
}

/// Refuses the aliases that mean something else: `latest`, `v3`.
pub(crate) fn check_alias_free(alias: &str) -> Result<()> {
    if alias.eq_ignore_ascii_case("latest") {
        return Err(Error::invalid("'latest' alias name (case insensitive) is reserved."));
    }
    let number = alias.strip_prefix(['v', 'V']);
    if number.is_some_and(|digits| !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())) {
        return Err(Error::invalid(format!("Version alias name '{alias}' is reserved.")));
    }
    Ok(())
}

/// Checks the name of a logged model.
pub(crate) fn check_logged_model_name(name: &str) -> Result<()> {
    if name.is_empty() || name.contains(['/', ':', '.', '%', '"', '\'']) {
        return Err(Error::invalid(format!(
            "Invalid model name ({}) provided. Model name must be a non-empty string and cannot contain the following \
             characters: ('/', ':', '.', '%', '\"', \"'\")",
            python_repr(name)
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_other_names_as_files_are_refused() {
        for name in ["a/../b", "./a", "a//b", "/a", "..", ".", "a/", ""] {
            assert!(check_key(name, "key").is_err(), "{name}");
        }
        for name in ["a", "a/b", "a b:c-d.e_f", "émile", "a..b"] {
            check_key(name, "key").unwrap();
        }
    }

    #[test]
    fn texts_are_those_that_clients_match() {
        let text = |result: Result<()>| result.unwrap_err().to_string();
        assert_eq!(
            text(check_key("a/../b", "metrics[0].name")),
            "Invalid value \"a/../b\" for parameter 'metrics[0].name' supplied: Names may be treated as files in \
             certain cases, and must not resolve to other names when treated as such. This name would resolve to 'b'"
        );
        assert_eq!(text(check_model_name(" ", "name")), "Missing value for required parameter 'name'.");
        assert_eq!(text(check_alias_free("v12")), "Version alias name 'v12' is reserved.");
        check_alias_free("version1").unwrap();
    }

    #[test]
    fn long_values_are_cut_and_long_keys_refused() {
        assert_eq!(checked_param("k", &"ä".repeat(6_001), "").unwrap().chars().count(), 6_000);
        assert!(checked_param(&"k".repeat(251), "v", "").is_err());
        let long = "v".repeat(100_001);
        let said = |key: &str| check_version_tag(key, &long).unwrap_err().to_string();
        assert_eq!(said("k"), "'value' exceeds the maximum length of 100000 characters");
        assert_eq!(said("mlflow.prompt.text"), "Prompt text exceeds max length of 100000 characters.");
    }
}
