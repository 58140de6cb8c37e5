//! What `mlflow server` calls our settings: its flags and variables are taken, so that a start command need not be
//! rewritten. Ours win where both are given.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Result, bail};
use clap::builder::BoolishValueParser;

use super::{StoreFlags, UpFlags};

/// Flags of `mlflow server` that name stores.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct MlflowStoreFlags {
    /// The same as --database.
    #[arg(long, value_name = "URI", env = "MLFLOW_BACKEND_STORE_URI", hide = true)]
    backend_store_uri: Option<String>,
    /// Runs and models lie in one database here.
    #[arg(long, value_name = "URI", env = "MLFLOW_REGISTRY_STORE_URI", hide = true)]
    registry_store_uri: Option<String>,
    /// The same as --artifacts.
    #[arg(long, value_name = "URI", env = "MLFLOW_ARTIFACTS_DESTINATION", hide = true)]
    artifacts_destination: Option<String>,
    /// The same as --default-artifact-root.
    #[arg(long, env = "MLFLOW_DEFAULT_ARTIFACT_ROOT", hide = true)]
    mlflow_default_artifact_root: Option<String>,
}

/// The other flags of `mlflow server`.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct MlflowFlags {
    /// The same as --host.
    #[arg(long, env = "MLFLOW_HOST", hide = true, value_parser = host)]
    mlflow_host: Option<IpAddr>,
    /// The same as --port.
    #[arg(long, env = "MLFLOW_PORT", hide = true)]
    mlflow_port: Option<u16>,
    /// Clients reach artifacts through this server; that is the default.
    #[arg(long, overrides_with = "no_serve_artifacts", hide = true)]
    serve_artifacts: bool,
    /// Clients reach artifacts of new experiments themselves, where --default-artifact-root says.
    #[arg(long, overrides_with = "serve_artifacts", hide = true)]
    no_serve_artifacts: bool,
    /// The same as --serve-artifacts and --no-serve-artifacts.
    #[arg(long, env = "MLFLOW_SERVE_ARTIFACTS", hide = true, value_parser = BoolishValueParser::new())]
    mlflow_serve_artifacts: Option<bool>,
    /// Names by which browsers may reach this server without a token, as `Host` says them: `crosstie.internal`,
    /// `*.example.com`, or `*` for all. localhost and private addresses always may. A page that had its own name lead
    /// here would otherwise be an editor.
    #[arg(long, value_name = "NAMES", env = "MLFLOW_SERVER_ALLOWED_HOSTS", value_delimiter = ',')]
    pub(super) allowed_hosts: Vec<String>,
    /// One process serves here, with as many threads as it needs.
    #[arg(long, short = 'w', env = "MLFLOW_WORKERS", hide = true)]
    workers: Option<u32>,
}

/// An address to listen on; of names the one that is the same everywhere.
pub(super) fn host(text: &str) -> Result<IpAddr, String> {
    if text.eq_ignore_ascii_case("localhost") {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    text.parse().map_err(|_| "it is neither an IP address nor `localhost`".to_owned())
}

/// `flags` with what was said by MLflow's names put to ours.
///
/// # Errors
/// When artifacts are not served and lie nowhere.
pub(super) fn taken(flags: UpFlags) -> Result<UpFlags> {
    let mlflow = flags.mlflow.clone();
    let stores = &flags.stores;
    let root = stores.default_artifact_root.as_ref().or(stores.mlflow.mlflow_default_artifact_root.as_ref());
    let served =
        !mlflow.no_serve_artifacts && (mlflow.serve_artifacts || mlflow.mlflow_serve_artifacts.unwrap_or(true));
    if !served && root.is_none() {
        bail!("--no-serve-artifacts: say with --default-artifact-root where clients shall put artifacts themselves");
    }
    if mlflow.workers.is_some() {
        tracing::info!("--workers is not needed: one process serves with all cores");
    }
    Ok(UpFlags { host: flags.host.or(mlflow.mlflow_host), port: flags.port.or(mlflow.mlflow_port), ..flags })
}

/// `flags` with the stores that were named by MLflow's names.
///
/// # Errors
/// When runs and models are to lie in two databases.
pub(super) fn taken_stores(flags: StoreFlags) -> Result<StoreFlags> {
    let mlflow = flags.mlflow.clone();
    let database = flags.database.or(mlflow.backend_store_uri);
    if let (Some(runs), Some(models)) = (&database, &mlflow.registry_store_uri)
        && runs != models
    {
        bail!("--registry-store-uri: runs and models lie in one database here; leave it out, or give --database's");
    }
    Ok(StoreFlags {
        database: database.or(mlflow.registry_store_uri),
        artifacts: flags.artifacts.or(mlflow.artifacts_destination),
        default_artifact_root: flags.default_artifact_root.or(mlflow.mlflow_default_artifact_root),
        ..flags
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        up: UpFlags,
    }

    fn parsed(line: &str) -> Result<UpFlags> {
        let flags = taken(Line::try_parse_from(["up"].into_iter().chain(line.split_whitespace()))?.up)?;
        Ok(UpFlags { stores: taken_stores(flags.stores)?, ..flags })
    }

    #[test]
    fn a_start_command_of_mlflow_is_understood() {
        let flags = parsed("--backend-store-uri sqlite:///m.db --artifacts-destination ./art --workers 4 --port 5001");
        let flags = flags.unwrap();
        assert_eq!(flags.stores.database.as_deref(), Some("sqlite:///m.db"));
        assert_eq!((flags.stores.artifacts.as_deref(), flags.port), (Some("./art"), Some(5001)));
        let flags = parsed("--database sqlite:a.db --backend-store-uri sqlite:b.db").unwrap();
        assert_eq!(flags.stores.database.as_deref(), Some("sqlite:a.db"));
    }

    #[test]
    fn words_that_click_takes_are_taken() {
        for yes in ["1", "True", "yes", "on"] {
            assert!(parsed(&format!("--mlflow-serve-artifacts {yes} --mlflow-host localhost")).is_ok(), "{yes}");
        }
        assert!(parsed("--mlflow-serve-artifacts 0").is_err(), "it is heard");
        for flag in ["--host", "--mlflow-host"] {
            assert_eq!(parsed(&format!("{flag} LocalHost")).unwrap().host, Some(Ipv4Addr::LOCALHOST.into()));
            assert!(parsed(&format!("{flag} example.com")).is_err());
        }
        let flags = parsed("--allowed-hosts a.example,*.b.example").unwrap();
        assert_eq!(flags.mlflow.allowed_hosts, ["a.example", "*.b.example"]);
    }

    #[test]
    fn what_cannot_be_had_is_refused() {
        for line in ["--backend-store-uri sqlite:a.db --registry-store-uri sqlite:b.db", "--no-serve-artifacts"] {
            assert!(parsed(line).is_err(), "{line}");
        }
        let flags = parsed("--no-serve-artifacts --default-artifact-root s3://bucket/x").unwrap();
        assert_eq!(flags.stores.default_artifact_root.as_deref(), Some("s3://bucket/x"));
    }
}
