//! Programs that run beside the story: the legacy server, the receiver of alerts, live traffic.
//!
//! What they say goes to a file, line by line JSON. They end when the story ends, however that comes about: those that read
//! their standard input see it close, the others are killed when they are dropped.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::process::{display, tail};
use crate::time::{Stopwatch, pause};

/// Between two looks at what a helper said.
const LOOK: Duration = Duration::from_millis(20);
/// Python with its libraries on a busy machine.
const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// A helper that was asked to end and does not is a failure.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// A running program.
#[derive(Debug)]
pub(crate) struct Helper {
    name: String,
    child: Child,
    said: PathBuf,
    stays: bool,
}

impl Helper {
    /// Starts it, with its standard output in `<folder>/<name>.jsonl` and its complaints beside that.
    pub(crate) fn start(name: &str, command: &mut Command, folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        let said = folder.join(format!("{name}.jsonl"));
        command.stdin(Stdio::piped()).stdout(File::create(&said)?).stderr(File::create(said.with_extension("err"))?);
        let child = command.spawn().with_context(|| format!("start {}", display(command)))?;
        Ok(Self { name: name.to_owned(), child, said, stays: false })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What it said so far; a line that it has not finished is left out.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.said).unwrap_or_default();
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        complete.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The first that it says, which is that it is ready.
    pub(crate) fn ready(&mut self) -> anyhow::Result<Value> {
        let watch = Stopwatch::start();
        loop {
            if let Some(first) = self.lines().into_iter().next() {
                return Ok(first);
            }
            if self.child.try_wait()?.is_some() || watch.elapsed() > STARTS_WITHIN {
                bail!("{} did not start:\n{}", self.name, tail(&self.said.with_extension("err")));
            }
            pause(LOOK);
        }
    }

    /// Closes its standard input, waits until it is gone, and gives the last that it said.
    pub(crate) fn finish(mut self) -> anyhow::Result<Value> {
        drop(self.child.stdin.take());
        let watch = Stopwatch::start();
        while self.child.try_wait()?.is_none() {
            if watch.elapsed() > ENDS_WITHIN {
                bail!("{} did not end", self.name);
            }
            pause(LOOK);
        }
        let last = self.lines().into_iter().next_back();
        last.with_context(|| format!("{} said nothing:\n{}", self.name, tail(&self.said.with_extension("err"))))
    }

    /// Leaves it running after the story; the process id.
    pub(crate) fn leave(mut self) -> u32 {
        self.stays = true;
        // Dropping the pipe would tell it to end.
        std::mem::forget(self.child.stdin.take());
        self.child.id()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        if !self.stays {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helper_says_that_it_is_ready_and_ends_when_its_input_closes() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", r#"echo '{"ready": 1}'; cat; echo '{"done": 2}'"#]);
        let mut helper = Helper::start("one", &mut command, dir.path()).unwrap();
        assert_eq!(helper.ready().unwrap()["ready"], 1);
        assert_eq!(helper.finish().unwrap()["done"], 2);
    }

    #[test]
    fn a_helper_that_does_not_start_tells_why() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such thing >&2; exit 1"]);
        let error = Helper::start("one", &mut command, dir.path()).unwrap().ready().unwrap_err().to_string();
        assert!(error.contains("no such thing"), "{error}");
    }
}
