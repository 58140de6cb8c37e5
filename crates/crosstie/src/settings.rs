//! What `crosstie up` is told: by flags, by environment (clap reads both), by `crosstie.yaml`, and where nothing is said
//! by the laptop's defaults. The result is one value without options, so that wiring decides nothing.

mod beside;
mod mlflow_names;
mod remote;
mod s3;
mod webhooks;

use std::{
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
};

use alerts::Routing;
use anyhow::{Context as _, Result, bail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use remote::{RemoteRegistry, TrackingVariables};
pub(crate) use webhooks::{WebhookFlags, WebhookSettings};

/// Where MLflow's server listens, too.
const API_PORT: u16 = 5000;
/// Clients reach artifacts through this server.
const OWN_ROOT: &str = "mlflow-artifacts:/";

/// `crosstie.yaml`: where the project's stores are and who may call. Targets (dev, staging, prod) override stores.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectFile {
    /// The format of this file: 1.
    pub(crate) version: FormatVersion,
    /// A name for the console and logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) project: Option<String>,
    /// Where things are kept, by URI.
    #[serde(default)]
    pub(crate) stores: Stores,
    /// Refuse callers without a token on loopback, too.
    #[serde(default)]
    pub(crate) require_token: bool,
    /// MLflow's own web client at `/`: `auto`, or the folder of its files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mlflow_ui: Option<String>,
    /// Where alerts are sent. Read when the server starts.
    #[serde(default, skip_serializing_if = "goes_nowhere")]
    pub(crate) alerts: Routing,
}

fn goes_nowhere(alerts: &Routing) -> bool {
    alerts.0.is_empty()
}

/// Version 1 of the project files' format, the only one yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u32", into = "u32")]
#[schemars(with = "u32")]
pub(crate) struct FormatVersion;

impl TryFrom<u32> for FormatVersion {
    type Error = String;
    fn try_from(version: u32) -> Result<Self, String> {
        if version == 1 { Ok(Self) } else { Err(format!("this program reads version 1, not {version}")) }
    }
}

impl From<FormatVersion> for u32 {
    fn from(FormatVersion: FormatVersion) -> Self {
        1
    }
}

/// Stores by URI. What is absent is under the project's `.crosstie/`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stores {
    /// `sqlite:PATH` or `postgres://…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) database: Option<String>,
    /// `file:DIR` or `s3://BUCKET/PREFIX`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifacts: Option<String>,
    /// `mlflow+https://HOST`: an MLflow server whose registry it is. Absent, the registry is this server's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) registry: Option<String>,
    /// `redb:FILE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) online_store: Option<String>,
}

/// Flags that say where things are kept, for every command that opens the stores itself.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct StoreFlags {
    /// The database: sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME.
    #[arg(long, value_name = "URI", env = "CROSSTIE_DATABASE")]
    pub(crate) database: Option<String>,
    /// The artifact store: file:DIR or s3://BUCKET/PREFIX. S3's keys, region and endpoint are taken from AWS_* variables.
    #[arg(long, value_name = "URI", env = "CROSSTIE_ARTIFACTS")]
    pub(crate) artifacts: Option<String>,
    /// Where new experiments keep their artifacts, as clients see it. The default goes through this server
    /// [default: mlflow-artifacts:/].
    #[arg(long, value_name = "URI", env = "CROSSTIE_DEFAULT_ARTIFACT_ROOT")]
    pub(crate) default_artifact_root: Option<String>,
    /// The online store: redb:FILE.
    #[arg(long, value_name = "URI", env = "CROSSTIE_ONLINE_STORE")]
    pub(crate) online_store: Option<String>,
    #[command(flatten)]
    pub(crate) mlflow: mlflow_names::MlflowStoreFlags,
}

/// Where things are kept, each by URI.
#[derive(Debug, Clone)]
pub(crate) struct StoreUris {
    /// The database.
    pub(crate) database: String,
    /// Artifacts.
    pub(crate) artifacts: String,
    /// How they are reached.
    pub(crate) artifact_access: artifacts::Config,
    /// Where new experiments keep artifacts.
    pub(crate) default_artifact_root: String,
    /// Feature values for serving.
    pub(crate) online_store: String,
}

impl StoreUris {
    /// Flags over project file over defaults below `dir`.
    ///
    /// # Errors
    /// When a URI's scheme is not one that this version has.
    pub(crate) fn resolve(dir: &Path, flags: StoreFlags, project: &ProjectFile) -> Result<Self> {
        let flags = mlflow_names::taken_stores(flags)?;
        let (state, stores) = (dir.join(".crosstie"), &project.stores);
        let pick = |flag: Option<String>, file: &Option<String>, scheme: &str, default: &str| {
            let uri =
                flag.or_else(|| file.clone()).unwrap_or_else(|| format!("{scheme}:{}", state.join(default).display()));
            absolute(dir, scheme, uri)
        };
        let default_artifact_root = flags.default_artifact_root.unwrap_or_else(|| OWN_ROOT.to_owned());
        let folder = Some(default_artifact_root.clone());
        let mut uris = Self {
            database: pick(flags.database, &stores.database, "sqlite", "crosstie.db"),
            artifacts: pick(flags.artifacts, &stores.artifacts, "file", "artifacts"),
            artifact_access: artifacts::Config { folder, ..s3::settings(s3::environment()) },
            default_artifact_root,
            online_store: pick(flags.online_store, &stores.online_store, "redb", "online.redb"),
        };
        check_scheme("--database", &uris.database, &["sqlite:", "postgres:", "postgresql:", "postgresql+"], "")?;
        check_scheme("--artifacts", &uris.artifacts, &["file:", "s3:", "/", "."], " or s3:")?;
        check_scheme("--online-store", &uris.online_store, &["redb:"], "; redis: comes later")?;
        uris.artifact_access.private = beside::private(&uris, dir, &state);
        Ok(uris)
    }
}

/// Flags of `crosstie up`, which win over the project file.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct UpFlags {
    /// The address to listen on. Any other than loopback needs a token to exist first [default: 127.0.0.1].
    #[arg(long, env = "CROSSTIE_HOST", value_parser = mlflow_names::host)]
    pub(crate) host: Option<IpAddr>,
    /// MLflow's REST API, Crosstie's own and the console; 0 takes a free port [default: 5000].
    #[arg(long, env = "CROSSTIE_PORT")]
    pub(crate) port: Option<u16>,
    /// Inference over HTTP; 0 takes a free port.
    #[arg(long, default_value_t = 8000, env = "CROSSTIE_HTTP_PORT")]
    pub(crate) http_port: u16,
    /// Inference over gRPC; 0 takes a free port.
    #[arg(long, default_value_t = 8001, env = "CROSSTIE_GRPC_PORT")]
    pub(crate) grpc_port: u16,
    /// Prometheus' metrics; 0 takes a free port.
    #[arg(long, default_value_t = 8002, env = "CROSSTIE_METRICS_PORT")]
    pub(crate) metrics_port: u16,
    #[command(flatten)]
    pub(crate) stores: StoreFlags,
    /// An MLflow server elsewhere whose models are released here: mlflow+https://HOST. MLFLOW_TRACKING_TOKEN, or
    /// MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, are shown to it. The default is this server's own registry.
    #[arg(long, value_name = "URI", env = "CROSSTIE_REGISTRY")]
    pub(crate) registry: Option<String>,
    #[command(flatten)]
    pub(crate) tracking: TrackingVariables,
    /// ONNX Runtime's library (libonnxruntime.so). Looked for in the active or the project's virtual environment otherwise.
    #[arg(long, value_name = "FILE", env = "CROSSTIE_ONNXRUNTIME")]
    pub(crate) onnxruntime: Option<PathBuf>,
    /// Serve MLflow's own web client at `/`: the one of the `mlflow` package in the active or the project's virtual
    /// environment (`auto`), or the one in this folder. The console is at `/console` then.
    #[arg(long, value_name = "auto|DIR", env = "CROSSTIE_MLFLOW_UI")]
    pub(crate) mlflow_ui: Option<String>,
    /// Written once everything answers: the addresses, as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Webhooks.
    #[command(flatten)]
    pub(crate) webhooks: WebhookFlags,
    #[command(flatten)]
    pub(crate) mlflow: mlflow_names::MlflowFlags,
}

/// Where MLflow's web client is taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WebClient {
    /// From the `mlflow` package of the active or the project's virtual environment.
    Installed,
    /// From this folder.
    Folder(PathBuf),
}

impl WebClient {
    /// `auto` or a folder, from the project folder if it is relative.
    fn parse(dir: &Path, said: &str) -> Self {
        if said == "auto" { Self::Installed } else { Self::Folder(dir.join(said)) }
    }
}

/// Everything that wiring needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The project folder.
    pub(crate) dir: PathBuf,
    /// Its `.crosstie/`.
    pub(crate) state: PathBuf,
    /// Where to listen.
    pub(crate) host: IpAddr,
    /// Ports: API, inference HTTP, gRPC, metrics.
    pub(crate) ports: [u16; 4],
    /// The database's URI.
    pub(crate) database: String,
    /// The artifact store's URI.
    pub(crate) artifacts: String,
    /// How the artifact store is reached.
    pub(crate) artifact_access: artifacts::Config,
    /// The registry elsewhere, if it is not this server's own.
    pub(crate) registry: Option<RemoteRegistry>,
    /// Where experiments keep artifacts.
    pub(crate) default_artifact_root: String,
    /// The online store's URI.
    pub(crate) online_store: String,
    /// ONNX Runtime's library, if it was named.
    pub(crate) onnxruntime: Option<PathBuf>,
    /// Which of MLflow's web clients to serve, if any.
    pub(crate) mlflow_ui: Option<WebClient>,
    /// Whether loopback callers need a token.
    pub(crate) require_token: bool,
    /// By which other names than those of this machine they may call without one.
    pub(crate) allowed_hosts: Vec<String>,
    /// Where alerts are sent.
    pub(crate) alerts: Routing,
    /// How the registry's webhooks behave.
    pub(crate) webhooks: WebhookSettings,
    /// Where to write the addresses.
    pub(crate) ready_file: Option<PathBuf>,
}

impl Settings {
    /// Flags over project file over defaults.
    ///
    /// # Errors
    /// When a URI's scheme is not one that this version has.
    pub(crate) fn resolve(dir: &Path, flags: UpFlags, project: &ProjectFile) -> Result<Self> {
        let flags = mlflow_names::taken(flags)?;
        let registry = flags.registry.or_else(|| project.stores.registry.clone());
        let registry = registry.map(|uri| uri.parse()).transpose().context("--registry")?;
        let credentials = flags.tracking.credentials();
        let uris = StoreUris::resolve(dir, flags.stores, project)?;
        Ok(Self {
            registry: registry.map(|address| RemoteRegistry { address, credentials }),
            dir: dir.to_path_buf(),
            host: flags.host.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            ports: [flags.port.unwrap_or(API_PORT), flags.http_port, flags.grpc_port, flags.metrics_port],
            database: uris.database,
            artifacts: uris.artifacts,
            artifact_access: uris.artifact_access,
            default_artifact_root: uris.default_artifact_root,
            online_store: uris.online_store,
            onnxruntime: flags.onnxruntime,
            mlflow_ui: flags.mlflow_ui.as_ref().or(project.mlflow_ui.as_ref()).map(|said| WebClient::parse(dir, said)),
            require_token: project.require_token,
            allowed_hosts: flags.mlflow.allowed_hosts,
            alerts: project.alerts.clone(),
            webhooks: WebhookSettings::resolve(flags.webhooks)?,
            ready_file: flags.ready_file,
            state: dir.join(".crosstie"),
        })
    }
}

/// `scheme:relative` becomes relative to the project folder, not to where the command happens to run.
fn absolute(dir: &Path, scheme: &str, uri: String) -> String {
    match uri.strip_prefix(scheme).and_then(|rest| rest.strip_prefix(':')) {
        Some(path) if !path.starts_with('/') => format!("{scheme}:{}", dir.join(path).display()),
        Some(_) | None => uri,
    }
}

fn check_scheme(flag: &str, uri: &str, known: &[&str], later: &str) -> Result<()> {
    if !known.iter().any(|scheme| uri.starts_with(scheme)) {
        let scheme = uri.split(':').next().unwrap_or(uri);
        bail!("{flag}: `{scheme}:` is not a store that this version has; use {}{later}", known[0]);
    }
    Ok(())
}
