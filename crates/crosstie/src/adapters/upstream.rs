//! An MLflow elsewhere as the server that the API hands calls through to.

use api::{error::Error, mlflow::elsewhere::Upstream};
use async_trait::async_trait;
use bytes::Bytes;
use remote_mlflow::{Passed, RemoteMlflow};

/// Hands calls through.
#[derive(Debug)]
pub(crate) struct Through {
    pub(crate) remote: RemoteMlflow,
    pub(crate) address: String,
}

#[async_trait]
impl Upstream for Through {
    fn address(&self) -> &str {
        &self.address
    }

    async fn forward(&self, question: http::Request<Bytes>) -> Result<http::Response<artifacts::Content>, Error> {
        let (parts, body) = question.into_parts();
        let passed = Passed {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(str::to_owned),
            headers: parts.headers,
            body,
        };
        let answered = self.remote.forward(passed).await.map_err(|error| Error::of(error.kind(), &error))?;
        let mut answer = http::Response::new(answered.content);
        *answer.status_mut() = answered.status;
        *answer.headers_mut() = answered.headers;
        Ok(answer)
    }
}
