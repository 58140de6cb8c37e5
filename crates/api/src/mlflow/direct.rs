//! Uploads and downloads that go around this server, in the protocol of MLflow's own client: parts, and signed addresses.
//!
//! Where the store offers no such way, the answers have MLflow's very texts, on which its client falls back to the proxy.
//! The content is not seen here, so what such an upload leaves is recorded without a digest.

use std::time::Duration;

use ::artifacts::{ArtifactPath, Direct, Part};
use axum::{
    Json,
    extract::{Path, State},
};
use http::Method;
use serde_json::json;
use types::ErrorKind;

use super::{Answer, Fields, MlflowState, READS, WRITES, artifacts, done, fields::missing};
use crate::{error::Error, routes::Route};

/// How long an address for a download holds, unless it is asked for another time.
const DOWNLOAD: i64 = 300;
/// How long an address for an upload holds, unless it is asked for another time.
const UPLOAD: i64 = 900;
/// The longest time that S3 lets an address hold: seven days.
const LONGEST: i64 = 604_800;
/// The most parts that S3 takes.
const MOST_PARTS: i64 = 10_000;

pub(super) fn routes(state: &MlflowState) -> Vec<Route> {
    let mut routes = Vec::new();
    for prefix in artifacts::PREFIXES {
        let at = |call: &str| format!("{prefix}/{call}/{{*path}}");
        routes.push(Route::new(Method::POST, at("mpu/create"), WRITES, create, state.clone()));
        routes.push(Route::new(Method::POST, at("mpu/complete"), WRITES, complete, state.clone()));
        routes.push(Route::new(Method::POST, at("mpu/abort"), WRITES, abort, state.clone()));
        routes.push(Route::new(Method::GET, at("presigned"), READS, presigned, state.clone()));
    }
    for prefix in super::PREFIXES {
        let at = |call: &str| format!("{prefix}/artifacts/{call}");
        routes.push(Route::new(Method::POST, at("presigned-upload-url"), WRITES, upload_url, state.clone()));
        routes.push(Route::new(Method::POST, at("presigned-download-url"), READS, download_url, state.clone()));
    }
    routes
}

/// What the store offers, or the text by which clients know that it does not.
fn direct<'a>(state: &'a MlflowState, what: &str) -> Result<Direct<'a>, Error> {
    let unsupported = || format!("{what} is not supported for the current artifact repository");
    state.artifacts.direct().ok_or_else(|| Error::new(ErrorKind::Unimplemented, unsupported()))
}

/// The file that a request of an upload in parts is about: the folder of its address, and the name of the file that the
/// client reads from, of whose path only the end counts.
fn target(folder: &str, fields: &Fields) -> Result<ArtifactPath, Error> {
    let folder = ArtifactPath::decoded(folder)?;
    let source = fields.required("path")?;
    let name = source.rsplit(['/', '\\']).next().unwrap_or_default();
    if name.is_empty() {
        return Err(missing("path"));
    }
    Ok(folder.join(name)?)
}

async fn create(State(state): State<MlflowState>, Path(folder): Path<String>, fields: Fields) -> Answer {
    let path = target(&folder, &fields)?;
    let parts = fields.integer("num_parts")?.unwrap_or_default();
    let direct = direct(&state, "Multipart upload")?;
    if !(1..=MOST_PARTS).contains(&parts) {
        return Err(Error::invalid(format!("num_parts must be between 1 and {MOST_PARTS} (got {parts}).")).into());
    }
    let upload = direct.create_multipart(&path, u32::try_from(parts).unwrap_or_default()).await.map_err(Error::from)?;
    let credentials = upload.urls.iter().zip(1..).map(|(url, number)| json!({ "url": url, "part_number": number }));
    Ok(Json(json!({ "upload_id": upload.id, "credentials": credentials.collect::<Vec<_>>() })))
}

async fn complete(State(state): State<MlflowState>, Path(folder): Path<String>, fields: Fields) -> Answer {
    let path = target(&folder, &fields)?;
    let direct = direct(&state, "Multipart upload")?;
    let mut parts = Vec::new();
    for part in fields.objects("parts")? {
        let number = part.integer("part_number")?.and_then(|number| u32::try_from(number).ok());
        let number = number.ok_or_else(|| missing("parts[].part_number"))?;
        parts.push(Part { number, etag: part.text_or_empty("etag")?.to_owned() });
    }
    if parts.is_empty() {
        return Err(missing("parts").into());
    }
    state.registry.forget_artifact(&path).await?;
    let size = direct.complete_multipart(&path, fields.required("upload_id")?, parts).await.map_err(Error::from)?;
    state.registry.record_artifact(&path, size, None).await?;
    state.registry.artifact_changed(&path).await;
    done()
}

async fn abort(State(state): State<MlflowState>, Path(folder): Path<String>, fields: Fields) -> Answer {
    let path = target(&folder, &fields)?;
    let direct = direct(&state, "Multipart upload")?;
    direct.abort_multipart(&path, fields.required("upload_id")?).await.map_err(Error::from)?;
    done()
}

async fn presigned(State(state): State<MlflowState>, Path(path): Path<String>) -> Answer {
    let path = ArtifactPath::decoded(&path).map_err(Error::from)?;
    let direct = direct(&state, "Multipart download")?;
    let disposition = artifacts::disposition(path.name());
    let download = direct.presigned_download(&path, seconds(DOWNLOAD), &disposition).await.map_err(Error::from)?;
    Ok(Json(json!({ "url": download.url, "headers": {}, "file_size": download.size })))
}

async fn upload_url(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let (run, model) = (fields.text_or_empty("run_id")?, fields.text_or_empty("model_id")?);
    let path = ArtifactPath::decoded(fields.required("path")?).map_err(Error::from)?;
    let within = expiration(&fields, UPLOAD)?;
    let root = match (run.is_empty(), model.is_empty()) {
        (false, true) => state.registry.run(run).await?.info.artifact_uri,
        (true, false) => state.registry.logged_model(model, false).await?.artifact_uri,
        (true, true) | (false, false) => {
            return Err(Error::invalid("Exactly one of run_id and model_id must be provided.").into());
        }
    };
    refuse_proxied(&root, "upload", "proxied artifact storage", "a direct cloud storage artifact URI")?;
    let direct = direct(&state, "Presigned upload")?;
    let path = if model.is_empty() {
        state.registry.run_artifact(run, path.as_str()).await?
    } else {
        state.registry.logged_model_artifact(model, path.as_str()).await?
    };
    // Whoever has the address may write the file from now on.
    state.registry.forget_artifact(&path).await?;
    let upload = direct.presigned_upload(&path, within, stored_type(path.name())).await.map_err(Error::from)?;
    Ok(Json(json!({ "presigned_url": upload.url, "headers": { "Content-Type": upload.content_type } })))
}

/// The type that a file is stored with, by its name's ending, as MLflow guesses it. What a browser would run (HTML, SVG,
/// XML, scripts) has none: whoever opens it in the store itself is shown no page that somebody uploaded.
fn stored_type(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref().unwrap_or_default() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "bmp" => "image/bmp",
        "tif" | "tiff" => "image/tiff",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "csv" => "text/csv",
        "tsv" => "text/tab-separated-values",
        "py" => "text/x-python",
        "json" => "application/json",
        "zip" => "application/zip",
        "tar" => "application/x-tar",
        "h5" => "application/x-hdf5",
        "mp3" => "audio/mpeg",
        "wav" => "audio/x-wav",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        _ => "application/octet-stream",
    }
}

async fn download_url(State(state): State<MlflowState>, fields: Fields) -> Answer {
    let run = fields.required("run_id")?;
    let path = ArtifactPath::decoded(fields.required("path")?).map_err(Error::from)?;
    let within = expiration(&fields, DOWNLOAD)?;
    let root = state.registry.run(run).await?.info.artifact_uri;
    let needed = "a run with a direct cloud storage artifact URI";
    refuse_proxied(&root, "download", "runs with proxied artifact storage", needed)?;
    let direct = direct(&state, "Presigned download")?;
    let path = state.registry.run_artifact(run, path.as_str()).await?;
    let disposition = artifacts::disposition(path.name());
    let download = direct.presigned_download(&path, within, &disposition).await.map_err(Error::from)?;
    Ok(Json(json!({ "presigned_url": download.url, "file_size": download.size })))
}

/// Clients of proxied artifacts have the calls of the proxy for this.
fn refuse_proxied(root: &str, call: &str, what: &str, needed: &str) -> Result<(), Error> {
    let scheme = root.split_once(':').map_or("", |(scheme, _)| scheme);
    if !matches!(scheme, "http" | "https" | "mlflow-artifacts") {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "Presigned {call} is not supported for {what} (artifact URI scheme: {scheme}). This endpoint requires {needed}."
    )))
}

fn expiration(fields: &Fields, default: i64) -> Result<Duration, Error> {
    let asked = fields.integer("expiration")?.unwrap_or(default);
    if !(1..=LONGEST).contains(&asked) {
        return Err(Error::invalid(format!("expiration must be between 1 and {LONGEST} seconds (got {asked}).")));
    }
    Ok(seconds(asked))
}

fn seconds(number: i64) -> Duration {
    Duration::from_secs(u64::try_from(number).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_guessed_by_the_ending_and_pages_have_none() {
        for (name, kind) in [("a.PNG", "image/png"), ("b.tar.csv", "text/csv"), ("json", "application/octet-stream")] {
            assert_eq!(stored_type(name), kind, "{name}");
        }
        for name in ["page.html", "page.htm", "drawing.svg", "run.js", "feed.xml", "page.xhtml", "model.onnx", ""] {
            assert_eq!(stored_type(name), "application/octet-stream", "{name}");
        }
    }
}
