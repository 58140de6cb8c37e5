//! `crosstie down`: asks the process that is up on the folder to drain and stop, and waits until it has.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::Context;
use crate::state_dir;

/// How long to wait for it to stop: longer than `up` drains.
const PATIENCE: Duration = Duration::from_secs(40);
/// How often to look whether it has.
const LOOK: Duration = Duration::from_millis(50);

pub(super) async fn run(context: &Context) -> Result<()> {
    let state = context.state();
    let Some(running) = state_dir::running(&state) else {
        context.output.answer(&json!({ "stopped": false }), || format!("nothing is up on {}", context.dir.display()));
        return Ok(());
    };
    let pid = Pid::from_raw(running.pid).context("the running process has no id")?;
    kill_process(pid, Signal::TERM).with_context(|| format!("cannot signal process {}", running.pid))?;
    let stopped = tokio::time::timeout(PATIENCE, async {
        while state_dir::is_held(&state) {
            tokio::time::sleep(LOOK).await;
        }
    });
    if stopped.await.is_err() {
        bail!(
            "process {} has not stopped after {} s; see {}",
            running.pid,
            PATIENCE.as_secs(),
            state.join("up.log").display()
        );
    }
    context
        .output
        .answer(&json!({ "stopped": true, "pid": running.pid }), || format!("stopped process {}", running.pid));
    Ok(())
}
