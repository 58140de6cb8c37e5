//! Calls of clients that are handed through: what they ask goes on with this server's credentials, and what is answered
//! comes back as it is.

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::{
    Method, StatusCode,
    header::{
        ACCEPT, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, RETRY_AFTER,
        X_CONTENT_TYPE_OPTIONS,
    },
};

use crate::{Error, RemoteMlflow};

/// What a caller may say beside path and query. Never who it is: that is for this server.
const PASSED_ON: [HeaderName; 2] = [ACCEPT, CONTENT_TYPE];
/// What it is told beside status and body.
const PASSED_BACK: [HeaderName; 5] =
    [CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS];

/// A call to be handed through.
#[derive(Debug)]
pub struct Passed {
    /// Its method.
    pub method: Method,
    /// Its path, as it was written.
    pub path: String,
    /// Its query.
    pub query: Option<String>,
    /// Its headers; few of them are passed on.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// What was answered.
pub struct Forwarded {
    /// The status.
    pub status: StatusCode,
    /// Those headers that mean something to the caller.
    pub headers: HeaderMap,
    /// The body, as it comes.
    pub content: artifacts::Content,
}

impl std::fmt::Debug for Forwarded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forwarded").field("status", &self.status).finish_non_exhaustive()
    }
}

impl RemoteMlflow {
    /// Asks what the caller asked, once: it has its own retries.
    ///
    /// # Errors
    /// [`Error::Path`] for a path that leads out of the API, [`Error::Away`] when nothing is answered.
    pub async fn forward(&self, passed: Passed) -> Result<Forwarded, Error> {
        let url = self.http.address.at(&passed.path, passed.query.as_deref()).ok_or(Error::Path)?;
        let headers = only(&passed.headers, &PASSED_ON);
        let request = self.http.request(passed.method, url).headers(headers).body(passed.body);
        let response = request.send().await.map_err(|source| self.http.away(source))?;
        Ok(Forwarded {
            status: response.status(),
            headers: only(response.headers(), &PASSED_BACK),
            content: response.bytes_stream().map_err(std::io::Error::other).boxed(),
        })
    }
}

fn only(headers: &HeaderMap, names: &[HeaderName]) -> HeaderMap {
    names.iter().filter_map(|name| Some((name.clone(), headers.get(name)?.clone()))).collect()
}
