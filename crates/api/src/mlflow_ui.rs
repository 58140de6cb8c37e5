//! MLflow's own web client, from the files that MLflow's wheel brings along. It calls this server at MLflow's addresses,
//! so it must stand where MLflow's server has it: its page at `/`, its files below `/static-files/`.
//!
//! Files are read when they are asked for, so that an upgrade of the wheel is seen at once. Their names are parsed before
//! they are looked for, and cannot lead out of the folder in any encoding. Who may look is decided in front of
//! [`MlflowUi::router`], by the same gate as for every page.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::UNIX_EPOCH,
};

use artifacts::ArtifactPath;
use axum::{
    Router,
    extract::{self, State},
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS},
};
use types::ErrorKind;

use crate::error::{CrosstieError, Error};

/// The page.
const INDEX: &str = "index.html";
/// Files whose names change with their content, so that a browser may keep them: MLflow's own 28 days.
const HASHED: (&str, &str) = ("static/", "private, max-age=2419200, immutable");
/// The others are asked for again, and mostly not sent again.
const OTHERS: &str = "private, no-cache";
/// Stands in MLflow's page beside its version, and leads to the console.
const TO_CONSOLE: &str = "<a href=\"console\" style=\"position:fixed;top:37px;left:64px;z-index:1;font:12px sans-serif;\
                          color:#5f7281;text-decoration:none\">Crosstie console</a>";

/// The folder of MLflow's web client.
#[derive(Debug, Clone)]
pub struct MlflowUi {
    folder: Arc<Path>,
}

impl MlflowUi {
    /// The client in `folder`; `None` when its page does not lie there.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Option<Self> {
        folder.join(INDEX).is_file().then(|| Self { folder: folder.into() })
    }

    /// The client that MLflow's wheel brought to the virtual environment at `root`.
    #[must_use]
    pub fn in_environment(root: &Path) -> Option<Self> {
        let pythons = std::fs::read_dir(root.join("lib")).into_iter().flatten().filter_map(Result::ok);
        let mut libraries: Vec<PathBuf> = pythons.map(|python| python.path()).collect();
        libraries.sort();
        libraries.push(root.join("Lib"));
        let builds = libraries.iter().map(|library| library.join("site-packages/mlflow/server/js/build"));
        builds.into_iter().find_map(|build| Self::in_folder(&build))
    }

    /// The page and its files.
    pub fn router(self) -> Router {
        Router::new().route("/", get(page)).route("/static-files/{*path}", get(file)).with_state(self)
    }

    /// A file's bytes with the tag that tells it from its other versions.
    async fn read(&self, path: &ArtifactPath) -> io::Result<(Vec<u8>, HeaderValue)> {
        let place = self.folder.join(path.as_str());
        let metadata = tokio::fs::metadata(&place).await?;
        if !metadata.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let changed = metadata.modified()?.duration_since(UNIX_EPOCH).map(|age| age.as_nanos()).unwrap_or_default();
        let tag = HeaderValue::from_str(&format!("\"{:x}-{changed:x}\"", metadata.len()));
        Ok((tokio::fs::read(&place).await?, tag.map_err(io::Error::other)?))
    }

    async fn send(&self, path: &ArtifactPath, headers: &HeaderMap) -> Result<Response, CrosstieError> {
        let (mut bytes, tag) = self.read(path).await.map_err(|error| missing(path, &error))?;
        let kept = if path.as_str().starts_with(HASHED.0) { HASHED.1 } else { OTHERS };
        let mut response = if headers.get(IF_NONE_MATCH) == Some(&tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            if path.as_str() == INDEX {
                bytes = with_link(bytes);
            }
            bytes.into_response()
        };
        let said: [(HeaderName, HeaderValue); 5] = [
            (CONTENT_TYPE, HeaderValue::from_static(content_type(path.name()))),
            (CACHE_CONTROL, HeaderValue::from_static(kept)),
            (ETAG, tag),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN")),
        ];
        for (name, value) in said {
            response.headers_mut().insert(name, value);
        }
        Ok(response)
    }
}

async fn page(State(ui): State<MlflowUi>, headers: HeaderMap) -> Result<Response, CrosstieError> {
    ui.send(&ArtifactPath::parse(INDEX)?, &headers).await
}

async fn file(
    State(ui): State<MlflowUi>,
    extract::Path(path): extract::Path<String>,
    headers: HeaderMap,
) -> Result<Response, CrosstieError> {
    ui.send(&ArtifactPath::parse(&path)?, &headers).await
}

fn missing(path: &ArtifactPath, error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::NotFound {
        return Error::new(ErrorKind::NotFound, format!("MLflow's web client has no file {path}"));
    }
    Error::of(ErrorKind::Internal, error)
}

/// MLflow's page with the link to the console in it.
fn with_link(page: Vec<u8>) -> Vec<u8> {
    match String::from_utf8(page) {
        Ok(text) => text.replacen("</body>", &format!("{TO_CONSOLE}</body>"), 1).into_bytes(),
        Err(error) => error.into_bytes(),
    }
}

/// The type by the name's ending. These files come from the wheel, so a browser may run them.
fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs" | "cjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff") => "font/woff",
        Some("woff2") => "font/woff2",
        Some("ttf") => "font/ttf",
        Some("eot") => "application/vnd.ms-fontobject",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    struct Answer(StatusCode, HeaderMap, String);

    fn client() -> (tempfile::TempDir, Router) {
        let root = tempfile::tempdir().unwrap();
        let build = root.path().join("lib/python3.12/site-packages/mlflow/server/js/build");
        std::fs::create_dir_all(build.join("static/js")).unwrap();
        std::fs::write(root.path().join("lib/python3.12/site-packages/mlflow/server/js/secret"), "secret").unwrap();
        std::fs::write(build.join("static/js/main.1234.js"), "run()").unwrap();
        std::fs::write(build.join("manifest.json"), "{}").unwrap();
        assert!(MlflowUi::in_environment(root.path()).is_none(), "mlflow-skinny has no page");
        std::fs::write(build.join(INDEX), "<html><body>MLflow</body></html>").unwrap();
        let router = MlflowUi::in_environment(root.path()).unwrap().router();
        (root, router)
    }

    async fn ask(router: &Router, path: &str, tag: Option<&HeaderValue>) -> Answer {
        let mut request = Request::get(path);
        if let Some(tag) = tag {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let response = router.clone().oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer(parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn the_page_and_its_files_have_types_and_are_sent_once() {
        let (_root, router) = client();
        let Answer(status, headers, body) = ask(&router, "/", None).await;
        assert_eq!((status, headers[CONTENT_TYPE].to_str().unwrap()), (StatusCode::OK, "text/html; charset=utf-8"));
        assert!(body.contains("MLflow") && body.contains("href=\"console\""), "{body}");
        for (path, kind, kept) in [
            ("/static-files/static/js/main.1234.js", "text/javascript; charset=utf-8", HASHED.1),
            ("/static-files/manifest.json", "application/json", OTHERS),
        ] {
            let Answer(status, headers, _) = ask(&router, path, None).await;
            assert_eq!(status, StatusCode::OK, "{path}");
            assert_eq!(
                (headers[CONTENT_TYPE].to_str().unwrap(), headers[CACHE_CONTROL].to_str().unwrap()),
                (kind, kept)
            );
            let Answer(again, _, body) = ask(&router, path, headers.get(ETAG)).await;
            assert_eq!((again, body.as_str()), (StatusCode::NOT_MODIFIED, ""), "{path}");
        }
    }

    #[tokio::test]
    async fn no_path_leads_out_of_the_folder() {
        let (_root, router) = client();
        for path in
            ["..%2fsecret", "%2e%2e/secret", "static/..%2f..%2fsecret", "..%252fsecret", "/secret", "..\\secret"]
        {
            let Answer(status, _, body) =
                ask(&router, &format!("/static-files/{}", path.replace('\\', "%5c")), None).await;
            assert!(
                status.is_client_error() && !body.contains("secret\n") && body != "secret",
                "{path}: {status} {body}"
            );
        }
        for path in ["/static-files/static", "/static-files/none.js"] {
            assert_eq!(ask(&router, path, None).await.0, StatusCode::NOT_FOUND, "{path}");
        }
    }
}
