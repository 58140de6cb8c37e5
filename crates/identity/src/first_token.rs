//! The file that holds the first token: readable by its owner alone, and either whole or not there.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use types::Secret;

use crate::{Error, Result};

/// Whether there is a file with something in it.
pub(crate) async fn is_kept(path: &Path) -> Result<bool> {
    let path = path.to_owned();
    runtime::blocking(move || match fs::read_to_string(&path) {
        Ok(text) => Ok(!text.trim().is_empty()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(Error::File { path, source }),
    })
    .await
}

/// Writes the token beside `path` with mode 600, syncs it, and renames it to `path`.
pub(crate) async fn keep(path: &Path, token: &Secret<String>) -> Result<()> {
    let (path, token) = (path.to_owned(), token.clone());
    runtime::blocking(move || write(&path, token.expose()).map_err(|source| Error::File { path, source })).await
}

fn write(path: &Path, token: &str) -> io::Result<()> {
    let mut temporary = PathBuf::from(path).into_os_string();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(temporary);
    // Left by a process of the same id that was killed; `create_new` below never writes into a file made by others.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    writeln!(file, "{token}")?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
