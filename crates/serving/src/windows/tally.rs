//! One request on its way into a window.

use std::{sync::Arc, thread, time::Duration};

use tokio::time::Instant;

use super::{Ending, Watched, Windows};
use crate::{Arm, Error, route::RouteKey};

/// Counts one request however it ends: answered, failed, left by its caller, or unwound by a panic.
#[derive(Debug)]
pub(crate) struct Tally<'a> {
    windows: &'a Windows,
    watched: Option<Arc<Watched>>,
    arm: Arm,
    version: u32,
    key: RouteKey,
    started: Instant,
}

impl<'a> Tally<'a> {
    /// Begins to count; nothing, where nothing is watched.
    pub(crate) fn new(
        windows: &'a Windows,
        watched: Option<Arc<Watched>>,
        arm: Arm,
        version: u32,
        key: RouteKey,
        started: Instant,
    ) -> Self {
        Self { windows, watched, arm, version, key, started }
    }

    /// The request was answered after `latency`.
    pub(crate) fn answered(mut self, latency: Duration) {
        self.end(Ending::Answered(latency));
    }

    /// The request failed. What says nothing about the version is not counted.
    pub(crate) fn failed(mut self, error: &Error) {
        match error {
            Error::Overloaded { .. } | Error::Draining => self.watched = None,
            Error::UnknownModel { .. }
            | Error::UnknownVersion { .. }
            | Error::VersionNotOpen { .. }
            | Error::NotReady { .. }
            | Error::NothingServes { .. }
            | Error::Input(_)
            | Error::Features(_)
            | Error::NullFeature { .. }
            | Error::UnknownOutput { .. }
            | Error::Refused { .. }
            | Error::Backend { .. }
            | Error::PlanFile { .. } => self.end(Ending::Failed),
        }
    }

    fn end(&mut self, ending: Ending) {
        if let Some(watched) = self.watched.take() {
            self.windows.count(&watched, self.arm, self.version, &self.key, ending);
        }
    }
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        let slow_after = self.watched.as_ref().and_then(|watched| watched.slow_after);
        if thread::panicking() {
            self.end(Ending::Failed);
        } else if slow_after.is_some_and(|limit| self.started.elapsed() > limit) {
            self.end(Ending::Abandoned);
        }
    }
}
