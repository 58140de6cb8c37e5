//! A loaded version: tensors into calls, answers into tensors.

use std::{borrow::Cow, sync::Arc};

use async_trait::async_trait;
use reqwest::Client;
use serde_json::Value as Json;
use serving::{BackendError, LoadedModel, Tensor};
use tokio::{sync::Semaphore, task::JoinSet};
use types::{Schema, TensorSpec};
use url::Url;

use crate::{
    call::call,
    declaration::{Answer, Body, Declaration},
    elements::{column, float, float_as_json, row_as_json},
    pointer::{Pointer, quoted},
};

/// A server with its declaration.
#[derive(Debug)]
pub(crate) struct Model {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    client: Client,
    declaration: Declaration,
    /// One permit for each call at the same time. Who waits for one does so without a timeout of its own: how much may
    /// wait is for admission to say, and how long for the caller.
    calls: Semaphore,
}

impl Model {
    pub(crate) fn new(client: Client, declaration: Declaration) -> Self {
        let calls = Semaphore::new(usize::from(declaration.concurrency));
        Self { inner: Arc::new(Inner { client, declaration, calls }) }
    }
}

#[async_trait]
impl LoadedModel for Model {
    fn schema(&self) -> &Schema {
        &self.inner.declaration.schema
    }

    async fn infer(&self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, BackendError> {
        let rows = self.inner.rows(&inputs)?;
        let answers = match &self.inner.declaration.body {
            Body::Batch { .. } => self.inner.ask_batch(&rows).await?,
            Body::Empty | Body::Row(_) => ask_each(&self.inner, rows).await?,
        };
        self.inner.outputs(&answers)
    }
}

/// A call for each row, at the same time. The first that fails ends the others; so does a caller who leaves.
async fn ask_each(inner: &Arc<Inner>, rows: Vec<Vec<Json>>) -> Result<Vec<Json>, BackendError> {
    if let [row] = rows.as_slice() {
        return Ok(vec![inner.ask_row(row).await?]);
    }
    let mut answers = vec![Json::Null; rows.len()];
    let mut calls = JoinSet::new();
    for (number, row) in rows.into_iter().enumerate() {
        let inner = Arc::clone(inner);
        calls.spawn(async move { (number, inner.ask_row(&row).await) });
    }
    while let Some(ended) = calls.join_next().await {
        let (number, answer) =
            ended.map_err(|error| BackendError::Execute { reason: format!("a call ended early: {error}") })?;
        answers[number] = answer?;
    }
    Ok(answers)
}

impl Inner {
    /// For each row its inputs in the schema's order.
    fn rows(&self, inputs: &[Tensor]) -> Result<Vec<Vec<Json>>, BackendError> {
        let refuse = |reason: String| BackendError::Input { reason };
        let of = |spec: &TensorSpec| {
            let found = inputs.iter().find(|tensor| tensor.name == spec.name);
            found.ok_or_else(|| refuse(format!("input `{}` is missing", spec.name)))
        };
        let ordered: Vec<&Tensor> = self.declaration.schema.inputs.iter().map(of).collect::<Result<_, _>>()?;
        let count = ordered.first().map_or(0, |tensor| tensor.rows());
        let row = |row: usize| ordered.iter().map(|tensor| row_as_json(tensor, row)).collect::<Result<Vec<_>, _>>();
        (0..count).map(row).collect::<Result<_, _>>().map_err(refuse)
    }

    async fn ask_row(&self, row: &[Json]) -> Result<Json, BackendError> {
        let body = match &self.declaration.body {
            Body::Row(template) => Some(template.fill(row, &[])),
            Body::Empty | Body::Batch { .. } => None,
        };
        self.ask(row, body.as_ref()).await
    }

    async fn ask_batch(&self, rows: &[Vec<Json>]) -> Result<Vec<Json>, BackendError> {
        let Body::Batch { request, row, answers } = &self.declaration.body else { return Ok(Vec::new()) };
        let filled: Vec<Json> = rows.iter().map(|inputs| row.fill(inputs, &[])).collect();
        let answer = self.ask(&[], Some(&request.fill(&[], &filled))).await?;
        let array = self.at(answers, &answer, None)?;
        let Json::Array(array) = array else {
            return Err(self.wrong(answers, None, &format!("is {}, not an array", quoted(array))));
        };
        if array.len() != rows.len() {
            let problem = format!("has {} answers to {} rows", array.len(), rows.len());
            return Err(self.wrong(answers, None, &problem));
        }
        Ok(array.clone())
    }

    async fn ask(&self, row: &[Json], body: Option<&Json>) -> Result<Json, BackendError> {
        let declaration = &self.declaration;
        let url = declaration.url.fill(row, escape);
        let url = Url::parse(&url).map_err(|error| BackendError::Input {
            reason: format!("the inputs make no URL of {}: {error}", declaration.shown_url),
        })?;
        let closed = |_| BackendError::Execute { reason: "the version was unloaded".to_owned() };
        let _permit = self.calls.acquire().await.map_err(closed)?;
        call(&self.client, declaration, url, body).await
    }

    /// The outputs, in the schema's order.
    fn outputs(&self, answers: &[Json]) -> Result<Vec<Tensor>, BackendError> {
        let specs = self.declaration.schema.outputs.iter().zip(&self.declaration.answers);
        specs.map(|(spec, place)| self.output(spec, place, answers)).collect()
    }

    fn output(&self, spec: &TensorSpec, place: &Answer, answers: &[Json]) -> Result<Tensor, BackendError> {
        let mut elements = Vec::new();
        for (row, answer) in answers.iter().enumerate() {
            self.elements(place, answer, row, &mut elements)?;
        }
        let width = elements.len() / answers.len().max(1);
        let data = column(spec.datatype, &elements).map_err(|position| {
            let (row, element) = (position / width.max(1), position % width.max(1));
            let pointer = match place {
                Answer::Elements(pointers) => pointers.get(element).unwrap_or(&pointers[0]),
                Answer::Array(pointer, _) | Answer::FeatureText(pointer) | Answer::FeatureNumber(pointer) => pointer,
            };
            let value = quoted(&elements[position]);
            let problem = format!("holds {value}, and `{}` is {}", spec.name, spec.datatype);
            self.wrong(pointer, Some(row), &problem)
        })?;
        let mut shape = spec.shape.clone();
        if let Some(first) = shape.first_mut() {
            *first = i64::try_from(answers.len()).unwrap_or(i64::MAX);
        }
        Ok(Tensor { name: spec.name.clone(), shape, data })
    }

    /// The elements of one row.
    fn elements(&self, place: &Answer, answer: &Json, row: usize, into: &mut Vec<Json>) -> Result<(), BackendError> {
        match place {
            Answer::Elements(pointers) => {
                for pointer in pointers {
                    let value = self.at(pointer, answer, Some(row))?;
                    into.push(if pointer.is_rest() { self.rest(pointer, value, row)? } else { value.clone() });
                }
            }
            Answer::Array(pointer, width) => {
                let before = into.len();
                flatten(self.at(pointer, answer, Some(row))?, into);
                let found = into.len() - before;
                if found != *width {
                    let problem = format!("holds {found} elements instead of {width}");
                    return Err(self.wrong(pointer, Some(row), &problem));
                }
            }
            Answer::FeatureText(pointer) => into.push(Json::String(text(pointer.find(answer)).into_owned())),
            Answer::FeatureNumber(pointer) => {
                into.push(float_as_json(pointer.find(answer).and_then(float).unwrap_or(f64::NAN)));
            }
        }
        Ok(())
    }

    fn rest(&self, pointer: &Pointer, value: &Json, row: usize) -> Result<Json, BackendError> {
        let number = float(value).ok_or_else(|| {
            self.wrong(pointer, Some(row), &format!("holds {}, and `1 - ` takes a number", quoted(value)))
        })?;
        Ok(float_as_json(1.0 - number))
    }

    fn at<'a>(&self, pointer: &Pointer, answer: &'a Json, row: Option<usize>) -> Result<&'a Json, BackendError> {
        pointer
            .find(answer)
            .ok_or_else(|| self.wrong(pointer, row, &format!("is not in the answer, which is {}", quoted(answer))))
    }

    /// What an answer has is not what was declared.
    fn wrong(&self, pointer: &Pointer, row: Option<usize>, problem: &str) -> BackendError {
        let Declaration { method, shown_url, .. } = &self.declaration;
        let row = row.map_or_else(String::new, |row| format!(" (row {row})"));
        BackendError::Execute { reason: format!("{method} {shown_url}: {}{row} {problem}", pointer.place()) }
    }
}

fn flatten(value: &Json, into: &mut Vec<Json>) {
    match value {
        Json::Array(elements) => elements.iter().for_each(|element| flatten(element, into)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Object(_) => into.push(value.clone()),
    }
}

/// A feature's value as text.
fn text(value: Option<&Json>) -> Cow<'_, str> {
    match value {
        None | Some(Json::Null) => Cow::Borrowed(""),
        Some(Json::String(text)) => Cow::Borrowed(text),
        Some(value @ (Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_))) => {
            Cow::Owned(value.to_string())
        }
    }
}

/// Text as a part of a path or query: whatever RFC 3986 does not leave as it is is escaped.
fn escape(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
