//! The one place that prints: what a command did, as text or JSON, its problems with their source, and its failure.
#![expect(clippy::print_stderr, reason = "printing for people and programs happens here and nowhere else")]

use std::{
    fmt, fs,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use api::system::ProjectProblem;
use comfy_table::{Table, presets};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report};
use serde::Serialize;
use serde_json::json;

/// How to answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// As JSON, one document on standard output.
    pub(crate) json: bool,
}

/// A failure that was told to the user already; only the exit code is left to give.
#[derive(Debug, thiserror::Error)]
#[error("")]
pub(crate) struct Told;

/// The same, with an exit code that means something of its own.
#[derive(Debug, thiserror::Error)]
#[error("")]
pub(crate) struct Ended(pub(crate) u8);

impl Output {
    /// The command's answer: `value` for programs, `text` for people.
    pub(crate) fn answer<T: Serialize>(self, value: &T, text: impl FnOnce() -> String) {
        if self.json {
            say(format_args!("{}", serde_json::to_string_pretty(value).expect("answers are JSON")));
        } else {
            say(format_args!("{}", text().trim_end()));
        }
    }

    /// A line of progress for people; silent with `--json`.
    pub(crate) fn progress(self, line: &str) {
        if !self.json {
            say(format_args!("{line}"));
        }
    }

    /// The failure with its causes, and the exit code.
    pub(crate) fn failure(self, error: &anyhow::Error) -> ExitCode {
        if let Some(Ended(code)) = error.downcast_ref() {
            return ExitCode::from(*code);
        }
        if error.is::<Told>() {
            return ExitCode::FAILURE;
        }
        if self.json {
            say(format_args!("{}", json!({ "error": { "message": format!("{error:#}") } })));
        }
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    }

    /// The problems of project files, each with its line shown; always the failure [`Told`].
    pub(crate) fn problems(self, dir: &Path, problems: &[ProjectProblem]) -> anyhow::Error {
        if self.json {
            say(format_args!("{}", json!({ "problems": problems })));
        } else {
            problems.iter().for_each(|problem| eprint!("{}", rendered(dir, problem)));
            eprintln!("{} problem{} found", problems.len(), if problems.len() == 1 { "" } else { "s" });
        }
        Told.into()
    }
}

/// Prints a line. Who reads it may have seen enough (`| head`), which is no failure of the command.
fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// The problem with file, line, column and the line itself.
fn rendered(dir: &Path, problem: &ProjectProblem) -> String {
    let text = fs::read_to_string(dir.join(&problem.file)).unwrap_or_default();
    let place = format!("{}:{}:{}", problem.file, problem.line, problem.column);
    let mut diagnostic = MietteDiagnostic::new(format!("{place}: {}", problem.message));
    diagnostic.help.clone_from(&problem.help);
    if let Some(offset) = offset(&text, problem.line, problem.column) {
        diagnostic = diagnostic.with_label(LabeledSpan::at_offset(offset, "here"));
    }
    let report = Report::new(diagnostic).with_source_code(NamedSource::new(&problem.file, text));
    let mut rendered = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_links(false);
    match handler.render_report(&mut rendered, report.as_ref()) {
        Ok(()) => rendered,
        Err(_) => format!("{place}: {}\n", problem.message),
    }
}

/// The byte at which line and column (in characters, from 1) are.
fn offset(text: &str, line: usize, column: usize) -> Option<usize> {
    let line_index = line.checked_sub(1)?;
    let start: usize = text.split_inclusive('\n').take(line_index).map(str::len).sum();
    let rest = text.get(start..)?;
    let within = rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(byte, _)| byte);
    Some(start + within)
}

/// A table with a header, aligned, without lines.
pub(crate) fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header);
    for row in rows {
        table.add_row(row);
    }
    table.lines().map(|line| format!("{}\n", line.trim())).collect()
}
