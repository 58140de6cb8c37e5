//! The only place where `xtask` prints.
//!
//! Plain lines, no cursor movement: the same output serves a terminal, a log file and CI.

use std::io::{IsTerminal as _, Write as _};

/// One line of progress or result.
pub(crate) fn line(text: impl AsRef<str>) {
    // A reader that went away (`| head`) must not make a run fail that nobody watches any more.
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", text.as_ref()).ok();
    out.flush().ok();
}

/// A heading before a stage of several lines.
pub(crate) fn heading(text: impl AsRef<str>) {
    line(format!("\n== {}", text.as_ref()));
}

/// Passes text through that a child process wrote.
pub(crate) fn raw(text: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).ok();
    out.flush().ok();
}

/// Whether a person is watching, so that children may colour their output.
pub(crate) fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}
