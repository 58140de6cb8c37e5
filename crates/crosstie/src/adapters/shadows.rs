//! What shadows answered: logged beside what was served, and summed up for the release that sent them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prediction_log::Log;
use release::{ReleaseId, shadow};
use runtime::Tasks;
use serving::{ServedRow, ShadowSink, Shadowed};
use tokio::time::Instant;

use super::{definitions::VersionDefinitions, prediction_sink::LogSink};

/// How often releases are told; what is lost with the process is no more than that.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// How long nothing must have come of a release before it is looked at whether it is over: longer than a copy may take.
const IDLE: Duration = Duration::from_secs(60);

/// Compares shadows with what was served. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Comparisons {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    log: LogSink,
    releases: release::Service,
    gateway: String,
    summaries: Mutex<HashMap<ReleaseId, Summed>>,
}

#[derive(Debug)]
struct Summed {
    summary: shadow::Summary,
    /// Whether the release was told all of it.
    is_told: bool,
    /// When something last came, or the release was last looked at.
    touched: Instant,
}

impl Default for Summed {
    fn default() -> Self {
        Self { summary: shadow::Summary::default(), is_told: false, touched: Instant::now() }
    }
}

impl Comparisons {
    /// Sums up in the name of `gateway`, telling `releases` until `tasks` are shut down.
    pub(crate) fn start(
        log: Log,
        definitions: Arc<VersionDefinitions>,
        releases: release::Service,
        gateway: String,
        tasks: &Tasks,
    ) -> Self {
        let log = LogSink { log, definitions };
        let inner = Arc::new(Inner { log, releases, gateway, summaries: Mutex::default() });
        let (telling, token) = (Arc::clone(&inner), tasks.shutdown_token());
        tasks.spawn("shadow summaries", async move {
            while tokio::time::timeout(TELL_EVERY, token.cancelled()).await.is_err() {
                telling.tell().await;
                telling.forget(IDLE).await;
            }
            telling.tell().await;
        });
        Self { inner }
    }

    /// Forgets releases that are over and of which nothing came for `idle`; how many are left.
    #[cfg(test)]
    pub(crate) async fn forget(&self, idle: Duration) -> usize {
        self.inner.tell().await;
        self.inner.forget(idle).await;
        self.inner.summaries.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Inner {
    /// Forgets what was told of releases that are over. Of one that is not, all is needed: it is told whole each time.
    async fn forget(&self, idle: Duration) {
        let resting: Vec<ReleaseId> = {
            let mut summaries = self.summaries.lock().unwrap_or_else(PoisonError::into_inner);
            let resting = summaries.iter_mut().filter(|(_, summed)| summed.is_told && summed.touched.elapsed() >= idle);
            resting
                .map(|(release, summed)| {
                    summed.touched = Instant::now();
                    *release
                })
                .collect()
        };
        for release in resting {
            if self.releases.get(release).await.is_ok_and(|release| release.stage.is_over()) {
                let mut summaries = self.summaries.lock().unwrap_or_else(PoisonError::into_inner);
                summaries.retain(|of, summed| *of != release || !summed.is_told);
            }
        }
    }

    async fn tell(&self) {
        let untold: Vec<(ReleaseId, shadow::Summary)> = {
            let mut summaries = self.summaries.lock().unwrap_or_else(PoisonError::into_inner);
            let untold = summaries.iter_mut().filter(|(_, summed)| !summed.is_told);
            untold
                .map(|(release, summed)| {
                    summed.is_told = true;
                    (*release, summed.summary.clone())
                })
                .collect()
        };
        for (release, summary) in untold {
            if let Err(error) = self.releases.shadowed(&self.gateway, release, &summary).await {
                tracing::warn!(%release, error = &error as &dyn std::error::Error, "the shadow is summed up again later");
                let mut summaries = self.summaries.lock().unwrap_or_else(PoisonError::into_inner);
                summaries.entry(release).or_default().is_told = false;
            }
        }
    }
}

impl ShadowSink for Comparisons {
    fn record(&self, shadowed: Shadowed) {
        let Ok(release) = shadowed.release.parse::<ReleaseId>() else { return };
        let mut summaries = self.inner.summaries.lock().unwrap_or_else(PoisonError::into_inner);
        let summed = summaries.entry(release).or_default();
        (summed.is_told, summed.touched) = (false, Instant::now());
        let Shadowed { primary_rows, primary_latency, outcome, .. } = shadowed;
        let rows = match outcome {
            Ok((rows, shadow_latency)) => {
                for (primary, row) in primary_rows.into_iter().zip(&rows) {
                    summed.summary.compare(&compared(primary, row, primary_latency, shadow_latency));
                }
                rows
            }
            Err(message) => {
                summed.summary.fail(&message);
                Vec::new()
            }
        };
        drop(summaries);
        if let Err(error) = serving::PredictionSink::record(&self.inner.log, rows) {
            tracing::error!(error, "a shadow's rows were not logged");
        }
    }
}

fn compared(
    primary: ServedRow,
    shadow: &ServedRow,
    primary_latency: Duration,
    shadow_latency: Duration,
) -> shadow::Comparison {
    let features = shadow.features.iter().map(|feature| (feature.name.to_string(), feature.value.clone()));
    shadow::Comparison {
        features: features.collect(),
        primary: primary.outputs,
        shadow: shadow.outputs.clone(),
        primary_latency,
        shadow_latency,
    }
}
