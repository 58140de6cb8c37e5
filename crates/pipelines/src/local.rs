//! Steps as processes of this machine.
//!
//! Images are not pulled: a step's command is looked for on the PATH and runs in the project folder. Each step is a
//! process group of its own. When its first process ends, or the run is cancelled, the whole group is ended, as the
//! processes of a container would be; a process that left the group on purpose (`setsid`) is not followed.

mod lines;
mod outputs;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use async_trait::async_trait;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    process::{Child, Command},
    sync::mpsc,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    event::{Line, Stream},
    executor::{Executor, ExecutorError, Exit, Step, StepOutcome},
};

use self::lines::Kept;

/// After SIGTERM a step may still write a checkpoint; after this it is killed. Argo's pods have 30 s, but here a person
/// waits at a terminal.
const GRACE: Duration = Duration::from_secs(5);

/// What a process wrote before it ended is read at once; only one that left the group can hold its outputs open.
const DRAIN: Duration = Duration::from_secs(2);

/// Runs steps as processes of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalExecutor;

impl LocalExecutor {
    /// The executor; it keeps nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

#[async_trait]
impl Executor for LocalExecutor {
    fn name(&self) -> &'static str {
        "local"
    }

    fn notice(&self, images: &[&str]) -> Option<String> {
        let images = images.join(", ");
        Some(format!("images are not pulled ({images}): the steps' commands run as processes of this machine"))
    }

    async fn execute(
        &self,
        step: &Step,
        lines: mpsc::Sender<Line>,
        cancel: &CancellationToken,
    ) -> Result<StepOutcome, ExecutorError> {
        let script = write_script(step).await?;
        let before = outputs::Before::look(step).await;
        let program = step.command.first().cloned().unwrap_or_default();
        let mut child = start(step, &program, script.as_deref())?;
        let group = Group::of(&child);

        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let mut kept = step.keeps_result.then(Kept::default);
        let mut read = Box::pin(async {
            tokio::join!(
                lines::forward(stdout, Stream::Stdout, &lines, kept.as_mut()),
                lines::forward(stderr, Stream::Stderr, &lines, None),
            );
        });
        let mut ended = Box::pin(end(&mut child, group, cancel));
        let mut read_all = false;
        let exit = loop {
            tokio::select! {
                () = &mut read, if !read_all => read_all = true,
                exit = &mut ended => break exit.map_err(|source| ExecutorError::Follow { program, source })?,
            }
        };
        if !read_all && timeout(DRAIN, &mut read).await.is_err() {
            tracing::warn!(task = %step.task, "a process that left the step's group holds its output open");
        }
        drop(read);

        match exit {
            Exit::Code(0) => {
                let result = kept.map(Kept::into_result).transpose()?;
                Ok(StepOutcome { exit, result, parameters: before.read(step).await? })
            }
            Exit::Code(_) | Exit::Signal(_) | Exit::Cancelled => {
                Ok(StepOutcome { exit, result: None, parameters: BTreeMap::new() })
            }
        }
    }
}

/// Puts the script where its command can read it.
async fn write_script(step: &Step) -> Result<Option<PathBuf>, ExecutorError> {
    let Some(source) = &step.source else { return Ok(None) };
    let path = step.scratch.join(format!("{}.script", step.task));
    match tokio::fs::write(&path, source).await {
        Ok(()) => Ok(Some(path)),
        Err(source) => Err(ExecutorError::Script { path, source }),
    }
}

fn start(step: &Step, program: &str, script: Option<&Path>) -> Result<Child, ExecutorError> {
    if !step.working_dir.is_dir() {
        return Err(ExecutorError::WorkingDirectory { path: step.working_dir.clone() });
    }
    let mut command = Command::new(program);
    for variable in &step.withheld {
        command.env_remove(variable);
    }
    command
        .args(step.command.iter().skip(1))
        .args(script)
        .current_dir(&step.working_dir)
        // Python holds its lines back when nobody reads them at a terminal, but somebody follows them here.
        .env("PYTHONUNBUFFERED", "1")
        .envs(&step.env)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command.spawn().map_err(|source| {
        let program = program.to_owned();
        if source.kind() == io::ErrorKind::NotFound {
            ExecutorError::CommandNotFound { program }
        } else {
            ExecutorError::Start { program, source }
        }
    })
}

/// Waits for the step's end, or brings it about; nothing of the group is left after it.
async fn end(child: &mut Child, mut group: Group, cancel: &CancellationToken) -> io::Result<Exit> {
    let exit = tokio::select! {
        status = child.wait() => status.map(exit_of),
        () = cancel.cancelled() => {
            group.signal(Signal::TERM);
            if timeout(GRACE, child.wait()).await.is_err() {
                group.signal(Signal::KILL);
                child.wait().await?;
            }
            Ok(Exit::Cancelled)
        }
    };
    group.kill();
    exit
}

fn exit_of(status: ExitStatus) -> Exit {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or_default()),
    }
}

/// A step's process group. It is killed when this is dropped, so an abandoned run leaves nothing behind.
#[derive(Debug)]
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        // A group has its first process's id, since it was started with `process_group(0)`.
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // That there is no such group any more is what is wanted.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Kills what is left, once: the id may belong to another group later.
    fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
