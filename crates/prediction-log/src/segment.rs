//! One local file of frames: made, recovered, appended to, read.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use types::Timestamp;
use uuid::Uuid;

use crate::{
    Error,
    error::IoContext as _,
    frame::{self, MAGIC, Reading},
};

/// What segments' names end with.
const EXTENSION: &str = "log";

/// A segment that is being appended to.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) id: Uuid,
    pub(crate) path: PathBuf,
    /// Shared, so that it can be synced while others append.
    pub(crate) file: Arc<File>,
    /// How much of the file is whole frames.
    pub(crate) length: u64,
    /// When this process began to append to it.
    pub(crate) opened_at: Timestamp,
    /// Damaged stretches that recovery has counted.
    pub(crate) corrupt: usize,
    /// A write failed and could not be undone: nothing may follow it.
    is_broken: bool,
}

/// What recovery found in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recovered {
    pub(crate) corrupt: usize,
    pub(crate) torn: u64,
}

impl Segment {
    /// Makes a new one in `dir`. Its name is unique without coordination and sorts by time.
    pub(crate) fn create(dir: &Path, now: Timestamp) -> Result<Self, Error> {
        let id = Uuid::now_v7();
        let path = dir.join(format!("{id}.{EXTENSION}"));
        let mut file =
            OpenOptions::new().append(true).create_new(true).open(&path).context("create the segment", &path)?;
        file.write_all(&MAGIC).context("begin the segment", &path)?;
        file.sync_all().context("sync the segment", &path)?;
        sync_folder(dir)?;
        let length = MAGIC.len() as u64;
        Ok(Self { id, path, file: Arc::new(file), length, opened_at: now, corrupt: 0, is_broken: false })
    }

    /// Opens an existing one after whatever ended the process that wrote it: cuts an unfinished last frame off.
    pub(crate) fn recover(id: Uuid, path: PathBuf, now: Timestamp) -> Result<(Self, Recovered), Error> {
        let bytes = std::fs::read(&path).context("read the segment", &path)?;
        let mut file = OpenOptions::new().append(true).open(&path).context("open the segment", &path)?;
        let has_magic = bytes.starts_with(&MAGIC);
        let reading = if has_magic { frame::read(&bytes, MAGIC.len()) } else { frame::read(&bytes, 0) };
        // A process may end before the first bytes are written; then there is nothing to lose.
        let end = if reading.payloads.is_empty() && !has_magic { 0 } else { reading.end };
        let torn = (bytes.len() - end) as u64;
        if torn > 0 {
            file.set_len(end as u64).context("cut the unfinished frame off", &path)?;
        }
        let mut length = end as u64;
        if length == 0 {
            file.write_all(&MAGIC).context("begin the segment", &path)?;
            length = MAGIC.len() as u64;
        }
        file.sync_all().context("sync the segment", &path)?;
        let recovered = Recovered { corrupt: reading.corrupt, torn };
        let file = Arc::new(file);
        Ok((Self { id, path, file, length, opened_at: now, corrupt: reading.corrupt, is_broken: false }, recovered))
    }

    /// Hands whole frames to the operating system. After an error none of them is in the segment.
    pub(crate) fn append(&mut self, frames: &[u8]) -> Result<(), Error> {
        if let Err(error) = (&*self.file).write_all(frames) {
            // Part of them may be there. Undo it, or take nothing more; recovery cuts it off.
            self.is_broken = self.file.set_len(self.length).is_err();
            return Err(Error::Io { action: "append to the segment", path: self.path.clone(), source: error });
        }
        self.length += frames.len() as u64;
        Ok(())
    }

    /// Whether it can take no more.
    pub(crate) const fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Whether it holds no frames.
    pub(crate) const fn is_empty(&self) -> bool {
        self.length <= MAGIC.len() as u64
    }
}

/// The segments in `dir`, oldest first.
pub(crate) fn list(dir: &Path) -> Result<Vec<(Uuid, PathBuf)>, Error> {
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(dir).context("list", dir)? {
        let path = entry.context("list", dir)?.path();
        let is_segment = path.extension().is_some_and(|extension| extension == EXTENSION);
        let id = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| Uuid::parse_str(stem).ok());
        if let (true, Some(id)) = (is_segment, id) {
            segments.push((id, path));
        }
    }
    segments.sort_unstable();
    Ok(segments)
}

/// The first `length` bytes of a segment with where its frames lie. None if it was rolled and deleted meanwhile.
pub(crate) fn read(path: &Path, length: u64) -> Result<Option<(Vec<u8>, Reading)>, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Io { action: "open the segment", path: path.to_owned(), source }),
    };
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(length).read_to_end(&mut bytes).context("read the segment", path)?;
    let start = if bytes.starts_with(&MAGIC) { MAGIC.len() } else { 0 };
    let reading = frame::read(&bytes, start);
    Ok(Some((bytes, reading)))
}

/// Makes the names in `dir` durable.
pub(crate) fn sync_folder(dir: &Path) -> Result<(), Error> {
    File::open(dir).and_then(|folder| folder.sync_all()).context("sync the folder", dir)
}
