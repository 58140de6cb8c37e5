//! What others can do with alerts.

use std::{fmt, sync::Arc};

use database::Database;
use runtime::{SharedClock, Signal};
use telemetry::Metrics;
use types::Duration;

use crate::{Alert, Error, Filter, Notifier, Routing, Source, Webhook, repo};

/// How long a condition must be gone before its alert is resolved, unless told otherwise: longer than the gap between two
/// looks of any source, short enough that nobody works on what is over.
const RESOLVE_AFTER: Duration = Duration::from_secs(10);

/// How alerts behave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where they go.
    pub routing: Routing,
    /// How long a condition must be gone before its alert is resolved. One that comes back earlier is the same alert.
    pub resolve_after: Duration,
}

impl Config {
    /// The usual behaviour, with these routes.
    #[must_use]
    pub const fn new(routing: Routing) -> Self {
        Self { routing, resolve_after: RESOLVE_AFTER }
    }
}

/// Alerts. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Clone)]
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) database: Database,
    pub(crate) clock: SharedClock,
    pub(crate) metrics: Metrics,
    pub(crate) signal: Signal,
    pub(crate) notifier: Arc<dyn Notifier>,
    pub(crate) sources: Vec<Arc<dyn Source>>,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources: Vec<_> = self.inner.sources.iter().map(|source| source.name()).collect();
        f.debug_struct("Service").field("config", &self.inner.config).field("sources", &sources).finish_non_exhaustive()
    }
}

impl Service {
    /// The service over `database`, with webhooks and without sources.
    ///
    /// # Errors
    /// When this machine cannot make HTTP connections at all.
    pub fn new(config: Config, database: Database, clock: SharedClock, metrics: Metrics) -> Result<Self, Error> {
        let notifier: Arc<dyn Notifier> = Arc::new(Webhook::new()?);
        let (signal, sources) = (Signal::new(), Vec::new());
        let inner = Inner { config, database, clock, metrics, signal, notifier, sources };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The same service with these sources. Each has a name of its own; alerts of a source that is not among them resolve.
    #[must_use]
    pub fn with_sources(&self, sources: Vec<Arc<dyn Source>>) -> Self {
        Self { inner: Arc::new(Inner { sources, ..(*self.inner).clone() }) }
    }

    /// The same service with another way for messages to leave.
    #[must_use]
    pub fn with_notifier(&self, notifier: Arc<dyn Notifier>) -> Self {
        Self { inner: Arc::new(Inner { notifier, ..(*self.inner).clone() }) }
    }

    /// Makes the tables.
    ///
    /// # Errors
    /// When the database is away or newer than this program.
    pub async fn migrate(&self) -> Result<(), Error> {
        Ok(self.inner.database.migrate("alerts", repo::ddl::MIGRATIONS).await?)
    }

    /// Has the watcher look at once. It looks each second anyway.
    pub fn look(&self) {
        self.inner.signal.notify();
    }

    /// Alerts with their messages, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list(&self, filter: Filter) -> Result<Vec<Alert>, Error> {
        self.inner.database.read(async move |tx| repo::list(tx, &filter).await).await
    }
}
