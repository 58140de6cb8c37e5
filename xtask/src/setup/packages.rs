//! Debian packages, installed when we may and named when we may not.

use std::process::Command;

use anyhow::bail;

use crate::environment;
use crate::process::Runner;

/// Installs packages by apt as root; anyone else is told the command.
pub(crate) fn install(runner: &Runner, packages: &[&str], purpose: &str) -> anyhow::Result<()> {
    let by_hand = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    let Some(apt) = environment::on_path("apt-get") else {
        bail!("{purpose}, is missing; install it with this system's package manager (on Debian: {by_hand})");
    };
    if !environment::is_root() {
        bail!("{purpose}, is missing; install it and run this again: sudo {by_hand}");
    }
    let name = packages.join("-");
    let mut update = Command::new(&apt);
    update.args(["update", "--quiet"]).env("DEBIAN_FRONTEND", "noninteractive");
    runner.quietly("apt-update", "asking apt for its newest lists", &mut update)?;
    let mut install = Command::new(&apt);
    install.args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages);
    // Debian's postgresql package would make and start a cluster of its own, which nobody here asked for.
    install.env("DEBIAN_FRONTEND", "noninteractive").env("PG_CREATECLUSTER_NO_START", "yes").env("RUNLEVEL", "1");
    runner.quietly(&format!("apt-{name}"), &format!("installing {name}"), &mut install)
}
