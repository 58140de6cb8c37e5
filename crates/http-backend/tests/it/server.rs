//! Servers of the tests, each on a port of its own, and artifacts that declare them.

use std::{net::SocketAddr, sync::Arc};

use axum::Router;
use http_backend::HttpBackend;
use serving::{Backend as _, BackendError, LoadedModel, ModelSpec};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use types::{Digest, ModelName, ModelVersion};

/// Starts a server that lives as long as the test.
pub(crate) async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

/// Starts a server that reads a request and then sends exactly `answer`, whatever that is. It closes the connection
/// afterwards, unless `hold`.
pub(crate) async fn serve_raw(answer: &'static [u8], hold: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut connection, _)) = listener.accept().await {
            read_request(&mut connection).await;
            connection.write_all(answer).await.ok();
            if hold {
                held.push(connection);
            } else {
                connection.shutdown().await.ok();
            }
        }
    });
    address
}

/// Reads to the end of a request's JSON, which is what these clients send last.
async fn read_request(connection: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"}") {
        let mut chunk = [0; 1_024];
        match connection.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(read) => request.extend_from_slice(&chunk[..read]),
        }
    }
}

/// A port that nobody listens on.
pub(crate) async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// An artifact with a declaration.
pub(crate) fn artifact(declaration: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(http_backend::FILE), declaration).unwrap();
    folder
}

/// What a backend is to load.
pub(crate) fn spec(folder: &TempDir) -> ModelSpec {
    let version = ModelVersion::new(ModelName::parse("legacy").unwrap(), 1);
    ModelSpec {
        version,
        backend: http_backend::BACKEND.to_owned(),
        file: folder.path().to_owned(),
        digest: Digest::of(""),
    }
}

/// Loads a declaration.
pub(crate) async fn load(declaration: &str) -> Result<Arc<dyn LoadedModel>, BackendError> {
    let folder = artifact(declaration);
    HttpBackend::new().unwrap().load(&spec(&folder)).await
}
