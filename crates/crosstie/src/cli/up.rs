//! `crosstie up`: serves this project until it is told to stop, in the foreground or with `-d` behind.

use std::{
    env,
    fs::{self, File},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{self, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::Context;
use crate::{
    app::App,
    project::{Project, read_files},
    settings::{ProjectFile, Settings, UpFlags},
    state_dir::{self, Addresses, StateDir, write_whole},
};

/// How long a detached server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often to look whether it does.
const LOOK: Duration = Duration::from_millis(20);
/// How long requests and tasks may take to end once we are told to stop.
const DRAIN: Duration = Duration::from_secs(30);
/// Lines of a failed start's log that are shown.
const TAIL: usize = 20;

#[derive(Debug, clap::Args)]
pub(super) struct Flags {
    /// Serve behind: return once everything answers. `crosstie down` stops it.
    #[arg(short, long)]
    detach: bool,
    #[command(flatten)]
    up: UpFlags,
}

pub(super) async fn run(context: &Context, flags: Flags) -> Result<()> {
    let files = read_files(&context.dir)?;
    let project = files.as_ref().map(Project::parse).transpose();
    let project = project.map_err(|problems| context.output.problems(&context.dir, &problems))?;
    let default = ProjectFile::default();
    let settings =
        Settings::resolve(&context.dir, flags.up, project.as_ref().map_or(&default, |p| &p.content.project))?;
    if flags.detach { detach(context, &settings).await } else { serve(context, settings, project).await }
}

async fn serve(context: &Context, settings: Settings, project: Option<Project>) -> Result<()> {
    log_to_stderr();
    let state = StateDir::acquire(&settings.state)?;
    let ready_file = settings.ready_file.clone();
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    // A file that may not grow is then an error of whoever writes to it, and not the end of the process.
    let _too_large = signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).context("cannot listen for signals")?;
    let app = App::start(settings, project).await?;
    state.announce(app.addresses())?;
    if let Some(path) = &ready_file {
        write_whole(path, &serde_json::to_vec(app.addresses())?)?;
    }
    context.output.answer(&json!({ "addresses": app.addresses() }), || render(app.addresses()));
    let failure = tokio::select! {
        _ = terminate.recv() => None,
        _ = tokio::signal::ctrl_c() => None,
        failure = app.failed() => Some(failure),
    };
    state.withdraw();
    let late = app.stop(DRAIN).await;
    if !late.is_empty() {
        tracing::warn!(tasks = late.join(", "), "some tasks did not end in time");
    }
    match failure {
        Some(failure) => bail!("the task {} failed: {}", failure.task, failure.reason),
        None => Ok(()),
    }
}

/// Logs to standard error, which `-d` sends to `.crosstie/up.log`; `RUST_LOG` chooses what.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    // A line that cannot be written, such as on a full disk, must not be complained of there, which would be a panic.
    log.log_internal_errors(false).init();
}

fn render(addresses: &Addresses) -> String {
    let at = |role: &str| addresses.get(role).map_or("–", String::as_str);
    format!(
        "crosstie is up\n  console, MLflow  http://{}\n  inference HTTP   http://{}\n  inference gRPC   {}\n  metrics          http://{}/metrics\n\
         MLflow clients: export MLFLOW_TRACKING_URI=http://{}",
        at("api"),
        at("http"),
        at("grpc"),
        at("metrics"),
        at("api")
    )
}

/// Starts this program again behind, and waits until it answers.
async fn detach(context: &Context, settings: &Settings) -> Result<()> {
    drop(StateDir::acquire(&settings.state)?);
    let path = settings.state.join("up.log");
    let log = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let arguments = env::args_os().skip(1).filter(|argument| argument != "-d" && argument != "--detach");
    let mut child = process::Command::new(env::current_exe().context("cannot find this program")?)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("cannot share the log")?)
        .stderr(log)
        .process_group(0)
        .spawn()
        .context("cannot start this program again")?;
    let pid = i32::try_from(child.id()).context("the process id does not fit")?;
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(running) = state_dir::running(&settings.state).filter(|running| running.pid == pid) {
                return Ok(running);
            }
            if let Some(status) = child.try_wait().context("cannot follow the process")? {
                bail!("it did not start ({status}):\n{}", tail(&path));
            }
            tokio::time::sleep(LOOK).await;
        }
    });
    let Ok(running) = waited.await else {
        bail!("it does not answer after {} s; see {}", PATIENCE.as_secs(), path.display());
    };
    let running = running?;
    context.output.answer(&json!({ "pid": pid, "addresses": running.addresses }), || render(&running.addresses));
    Ok(())
}

fn tail(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}
