//! The port of the registry, over MLflow's REST API.

use artifacts::Content;
use async_trait::async_trait;
use registry::{Origin, OriginError, OriginFile, OriginFolder, OriginRun, OriginVersion};
use serde_json::json;
use types::{ErrorKind, ModelName, ModelVersion};

use crate::{Error, RemoteMlflow, wire};

#[async_trait]
impl Origin for RemoteMlflow {
    fn address(&self) -> &str {
        &self.shown
    }

    async fn version(&self, version: &ModelVersion) -> Result<OriginVersion, OriginError> {
        let number = version.version.to_string();
        let query = [("name", version.model.as_str()), ("version", number.as_str())];
        let found = self.version_at("model-versions/get", &query).await?;
        let uri = self.http.get("model-versions/get-download-uri", &query).await?;
        let location = uri["artifact_uri"].as_str().or(found.source.as_deref()).unwrap_or_default().to_owned();
        let run = match found.run_id.as_deref().filter(|run| !run.is_empty()) {
            Some(run) => self.run(run).await?,
            None => None,
        };
        Ok(OriginVersion { version: found, location, run })
    }

    async fn files(&self, folder: OriginFolder<'_>) -> Result<Vec<OriginFile>, OriginError> {
        Ok(self.walk(&self.place(folder)?).await?)
    }

    async fn open(&self, folder: OriginFolder<'_>, path: &str) -> Result<Content, OriginError> {
        Ok(self.read(&self.place(folder)?, path).await?)
    }

    async fn aliased(&self, model: &ModelName, alias: &str) -> Result<Option<u32>, OriginError> {
        let query = [("name", model.as_str()), ("alias", alias)];
        match self.version_at("registered-models/alias", &query).await {
            Ok(version) => Ok(Some(version.version)),
            // MLflow's word for an alias that is not there is a request that is wrong.
            Err(Error::Refused { status: 400 | 404, .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn set_alias(&self, version: &ModelVersion, alias: &str) -> Result<(), OriginError> {
        let wanted = json!({ "name": version.model, "alias": alias, "version": version.version.to_string() });
        self.http.post("registered-models/alias", &wanted).await?;
        Ok(())
    }
}

impl RemoteMlflow {
    async fn version_at(&self, call: &str, query: &[(&str, &str)]) -> Result<registry::Version, Error> {
        let answer = self.http.get(call, query).await?;
        wire::version(&answer["model_version"]).map_err(|reason| self.http.strange(call, reason))
    }

    /// The run with its experiment's name; `None` if it is not there any more.
    async fn run(&self, id: &str) -> Result<Option<OriginRun>, Error> {
        let call = "runs/get";
        let answer = match self.http.get(call, &[("run_id", id)]).await {
            Ok(answer) => answer,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let run = wire::run(&answer["run"]).map_err(|reason| self.http.strange(call, reason))?;
        let experiment = wire::integer(&answer["run"]["info"], "experiment_id").unwrap_or_default().to_string();
        let call = "experiments/get";
        let answer = self.http.get(call, &[("experiment_id", &experiment)]).await?;
        let name = answer["experiment"]["name"].as_str();
        let experiment = name.ok_or_else(|| self.http.strange(call, "it has no `name`"))?.to_owned();
        Ok(Some(OriginRun { run, experiment }))
    }
}
