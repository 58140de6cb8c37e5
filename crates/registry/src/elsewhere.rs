//! The alias that mirrors what serves, at a registry elsewhere. Nobody can be kept from moving it there, and this server
//! may not be allowed to: so it is set where that is possible, and looked after, and what differs is told.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use runtime::{SharedClock, Tasks};
use types::{ErrorKind, ModelName, ModelVersion, Timestamp};

use crate::{Origin, OriginError, Service, error::Result};

/// How often the aliases elsewhere are looked at.
const LOOK: Duration = Duration::from_secs(30);
/// How long setting one may take: whoever decided what serves waits for it.
const SETTING: Duration = Duration::from_secs(3);

/// Held across calls to the registry elsewhere.
type Held = tokio::sync::Mutex<()>;

/// Something about a registry elsewhere that somebody should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginFinding {
    /// What.
    pub kind: OriginFindingKind,
    /// Since when it is known.
    pub since: Timestamp,
}

/// What can be found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum OriginFindingKind {
    /// It does not answer.
    Away {
        /// What was attempted, and what came of it.
        message: String,
    },
    /// An alias there names another version than here.
    Strayed {
        /// The model.
        model: ModelName,
        /// The alias.
        alias: String,
        /// What it names here.
        here: u32,
        /// What it names there; none if it names nothing.
        there: Option<u32>,
        /// Why it could not be set there, if that was attempted.
        refused: Option<String>,
    },
}

impl OriginFindingKind {
    /// What makes two findings the same one, which goes on.
    fn key(&self) -> (Option<ModelName>, Option<u32>) {
        match self {
            Self::Away { .. } => (None, None),
            Self::Strayed { model, here, .. } => (Some(model.clone()), Some(*here)),
        }
    }
}

/// What is remembered of it.
#[derive(Debug, Clone)]
pub(crate) struct Elsewhere {
    pub(crate) origin: Arc<dyn Origin>,
    clock: SharedClock,
    known: Arc<Mutex<Known>>,
    bringing: Arc<Mutex<HashMap<ModelVersion, Weak<Held>>>>,
}

#[derive(Debug, Default)]
struct Known {
    findings: Vec<OriginFinding>,
    /// Why an alias could not be set, and whether that may be attempted again.
    refused: BTreeMap<(ModelName, String), (String, bool)>,
}

impl Elsewhere {
    pub(crate) fn new(origin: Arc<dyn Origin>, clock: SharedClock) -> Self {
        Self { origin, clock, known: Arc::default(), bringing: Arc::default() }
    }

    /// What is held while this version is brought.
    pub(crate) fn bringing(&self, version: &ModelVersion) -> Arc<Held> {
        let mut bringing = self.bringing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = bringing.get(version).and_then(Weak::upgrade) {
            return held;
        }
        bringing.retain(|_, held| held.strong_count() > 0);
        let held = Arc::default();
        bringing.insert(version.clone(), Arc::downgrade(&held));
        held
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn set_alias(&self, version: &ModelVersion, alias: &str) -> Result<(), OriginError> {
        let outcome = tokio::time::timeout(SETTING, self.origin.set_alias(version, alias)).await;
        let late = |_| {
            let message = format!("{} did not answer within {SETTING:?}", self.origin.address());
            Err(OriginError::new(ErrorKind::Unavailable, message))
        };
        let outcome = outcome.unwrap_or_else(late);
        let key = (version.model.clone(), alias.to_owned());
        match &outcome {
            Ok(()) => _ = self.known().refused.remove(&key),
            Err(error) => _ = self.known().refused.insert(key, (error.to_string(), error.kind.is_retryable())),
        }
        outcome
    }

    /// Compares an alias with what it names here, and sets it if that was to be done before and was not possible.
    async fn compare(&self, here: &ModelVersion, alias: &str) -> Result<Option<OriginFindingKind>, OriginError> {
        let key = (here.model.clone(), alias.to_owned());
        let there = self.origin.aliased(&here.model, alias).await?;
        if there == Some(here.version) {
            self.known().refused.remove(&key);
            return Ok(None);
        }
        let waits = self.known().refused.get(&key).is_some_and(|(_, again)| *again);
        if waits && self.set_alias(here, alias).await.is_ok() {
            return Ok(None);
        }
        let refused = self.known().refused.get(&key).map(|(reason, _)| reason.clone());
        let (model, here) = (here.model.clone(), here.version);
        Ok(Some(OriginFindingKind::Strayed { model, alias: alias.to_owned(), here, there, refused }))
    }

    /// Remembers what was found, and since when.
    fn remember(&self, found: Vec<OriginFindingKind>) {
        let now = self.clock.now();
        let mut known = self.known();
        let before = std::mem::take(&mut known.findings);
        let since = |kind: &OriginFindingKind| {
            before.iter().find(|finding| finding.kind.key() == kind.key()).map_or(now, |finding| finding.since)
        };
        known.findings = found.into_iter().map(|kind| OriginFinding { since: since(&kind), kind }).collect();
    }
}

impl Service {
    /// Points the alias to the version at the registry elsewhere, too; changes nothing where there is none.
    ///
    /// # Errors
    /// When that is not allowed or not possible now. What serves is not the worse for it, and it is attempted again
    /// while it may help.
    pub async fn project_alias_elsewhere(&self, version: &ModelVersion, alias: &str) -> Result<(), OriginError> {
        match &self.elsewhere {
            Some(elsewhere) => elsewhere.set_alias(version, alias).await,
            None => Ok(()),
        }
    }

    /// Looks after `alias` at the registry elsewhere from now on.
    pub fn watch_elsewhere(&self, alias: &'static str, tasks: &Tasks) {
        let Some(elsewhere) = self.elsewhere.clone() else { return };
        let (service, shutdown) = (self.clone(), tasks.shutdown_token());
        tasks.spawn("registry elsewhere", async move {
            while shutdown.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
                service.look_elsewhere(&elsewhere, alias).await;
            }
        });
    }

    async fn look_elsewhere(&self, elsewhere: &Elsewhere, alias: &str) {
        let here = match self.aliased(alias).await {
            Ok(here) => here,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the aliases cannot be compared");
                return;
            }
        };
        let mut found = Vec::new();
        for (model, version) in here {
            match elsewhere.compare(&ModelVersion::new(model, version), alias).await {
                Ok(finding) => found.extend(finding),
                Err(error) => {
                    found = vec![OriginFindingKind::Away { message: error.to_string() }];
                    break;
                }
            }
        }
        elsewhere.remember(found);
    }

    /// What somebody should know of the registry elsewhere, as it was found last.
    #[must_use]
    pub fn findings_elsewhere(&self) -> Vec<OriginFinding> {
        self.elsewhere.as_ref().map_or_else(Vec::new, |elsewhere| elsewhere.known().findings.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Is never asked.
    #[derive(Debug)]
    struct Silent;

    #[async_trait::async_trait]
    impl Origin for Silent {
        fn address(&self) -> &str {
            "https://mlflow.example"
        }

        async fn version(&self, _: &ModelVersion) -> Result<crate::OriginVersion, OriginError> {
            unreachable!("nothing is brought here")
        }

        async fn files(&self, _: crate::OriginFolder<'_>) -> Result<Vec<crate::OriginFile>, OriginError> {
            unreachable!("nothing is brought here")
        }

        async fn open(&self, _: crate::OriginFolder<'_>, _: &str) -> Result<artifacts::Content, OriginError> {
            unreachable!("nothing is brought here")
        }

        async fn aliased(&self, _: &ModelName, _: &str) -> Result<Option<u32>, OriginError> {
            unreachable!("nothing is looked after here")
        }

        async fn set_alias(&self, _: &ModelVersion, _: &str) -> Result<(), OriginError> {
            unreachable!("nothing is looked after here")
        }
    }

    #[test]
    fn a_version_is_brought_once_at_a_time_and_keeps_no_other_waiting() {
        let elsewhere = Elsewhere::new(Arc::new(Silent), Arc::new(runtime::SystemClock));
        let [one, two] = ["ranker/1", "ranker/2"].map(|text| ModelVersion::parse(text).unwrap());
        let (first, again, other) = (elsewhere.bringing(&one), elsewhere.bringing(&one), elsewhere.bringing(&two));
        let held = first.try_lock().unwrap();
        assert!(again.try_lock().is_err() && other.try_lock().is_ok());
        drop(held);
        drop((first, again, other));
        elsewhere.bringing(&one);
        assert_eq!(elsewhere.bringing.lock().unwrap().len(), 1, "what nobody brings is forgotten");
    }
}
