//! The projects that this process knows: the one in force, and every one that something serving is pinned to.
//!
//! The database has them; what was read once is kept in memory, and on disk beside the traffic plan, so that a gateway
//! whose database is away at start still knows the definitions of what it serves.

use std::{
    collections::HashMap,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context as _, Result, anyhow};
use database::Database;
use runtime::SharedClock;
use types::Digest;

use super::{Content, Project, repo};
use crate::state_dir::write_whole;

/// Projects by digest, over the database.
#[derive(Debug)]
pub(crate) struct ProjectStore {
    database: Database,
    clock: SharedClock,
    dir: PathBuf,
    known: Mutex<HashMap<Digest, Arc<Project>>>,
    current: Mutex<Option<Digest>>,
}

impl ProjectStore {
    /// The store over `database`, with its copies in `dir`.
    pub(crate) fn new(database: Database, clock: SharedClock, dir: PathBuf) -> Self {
        Self { database, clock, dir, known: Mutex::default(), current: Mutex::default() }
    }

    /// The project in force; `None` before the first.
    ///
    /// # Errors
    /// When the database is away, or holds what this version cannot read.
    pub(crate) async fn in_force(&self) -> Result<Option<Arc<Project>>> {
        let found = self.database.read(async |tx| repo::in_force(tx).await).await?;
        *self.current() = found.as_ref().map(|(digest, _)| *digest);
        found.map(|(digest, content)| self.remember(digest, &content)).transpose()
    }

    /// The digest of the project in force, as last seen by this process.
    pub(crate) fn last_seen(&self) -> Option<Digest> {
        *self.current()
    }

    /// The project with `digest`.
    ///
    /// # Errors
    /// When nobody knows it.
    pub(crate) async fn by_digest(&self, digest: Digest) -> Result<Arc<Project>> {
        if let Some(project) = self.lock().get(&digest) {
            return Ok(Arc::clone(project));
        }
        let content = self.database.read(async move |tx| repo::content(tx, digest).await).await?;
        self.remember(digest, &content.ok_or_else(|| anyhow!("no project {digest} was ever applied here"))?)
    }

    /// Puts `project` in force; whether that changed anything.
    ///
    /// # Errors
    /// When the database is away.
    pub(crate) async fn put_in_force(&self, project: Project) -> Result<bool> {
        let (digest, now) = (project.digest, self.clock.now());
        let content: Arc<str> = serde_json::to_string(&project.content)?.into();
        let written = Arc::clone(&content);
        let put = self.database.write(async move |tx| {
            let before = repo::in_force(tx).await?.map(|(digest, _)| digest);
            if before != Some(digest) {
                repo::put_in_force(tx, digest, &written, now).await?;
            }
            Ok::<_, database::Error>(before != Some(digest))
        });
        let changed = put.await?;
        *self.current() = Some(digest);
        self.lock().insert(digest, Arc::new(project));
        self.keep(digest, &content)?;
        Ok(changed)
    }

    /// Every project known to this process, and those whose copies are on disk.
    pub(crate) fn known(&self) -> Vec<Arc<Project>> {
        let on_disk = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        for entry in on_disk {
            let name = entry.file_name().to_string_lossy().into_owned();
            let digest = name.strip_suffix(".json").and_then(|hex| Digest::parse(&format!("sha256:{hex}")).ok());
            if let Some(digest) = digest.filter(|digest| !self.lock().contains_key(digest))
                && let Ok(text) = fs::read_to_string(entry.path())
                && let Err(error) = self.remember(digest, &text)
            {
                tracing::warn!(%digest, error = %format!("{error:#}"), "a project's copy is not readable");
            }
        }
        self.lock().values().cloned().collect()
    }

    fn remember(&self, digest: Digest, content: &str) -> Result<Arc<Project>> {
        if let Some(project) = self.lock().get(&digest) {
            return Ok(Arc::clone(project));
        }
        let parsed: Content = serde_json::from_str(content)
            .with_context(|| format!("project {digest} is not readable by this version"))?;
        let project = Project::restore(parsed).map_err(|problems| {
            let first = problems.first().map_or("", |problem| problem.message.as_str());
            anyhow!("project {digest} is not valid to this version: {first}")
        })?;
        let project = Arc::new(Project { digest, ..project });
        self.lock().insert(digest, Arc::clone(&project));
        self.keep(digest, content)?;
        Ok(project)
    }

    fn keep(&self, digest: Digest, content: &str) -> Result<()> {
        let path = self.dir.join(format!("{}.json", digest.hex()));
        if path.exists() {
            return Ok(());
        }
        fs::create_dir_all(&self.dir).with_context(|| format!("cannot make {}", self.dir.display()))?;
        write_whole(&path, content.as_bytes())
    }

    fn current(&self) -> MutexGuard<'_, Option<Digest>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Arc<Project>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
