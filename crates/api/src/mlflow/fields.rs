//! The fields of a request, from JSON or the query, with MLflow's texts for those that are missing or of a wrong type.

use axum::{
    body::{Bytes, to_bytes},
    extract::{FromRequest, Request},
};
use http::{Method, header::CONTENT_TYPE};
use registry::KeyValue;
use serde_json::{Map, Value as Json};

use super::reads_query;
use crate::error::{Error, MlflowError};

/// Largest request body. MLflow's largest field, a dataset's profile, has 16 MiB.
const LARGEST_BODY: usize = 64 * 1024 * 1024;

/// The fields of a request, or of an object in it.
#[derive(Debug, Default)]
pub(super) struct Fields {
    values: Map<String, Json>,
    /// Whether they are a query's, in which any field may stand several times.
    is_query: bool,
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = MlflowError;

    async fn from_request(request: Request, _: &S) -> Result<Self, MlflowError> {
        let (parts, body) = request.into_parts();
        let query = parts.uri.query().unwrap_or_default();
        if reads_query(&parts.method) && !query.is_empty() {
            return Ok(Self { values: query_fields(query), is_query: true });
        }
        let has_body = matches!(parts.method, Method::POST | Method::PUT);
        if has_body {
            check_content_type(parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()))?;
        }
        Ok(body_fields(&body_bytes(body).await?)?)
    }
}

/// A JSON body that is not read yet.
#[derive(Debug)]
pub(super) struct Body(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = MlflowError;

    async fn from_request(request: Request, _: &S) -> Result<Self, MlflowError> {
        let (parts, body) = request.into_parts();
        check_content_type(parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()))?;
        Ok(Self(body_bytes(body).await?))
    }
}

/// Refuses bodies that a browser would send across sites without asking.
fn check_content_type(content_type: Option<&str>) -> Result<(), Error> {
    let Some(content_type) = content_type else {
        return Err(Error::invalid("Bad Request. Content-Type header is missing."));
    };
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Error::invalid("Bad Request. Content-Type must be one of ['application/json']."))
}

async fn body_bytes(body: axum::body::Body) -> Result<Bytes, Error> {
    to_bytes(body, LARGEST_BODY)
        .await
        .map_err(|_| Error::invalid(format!("the request body is longer than {LARGEST_BODY} bytes or broke off")))
}

/// The fields of a body.
pub(super) fn body_fields(bytes: &[u8]) -> Result<Fields, Error> {
    let json = match serde_json::from_slice(bytes) {
        // Old clients encode JSON twice.
        Ok(Json::String(text)) => serde_json::from_str(&text).unwrap_or(Json::Null),
        Ok(json) => json,
        Err(_) if bytes.is_empty() => Json::Null,
        Err(error) => return Err(Error::invalid(format!("the request body is not JSON: {error}"))),
    };
    match json {
        Json::Object(values) => Fields::sent(values),
        Json::Null => Ok(Fields { values: Map::new(), is_query: false }),
        Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
            Err(Error::invalid("the request body is not a JSON object"))
        }
    }
}

/// The query's fields; a key that stands several times is a list.
fn query_fields(query: &str) -> Map<String, Json> {
    let mut values = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = Json::from(decoded(value));
        match values.get_mut(&decoded(key)) {
            None => {
                values.insert(decoded(key), value);
            }
            Some(Json::Array(list)) => list.push(value),
            Some(first) => *first = Json::Array(vec![first.take(), value]),
        }
    }
    values
}

/// A part of a query without its encoding.
fn decoded(text: &str) -> String {
    types::percent_decoded(&text.replace('+', " "))
}

const SEE_DOCS: &str = " See the API docs for more information about request parameters.";

/// The text for a field that is needed and not there.
pub(super) fn missing(name: &str) -> Error {
    Error::invalid(format!("Missing value for required parameter '{name}'.{SEE_DOCS}"))
}

/// The text for a field of a wrong type.
pub(super) fn wrong_type(name: &str, value: &Json) -> Error {
    let python = match value {
        Json::Null => "NoneType",
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_f64() => "float",
        Json::Number(_) => "int",
        Json::String(_) => "str",
        Json::Array(_) => "list",
        Json::Object(_) => "dict",
    };
    Error::invalid(format!(
        "Invalid value {value} for parameter '{name}' supplied:  Hint: Value was of type '{python}'.{SEE_DOCS}"
    ))
}

impl Fields {
    /// The fields of an object that a client sent; none under both of its names, of which a proxy in front may have looked at
    /// the other one.
    fn sent(values: Map<String, Json>) -> Result<Self, Error> {
        for json_name in values.keys().filter(|name| name.bytes().any(|byte| byte.is_ascii_uppercase())) {
            let name = snake_case(json_name);
            if values.contains_key(&name) {
                return Err(Error::invalid(format!(
                    "Request specifies both '{name}' and '{json_name}'; provide only one of them."
                )));
            }
        }
        Ok(Self { values, is_query: false })
    }

    /// The fields of a JSON object.
    pub(super) fn of(values: Map<String, Json>) -> Self {
        Self { values, is_query: false }
    }

    /// The fields of a query, beside a body that is no JSON.
    pub(super) fn of_query(query: &str) -> Self {
        Self { values: query_fields(query), is_query: true }
    }

    /// The value of a field by its proto name, in JSON also by its JSON name; null is absent.
    fn get(&self, name: &str) -> Option<&Json> {
        let other = || if self.is_query { None } else { self.values.get(&camel_case(name)) };
        self.values.get(name).or_else(other).filter(|value| !value.is_null())
    }

    /// The value of a field that is no list: of a query's, the first.
    fn one(&self, name: &str) -> Option<&Json> {
        match self.get(name) {
            Some(Json::Array(values)) if self.is_query => values.first(),
            value => value,
        }
    }

    /// The text for a value that cannot be, as it was sent.
    pub(super) fn wrong_type(&self, name: &str) -> Error {
        wrong_type(name, self.one(name).unwrap_or(&Json::Null))
    }

    /// Whether the field is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A text.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Error> {
        match self.one(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong_type(name, other)),
        }
    }

    /// A text that may be absent or empty.
    pub(super) fn text_or_empty(&self, name: &str) -> Result<&str, Error> {
        Ok(self.text(name)?.unwrap_or_default())
    }

    /// A text that is there and not empty.
    pub(super) fn required(&self, name: &str) -> Result<&str, Error> {
        self.text(name)?.filter(|text| !text.is_empty()).ok_or_else(|| missing(name))
    }

    /// A run's id, by either of its names.
    pub(super) fn run_id(&self) -> Result<&str, Error> {
        match self.text("run_id")?.filter(|id| !id.is_empty()) {
            Some(id) => Ok(id),
            None => self.text("run_uuid")?.filter(|id| !id.is_empty()).ok_or_else(|| missing("run_id")),
        }
    }

    /// An integer, also as text.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Error> {
        let Some(value) = self.one(name) else { return Ok(None) };
        let whole = |float: f64| (float.fract() == 0.0 && float.abs() < 9.0e15).then_some(float as i64);
        let number = match value {
            Json::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
            Json::String(text) => text.trim().parse().ok(),
            Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
        };
        number.map(Some).ok_or_else(|| wrong_type(name, value))
    }

    /// A number, also as text; `NaN` and infinities are words.
    pub(super) fn float(&self, name: &str) -> Result<Option<f64>, Error> {
        let Some(value) = self.one(name) else { return Ok(None) };
        let number = match value {
            Json::Number(number) => number.as_f64(),
            Json::String(text) => text.trim().parse().ok(),
            Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
        };
        number.map(Some).ok_or_else(|| wrong_type(name, value))
    }

    /// A truth value; in a query, as text.
    pub(super) fn truth(&self, name: &str) -> Result<Option<bool>, Error> {
        match self.one(name) {
            None => Ok(None),
            Some(Json::Bool(value)) => Ok(Some(*value)),
            Some(Json::String(text)) if self.is_query => match text.to_ascii_lowercase().as_str() {
                "true" => Ok(Some(true)),
                "false" => Ok(Some(false)),
                _ => Err(Error::invalid(format!("Invalid boolean value: {text}, must be 'true' or 'false'."))),
            },
            Some(other) => Err(wrong_type(name, other)),
        }
    }

    /// A list of texts; of a query, one text alone is a list of it.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, Error> {
        let list = match self.get(name) {
            None => return Ok(Vec::new()),
            Some(Json::String(text)) if self.is_query => return Ok(vec![text.clone()]),
            Some(Json::Array(list)) => list,
            Some(other) => return Err(wrong_type(name, other)),
        };
        let text = |value: &Json| value.as_str().map(str::to_owned).ok_or_else(|| wrong_type(name, value));
        list.iter().map(text).collect()
    }

    /// A list of objects.
    pub(super) fn objects(&self, name: &str) -> Result<Vec<Self>, Error> {
        let list = match self.get(name) {
            None => return Ok(Vec::new()),
            Some(Json::Array(list)) => list,
            Some(other) => return Err(wrong_type(name, other)),
        };
        let object = |value: &Json| {
            let values = value.as_object().ok_or_else(|| wrong_type(name, value))?;
            Self::sent(values.clone())
        };
        list.iter().map(object).collect()
    }

    /// One object.
    pub(super) fn object(&self, name: &str) -> Result<Option<Self>, Error> {
        self.map(name)?.map(|values| Self::sent(values.clone())).transpose()
    }

    /// One object in which all names are of the client's choice.
    pub(super) fn map(&self, name: &str) -> Result<Option<&Map<String, Json>>, Error> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Object(values)) => Ok(Some(values)),
            Some(other) => Err(wrong_type(name, other)),
        }
    }

    /// A list of objects with `key` and `value`, of which either may be empty.
    pub(super) fn pairs(&self, name: &str) -> Result<Vec<KeyValue>, Error> {
        let pair = |entry: &Self| Ok(KeyValue::new(entry.text_or_empty("key")?, entry.text_or_empty("value")?));
        self.objects(name)?.iter().map(pair).collect()
    }

    /// A list of objects with `key` and `value`.
    pub(super) fn key_values(&self, name: &str) -> Result<Vec<KeyValue>, Error> {
        let entries = self.objects(name)?.into_iter().enumerate().map(|(index, entry)| {
            let key = entry.text("key")?.filter(|key| !key.is_empty());
            let key = key.ok_or_else(|| missing(&format!("{name}[{index}].key")))?;
            Ok(KeyValue::new(key, entry.text_or_empty("value")?))
        });
        entries.collect()
    }
}

/// The JSON name of a proto field.
fn camel_case(name: &str) -> String {
    let mut parts = name.split('_');
    let mut camel = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut characters = part.chars();
        camel.extend(characters.next().map(|c| c.to_ascii_uppercase()));
        camel.push_str(characters.as_str());
    }
    camel
}

/// The proto name of a field with this JSON name.
pub(super) fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: Json) -> Fields {
        let Json::Object(values) = json else { panic!("an object") };
        Fields { values, is_query: false }
    }

    #[test]
    fn fields_are_read_by_either_name_and_null_is_absent() {
        let fields = fields(serde_json::json!({ "runId": "a", "step": "3", "value": "NaN", "key": null }));
        assert_eq!(fields.run_id().unwrap(), "a");
        assert_eq!(fields.integer("step").unwrap(), Some(3));
        assert!(fields.float("value").unwrap().unwrap().is_nan());
        assert!(!fields.has("key"));
    }

    #[test]
    fn texts_of_errors_are_those_that_clients_match() {
        let fields = fields(serde_json::json!({ "name": 5, "tags": [{ "value": "v" }] }));
        let text = |error: Error| error.message;
        assert_eq!(
            text(fields.required("name").unwrap_err()),
            "Invalid value 5 for parameter 'name' supplied:  Hint: Value was of type 'int'. See the API docs for more \
             information about request parameters."
        );
        assert!(text(fields.key_values("tags").unwrap_err()).contains("required parameter 'tags[0].key'"));
        assert!(text(fields.run_id().unwrap_err()).starts_with("Missing value for required parameter 'run_id'."));
    }

    #[test]
    fn a_field_under_both_of_its_names_is_refused() {
        let said =
            |body: &str| body_fields(body.as_bytes()).and_then(|fields| fields.objects("metrics")).unwrap_err().message;
        let both = "Request specifies both 'run_id' and 'runId'; provide only one of them.";
        assert_eq!(said(r#"{"run_id": "a", "runId": null}"#), both);
        let nested = said(r#"{"runId": "a", "metrics": [{"modelId": "m", "model_id": "n"}]}"#);
        assert_eq!(nested, "Request specifies both 'model_id' and 'modelId'; provide only one of them.");
    }

    #[test]
    fn a_query_key_that_stands_twice_is_a_list() {
        let fields =
            Fields { values: query_fields("order_by=a+DESC&order_by=b&filter=name%3D%27x%27"), is_query: true };
        assert_eq!(fields.texts("order_by").unwrap(), ["a DESC", "b"]);
        assert_eq!(fields.required("filter").unwrap(), "name='x'");
        assert_eq!(fields.text("order_by").unwrap(), Some("a DESC"), "where one is meant, the first is taken");
    }

    #[test]
    fn what_browsers_send_across_sites_unasked_is_refused() {
        check_content_type(Some("application/json; charset=utf-8")).unwrap();
        for refused in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
            assert!(check_content_type(refused).is_err(), "{refused:?}");
        }
    }
}
