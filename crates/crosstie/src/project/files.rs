//! Reads a project's files from its folder. Nothing here parses them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use api::system::ProjectFiles;

use super::PROJECT_FILE;

/// Folders whose `*.yaml` are part of a project.
const PARTS: [&str; 2] = ["features", "models"];

/// The project folder: the nearest one at or above `start` with a `crosstie.yaml`, else `start`.
pub(crate) fn find_project_dir(start: &Path) -> PathBuf {
    start.ancestors().find(|dir| dir.join(PROJECT_FILE).is_file()).unwrap_or(start).to_path_buf()
}

/// The texts of the project in `dir` by their paths relative to it; `None` when it has no `crosstie.yaml`.
///
/// # Errors
/// When a file cannot be read, is not UTF-8, or a folder has `.yml` files, which would be overlooked in silence.
pub(crate) fn read_files(dir: &Path) -> Result<Option<ProjectFiles>> {
    let mut files = ProjectFiles::new();
    let project = dir.join(PROJECT_FILE);
    match fs::read_to_string(&project) {
        Ok(text) => drop(files.insert(PROJECT_FILE.to_owned(), text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", project.display())),
    }
    for part in PARTS {
        let folder = dir.join(part);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("cannot list {}", folder.display())),
        };
        for entry in entries {
            let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.extension().is_some_and(|ending| ending == "yml") {
                bail!("{} would be overlooked: rename it to .yaml", path.display());
            }
            if path.extension().is_some_and(|ending| ending == "yaml") && !name.starts_with('.') {
                let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
                files.insert(format!("{part}/{name}"), text);
            }
        }
    }
    Ok(Some(files))
}
