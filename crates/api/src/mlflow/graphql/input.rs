//! Arguments: read by the tables' types, as JSON in MLflow's names.

use serde_json::{Map, Value as Json};

use super::{super::fields::snake_case, document::Value, types::ENUMS};

/// What an argument may be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Takes {
    /// A text.
    String,
    /// Texts; one alone is a list of it.
    Strings,
    /// A 32-bit integer.
    Int,
    /// A 64-bit integer; as text where it is a variable.
    LongString,
    /// A value of an enum.
    Enum(&'static str),
}

/// Types of arguments.
const INPUTS: &[(&str, &[(&str, Takes)])] = &[
    ("MlflowGetExperimentInput", &[("experimentId", Takes::String)]),
    ("MlflowGetRunInput", &[("runId", Takes::String), ("runUuid", Takes::String)]),
    (
        "MlflowSearchRunsInput",
        &[
            ("experimentIds", Takes::Strings),
            ("filter", Takes::String),
            ("runViewType", Takes::Enum("MlflowViewType")),
            ("maxResults", Takes::Int),
            ("orderBy", Takes::Strings),
            ("pageToken", Takes::String),
        ],
    ),
    (
        "MlflowListArtifactsInput",
        &[("runId", Takes::String), ("runUuid", Takes::String), ("path", Takes::String), ("pageToken", Takes::String)],
    ),
    (
        "MlflowGetMetricHistoryBulkIntervalInput",
        &[
            ("runIds", Takes::Strings),
            ("metricKey", Takes::String),
            ("startStep", Takes::Int),
            ("endStep", Takes::Int),
            ("maxResults", Takes::Int),
        ],
    ),
    ("MlflowSearchDatasetsInput", &[("experimentIds", Takes::Strings)]),
    (
        "MlflowSearchModelVersionsInput",
        &[
            ("filter", Takes::String),
            ("maxResults", Takes::LongString),
            ("orderBy", Takes::Strings),
            ("pageToken", Takes::String),
        ],
    ),
];

/// An object of the type `of`, with its fields in MLflow's names.
pub(super) fn object(of: &str, written: &Value) -> Result<Json, Vec<String>> {
    let fields = match written {
        Value::Object(fields) => fields,
        Value::Plain(Json::Null) => return Ok(Json::Null),
        other @ (Value::Variable(_) | Value::Enum(_) | Value::List(_) | Value::Plain(_)) => {
            return Err(vec![format!("Expected value of type '{of}', found {}.", other.shown())]);
        }
    };
    let table = INPUTS.iter().find(|(name, _)| *name == of).map_or(&[][..], |(_, fields)| fields);
    let (mut taken, mut errors) = (Map::new(), Vec::new());
    for (name, written) in fields {
        match table.iter().find(|(known, _)| known == name) {
            None => errors.push(format!("Field '{name}' is not defined by type '{of}'.")),
            Some((known, takes)) => match value(*takes, written) {
                Ok(json) => {
                    taken.insert(snake_case(known), json);
                }
                Err(found) => errors.extend(found),
            },
        }
    }
    if errors.is_empty() { Ok(Json::Object(taken)) } else { Err(errors) }
}

/// One value. Null is allowed everywhere, and means that there is none.
pub(super) fn value(takes: Takes, written: &Value) -> Result<Json, Vec<String>> {
    if *written == Value::Plain(Json::Null) {
        return Ok(Json::Null);
    }
    let taken = match (takes, written) {
        (Takes::String, Value::Plain(json @ Json::String(_))) => Some(json.clone()),
        (Takes::Strings, Value::List(items)) => {
            let items: Result<Vec<Json>, _> = items.iter().map(|item| value(Takes::String, item)).collect();
            return items.map(Json::from);
        }
        (Takes::Strings, one) => return value(Takes::String, one).map(|one| Json::from(vec![one])),
        (Takes::Int, Value::Plain(Json::Number(number))) => {
            number.as_i64().filter(|number| i32::try_from(*number).is_ok()).map(Json::from)
        }
        (Takes::LongString, Value::Plain(Json::Number(number))) => number.as_i64().map(Json::from),
        (Takes::LongString, Value::Plain(Json::String(text))) => text.parse::<i64>().ok().map(Json::from),
        (Takes::Enum(of), Value::Enum(name) | Value::Plain(Json::String(name))) => {
            let values = ENUMS.iter().find(|(known, _)| *known == of).map_or(&[][..], |(_, values)| values);
            values.contains(&name.as_str()).then(|| Json::from(name.as_str()))
        }
        (Takes::String | Takes::Int | Takes::LongString | Takes::Enum(_), _) => None,
    };
    taken.ok_or_else(|| vec![refusal(takes, &written.shown())])
}

fn refusal(takes: Takes, shown: &str) -> String {
    match takes {
        Takes::String | Takes::Strings => format!("String cannot represent a non string value: {shown}"),
        Takes::Int => format!("Int cannot represent non-integer value: {shown}"),
        Takes::LongString => format!("Expected value of type 'LongString', found {shown}."),
        Takes::Enum(of) => format!("Value '{shown}' does not exist in '{of}' enum."),
    }
}
