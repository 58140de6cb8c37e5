//! Artifacts in a folder. Uploads are written beside the tree, synced, and renamed into place, so that a reader sees
//! whole files only and a crash leaves nothing but a stray upload, which the next start sweeps.
//!
//! No link is followed below the root (which may be one itself): the store makes none, so one that is there was made by
//! someone else, and could lead anywhere. To readers it is not there; what is put in its place replaces it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use types::{Digest, DigestHasher};
use url::Url;

use crate::{
    ArtifactPath, Content, Entry, Error, Object, Stored,
    path::{BESIDE, PARTIAL},
    store::tree_digest,
};

/// Bytes read or hashed at a time: large enough that system calls do not count, small enough for many readers.
const PIECE: usize = 256 * 1024;
/// Uploads older than this belong to a process that is gone.
const STRAY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug)]
pub(crate) struct Local {
    root: PathBuf,
    /// Another folder, whose files lie below [`BESIDE`]. It is made when something is put there.
    beside: Option<PathBuf>,
    /// What in the root, and in the folder beside, is no artifact, as paths from there.
    private: Vec<PathBuf>,
    private_beside: Vec<PathBuf>,
    /// A folder in the root by the name that was said for it, and where it is: as beside, but it needs no place of its own.
    within: Option<(PathBuf, PathBuf)>,
    /// What names of uploads begin with: another process's begin otherwise, on another machine, too.
    begun: u128,
    uploads: AtomicU64,
}

impl Local {
    pub(crate) fn open(root: PathBuf, beside: Option<PathBuf>, private: &[PathBuf]) -> Result<Self, Error> {
        let opened = || {
            fs::create_dir_all(root.join(PARTIAL))?;
            let root = root.canonicalize()?;
            sweep(&root.join(PARTIAL))?;
            Ok(root)
        };
        let root = opened().map_err(|source| Error::Root { root: root.display().to_string(), source })?;
        let real = beside.as_deref().map(real_folder).filter(|real| real.starts_with(&root));
        let (beside, within) = match (beside, real) {
            (Some(said), Some(real)) => (None, Some((said, real))),
            (beside, _) => (beside, None),
        };
        if let Some(folder) = &beside
            && let Err(error) = sweep(&folder.join(PARTIAL))
        {
            // It is the clients' own: what this server may not do there it does not need in order to start.
            tracing::warn!(folder = %folder.display(), %error, "uploads that were broken off cannot be looked for");
        }
        let private = || private.iter().map(PathBuf::as_path);
        let private_beside =
            beside.as_deref().map(|folder| below(&real_folder(folder), private().chain([root.as_path()])));
        let (private, private_beside) = (below(&root, private()), private_beside.unwrap_or_default());
        Ok(Self { root, beside, private, private_beside, within, begun: nanoseconds(), uploads: AtomicU64::new(0) })
    }

    pub(crate) fn beside(&self) -> Option<ArtifactPath> {
        self.beside.as_ref().and_then(|_| ArtifactPath::parse(BESIDE).ok())
    }

    /// The folder that holds `path`, and the path from there.
    fn place<'a>(&'a self, path: &'a ArtifactPath) -> (&'a Path, &'a str) {
        let below = path.as_str().strip_prefix(BESIDE).and_then(|rest| match rest {
            "" => Some(""),
            _ => rest.strip_prefix('/'),
        });
        match (&self.beside, below) {
            (Some(folder), Some(below)) => (folder, below),
            _ => (&self.root, path.as_str()),
        }
    }

    fn resolve(&self, path: &ArtifactPath) -> PathBuf {
        match self.place(path) {
            (folder, "") => folder.to_owned(),
            (folder, below) => folder.join(below),
        }
    }

    fn private_in(&self, folder: &Path) -> &[PathBuf] {
        if self.beside.as_deref() == Some(folder) { &self.private_beside } else { &self.private }
    }

    /// Whether `path` holds what is no artifact.
    fn holds_private(&self, path: &ArtifactPath) -> bool {
        let (folder, below) = self.place(path);
        self.private_in(folder).iter().any(|private| private.starts_with(below))
    }

    /// Whether `path` is that of the store's own folder, or of the one beside it.
    fn is_folder_itself(&self, path: &ArtifactPath) -> bool {
        self.place(path).1.is_empty()
    }

    pub(crate) fn locate(&self, uri: &str) -> Result<Option<ArtifactPath>, Error> {
        let invalid = || Error::InvalidPath { path: uri.to_owned() };
        let place = match uri.strip_prefix("file:") {
            None if uri.starts_with('/') => PathBuf::from(uri),
            None => return Ok(None),
            Some(_) => {
                let url = Url::parse(uri).map_err(|_| invalid())?;
                if url.query().is_some() || url.fragment().is_some() || uri.split('/').any(|segment| segment == "..") {
                    return Err(invalid());
                }
                url.to_file_path().map_err(|()| invalid())?
            }
        };
        let at = |folder: &Path| place.strip_prefix(folder).ok().map(|below| below.to_str().ok_or_else(invalid));
        if let Some(below) = at(&self.root) {
            return ArtifactPath::parse(below?).map(Some);
        }
        if let Some((said, real)) = &self.within
            && let Some(below) = at(said.as_path())
        {
            let folder = real.strip_prefix(&self.root).ok().and_then(Path::to_str).ok_or_else(invalid)?;
            return ArtifactPath::parse(folder)?.join(below?).map(Some);
        }
        let Some(below) = self.beside.as_deref().and_then(at) else { return Ok(None) };
        ArtifactPath::parse(BESIDE)?.join(below?).map(Some)
    }

    /// Whether nothing is there for callers: a link lies on the way to `path` or there, or what is there is no artifact.
    fn is_hidden(&self, path: &ArtifactPath) -> bool {
        let (folder, below) = self.place(path);
        if self.private_in(folder).iter().any(|private| Path::new(below).starts_with(private)) {
            return true;
        }
        let mut place = folder.to_owned();
        below.split('/').filter(|segment| !segment.is_empty()).any(|segment| {
            place.push(segment);
            fs::symlink_metadata(&place).is_ok_and(|found| found.is_symlink())
        })
    }

    pub(crate) async fn put(&self, path: &ArtifactPath, mut content: Content) -> Result<Stored, Error> {
        let mut upload = self.upload(path).await?;
        let mut hasher = DigestHasher::default();
        let mut size = 0;
        while let Some(piece) = content.next().await {
            let piece = piece.map_err(|source| Error::Interrupted { path: path.clone(), source })?;
            hasher.update(&piece);
            size += piece.len() as u64;
            upload.write(&piece).await?;
        }
        upload.finish().await?;
        Ok(Stored { size, digest: hasher.finish() })
    }

    /// Begins an upload to `path`.
    async fn upload(&self, path: &ArtifactPath) -> Result<Upload, Error> {
        let is_private = self.holds_private(path) || path.parent().is_some_and(|folder| self.is_hidden(&folder));
        if self.is_folder_itself(path) || is_private {
            return Err(Error::InvalidPath { path: path.to_string() });
        }
        let number = self.uploads.fetch_add(1, Ordering::Relaxed);
        let uploads = self.place(path).0.join(PARTIAL);
        if !uploads.exists() {
            let folder = uploads.clone();
            let made = tokio::task::spawn_blocking(move || sync(&make(&folder)?)).await;
            let made = made.unwrap_or_else(|error| Err(io::Error::other(error)));
            made.map_err(|source| Error::io("write", path, source))?;
        }
        let partial = Partial(uploads.join(format!("{}-{}-{number}", self.begun, std::process::id())));
        let file = tokio::fs::File::create_new(&partial.0).await;
        let file = file.map_err(|source| Error::io("write", path, source))?;
        Ok(Upload { path: path.clone(), target: self.resolve(path), partial, file })
    }

    pub(crate) async fn get(&self, path: &ArtifactPath) -> Result<Object, Error> {
        let failed = |source| {
            let error = Error::io("read", path, source);
            let absent = matches!(error, Error::InvalidPath { .. });
            if absent { Error::NotFound { path: path.clone() } } else { error }
        };
        if self.is_hidden(path) {
            return Err(Error::NotFound { path: path.clone() });
        }
        let file = tokio::fs::File::open(self.resolve(path)).await.map_err(failed)?;
        let metadata = file.metadata().await.map_err(failed)?;
        if !metadata.is_file() {
            return Err(Error::NotFound { path: path.clone() });
        }
        let pieces = futures::stream::try_unfold(file, |mut file| async move {
            let mut piece = Vec::with_capacity(PIECE);
            let read = (&mut file).take(PIECE as u64).read_to_end(&mut piece).await?;
            Ok((read > 0).then(|| (Bytes::from(piece), file)))
        });
        Ok(Object { size: metadata.len(), content: pieces.boxed() })
    }

    pub(crate) fn list(&self, folder: &ArtifactPath) -> Result<Vec<Entry>, Error> {
        let failed = |source| Error::io("list", folder, source);
        if self.is_hidden(folder) {
            return Ok(Vec::new());
        }
        let entries = match fs::read_dir(self.resolve(folder)) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Vec::new());
            }
            Err(error) => return Err(failed(error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            // What is not UTF-8, a link or a device was not put there through this store, and has no path in it.
            let Some(path) = entry.file_name().to_str().and_then(|name| folder.join(name).ok()) else { continue };
            if self.is_hidden(&path) {
                continue;
            }
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(failed)?,
            };
            if metadata.is_dir() {
                found.push(Entry { path, is_dir: true, size: 0 });
            } else if metadata.is_file() {
                found.push(Entry { path, is_dir: false, size: metadata.len() });
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    pub(crate) fn walk(&self, folder: &ArtifactPath) -> Result<Vec<Entry>, Error> {
        let mut files = Vec::new();
        let mut folders = vec![folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in self.list(&folder)? {
                if entry.is_dir { folders.push(entry.path) } else { files.push(entry) }
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    pub(crate) fn delete(&self, path: &ArtifactPath) -> Result<bool, Error> {
        let target = self.resolve(path);
        if self.is_folder_itself(path) || (target.is_dir() && !self.is_hidden(path)) {
            return Err(Error::InvalidPath { path: path.to_string() });
        }
        if self.is_hidden(path) {
            return Ok(false);
        }
        deleted(path, fs::remove_file(target))
    }

    pub(crate) fn check_delete(&self, path: &ArtifactPath) -> Result<(), Error> {
        if self.is_folder_itself(path) || self.holds_private(path) {
            return Err(Error::InvalidPath { path: path.to_string() });
        }
        Ok(())
    }

    pub(crate) fn delete_prefix(&self, path: &ArtifactPath) -> Result<bool, Error> {
        self.check_delete(path)?;
        let target = self.resolve(path);
        if self.is_hidden(path) {
            return Ok(false);
        }
        if target.is_dir() { deleted(path, fs::remove_dir_all(target)) } else { deleted(path, fs::remove_file(target)) }
    }

    pub(crate) fn digest(&self, path: &ArtifactPath) -> Result<Stored, Error> {
        if self.is_hidden(path) {
            return Err(Error::NotFound { path: path.clone() });
        }
        digest_file(&self.resolve(path)).map_err(|source| {
            let error = Error::io("read", path, source);
            let absent = matches!(error, Error::InvalidPath { .. });
            if absent { Error::NotFound { path: path.clone() } } else { error }
        })
    }

    pub(crate) fn digest_tree(&self, folder: &ArtifactPath) -> Result<Digest, Error> {
        let mut files = self.walk(folder)?;
        if files.is_empty() {
            files.push(Entry { path: folder.clone(), is_dir: false, size: 0 });
        }
        let digests = files.iter().map(|file| Ok((&file.path, self.digest(&file.path)?.digest)));
        Ok(tree_digest(folder, digests.collect::<Result<Vec<_>, Error>>()?))
    }
}

fn digest_file(path: &Path) -> io::Result<Stored> {
    use io::Read as _;
    let mut file = fs::File::open(path)?;
    let mut hasher = DigestHasher::default();
    let mut size = 0;
    let mut piece = vec![0; PIECE];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(Stored { size, digest: hasher.finish() });
        }
        hasher.update(&piece[..read]);
        size += read as u64;
    }
}

fn deleted(path: &ArtifactPath, result: io::Result<()>) -> Result<bool, Error> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(source) => Err(Error::io("delete", path, source)),
    }
}

/// Where `folder` is, or would be, once links are followed.
fn real_folder(folder: &Path) -> PathBuf {
    match (folder.canonicalize(), folder.parent(), folder.file_name()) {
        (Ok(real), _, _) => real,
        (Err(_), Some(parent), Some(name)) => real_folder(parent).join(name),
        (Err(_), _, _) => folder.to_owned(),
    }
}

/// Those of `places` that lie in `folder`, as paths from there: where each is, and every link in it on the way there, since
/// who replaces a link replaces what it leads to.
fn below<'a>(folder: &Path, places: impl Iterator<Item = &'a Path>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for place in places {
        let links = place.ancestors().filter(|path| fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()));
        let named = links.filter_map(|link| Some(real_folder(link.parent()?).join(link.file_name()?)));
        let inside = |place: PathBuf| place.strip_prefix(folder).ok().map(Path::to_owned);
        found.extend(named.chain([real_folder(place)]).filter_map(inside).filter(|path| !path.as_os_str().is_empty()));
    }
    found
}

fn nanoseconds() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos()
}

/// Removes uploads that a process left behind when it was killed.
fn sweep(partial: &Path) -> io::Result<()> {
    let now = SystemTime::now();
    let entries = match fs::read_dir(partial) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let age = now.duration_since(entry.metadata()?.modified()?).unwrap_or_default();
        if age > STRAY_AFTER {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// A file on its way; dropped before [`Upload::finish`], it leaves nothing.
#[derive(Debug)]
struct Upload {
    path: ArtifactPath,
    target: PathBuf,
    partial: Partial,
    file: tokio::fs::File,
}

impl Upload {
    async fn write(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.file.write_all(piece).await.map_err(|source| Error::io("write", &self.path, source))
    }

    async fn finish(mut self) -> Result<(), Error> {
        let failed = |source| Error::io("write", &self.path, source);
        self.file.flush().await.map_err(failed)?;
        self.file.sync_all().await.map_err(failed)?;
        let (partial, target) = (self.partial.0.clone(), self.target.clone());
        let placed = tokio::task::spawn_blocking(move || place(&partial, &target)).await;
        placed.map_err(|error| failed(io::Error::other(error)))?.map_err(failed)
    }
}

/// Renames `partial` to `target` and syncs every directory that got a new entry.
fn place(partial: &Path, target: &Path) -> io::Result<()> {
    let folder = target.parent().ok_or(io::ErrorKind::InvalidFilename)?;
    let changed = make(folder).map_err(|error| {
        let is_file = error.kind() == io::ErrorKind::AlreadyExists;
        if is_file { io::ErrorKind::NotADirectory.into() } else { error }
    })?;
    fs::rename(partial, target)?;
    sync(&changed)
}

/// Makes a folder and what is missing above it; answers with it and those above that got a new entry.
fn make(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut changed = vec![folder.to_owned()];
    let mut missing = folder;
    while !missing.exists() {
        missing = missing.parent().ok_or(io::ErrorKind::NotFound)?;
        changed.push(missing.to_owned());
    }
    fs::create_dir_all(folder)?;
    Ok(changed)
}

fn sync(folders: &[PathBuf]) -> io::Result<()> {
    folders.iter().try_for_each(|folder| fs::File::open(folder)?.sync_all())
}

/// Removes the file when dropped; after a rename there is none.
#[derive(Debug)]
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        let gone = fs::remove_file(&self.0);
        if let Err(error) = gone
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(file = %self.0.display(), %error, "an interrupted upload could not be removed");
        }
    }
}

#[cfg(test)]
mod tests;
