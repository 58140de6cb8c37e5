//! The one binary: settings, wiring, adapters between sibling crates, and the command line.
//!
//! Only this crate knows the environment and the command line, and only [`app`] names concrete adapters.

mod adapters;
mod app;
mod backup;
mod cli;
mod project;
mod settings;
mod state_dir;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
