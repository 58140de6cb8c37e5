//! What every executor must do, as checks that its tests call with a way to make one.
//!
//! The steps are `sh` commands, which every image that is used for this has.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{Executor, ExecutorError, Exit, Line, OutputFile, Step, StepOutcome, Stream};

/// A step that runs `command` by `sh` in `dir`.
#[must_use]
pub fn shell(dir: &Path, command: &str) -> Step {
    Step {
        task: "step".to_owned(),
        image: "busybox".to_owned(),
        command: vec!["sh".to_owned(), "-c".to_owned(), command.to_owned()],
        source: None,
        env: BTreeMap::new(),
        withheld: BTreeSet::new(),
        working_dir: dir.to_owned(),
        scratch: dir.to_owned(),
        keeps_result: false,
        outputs: Vec::new(),
    }
}

/// Runs `step` and answers with its lines, too.
pub async fn execute(executor: &dyn Executor, step: &Step) -> (Result<StepOutcome, ExecutorError>, Vec<Line>) {
    let (sender, mut receiver) = mpsc::channel::<Line>(4);
    let cancel = CancellationToken::new();
    let collect = async {
        let mut lines = Vec::new();
        while let Some(line) = receiver.recv().await {
            lines.push(line);
        }
        lines
    };
    tokio::join!(executor.execute(step, sender, &cancel), collect)
}

/// Every line of a stream arrives, in its order, and a failure's code is an answer.
///
/// # Panics
/// When the executor does otherwise.
pub async fn tells_lines_and_exit(executor: &dyn Executor, dir: &Path) {
    let step = shell(dir, "for i in 1 2 3; do echo out $i; echo err $i >&2; done; exit 3");
    let (outcome, lines) = execute(executor, &step).await;
    assert_eq!(outcome.expect("it ran").exit, Exit::Code(3));
    let of = |stream| lines.iter().filter(move |line| line.stream == stream).map(|line| line.text.as_str());
    assert_eq!(of(Stream::Stdout).collect::<Vec<_>>(), ["out 1", "out 2", "out 3"]);
    assert_eq!(of(Stream::Stderr).collect::<Vec<_>>(), ["err 1", "err 2", "err 3"]);
}

/// The result is standard output without its last line end; a script's file is the last argument.
///
/// # Panics
/// When the executor does otherwise.
pub async fn keeps_the_result_of_a_script(executor: &dyn Executor, dir: &Path) {
    let mut step = shell(dir, "");
    step.command = vec!["sh".to_owned()];
    step.source = Some("echo \"$GREETING\"\necho noise >&2\necho there".to_owned());
    step.env.insert("GREETING".to_owned(), "hello".to_owned());
    step.keeps_result = true;
    let (outcome, _) = execute(executor, &step).await;
    assert_eq!(outcome.expect("it ran").result.as_deref(), Some("hello\nthere"));
}

/// Output parameters are what the step wrote, else their default, else an error that names them; never an older file.
///
/// # Panics
/// When the executor does otherwise.
pub async fn reads_output_parameters(executor: &dyn Executor, dir: &Path) {
    let output = |name: &str, default: Option<&str>| OutputFile {
        name: name.to_owned(),
        path: format!("{name}.txt").into(),
        default: default.map(str::to_owned),
    };
    let mut step = shell(dir, "echo 0.78 > auc.txt");
    step.outputs = vec![output("auc", None), output("note", Some("none"))];
    let (outcome, _) = execute(executor, &step).await;
    let parameters = outcome.expect("it ran").parameters;
    assert_eq!(parameters["auc"], "0.78");
    assert_eq!(parameters["note"], "none");

    let mut step = shell(dir, "true");
    step.outputs = vec![output("auc", None)];
    let (outcome, _) = execute(executor, &step).await;
    assert!(
        matches!(&outcome, Err(ExecutorError::OutputMissing { name, .. }) if name == "auc"),
        "an older file was taken for this step's: {outcome:?}"
    );
}

/// What cannot be started is an error that names it.
///
/// # Panics
/// When the executor does otherwise.
pub async fn names_a_command_that_is_missing(executor: &dyn Executor, dir: &Path) {
    let mut step = shell(dir, "");
    step.command = vec!["no-such-command-here".to_owned()];
    let (outcome, _) = execute(executor, &step).await;
    let message = outcome.expect_err("there is no such command").to_string();
    assert!(message.contains("no-such-command-here"), "{message}");
}

/// Cancelling ends the step and all that it started.
///
/// # Panics
/// When the executor does otherwise.
pub async fn ends_everything_on_cancellation(executor: &dyn Executor, dir: &Path) {
    // The second process ignores SIGTERM's usual way by being a child; it would go on for an hour.
    let step = shell(dir, "sleep 3600 & echo started; wait");
    let (sender, mut receiver) = mpsc::channel::<Line>(4);
    let cancel = CancellationToken::new();
    let stop = async {
        let line = receiver.recv().await.expect("it starts");
        assert_eq!(line.text, "started");
        cancel.cancel();
        while receiver.recv().await.is_some() {}
    };
    let both = async { tokio::join!(executor.execute(&step, sender, &cancel), stop) };
    let (outcome, ()) = tokio::time::timeout(Duration::from_secs(60), both).await.expect("it ends when cancelled");
    assert_eq!(outcome.expect("it ran").exit, Exit::Cancelled);
}
