//! The artifact proxy: clients upload and download through HTTP, streamed both ways, and need no storage credentials.

use std::{io, sync::Arc, time::Duration};

use axum::{
    Json,
    body::{Body, BodyDataStream},
    extract::{Path, State},
    response::{IntoResponse as _, Response},
};
use futures::{StreamExt as _, stream};
use http::{
    HeaderValue, Method, StatusCode,
    header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
};
use registry::FileInfo;
use serde_json::json;
use tokio::sync::Mutex;
use types::ErrorKind;

use super::{Answer, Fields, MlflowState, READS, WRITES, done, wire};
use crate::{
    error::{Error, MlflowError},
    routes::Route,
};

/// How long the rest of an upload that failed is read.
const LONGEST_DRAIN: Duration = Duration::from_secs(10);

pub(super) const PREFIXES: [&str; 2] = ["/api/2.0/mlflow-artifacts", "/ajax-api/2.0/mlflow-artifacts"];

pub(super) fn routes(state: &MlflowState) -> Vec<Route> {
    let mut routes = Vec::new();
    for prefix in PREFIXES {
        let one = format!("{prefix}/artifacts/{{*path}}");
        routes.push(Route::new(Method::GET, format!("{prefix}/artifacts"), READS, list, state.clone()));
        routes.push(Route::new(Method::GET, one.as_str(), READS, download, state.clone()));
        routes.push(Route::new(Method::PUT, one.as_str(), WRITES, upload, state.clone()));
        routes.push(Route::new(Method::DELETE, one.as_str(), WRITES, delete, state.clone()));
    }
    let file = "/ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files";
    routes.push(Route::new(Method::GET, "/get-artifact", READS, run_file, state.clone()));
    routes.push(Route::new(Method::GET, "/model-versions/get-artifact", READS, version_file, state.clone()));
    routes.push(Route::new(Method::GET, file, READS, logged_model_file, state.clone()));
    routes
}

/// A path in the store; escapes are refused in every encoding.
fn parse(path: &str) -> Result<artifacts::ArtifactPath, Error> {
    Ok(artifacts::ArtifactPath::decoded(path)?)
}

async fn list(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let folder = parse(fields.text_or_empty("path")?)?;
    let entries = state.artifacts.list(&folder).await.map_err(Error::from)?;
    let files = entries.into_iter().map(|entry| {
        wire::file(&FileInfo {
            path: entry.path.name().to_owned(),
            is_dir: entry.is_dir,
            size: (!entry.is_dir).then_some(entry.size),
        })
    });
    let files: Vec<_> = files.collect();
    Ok(Json(if files.is_empty() { json!({}) } else { json!({ "files": files }) }))
}

async fn download(State(state): State<MlflowState>, Path(path): Path<String>) -> Result<Response, MlflowError> {
    send(&state, &parse(&path)?).await
}

/// A file for the web client: of a run.
async fn run_file(State(state): State<MlflowState>, fields: Fields) -> Result<Response, MlflowError> {
    let path = state.registry.run_artifact(fields.run_id()?, fields.required("path")?).await?;
    send(&state, &path).await
}

/// A file for the web client: of a version.
async fn version_file(State(state): State<MlflowState>, fields: Fields) -> Result<Response, MlflowError> {
    let (name, version) = (fields.required("name")?, fields.required("version")?);
    let path = state.registry.version_artifact(name, version, fields.required("path")?).await?;
    send(&state, &path).await
}

/// A file for the web client: of a logged model.
async fn logged_model_file(
    State(state): State<MlflowState>,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Response, MlflowError> {
    let Some(path) = fields.text("artifact_file_path")?.filter(|path| !path.is_empty()) else {
        let missing = Error::invalid("Request must include the \"artifact_file_path\" query parameter.");
        return Err(Error { mlflow_code: Some("BAD_REQUEST"), ..missing }.into());
    };
    let path = state.registry.logged_model_artifact(&id, path).await?;
    send(&state, &path).await
}

async fn send(state: &MlflowState, path: &artifacts::ArtifactPath) -> Result<Response, MlflowError> {
    let object = match state.artifacts.get(path).await {
        Ok(object) => object,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(not_found(state, path, error).await.into()),
        Err(error) => return Err(Error::from(error).into()),
    };
    let mut response = Body::from_stream(object.content).into_response();
    let headers = response.headers_mut();
    // A browser must never run what someone uploaded: it saves it, and guesses no type.
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(path.name())));
    let disposition = HeaderValue::from_str(&disposition(path.name()));
    headers.insert(CONTENT_DISPOSITION, disposition.unwrap_or(HeaderValue::from_static("attachment")));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(object.size));
    Ok(response)
}

/// Says that a folder is none, if that is why there is no such file.
async fn not_found(state: &MlflowState, path: &artifacts::ArtifactPath, error: artifacts::Error) -> Error {
    match state.artifacts.list(path).await {
        Ok(entries) if !entries.is_empty() => {
            Error::invalid(format!("Artifact path refers to a directory, not a file: '{path}'"))
        }
        Ok(_) | Err(_) => error.into(),
    }
}

/// A harmless type by the name's ending. Nothing that a browser would run is among them.
fn content_type(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref() {
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("gif") => "image/gif",
        Some("webp") => "image/webp",
        Some("pdf") => "application/pdf",
        Some(
            "txt" | "log" | "err" | "cfg" | "conf" | "ini" | "cnf" | "cf" | "env" | "md" | "rst" | "csv" | "tsv"
            | "json" | "jsonl" | "ipynb" | "yaml" | "yml" | "toml" | "hocon" | "xml" | "html" | "htm" | "css" | "js"
            | "ts" | "py" | "py3" | "r" | "sql" | "sh" | "out" | "properties" | "prop",
        ) => "text/plain",
        _ => match name {
            "MLmodel" | "MLproject" | "mlproject" => "text/plain",
            _ => "application/octet-stream",
        },
    }
}

/// `attachment; filename=…`: as a token or in quotes; a name that is not ASCII once more, encoded (RFC 6266).
pub(super) fn disposition(name: &str) -> String {
    let plain: String = name.chars().filter(|c| c.is_ascii() && !c.is_ascii_control()).collect();
    let plain = if plain.is_empty() { "download".to_owned() } else { plain };
    let is_token = plain.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c));
    let mut value = String::from("attachment; filename=");
    if is_token {
        value.push_str(&plain);
    } else {
        value.push_str(&format!("\"{}\"", plain.replace('\\', "\\\\").replace('"', "\\\"")));
    }
    if plain != name {
        value.push_str("; filename*=UTF-8''");
        for byte in name.bytes() {
            if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
                value.push(char::from(byte));
            } else {
                value.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    value
}

/// Answers with nothing, as MLflow's server does since 3.13.
async fn upload(
    State(state): State<MlflowState>,
    Path(path): Path<String>,
    body: Body,
) -> Result<StatusCode, MlflowError> {
    let path = parse(&path)?;
    let body = Arc::new(Mutex::new(body.into_data_stream()));
    let content = stream::unfold(Arc::clone(&body), async |body| {
        let piece = body.lock().await.next().await?;
        Some((piece.map_err(io::Error::other), body))
    });
    if let Err(error) = state.registry.store_artifact(&path, content.boxed()).await {
        drain(&body).await;
        return Err(error.into());
    }
    state.registry.artifact_changed(&path).await;
    Ok(StatusCode::OK)
}

/// Reads on in what a client sends, for a while: most read no answer before they have sent everything, and would only
/// see that the connection broke.
async fn drain(body: &Mutex<BodyDataStream>) {
    let rest = async {
        let mut body = body.lock().await;
        while let Some(Ok(_)) = body.next().await {}
    };
    if tokio::time::timeout(LONGEST_DRAIN, rest).await.is_err() {
        tracing::debug!("a client goes on sending what is not stored");
    }
}

async fn delete(State(state): State<MlflowState>, Path(path): Path<String>) -> Answer {
    let path = parse(&path)?;
    state.registry.delete_artifacts(&path).await?;
    state.registry.artifact_changed(&path).await;
    done()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_downloads_are_written_as_browsers_read_them() {
        for (name, header) in [
            ("a+b%c.webp", "attachment; filename=a+b%c.webp"),
            ("a b\".txt", "attachment; filename=\"a b\\\".txt\""),
            ("\u{e4}.txt", "attachment; filename=.txt; filename*=UTF-8''%C3%A4.txt"),
            ("\r\n", "attachment; filename=download; filename*=UTF-8''%0D%0A"),
        ] {
            assert_eq!(disposition(name), header, "{name}");
        }
    }
}
