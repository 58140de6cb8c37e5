//! Running other programs: quietly into a log whose tail is shown upon failure, or with their output passed through.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::output;
use crate::time::{Spoken, Stopwatch, pause};

/// A step that takes longer than this says that it has begun.
const SILENT_FOR: Duration = Duration::from_millis(800);
/// A step that takes long repeats what it is doing this often.
const STILL_EVERY: Duration = Duration::from_secs(15);
/// How much of a log explains a failure without filling the screen.
const TAIL_LINES: usize = 40;

/// Where logs go, and whether commands are printed.
#[derive(Debug, Clone)]
pub(crate) struct Runner {
    logs: PathBuf,
    verbose: bool,
}

impl Runner {
    pub(crate) fn new(logs: impl Into<PathBuf>, verbose: bool) -> Self {
        Self { logs: logs.into(), verbose }
    }

    pub(crate) fn logs(&self) -> &Path {
        &self.logs
    }

    /// Runs a command to its end with its output in `<logs>/<name>.log`; announces it when it takes longer than a moment.
    pub(crate) fn quietly(&self, name: &str, what: &str, command: &mut Command) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.logs).with_context(|| format!("create {}", self.logs.display()))?;
        let log = self.logs.join(format!("{name}.log"));
        let file = File::create(&log).with_context(|| format!("create {}", log.display()))?;
        self.show(command);
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let watch = Stopwatch::start();
        let mut child = command.spawn().with_context(|| format!("start {}", display(command)))?;
        let mut next_word = SILENT_FOR;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if watch.elapsed() >= next_word {
                let first = next_word == SILENT_FOR;
                output::line(if first {
                    format!("   {what} …")
                } else {
                    format!("   {what} … {}", Spoken(watch.elapsed()))
                });
                next_word = if first { STILL_EVERY } else { next_word + STILL_EVERY };
            }
            pause(Duration::from_millis(20));
        };
        if !status.success() {
            output::line(format!("   {what}: failed after {}; the end of {}:", Spoken(watch.elapsed()), log.display()));
            output::line(tail(&log));
            bail!("{what}: {} ended with {status}", display(command));
        }
        if watch.elapsed() >= SILENT_FOR {
            output::line(format!("   {what}: done in {}", Spoken(watch.elapsed())));
        }
        Ok(())
    }

    /// Runs a command with its output passed through, for programs that show their own progress.
    pub(crate) fn aloud(&self, command: &mut Command) -> anyhow::Result<()> {
        self.show(command);
        let status = command.status().with_context(|| format!("start {}", display(command)))?;
        if !status.success() {
            bail!("{} ended with {status}", display(command));
        }
        Ok(())
    }

    /// With `--verbose`, prints the command as one would type it.
    pub(crate) fn show(&self, command: &Command) {
        self.say(&display(command));
    }

    /// With `--verbose`, prints what one would type.
    pub(crate) fn say(&self, typed: &str) {
        if self.verbose {
            output::line(format!("   $ {typed}"));
        }
    }
}

/// Standard output of a command that succeeds; its standard error explains a failure.
pub(crate) fn answer(command: &mut Command) -> anyhow::Result<String> {
    let result = command.stdin(Stdio::null()).output().with_context(|| format!("start {}", display(command)))?;
    if !result.status.success() {
        let said = String::from_utf8_lossy(&result.stderr);
        bail!("{} ended with {}: {}", display(command), result.status, said.trim());
    }
    String::from_utf8(result.stdout).with_context(|| format!("output of {} is not UTF-8", display(command)))
}

/// The command as one would type it in the folder where it runs.
pub(crate) fn display(command: &Command) -> String {
    let mut words = Vec::new();
    if let Some(dir) = command.get_current_dir() {
        words.push(format!("cd {} &&", quoted(dir.as_os_str())));
    }
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            words.push(format!("{}={}", name.to_string_lossy(), quoted(value)));
        }
    }
    words.push(quoted(command.get_program()));
    words.extend(command.get_args().map(quoted));
    words.join(" ")
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The last lines of a file, indented; says so when there is none.
pub(crate) fn tail(file: &Path) -> String {
    let Ok(bytes) = std::fs::read(file) else {
        return format!("     (no log at {})", file.display());
    };
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(TAIL_LINES);
    lines[from..].iter().map(|line| format!("     {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_displayed_command_can_be_typed() {
        let mut command = Command::new("crosstie");
        command.args(["run", "it's here.yaml", ""]).env("A", "b c").current_dir("/tmp/x");
        assert_eq!(display(&command), r"cd /tmp/x && A='b c' crosstie run 'it'\''s here.yaml' ''");
    }

    #[test]
    fn a_failing_command_says_what_it_was_and_why() {
        let error = answer(Command::new("sh").args(["-c", "echo broken >&2; exit 3"])).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.ends_with("broken"), "{error}");
    }

    #[test]
    fn the_tail_keeps_only_the_last_lines() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("log");
        std::fs::write(&file, (0..100).map(|n| format!("line {n}\n")).collect::<String>()).unwrap();
        let tail = tail(&file);
        assert!(tail.starts_with("     line 60\n") && tail.ends_with("line 99"), "{tail}");
    }
}
