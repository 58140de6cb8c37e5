//! An S3 server on loopback: moto, from the Python that the registry's tests use, behind a check of every signature by
//! botocore. It has one bucket and keeps nothing after its end.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{Config, Error, Store};

/// The variable that names a Python with moto in it.
const PYTHON: &str = "CROSSTIE_TEST_MLFLOW_PYTHON";
/// The server.
const SCRIPT: &str = include_str!("s3_server.py");
/// What is not signed, since no client of ours asks for it.
const UNSIGNED: &str = "x-test";
/// The credentials that it knows.
const KEY: &str = "key";
const SECRET: &str = "a secret of the test";
/// What passes for a signature with moto; without one, objects are not for everyone.
const SIGNED: &str =
    "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
/// How long it may take to start; Python reads a lot before it does.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running server, and a client of it that needs no keys; it stops when it is dropped.
#[derive(Debug)]
pub struct S3Server {
    child: Child,
    endpoint: String,
    http: reqwest::Client,
}

impl S3Server {
    /// Its bucket.
    pub const BUCKET: &str = "models";

    /// Starts one on a free port; `None`, with a line that says why, where there is no Python for it.
    ///
    /// # Panics
    /// When it does not start, or `CI` is set and there is no Python for it.
    #[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "tests find their tools in the environment")]
    #[expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]
    pub async fn start() -> Option<Self> {
        let Ok(python) = std::env::var(PYTHON) else {
            assert!(std::env::var("CI").is_err(), "{PYTHON} is not set");
            eprintln!("skipped: {PYTHON} is not set");
            return None;
        };
        runtime::tls::use_ring();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(python);
        command.args(["-c", SCRIPT, &port.to_string(), KEY, SECRET]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { child, endpoint: format!("http://127.0.0.1:{port}"), http: reqwest::Client::new() };
        let bucket = format!("{}/{}", server.endpoint, Self::BUCKET);
        let made = async {
            while !server
                .http
                .put(&bucket)
                .header(UNSIGNED, "1")
                .send()
                .await
                .is_ok_and(|answer| answer.status().is_success())
            {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(PATIENCE, made).await.unwrap();
        Some(server)
    }

    /// The URI of `prefix` in its bucket.
    #[must_use]
    pub fn uri(&self, prefix: &str) -> String {
        format!("s3://{}/{prefix}", Self::BUCKET)
    }

    /// Where it answers.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What a client is told of it by the environment.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, &str); 4] {
        [
            ("AWS_ENDPOINT_URL", &self.endpoint),
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
            ("AWS_DEFAULT_REGION", "us-east-1"),
        ]
    }

    /// The same, as this crate takes it.
    #[must_use]
    pub fn config(&self) -> Config {
        self.environment().iter().fold(Config::default(), |config, (name, value)| config.with_s3(name, value))
    }

    /// A store below `prefix`.
    ///
    /// # Errors
    /// As [`Store::open_with`].
    pub fn store(&self, prefix: &str) -> Result<Store, Error> {
        Store::open_with(&self.uri(prefix), &self.config())
    }

    /// The object of that key, asked for without this crate's client; `None` if there is none.
    ///
    /// # Panics
    /// When the server does not answer.
    #[expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]
    pub async fn object(&self, key: &str) -> Option<Vec<u8>> {
        let mut url = url::Url::parse(&self.endpoint).unwrap();
        url.path_segments_mut().unwrap().push(Self::BUCKET).extend(key.split('/'));
        let answer = self.http.get(url).header(UNSIGNED, "1").header("authorization", SIGNED).send().await.unwrap();
        if answer.status() == 404 {
            return None;
        }
        Some(answer.error_for_status().unwrap().bytes().await.unwrap().to_vec())
    }

    /// How many uploads in parts were neither completed nor aborted.
    ///
    /// # Panics
    /// When the server does not answer.
    #[expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]
    pub async fn unfinished(&self) -> usize {
        let uploads = format!("{}/{}?uploads", self.endpoint, Self::BUCKET);
        let answer = self.http.get(uploads).header(UNSIGNED, "1").send().await.unwrap();
        answer.error_for_status().unwrap().text().await.unwrap().matches("<UploadId>").count()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
