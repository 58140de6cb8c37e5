//! Asking the sources, all at the same time and none for too long.

use std::time::Duration as Wait;

use tokio::{task::JoinSet, time::timeout};

use crate::{BoxError, Condition, Service, metrics::SOURCE_FAILURES};

/// How long a source may take to say what holds. It is asked each second, and the lease must outlast the slowest.
const TIMEOUT: Wait = Wait::from_secs(3);

/// What each source said; `None` from one that could not.
pub(super) type Answers = Vec<(&'static str, Option<Vec<Condition>>)>;

/// Asks all of them.
pub(super) async fn ask(service: &Service) -> Answers {
    let mut asked = JoinSet::new();
    for source in &service.inner.sources {
        let source = std::sync::Arc::clone(source);
        asked.spawn(async move {
            let answer = timeout(TIMEOUT, source.conditions()).await;
            let answer = answer.unwrap_or_else(|_| Err(BoxError::from(format!("no answer within {TIMEOUT:?}"))));
            (source.name(), answer)
        });
    }
    let mut answers: Answers = service.inner.sources.iter().map(|source| (source.name(), None)).collect();
    while let Some(ended) = asked.join_next().await {
        match ended {
            Ok((name, Ok(conditions))) => {
                if let Some((_, answer)) = answers.iter_mut().find(|(source, _)| *source == name) {
                    *answer = Some(conditions);
                }
            }
            Ok((name, Err(error))) => {
                tracing::warn!(error = &*error, source = name, "a source of alerts cannot say what holds");
            }
            Err(error) => tracing::error!(%error, "a source of alerts panicked"),
        }
    }
    for (name, _) in answers.iter().filter(|(_, answer)| answer.is_none()) {
        service.inner.metrics.add(&SOURCE_FAILURES, &[name], 1.0);
    }
    answers
}
