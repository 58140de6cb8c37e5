//! What a backup consists of: each file with its size and digest. A folder with a manifest that fits is whole.

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Component, Path},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use types::{Digest, DigestHasher};

use super::MANIFEST;

/// The format that this version writes and reads.
const FORMAT: u32 = 1;
/// Bytes hashed at a time.
const PIECE: usize = 256 * 1024;

/// The manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The format of this file: 1.
    pub(super) format: u32,
    /// The program that made the backup.
    pub(super) crosstie: String,
    /// The kind of database: `sqlite` or `postgres`.
    pub(super) database: String,
    /// Every file but this one.
    pub(super) files: Vec<FileEntry>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileEntry {
    /// From the backup's folder.
    pub(super) path: String,
    /// In bytes.
    pub(super) size: u64,
    /// Of its content.
    pub(super) digest: Digest,
}

impl FileEntry {
    pub(super) fn new(path: &Path, size: u64, digest: Digest) -> Result<Self> {
        let path = path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?.to_owned();
        Ok(Self { path, size, digest })
    }
}

impl Manifest {
    pub(super) fn new(database: &str, files: Vec<FileEntry>) -> Self {
        let crosstie = env!("CARGO_PKG_VERSION").to_owned();
        Self { format: FORMAT, crosstie, database: database.to_owned(), files }
    }

    /// The bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// The manifest of the backup in `from`, once every file is there and holds what it should. Blocks.
    ///
    /// # Errors
    /// When it is no backup, not a whole one, or one that was changed.
    pub(super) fn verified(from: &Path) -> Result<Self> {
        let path = from.join(MANIFEST);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                bail!("{} holds no whole backup: it has no {MANIFEST}, which is written last", from.display())
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let manifest: Self =
            serde_json::from_slice(&text).with_context(|| format!("{} is no manifest of a backup", path.display()))?;
        let format = manifest.format;
        ensure!(format == FORMAT, "this program reads backups of format {FORMAT}, not {format}: use a newer crosstie");
        for file in &manifest.files {
            let below = Path::new(&file.path);
            let inside = below.components().all(|part| matches!(part, Component::Normal(_)));
            ensure!(inside, "the manifest names {}, which lies elsewhere", file.path);
            let found = entry(from, below)?;
            ensure!(
                found == *file,
                "{} was changed after the backup was made: it is {} ({} bytes), not {} ({} bytes)",
                file.path,
                found.digest,
                found.size,
                file.digest,
                file.size
            );
        }
        Ok(manifest)
    }
}

/// The entry of the file at `below` in the backup `folder`, read off it. Blocks.
pub(super) fn entry(folder: &Path, below: &Path) -> Result<FileEntry> {
    let path = folder.join(below);
    let cannot = || format!("cannot read {}", path.display());
    let mut file = File::open(&path).with_context(cannot)?;
    let (mut hasher, mut size, mut piece) = (DigestHasher::default(), 0, vec![0; PIECE]);
    loop {
        let read = file.read(&mut piece).with_context(cannot)?;
        if read == 0 {
            return FileEntry::new(below, size, hasher.finish());
        }
        hasher.update(&piece[..read]);
        size += read as u64;
    }
}
