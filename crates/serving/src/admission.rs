//! How many requests may be in flight: beyond the limit a request is refused at once, because a queue that nobody will
//! wait for only makes every answer late.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use telemetry::{Gauge, Metrics};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Error, metrics::IN_FLIGHT};

/// Lets requests in.
#[derive(Debug)]
pub(crate) struct Admission {
    places: Arc<Semaphore>,
    limit: u32,
    draining: AtomicBool,
    in_flight: Gauge,
}

/// A request's place; given back when dropped, so a request whose caller left frees it too.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    in_flight: Gauge,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.in_flight.add(-1.0);
    }
}

impl Admission {
    pub(crate) fn new(limit: u32, metrics: &Metrics) -> Self {
        Self {
            places: Arc::new(Semaphore::new(limit as usize)),
            limit,
            draining: AtomicBool::new(false),
            in_flight: metrics.gauge(&IN_FLIGHT, &[]),
        }
    }

    pub(crate) fn enter(&self) -> Result<Place, Error> {
        if self.is_draining() {
            return Err(Error::Draining);
        }
        let full = |_| Error::Overloaded { limit: self.limit as usize };
        let permit = Arc::clone(&self.places).try_acquire_owned().map_err(full)?;
        self.in_flight.add(1.0);
        Ok(Place { _permit: permit, in_flight: self.in_flight.clone() })
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Lets nobody in any more and waits for those who are; whether all left before the deadline.
    pub(crate) async fn drain(&self, deadline: Duration) -> bool {
        self.draining.store(true, Ordering::Release);
        tokio::time::timeout(deadline, self.places.acquire_many(self.limit)).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn requests_beyond_the_limit_are_refused_and_draining_waits_for_the_others() {
        let metrics = Metrics::new(&[crate::METRICS]).unwrap();
        let admission = Admission::new(1, &metrics);
        let place = admission.enter().unwrap();
        assert!(matches!(admission.enter(), Err(Error::Overloaded { limit: 1 })));
        assert!(!admission.drain(Duration::from_secs(1)).await, "one is still in flight");
        drop(place);
        assert!(admission.drain(Duration::from_secs(1)).await);
        assert!(matches!(admission.enter(), Err(Error::Draining)));
    }
}
