//! What is taken from Python's virtual environments: the active one, and those of the project and the folders above it.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use api::mlflow_ui::MlflowUi;

use crate::settings::WebClient;

/// The environments to look in, the active one first.
pub(super) fn virtual_environments(dir: &Path) -> Vec<PathBuf> {
    let active = std::env::var_os("VIRTUAL_ENV").map(PathBuf::from);
    let above = dir.ancestors().map(|dir| dir.join(".venv"));
    active.into_iter().chain(above).collect()
}

/// MLflow's web client, where one is to be served.
///
/// # Errors
/// When it is nowhere; the error says how to get it.
pub(super) fn web_client(dir: &Path, wanted: Option<&WebClient>) -> Result<Option<MlflowUi>> {
    let Some(wanted) = wanted else { return Ok(None) };
    let (found, looked_in) = match wanted {
        WebClient::Folder(folder) => (MlflowUi::in_folder(folder), vec![folder.clone()]),
        WebClient::Installed => {
            let environments = virtual_environments(dir);
            (environments.iter().find_map(|root| MlflowUi::in_environment(root)), environments)
        }
    };
    if found.is_none() {
        let looked_in: Vec<String> = looked_in.iter().map(|place| place.display().to_string()).collect();
        bail!(
            "--mlflow-ui: MLflow's web client was not found (looked in {}): install it into the project's virtual \
             environment with `pip install mlflow=={}` (mlflow-skinny has none), or name its folder, \
             …/site-packages/mlflow/server/js/build, with --mlflow-ui",
            looked_in.join(", "),
            registry::MLFLOW_RELEASE
        );
    }
    Ok(found)
}
