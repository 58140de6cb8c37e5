//! The segments of one kind of record: one that is appended to, and sealed ones that wait to be rolled.
//!
//! Appends are serialized by a lock that is held for one `write(2)`. Syncing happens beside it. What is sealed is
//! synced first, so syncing the active segment makes everything durable that was appended before.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use runtime::SharedClock;
use telemetry::{Counter, Metrics};
use types::Duration;
use uuid::Uuid;

use crate::{
    Error,
    error::IoContext as _,
    metrics::{APPENDED, CORRUPT, FAILED, TORN, UNROLLED},
    segment::{self, Segment},
};

/// The segments of one kind of record.
#[derive(Debug)]
pub(crate) struct Journal {
    pub(crate) kind: &'static str,
    dir: PathBuf,
    clock: SharedClock,
    segments: Mutex<Segments>,
    /// How many bytes of all time are on disk. Held while syncing, so that waiting callers share one sync.
    synced: Mutex<u64>,
    pub(crate) metrics: Metrics,
    appended: Counter,
}

#[derive(Debug)]
struct Segments {
    active: Segment,
    sealed: Vec<Sealed>,
    /// How many bytes of all time were appended.
    written: u64,
}

/// A segment that nothing is appended to any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) id: Uuid,
    pub(crate) path: PathBuf,
    pub(crate) length: u64,
    /// Damaged stretches that were counted already.
    pub(crate) corrupt: usize,
}

/// When the active segment is sealed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SealWhen {
    pub(crate) bytes: u64,
    pub(crate) after: Duration,
}

impl Journal {
    /// Opens the journal in `dir`, recovering what is there.
    pub(crate) fn open(kind: &'static str, dir: PathBuf, clock: SharedClock, metrics: Metrics) -> Result<Self, Error> {
        std::fs::create_dir_all(&dir).context("create", &dir)?;
        let mut recovered = Vec::new();
        for (id, path) in segment::list(&dir)? {
            let (segment, found) = Segment::recover(id, path, clock.now())?;
            if found.torn > 0 {
                tracing::warn!(kind, segment = %id, bytes = found.torn, "cut an unfinished frame off the prediction log");
                metrics.add(&TORN, &[kind], found.torn as f64);
            }
            if found.corrupt > 0 {
                tracing::error!(kind, segment = %id, stretches = found.corrupt, "skipped damaged frames of the prediction log");
                metrics.add(&CORRUPT, &[kind], found.corrupt as f64);
            }
            recovered.push(segment);
        }
        let active = match recovered.pop() {
            Some(segment) => segment,
            None => Segment::create(&dir, clock.now())?,
        };
        let sealed = recovered.into_iter().map(Sealed::from).collect();
        let appended = metrics.counter(&APPENDED, &[kind]);
        let segments = Mutex::new(Segments { active, sealed, written: 0 });
        Ok(Self { kind, dir, clock, segments, synced: Mutex::new(0), metrics, appended })
    }

    /// Hands `frames`, which are `records` whole ones, to the operating system. Answers how much was appended in all.
    pub(crate) fn append(&self, frames: &[u8], records: usize) -> Result<u64, Error> {
        let mut segments = self.segments();
        if segments.active.is_broken() {
            self.replace_active(&mut segments)?;
        }
        if let Err(error) = segments.active.append(frames) {
            self.metrics.add(&FAILED, &[self.kind, "append"], records as f64);
            return Err(error);
        }
        segments.written += frames.len() as u64;
        self.appended.add(records as f64);
        Ok(segments.written)
    }

    /// Returns once everything up to `position` is on disk. Callers that wait together share one sync.
    pub(crate) fn sync_through(&self, position: u64) -> Result<(), Error> {
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        if *synced >= position {
            return Ok(());
        }
        let (file, path, written) = {
            let segments = self.segments();
            (segments.active.file.clone(), segments.active.path.clone(), segments.written)
        };
        if let Err(error) = file.sync_data().context("sync the segment", &path) {
            self.metrics.add(&FAILED, &[self.kind, "sync"], 1.0);
            return Err(error);
        }
        *synced = written;
        Ok(())
    }

    /// Puts everything that was appended so far on disk.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        let written = self.segments().written;
        self.sync_through(written)
    }

    /// Seals the active segment if it is due.
    pub(crate) fn seal_if(&self, when: SealWhen) -> Result<(), Error> {
        let mut segments = self.segments();
        let active = &segments.active;
        let is_due = active.length >= when.bytes || self.clock.now().since(active.opened_at) >= when.after;
        if active.is_empty() || !is_due {
            return Ok(());
        }
        self.replace_active(&mut segments)
    }

    /// What waits to be rolled.
    pub(crate) fn sealed(&self) -> Vec<Sealed> {
        self.segments().sealed.clone()
    }

    /// Everything that is not rolled, as it is now.
    pub(crate) fn snapshot(&self) -> Vec<(PathBuf, u64)> {
        let segments = self.segments();
        let sealed = segments.sealed.iter().map(|sealed| (sealed.path.clone(), sealed.length));
        sealed.chain([(segments.active.path.clone(), segments.active.length)]).collect()
    }

    /// Forgets and deletes a segment whose records are safe elsewhere.
    pub(crate) fn discard(&self, rolled: &Sealed) -> Result<(), Error> {
        std::fs::remove_file(&rolled.path).context("delete the rolled segment", &rolled.path)?;
        self.segments().sealed.retain(|sealed| sealed.id != rolled.id);
        segment::sync_folder(&self.dir)
    }

    /// Tells how much waits.
    pub(crate) fn report(&self) {
        let bytes: u64 = self.snapshot().iter().map(|(_, length)| length).sum();
        self.metrics.set(&UNROLLED, &[self.kind], bytes as f64);
    }

    fn replace_active(&self, segments: &mut Segments) -> Result<(), Error> {
        segments.active.file.sync_data().context("sync the segment", &segments.active.path)?;
        let fresh = Segment::create(&self.dir, self.clock.now())?;
        let full = std::mem::replace(&mut segments.active, fresh);
        segments.sealed.push(Sealed::from(full));
        Ok(())
    }

    fn segments(&self) -> MutexGuard<'_, Segments> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Segment> for Sealed {
    fn from(segment: Segment) -> Self {
        Self { id: segment.id, path: segment.path, length: segment.length, corrupt: segment.corrupt }
    }
}

/// Makes `dir` exist and takes it for this process; the lock ends with the returned file.
pub(crate) fn lock(dir: &Path) -> Result<std::fs::File, Error> {
    std::fs::create_dir_all(dir).context("create", dir)?;
    let path = dir.join("LOCK");
    let file = std::fs::File::options().create(true).truncate(false).write(true).open(&path).context("open", &path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Locked { dir: dir.to_owned() }),
        Err(std::fs::TryLockError::Error(source)) => Err(Error::Io { action: "lock", path, source }),
    }
}
