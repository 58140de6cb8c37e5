//! What the machine says: processor time and memory of a server with its children, and how long its disk takes to sync.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use crate::time::Stopwatch;

/// Clock ticks per second in `/proc`; it is 100 on every Linux that this runs on.
const TICKS: f64 = 100.0;

/// A process and all that it started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tree(pub(super) u32);

impl Tree {
    fn processes(self) -> Vec<u32> {
        let mut found = vec![self.0];
        let mut next = 0;
        while let Some(process) = found.get(next).copied() {
            next += 1;
            for task in std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten() {
                let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
                found.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
            }
        }
        found
    }

    /// Processor time so far, in user and kernel, of those that run still and those that were waited for.
    pub(super) fn cpu(self) -> Duration {
        let ticks: f64 = self.processes().into_iter().filter_map(ticks).sum();
        Duration::from_secs_f64(ticks / TICKS)
    }

    /// Resident memory now, in MiB.
    pub(super) fn resident(self) -> f64 {
        self.sum("VmRSS:")
    }

    /// The most that was ever resident, in MiB.
    pub(super) fn peak(self) -> f64 {
        self.sum("VmHWM:")
    }

    fn sum(self, field: &str) -> f64 {
        let of = |process: u32| -> Option<f64> {
            let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix(field))?;
            line.trim().trim_end_matches(" kB").parse::<f64>().ok()
        };
        self.processes().into_iter().filter_map(of).sum::<f64>() / 1_024.0
    }
}

/// utime and stime, and those of children that ended.
fn ticks(process: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name may hold anything; the fields after it do not.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    fields.get(11..15)?.iter().map(|field| field.parse::<f64>().ok()).sum()
}

/// How long `fdatasync` takes on the disk of `folder` after a page was written: the median, in milliseconds.
pub(super) fn sync_median(folder: &Path) -> anyhow::Result<f64> {
    /// Enough for a median.
    const TIMES: u64 = 200;
    let path = folder.join("fdatasync");
    let file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
    let page = [7; 4_096];
    let mut took = Vec::new();
    for number in 0..TIMES {
        file.write_all_at(&page, number * 4_096)?;
        let watch = Stopwatch::start();
        file.sync_data()?;
        took.push(watch.elapsed().as_secs_f64() * 1_000.0);
    }
    std::fs::remove_file(&path)?;
    took.sort_by(f64::total_cmp);
    Ok(took[took.len() / 2])
}

/// What machine this is, for whoever compares numbers.
pub(super) fn described() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    format!("{cores} cores of {}, load before the start {load}", model.map_or("an unnamed processor", |(_, name)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory_and_time() {
        let tree = Tree(std::process::id());
        assert!(tree.resident() > 0.5 && tree.peak() >= tree.resident() * 0.5);
        assert!(ticks(std::process::id()).is_some());
    }

    #[test]
    fn a_sync_takes_time() {
        assert!(sync_median(tempfile::tempdir().unwrap().path()).unwrap() > 0.0);
    }
}
