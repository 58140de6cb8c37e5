//! What became of versions, for lineage: their releases, and what serves.

use async_trait::async_trait;
use registry::{Deployments, Downstream, Error, Serves};
use release::{Filter, Pinned};
use types::ModelName;

/// Reads it from the record of releases.
#[derive(Debug)]
pub(crate) struct Released {
    pub(crate) releases: release::Service,
}

#[async_trait]
impl Deployments for Released {
    async fn of(&self, model: &ModelName) -> registry::Result<Downstream> {
        let unknown = |error: release::Error| Error::Ungoverned(format!("releases cannot be looked up: {error}"));
        let filter = Filter { model: Some(model.clone()), ..Filter::default() };
        let mut releases = self.releases.list(filter).await.map_err(unknown)?;
        releases.sort_unstable_by_key(|release| release.id);
        let released = releases.iter().map(|release| registry::Released {
            version: release.version.version,
            release: release.id.0,
            stage: release.stage.as_str().replace('_', " "),
        });
        let assignment = self.releases.assignment(model).await.map_err(unknown)?;
        let role = |pinned: &Pinned, role: &str, live| Serves {
            version: pinned.version,
            release: pinned.release.0,
            role: role.to_owned(),
            live,
        };
        let serving = assignment.iter().flat_map(|assignment| {
            let stable = assignment.stable.iter().map(|pinned| role(pinned, "stable", true));
            let canary = assignment.canary.iter().map(|canary| role(&canary.pinned, "canary", true));
            stable.chain(canary).chain(assignment.shadow.iter().map(|pinned| role(pinned, "shadow", false)))
        });
        Ok(Downstream { releases: released.collect(), serving: serving.collect() })
    }
}
