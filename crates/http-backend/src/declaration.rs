//! The file that declares a server, read and checked: whatever can be wrong with it is found here, before any call.

use std::collections::BTreeMap;

use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde::Deserialize;
use serde_json::Value as Json;
use types::{Duration, Schema, TensorSpec, TensorType};
use url::Url;

use crate::{
    Error,
    pointer::Pointer,
    template::{Names, Template, Text},
};

mod answers;
mod checks;

/// The version of the file's form.
const VERSION: u32 = 1;
/// How long a call may take where nothing is said: longer than any ranking that someone waits for.
const TIMEOUT: Duration = Duration::from_secs(1);
/// Calls at the same time where nothing is said. A legacy server of a few processes answers no more at once.
const CONCURRENCY: u16 = 32;
/// What the outputs of features are called.
const FEATURE: &str = "features.";

/// How a server is asked and how its answers are read.
#[derive(Debug, Clone)]
pub struct Declaration {
    pub(crate) schema: Schema,
    pub(crate) method: Method,
    /// As declared, for messages: with placeholders, so that no message tells whom a request was about.
    pub(crate) shown_url: String,
    pub(crate) url: Text,
    pub(crate) headers: HeaderMap,
    pub(crate) timeout: Duration,
    pub(crate) concurrency: u16,
    pub(crate) health: Option<Url>,
    pub(crate) body: Body,
    /// One for each output of the schema, in its order.
    pub(crate) answers: Vec<Answer>,
}

/// What a call carries.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// Nothing: the row is in the URL.
    Empty,
    /// A row.
    Row(Template),
    /// All rows.
    Batch {
        /// What the rows are put into.
        request: Template,
        /// A row.
        row: Template,
        /// Where the array of answers is.
        answers: Pointer,
    },
}

/// Where an output's elements are in the answer to a row.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Each element by itself.
    Elements(Vec<Pointer>),
    /// An array, of so many elements in all.
    Array(Pointer, usize),
    /// A feature that explains, as text.
    FeatureText(Pointer),
    /// A feature that explains, as a number.
    FeatureNumber(Pointer),
}

impl Declaration {
    /// What the version takes and gives.
    #[must_use]
    pub const fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The URL as declared.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.shown_url
    }

    /// How long one call may take.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    url: String,
    #[serde(default)]
    method: Verb,
    timeout: Option<Duration>,
    concurrency: Option<u16>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    health: Option<String>,
    inputs: Vec<Described>,
    request: Option<Json>,
    batch: Option<BatchFile>,
    outputs: Vec<Described>,
    response: BTreeMap<String, Pointers>,
    #[serde(default)]
    features: BTreeMap<String, Feature>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Verb {
    Get,
    #[default]
    Post,
    Put,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    name: String,
    datatype: TensorType,
    shape: Vec<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchFile {
    row: Json,
    answers: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Pointers {
    One(String),
    Each(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Feature {
    Text(String),
    Typed(TypedFeature),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedFeature {
    pointer: String,
    datatype: TensorType,
}

/// Reads a declaration.
///
/// # Errors
/// When the text is no YAML of this form, or a part of it makes no sense; the error names the part.
pub fn parse(text: &str) -> Result<Declaration, Error> {
    let file: File = serde_saphyr::from_str(text).map_err(|error| yaml_error(&error))?;
    if file.version != VERSION {
        return Err(Error::invalid("version", format!("is {}, and {VERSION} is the only one", file.version)));
    }
    let inputs = checks::tensors("inputs", &file.inputs)?;
    let mut outputs = checks::tensors("outputs", &file.outputs)?;
    let mut answers = answers::of(&outputs, &file.response)?;
    for (name, feature) in &file.features {
        let (datatype, answer) = answers::of_feature(name, feature)?;
        let name = format!("{FEATURE}{name}");
        if outputs.iter().any(|output| output.name == name) {
            return Err(Error::invalid(name, "is declared as an output and as a feature"));
        }
        outputs.push(TensorSpec { name, datatype, shape: vec![-1] });
        answers.push(answer);
    }
    let scalars: Vec<_> = inputs.iter().map(|input| (input.name.as_str(), checks::width(input) == 1)).collect();
    let names = Names { inputs: &scalars, rows: false };
    let body = body(&file, names)?;
    let url = checks::url(&file.url, names)?;
    if matches!(body, Body::Batch { .. }) && !url.is_literal() {
        return Err(Error::invalid("url", "has a placeholder, but with `batch` one call carries many rows"));
    }
    for (position, input) in inputs.iter().enumerate() {
        let in_body = match &body {
            Body::Empty => false,
            Body::Row(row) | Body::Batch { row, .. } => row.uses(position),
        };
        if !in_body && !url.uses(position) {
            let problem = format!("has no place in the request: write \"${{{}}}\" where it goes", input.name);
            return Err(Error::invalid(format!("inputs.{}", input.name), problem));
        }
    }
    let health = file.health.as_deref().map(|health| checks::health(&file.url, health)).transpose()?;
    Ok(Declaration {
        schema: Schema { inputs, outputs },
        method: match file.method {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
            Verb::Put => Method::PUT,
        },
        shown_url: file.url,
        url,
        headers: headers(&file.headers)?,
        timeout: checks::timeout(file.timeout.unwrap_or(TIMEOUT))?,
        concurrency: checks::concurrency(file.concurrency.unwrap_or(CONCURRENCY))?,
        health,
        body,
        answers,
    })
}

fn yaml_error(error: &serde_saphyr::Error) -> Error {
    let error = error.without_snippet();
    let (line, column) = error.location().map_or((0, 0), |at| (at.line(), at.column()));
    let text = error.to_string();
    let message = text.lines().next().unwrap_or_default();
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let message = match message.strip_prefix("line ").and_then(|rest| rest.split_once(": ")) {
        Some((_, message)) => message,
        None => message,
    };
    let message = message.split(" at line ").next().unwrap_or(message).trim().to_owned();
    Error::Yaml { message, line, column }
}

fn body(file: &File, names: Names<'_>) -> Result<Body, Error> {
    let at = |place: &'static str| move |problem: String| Error::invalid(place, problem);
    match (&file.request, &file.batch, file.method) {
        (Some(_), _, Verb::Get) | (_, Some(_), Verb::Get) => {
            Err(Error::invalid("request", "a GET carries no body: put the inputs into the URL, or use POST"))
        }
        (None, None, Verb::Get) => Ok(Body::Empty),
        (None, _, Verb::Post | Verb::Put) => Err(Error::invalid("request", "is missing: say what the body is")),
        (Some(request), None, Verb::Post | Verb::Put) => {
            Ok(Body::Row(Template::compile(request, names).map_err(at("request"))?))
        }
        (Some(request), Some(batch), Verb::Post | Verb::Put) => {
            let request = Template::compile(request, Names { rows: true, ..names }).map_err(at("request"))?;
            if request.places_of_rows() != 1 {
                return Err(Error::invalid("request", "with `batch`, it has \"${rows}\" in exactly one place"));
            }
            let row = Template::compile(&batch.row, names).map_err(at("batch.row"))?;
            let answers = Pointer::parse(&batch.answers).map_err(at("batch.answers"))?;
            if answers.is_rest() {
                return Err(Error::invalid("batch.answers", "is the place of an array; `1 - ` makes no sense"));
            }
            Ok(Body::Batch { request, row, answers })
        }
    }
}

fn headers(declared: &BTreeMap<String, String>) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    for (name, value) in declared {
        let at = || format!("headers.{name}");
        let parsed: HeaderName = name.parse().map_err(|_| Error::invalid(at(), "is no name of a header"))?;
        let value = HeaderValue::from_str(value).map_err(|_| Error::invalid(at(), "has no value of a header"))?;
        headers.insert(parsed, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;
