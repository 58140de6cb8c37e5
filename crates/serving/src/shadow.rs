//! Copies of requests on their way to the shadow version, and what bounds them.
//!
//! A copy must never cost the caller anything: it waits in a queue that is bounded in number and in memory, and beyond
//! either bound it is dropped and counted. Room is taken before the inputs are copied, so that a request that will not be
//! copied is not even read. Copies have their own admission: they take no place of a caller's.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use types::{ModelVersion, Timestamp};

use crate::{
    InferRequest, ServedRow, Tensor,
    fleet::{Live, Routes},
    route::RouteKey,
    windows::Watched,
};

/// Copies that may wait: a quarter of a second of a thousand requests a second. A shadow that lags further behind would
/// only be compared with features that have changed since.
const WAITING: usize = 256;
/// What all copies together may hold, in units of [`UNIT`]: 64 MiB, so that a few huge requests cannot fill the machine.
const UNITS: usize = 64 << 10;
/// A kibibyte.
const UNIT: usize = 1 << 10;
/// What a row takes beside its inputs: the primary's row and the shadow's, each with some dozen features.
const ROW: usize = 4 * UNIT;
/// Copies that are executed at once; few, since they share the machine with requests that somebody waits for.
pub(crate) const AT_ONCE: usize = 4;
/// After this a shadow has failed: no caller would have waited longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// What a request needs so that a copy of it can follow.
#[derive(Debug)]
pub(crate) struct Reserved {
    pub(crate) live: Arc<Live>,
    pub(crate) watched: Arc<Watched>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) model: String,
    pub(crate) key: RouteKey,
    pub(crate) inputs: Vec<Tensor>,
    pub(crate) principal: String,
    _memory: OwnedSemaphorePermit,
}

/// A copy of a request, and how the original was answered.
#[derive(Debug)]
pub(crate) struct Copied {
    pub(crate) request: Reserved,
    pub(crate) primary: ModelVersion,
    pub(crate) at: Timestamp,
    pub(crate) rows: Vec<ServedRow>,
    pub(crate) latency: Duration,
}

/// The queue.
#[derive(Debug)]
pub(crate) struct Copies {
    sender: mpsc::Sender<Copied>,
    /// There until somebody begins to execute.
    receiver: Mutex<Option<mpsc::Receiver<Copied>>>,
    memory: Arc<Semaphore>,
}

impl Copies {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        Self { sender, receiver: Mutex::new(Some(receiver)), memory: Arc::new(Semaphore::new(UNITS)) }
    }

    /// What comes out of the queue; `None` for all but the first who asks.
    pub(crate) fn receive(&self) -> Option<mpsc::Receiver<Copied>> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Copies `request`, which goes where `routes` say, if there is room for it.
    pub(crate) fn reserve(
        &self,
        request: &InferRequest,
        routes: &Arc<Routes>,
        key: &RouteKey,
        (live, watched): (&Arc<Live>, &Arc<Watched>),
    ) -> Option<Reserved> {
        if self.sender.capacity() == 0 {
            return None;
        }
        let rows = request.inputs.first().map_or(0, Tensor::rows);
        let bytes = request.inputs.iter().map(|tensor| tensor.data.size()).sum::<usize>();
        let units = u32::try_from(bytes.saturating_add(rows.saturating_mul(ROW)).div_ceil(UNIT)).ok()?;
        let memory = Arc::clone(&self.memory).try_acquire_many_owned(units).ok()?;
        Some(Reserved {
            live: Arc::clone(live),
            watched: Arc::clone(watched),
            routes: Arc::clone(routes),
            model: request.model.clone(),
            key: key.clone(),
            inputs: request.inputs.clone(),
            principal: request.principal.name.clone(),
            _memory: memory,
        })
    }

    /// Puts a copy into the queue; whether there was room.
    pub(crate) fn send(&self, copy: Copied) -> bool {
        self.sender.try_send(copy).is_ok()
    }
}
