//! A registry of the reproduction's own: this program on the fresh folder, with stores below it, on loopback and free
//! ports. It ends with the reproduction.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, bail};
use registry::{Lineage, RunLineage};
use reqwest::Method;
use serde_json::Value as JsonValue;
use types::ModelName;

use super::environment::Environment;
use crate::cli::{
    client::{Client, ServerFlags},
    path_of,
};

/// The variable that leads nowhere but to a library.
const LIBRARY: &str = "CROSSTIE_ONNXRUNTIME";

/// Whether a variable tells this program or an MLflow client where something is, or as whom to go there. Whole families:
/// a list of names would forget the next one.
fn leads_elsewhere(variable: &str) -> bool {
    (variable.starts_with("CROSSTIE_") && variable != LIBRARY) || variable.starts_with("MLFLOW_")
}

/// Variables of this process that would lead the server, its clients or the steps to the stores of somebody else.
pub(super) fn elsewhere() -> BTreeSet<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|name| leads_elsewhere(name)).collect()
}

/// A running server that ends with this value.
#[derive(Debug)]
pub(super) struct Isolated {
    pub(super) client: Client,
    /// Its first token, which steps show: the one in the user's environment is of another server.
    pub(super) token: Option<String>,
    dir: PathBuf,
}

impl Isolated {
    /// Starts it on `dir`, with the project's files that are there in force.
    ///
    /// # Errors
    /// When it does not start.
    pub(super) async fn start(dir: &Path, environment: &Environment) -> Result<Self> {
        let ports = ["--port", "0", "--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"];
        let mut command = tokio::process::Command::new(std::env::current_exe().context("cannot find this program")?);
        command.args(["up", "--detach"]).args(ports).arg("--dir").arg(dir).stdin(Stdio::null());
        command.envs(environment.variables());
        for variable in elsewhere() {
            command.env_remove(variable);
        }
        let output = command.output().await.context("cannot start this program again")?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            bail!("the reproduction's own registry did not start: {}", String::from_utf8_lossy(&said).trim());
        }
        let flags = ServerFlags { server: None, token: None };
        let token = std::fs::read_to_string(dir.join(".crosstie/token")).ok().map(|text| text.trim().to_owned());
        Ok(Self { client: Client::connect(&flags, dir)?, token, dir: dir.to_owned() })
    }

    /// The metrics of the run that was made after the recorded one: that of the version it registered, or else the one
    /// run that made a model, or else the one run.
    ///
    /// # Errors
    /// When it cannot be told which run that is.
    pub(super) async fn metrics(&self, model: &ModelName, runs: &[RunLineage]) -> Result<BTreeMap<String, f64>> {
        let filter = format!("name = '{}'", model.as_str().replace('\'', "''"));
        let newest = [("filter", filter.as_str()), ("max_results", "1"), ("order_by", "version_number DESC")];
        let request = self.client.mlflow(Method::GET, "model-versions/search").query(&newest);
        let found: JsonValue = serde_json::from_str(&self.client.send(request).await?.text().await?)?;
        if let Some(version) = found.pointer("/model_versions/0/version").and_then(JsonValue::as_str) {
            let path = format!("models/{}/versions/{version}/lineage", path_of(model));
            let lineage: Lineage = self.client.get(&path).await?;
            if let Some(run) = lineage.run {
                return Ok(run.metrics);
            }
        }
        let with_model: Vec<&RunLineage> = runs.iter().filter(|run| run.has_model).collect();
        let run = match (with_model.as_slice(), runs) {
            ([one], _) => *one,
            (_, [one]) => one,
            (_, _) => bail!(
                "the workflow registered no version of {model}, and made {} runs: which one is meant cannot be told",
                runs.len()
            ),
        };
        let request = self.client.mlflow(Method::GET, "runs/get").query(&[("run_id", &run.run_id)]);
        let got: JsonValue = serde_json::from_str(&self.client.send(request).await?.text().await?)?;
        let metrics = got.pointer("/run/data/metrics").and_then(JsonValue::as_array);
        let pair = |metric: &JsonValue| Some((metric["key"].as_str()?.to_owned(), metric["value"].as_f64()?));
        Ok(metrics.into_iter().flatten().filter_map(pair).collect())
    }
}

impl Drop for Isolated {
    fn drop(&mut self) {
        if let Ok(program) = std::env::current_exe() {
            let mut down = std::process::Command::new(program);
            down.arg("down").arg("--dir").arg(&self.dir);
            down.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            for variable in elsewhere() {
                down.env_remove(variable);
            }
            down.status().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn nothing_that_any_command_reads_reaches_the_reproductions_own_server() {
        let mut open = vec![crate::cli::CommandLine::command()];
        let mut read = BTreeSet::new();
        while let Some(command) = open.pop() {
            read.extend(command.get_arguments().filter_map(|it| Some(it.get_env()?.to_str()?.to_owned())));
            open.extend(command.get_subcommands().cloned());
        }
        assert!(read.contains("MLFLOW_BACKEND_STORE_URI") && read.contains("CROSSTIE_REGISTRY"), "{read:?}");
        let through: Vec<&String> = read.iter().filter(|variable| !leads_elsewhere(variable)).collect();
        assert_eq!(through, [LIBRARY]);
    }
}
