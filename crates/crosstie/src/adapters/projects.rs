//! Validates projects that arrive by the API, and puts them in force.

use std::sync::Arc;

use api::{
    error::Error,
    system::{AppliedProject, ProjectFiles, ProjectProblem, Projects},
};
use async_trait::async_trait;
use serde_json::{Value as JsonValue, json};
use types::{AuditEntry, ErrorKind, Principal};

use crate::project::{Project, ProjectStore};

/// The project store as the API's port.
#[derive(Debug)]
pub(crate) struct Applied {
    pub(crate) projects: Arc<ProjectStore>,
    pub(crate) features: features::Service,
    pub(crate) identity: identity::Service,
    pub(crate) clock: runtime::SharedClock,
}

impl Applied {
    /// Puts `project` in force here and in the feature service; whether that changed anything.
    ///
    /// # Errors
    /// When the database is away.
    pub(crate) async fn put_in_force(&self, by: &str, project: Project) -> anyhow::Result<bool> {
        let (digest, definitions) = (project.digest, Arc::clone(&project.definitions));
        let changed = self.projects.put_in_force(project).await?;
        self.features.set_definitions(definitions);
        if changed {
            let entry = AuditEntry {
                at: self.clock.now(),
                principal: by.to_owned(),
                action: "project.apply".to_owned(),
                subject: digest.to_string(),
                detail: json!({}),
            };
            self.identity.append(entry).await?;
        }
        Ok(changed)
    }
}

#[async_trait]
impl Projects for Applied {
    async fn current(&self) -> Result<Option<JsonValue>, Error> {
        let project = self.projects.in_force().await.map_err(unavailable)?;
        Ok(project.map(|project| json!({ "digest": project.digest, "content": project.content })))
    }

    async fn apply(
        &self,
        by: &Principal,
        files: ProjectFiles,
    ) -> Result<Result<AppliedProject, Vec<ProjectProblem>>, Error> {
        let project = match Project::parse(&files) {
            Ok(project) => project,
            Err(problems) => return Ok(Err(problems)),
        };
        let (digest, models) = (project.digest, project.models.keys().cloned().collect());
        let changed = self.put_in_force(&by.name, project).await.map_err(unavailable)?;
        Ok(Ok(AppliedProject { digest, changed, models }))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn unavailable(error: anyhow::Error) -> Error {
    tracing::error!(error = %format!("{error:#}"), "the project store failed");
    Error::new(ErrorKind::Unavailable, "the project could not be read or stored; the server's log says why")
}
