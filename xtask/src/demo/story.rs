//! The narrator: runs the commands of the story in the project's folder, keeps the server's addresses, and cleans up at the end.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::beside::Helper;
use super::ledger::Ledger;
use crate::process::{Runner, display};
use crate::setup::python::Environment;
use crate::time::{Spoken, Stopwatch};
use crate::{output, process};

/// The programs of the story and what they have come to.
#[derive(Debug)]
pub(crate) struct Story {
    runner: Runner,
    crosstie: PathBuf,
    python: Environment,
    dir: PathBuf,
    addresses: Value,
    process: i64,
    helpers: Vec<Helper>,
    ledger: Ledger,
}

/// What a command answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) succeeded: bool,
    pub(crate) json: Value,
    pub(crate) text: String,
    pub(crate) took: Duration,
}

impl Answer {
    /// The JSON of a command that had to succeed.
    pub(crate) fn expect(self, what: &str) -> anyhow::Result<Value> {
        if !self.succeeded {
            bail!("{what}: {}", self.text);
        }
        Ok(self.json)
    }

    /// The text at a JSON pointer, empty if there is none.
    pub(crate) fn at(&self, pointer: &str) -> String {
        text_at(&self.json, pointer)
    }
}

/// The value at a JSON pointer as a person would write it; empty if there is none.
pub(crate) fn text_at(json: &Value, pointer: &str) -> String {
    match json.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

impl Story {
    pub(crate) fn new(runner: Runner, crosstie: PathBuf, python: Environment, dir: PathBuf) -> Self {
        runner.say(&format!("cd {} && export VIRTUAL_ENV={}", dir.display(), python.folder().display()));
        let (addresses, helpers, ledger) = (Value::Null, Vec::new(), Ledger::default());
        Self { runner, crosstie, python, dir, addresses, process: 0, helpers, ledger }
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(crate) fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// `crosstie … --json` in the project's folder.
    pub(crate) fn crosstie(&self, arguments: &[&str]) -> anyhow::Result<Answer> {
        self.crosstie_as(None, arguments)
    }

    /// The same, showing a token.
    pub(crate) fn crosstie_as(&self, token: Option<&str>, arguments: &[&str]) -> anyhow::Result<Answer> {
        let mut command = Command::new(&self.crosstie);
        command.args(arguments).arg("--json");
        if let Some(token) = token {
            command.env("CROSSTIE_TOKEN", token);
        }
        self.run(command)
    }

    /// A script of the project, or of the story, in the project's environment; its last line is JSON.
    pub(crate) fn python(&self, script: &Path, arguments: &[&str]) -> anyhow::Result<Answer> {
        self.python_as(None, script, arguments)
    }

    /// The same, with a token that the stock MLflow client shows.
    pub(crate) fn python_as(&self, token: Option<&str>, script: &Path, arguments: &[&str]) -> anyhow::Result<Answer> {
        let mut command = self.script(script, arguments);
        if let Some(token) = token {
            command.env("MLFLOW_TRACKING_TOKEN", token).env("CROSSTIE_TOKEN", token);
        }
        self.run(command)
    }

    /// Starts a script and leaves it running beside the story.
    pub(crate) fn beside(&self, script: &Path, arguments: &[&str]) -> anyhow::Result<Child> {
        let mut command = self.script(script, arguments);
        self.surround(&mut command);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().with_context(|| format!("start {}", display(&command)))
    }

    /// Starts a script that runs beside the story until it is finished or dropped.
    pub(crate) fn helper(&self, name: &str, script: &Path, arguments: &[&str]) -> anyhow::Result<Helper> {
        let mut command = self.script(script, arguments);
        self.surround(&mut command);
        Helper::start(name, &mut command, &self.dir.join("state/said"))
    }

    /// Keeps a helper until the story ends.
    pub(crate) fn keep(&mut self, helper: Helper) {
        self.helpers.push(helper);
    }

    /// What a helper that is kept has said so far.
    pub(crate) fn said(&self, name: &str) -> Vec<Value> {
        self.helpers.iter().find(|helper| helper.name() == name).map_or_else(Vec::new, Helper::lines)
    }

    fn script(&self, script: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.python.interpreter());
        command.arg(script).args(arguments);
        if let Some(api) = self.addresses["api"].as_str() {
            command.env("MLFLOW_TRACKING_URI", format!("http://{api}"));
        }
        command
    }

    /// What surrounds every command of the story, as it would surround a user's.
    fn surround(&self, command: &mut Command) {
        self.runner.show(command);
        command.current_dir(&self.dir).stdin(Stdio::null());
        command.env("VIRTUAL_ENV", self.python.folder()).env("PYTHONDONTWRITEBYTECODE", "1");
    }

    fn run(&self, mut command: Command) -> anyhow::Result<Answer> {
        self.surround(&mut command);
        let watch = Stopwatch::start();
        let result = command.output().with_context(|| format!("start {}", display(&command)))?;
        let took = watch.elapsed();
        let said = String::from_utf8_lossy(&result.stdout);
        let complained = String::from_utf8_lossy(&result.stderr);
        let json = last_json(&said);
        let text = format!("{}{}", said, complained).trim().to_owned();
        Ok(Answer { succeeded: result.status.success(), json, text, took })
    }

    /// Runs a command whose progress is worth watching, with its output passed through.
    pub(crate) fn aloud(&self, token: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new(&self.crosstie);
        command.args(arguments).env("CROSSTIE_TOKEN", token);
        self.surround(&mut command);
        let status = command.status().with_context(|| format!("start {}", display(&command)))?;
        if !status.success() {
            bail!("{} ended with {status}", display(&command));
        }
        Ok(())
    }

    /// `crosstie up -d` on free ports; how long it took until everything answered.
    pub(crate) fn up(&mut self) -> anyhow::Result<Duration> {
        let ports = ["--port", "0", "--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"];
        let answer = self.crosstie(&[["up", "-d"].as_slice(), &ports].concat())?;
        let took = answer.took;
        let mut up = answer.expect("crosstie up")?;
        self.process = up["pid"].as_i64().context("`up` told no process id")?;
        self.addresses = up["addresses"].take();
        Ok(took)
    }

    pub(crate) fn down(&mut self) -> anyhow::Result<()> {
        self.crosstie(&["down"])?.expect("crosstie down").map(drop)
    }

    /// SIGKILL: the server gets no chance to write anything down.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        process::answer(Command::new("kill").args(["-KILL", &self.process.to_string()])).map(drop)
    }

    /// Where the running server answers: `api`, `http`, `grpc`, `metrics`.
    pub(crate) fn address(&self, port: &str) -> anyhow::Result<String> {
        Ok(self.addresses[port].as_str().with_context(|| format!("`up` told no address of `{port}`"))?.to_owned())
    }

    /// Ends what the story started; a server that is gone already is no failure.
    pub(crate) fn stop(&mut self) {
        if self.addresses.is_object() && self.down().is_err() {
            output::line("   the server did not stop by itself");
        }
        self.helpers.clear();
    }

    /// With `--keep`: where to look around, and how to end it.
    pub(crate) fn invite(&mut self) {
        let left: Vec<String> = self.helpers.drain(..).map(|helper| helper.leave().to_string()).collect();
        if let Some(api) = self.addresses["api"].as_str() {
            output::heading("Still up");
            output::line(format!("   console: http://{api}/"));
            output::line(format!("   project: {}", self.dir.display()));
            let down = format!("{} down --dir {}", self.crosstie.display(), self.dir.display());
            output::line(format!("   stop it: {down}; kill {}", left.join(" ")));
        }
    }

    /// Says how long something took that had no check of its own.
    pub(crate) fn note_time(&mut self, what: &str, took: Duration) {
        self.ledger.measure(what, Spoken(took).to_string());
    }
}

/// A whole document, or the last line that is one.
fn last_json(said: &str) -> Value {
    serde_json::from_str(said)
        .or_else(|_| {
            said.lines().rev().find(|line| !line.trim().is_empty()).map_or(Ok(Value::Null), serde_json::from_str)
        })
        .unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_document_or_its_last_line() {
        assert_eq!(last_json("{\n \"a\": 1\n}\n")["a"], 1);
        assert_eq!(last_json("working\n{\"a\": 2}\n\n")["a"], 2);
        assert_eq!(last_json("nothing"), Value::Null);
    }

    #[test]
    fn text_at_a_pointer_is_what_a_person_would_write() {
        let json = serde_json::json!({ "a": { "b": "x", "n": 1, "none": null } });
        assert_eq!((text_at(&json, "/a/b"), text_at(&json, "/a/n")), ("x".to_owned(), "1".to_owned()));
        assert_eq!((text_at(&json, "/a/none"), text_at(&json, "/q")), (String::new(), String::new()));
    }
}
