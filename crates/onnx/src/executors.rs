//! The threads that execute graphs: as many as the machine has cores, shared by all models.
//!
//! A graph runs on one thread from begin to end. With as many executors as cores that gives the most answers per second,
//! and ONNX Runtime's own threads, which would fight over the same cores, are not started. Who waits for an executor waits
//! in the async runtime, in order; a caller who leaves meanwhile leaves the queue.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

use tokio::sync::{Semaphore, oneshot};

type Job = Box<dyn FnOnce() + Send>;

/// The threads.
#[derive(Debug)]
pub(crate) struct Executors {
    /// One permit for each thread: what is in the channel is never waiting for long.
    free: Arc<Semaphore>,
    jobs: mpsc::Sender<Job>,
    count: usize,
}

impl Executors {
    /// Starts `count` threads, which end when this is dropped.
    pub(crate) fn start(count: usize) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::channel::<Job>();
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..count {
            let waiting = Arc::clone(&waiting);
            thread::Builder::new().name(format!("onnx-{number}")).spawn(move || {
                loop {
                    let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(job) = job else { return };
                    job();
                }
            })?;
        }
        Ok(Self { free: Arc::new(Semaphore::new(count)), jobs, count })
    }

    /// How many there are.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// Runs `work` on one of the threads. `None` when it panicked; the thread lives on.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let permit = Arc::clone(&self.free).acquire_owned().await.ok()?;
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move || {
            // What a panic leaves behind is dropped with `work`: nothing is shared across it but sessions, which are not
            // put back.
            let outcome = catch_unwind(AssertUnwindSafe(work));
            drop(permit);
            if let Ok(outcome) = outcome {
                // The caller may have left.
                answer.send(outcome).ok();
            }
        });
        self.jobs.send(job).ok()?;
        answered.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_costs_its_own_job_and_nothing_else() {
        let executors = Executors::start(1).unwrap();
        assert_eq!(executors.run(|| -> u8 { panic!("no such operator") }).await, None);
        assert_eq!(executors.run(|| 7).await, Some(7));
    }
}
