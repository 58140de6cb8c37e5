//! Whether the registry holds what it says: every row refers to something that is there, and every file that was
//! recorded is there and holds what was recorded.
//!
//! On SQLite nothing else makes sure of it, since MLflow's own server does not always switch foreign keys on; and nowhere
//! does a database know whether a file is there. Nothing is changed.

use database::{Transaction, params};
use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use types::{DigestHasher, ErrorKind};

use crate::{ArtifactRecord, Service, error::Result, repo, sources, storage};

/// Records read at a time.
const AT_ONCE: i64 = 1_000;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What: `run`, `alias`, `artifact`, …
    pub what: String,
    /// Which one.
    pub subject: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Problem {
    /// What is wrong with `subject`.
    #[must_use]
    pub fn new(what: &str, subject: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { what: what.to_owned(), subject: subject.into(), problem: problem.into() }
    }
}

/// What was looked at, and what is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Kinds of reference that every row was held to.
    pub references: u64,
    /// Versions whose files were looked for.
    pub versions: u64,
    /// Versions whose files lie in other stores, where they were not looked for.
    pub elsewhere: u64,
    /// Files whose content was compared with what was recorded.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files of which only the size is recorded, since their content went around this server.
    pub sizes_only: u64,
    /// Everything that is wrong.
    pub problems: Vec<Problem>,
}

impl Service {
    /// Looks at every row's references, every version's files, and every recorded file's content.
    ///
    /// # Errors
    /// When the stores cannot be read; what is wrong with them is no error.
    pub async fn verify(&self) -> Result<Verified> {
        let mut verified = Verified::default();
        for (what, problem, sql) in repo::references::ALL {
            let found = self.database.read(async move |tx| tx.rows(sql, params![]).await).await?;
            for row in found {
                let subject: String = row.get("subject")?;
                verified.problems.push(Problem::new(what, subject, *problem));
            }
            verified.references += 1;
        }
        self.verify_versions(&mut verified).await?;
        let mut last = String::new();
        loop {
            let after = last.clone();
            let page = async move |tx: &mut Transaction| repo::artifact_records::after(tx, &after, AT_ONCE).await;
            let page = self.database.read(page).await?;
            let Some(end) = page.last() else { return Ok(verified) };
            end.path.as_str().clone_into(&mut last);
            for record in page {
                self.verify_record(&record, &mut verified).await?;
            }
        }
    }

    /// Holds a file to its record, unless it was written or deleted meanwhile.
    async fn verify_record(&self, record: &ArtifactRecord, verified: &mut Verified) -> Result<()> {
        let before = verified.problems.len();
        self.verify_file(record, verified).await?;
        if verified.problems.len() > before {
            let path = record.path.clone();
            let now = self.database.read(async move |tx| repo::artifact_records::get(tx, &path).await).await?;
            if now.as_ref() != Some(record) {
                verified.problems.truncate(before);
            }
        }
        Ok(())
    }

    /// Every version's files are there; a version of a run or logged model that is gone is told of by its row.
    async fn verify_versions(&self, verified: &mut Verified) -> Result<()> {
        let versions = self.database.read(async |tx| repo::gc::sources(tx).await).await?;
        for version in versions.into_iter().filter(|version| !version.is_prompt()) {
            let Some(uri) = version.uris.last().cloned() else { continue };
            let place = self.database.read(async move |tx| sources::place(tx, &uri).await).await;
            let uri = match place {
                Ok(uri) => uri,
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    let problem = format!("what it was made from is missing: {error}");
                    verified.problems.push(Problem::new("model version", version.version, problem));
                    continue;
                }
                Err(error) => return Err(error),
            };
            match storage::located(&self.artifacts, &uri) {
                Ok(Some(path)) => {
                    verified.versions += 1;
                    if self.artifacts.list(&path).await?.is_empty() && self.artifacts.get(&path).await.is_err() {
                        let problem = format!("its files are missing: nothing lies at {uri}");
                        verified.problems.push(Problem::new("model version", version.version, problem));
                    }
                }
                Ok(None) => verified.elsewhere += 1,
                Err(error) => {
                    let problem = format!("its place {uri} is none: {error}");
                    verified.problems.push(Problem::new("model version", version.version, problem));
                }
            }
        }
        Ok(())
    }

    /// The file is there, as large as was recorded, and holds what was recorded.
    async fn verify_file(&self, record: &ArtifactRecord, verified: &mut Verified) -> Result<()> {
        let wrong = |problem: String| Problem::new("artifact", record.path.as_str(), problem);
        let object = match self.artifacts.get(&record.path).await {
            Ok(object) => object,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                verified.problems.push(wrong("it was recorded and is missing".to_owned()));
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        if object.size != record.size {
            let problem = format!("it has {} bytes, {} were recorded", object.size, record.size);
            verified.problems.push(wrong(problem));
            return Ok(());
        }
        let Some(recorded) = record.digest else {
            verified.sizes_only += 1;
            return Ok(());
        };
        let (mut hasher, mut content) = (DigestHasher::default(), object.content);
        let unreadable = loop {
            match content.try_next().await {
                Ok(Some(piece)) => hasher.update(&piece),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        verified.files += 1;
        verified.bytes += record.size;
        if let Some(error) = unreadable {
            verified.problems.push(wrong(format!("it cannot be read: {error}")));
            return Ok(());
        }
        let digest = hasher.finish();
        if digest != recorded {
            verified.problems.push(wrong(format!("its content is {digest}, {recorded} was recorded")));
        }
        Ok(())
    }
}
