//! The data that a run read, file by file with digests: recorded before the run starts, compared before it is run again.
//!
//! Which files: those that the workflow's parameters name (a file, or a folder with all in it) and those that the caller
//! adds. So no line of the user's code is needed, and what a run reads is known before it reads it.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use types::{Digest, DigestHasher};

/// Folders that are no data: of tools, of this program, of git.
const SKIPPED: [&str; 5] = [".git", ".crosstie", ".venv", "__pycache__", "node_modules"];
/// The most files of one record; a data set of more has a catalogue that gives it a version.
const MOST_FILES: usize = 100_000;
/// Bytes read at once.
const PIECE: usize = 1 << 20;

/// Every file with its content's digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataManifest {
    /// The format of this record: 1.
    pub version: u32,
    /// Files by path: from the project's folder, or absolute where they lie elsewhere.
    pub files: BTreeMap<String, DataFile>,
}

/// One file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// Of its content.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
}

/// Something that is not as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum DataFault {
    /// The file is not there.
    Absent {
        /// Its path.
        path: String,
    },
    /// The file has another content.
    Differs {
        /// Its path.
        path: String,
        /// The digest of what was read then.
        recorded: Digest,
        /// The digest of what is there now.
        found: Digest,
    },
}

impl std::fmt::Display for DataFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Absent { path } => write!(f, "{path} is not there"),
            Self::Differs { path, recorded, found } => {
                write!(f, "{path} differs: {} was read then, it is {} now", recorded.short(), found.short())
            }
        }
    }
}

/// Why data could not be read.
#[derive(Debug, Error)]
pub enum DataError {
    /// A file or folder could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// There are more than a record holds.
    #[error("there are more than {MOST_FILES} files at {}: name a part of them", path.display())]
    TooMany {
        /// Where.
        path: PathBuf,
    },
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> DataError {
    let path = path.to_owned();
    move |source| DataError::Read { path, source }
}

fn shown(project: &Path, path: &Path) -> String {
    path.strip_prefix(project).unwrap_or(path).to_string_lossy().into_owned()
}

/// The files that a workflow's parameters name, by parameter: a value that names a file, or a folder with files in it.
/// One that names the project's folder, or one above it, names no data.
///
/// # Errors
/// When a folder cannot be read, or has too many files.
pub fn data_of(
    parameters: &BTreeMap<String, String>,
    project: &Path,
) -> Result<BTreeMap<String, Vec<PathBuf>>, DataError> {
    let is_data = |path: &PathBuf| {
        path.canonicalize().is_ok_and(|real| !project.canonicalize().is_ok_and(|project| project.starts_with(real)))
    };
    let mut found = BTreeMap::new();
    for (name, value) in parameters.iter().filter(|(_, value)| !value.trim().is_empty()) {
        let (path, mut files) = (project.join(value), Vec::new());
        if is_data(&path) {
            walk(&path, &mut files)?;
            files.sort_unstable();
        }
        if !files.is_empty() {
            found.insert(name.clone(), files);
        }
    }
    Ok(found)
}

impl DataManifest {
    /// Reads these files, each once. Blocks while it reads.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn collect<'a>(project: &Path, paths: impl IntoIterator<Item = &'a PathBuf>) -> Result<Self, DataError> {
        let mut files = BTreeMap::new();
        for path in paths {
            if let Entry::Vacant(place) = files.entry(shown(project, path)) {
                place.insert(read(path).map_err(unreadable(path))?);
            }
        }
        Ok(Self { version: 1, files })
    }

    /// Only these files of it.
    #[must_use]
    pub fn part(&self, project: &Path, paths: &[PathBuf]) -> Self {
        let of = |path: &PathBuf| {
            let path = shown(project, path);
            self.files.get(&path).map(|file| (path.clone(), *file))
        };
        Self { version: 1, files: paths.iter().filter_map(of).collect() }
    }

    /// The digest of all of it: the same for the same files with the same content.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(serde_json::to_vec(&self.files).expect("a map with text as keys is JSON"))
    }

    /// The bytes of all files.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.files.values().map(|file| file.size).sum()
    }

    /// What of it is not so at `project` now. Blocks while it reads.
    ///
    /// # Errors
    /// When a file that is there cannot be read.
    pub fn faults(&self, project: &Path) -> Result<Vec<DataFault>, DataError> {
        let mut faults = Vec::new();
        for (path, recorded) in &self.files {
            let place = project.join(path);
            let found = match read(&place) {
                Ok(found) => found,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    faults.push(DataFault::Absent { path: path.clone() });
                    continue;
                }
                Err(error) => return Err(unreadable(&place)(error)),
            };
            if found.digest != recorded.digest {
                let (recorded, found) = (recorded.digest, found.digest);
                faults.push(DataFault::Differs { path: path.clone(), recorded, found });
            }
        }
        Ok(faults)
    }
}

fn walk(path: &Path, found: &mut Vec<PathBuf>) -> Result<(), DataError> {
    if !path.is_dir() {
        // A device, a pipe or a socket has no content that could be there again, and may have no end.
        if path.is_file() {
            found.push(path.to_owned());
        }
        return Ok(());
    }
    for entry in std::fs::read_dir(path).map_err(unreadable(path))? {
        let entry = entry.map_err(unreadable(path))?;
        let (name, inner) = (entry.file_name(), entry.path());
        if inner.is_dir() && SKIPPED.iter().any(|skipped| name == *skipped) {
            continue;
        }
        // A linked folder may lead in circles; a linked file is data like any other. A link to nothing is none.
        if inner.is_symlink() && !inner.is_file() {
            continue;
        }
        walk(&inner, found)?;
        if found.len() > MOST_FILES {
            return Err(DataError::TooMany { path: path.to_owned() });
        }
    }
    Ok(())
}

fn read(path: &Path) -> io::Result<DataFile> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    let mut file = File::open(path)?;
    let (mut hasher, mut size, mut piece) = (DigestHasher::default(), 0, vec![0; PIECE]);
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            return Ok(DataFile { digest: hasher.finish(), size });
        }
        hasher.update(&piece[..length]);
        size += length as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_that_changed_is_found_in_its_file_and_a_lost_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let project = dir.path();
        std::fs::create_dir_all(project.join("data/days/.git")).unwrap();
        for (path, text) in [("data/labels", "abc"), ("data/days/1", "one"), ("data/days/.git/x", "x"), ("w.yaml", "w")]
        {
            std::fs::write(project.join(path), text).unwrap();
        }
        let parameters = [("data", "data"), ("rounds", "60"), ("all", "."), ("none", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let found = data_of(&parameters.into(), project).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["data"]);
        let manifest = DataManifest::collect(project, &found["data"]).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(project.join("data/days/socket")).unwrap();
        let endless =
            [("data", "data"), ("source", "/dev/zero")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(data_of(&endless.into(), project).unwrap(), found, "what is no file is no data");
        assert!(DataManifest::collect(project, [&PathBuf::from("/dev/zero")]).is_err());
        drop(socket);
        let labels = [project.join("data/labels"), project.join("elsewhere")];
        assert_eq!(manifest.part(project, &labels).files.len(), 1);
        assert_eq!(manifest.files.keys().collect::<Vec<_>>(), ["data/days/1", "data/labels"]);
        assert_eq!((manifest.size(), manifest.faults(project).unwrap()), (6, Vec::new()));
        let json = serde_json::to_string(&manifest).unwrap();
        assert_eq!(serde_json::from_str::<DataManifest>(&json).unwrap().digest(), manifest.digest());

        std::fs::write(project.join("data/days/1"), "onE").unwrap();
        std::fs::remove_file(project.join("data/labels")).unwrap();
        let told: Vec<String> = manifest.faults(project).unwrap().iter().map(ToString::to_string).collect();
        assert!(told[0].starts_with("data/days/1 differs: ") && told[1] == "data/labels is not there", "{told:?}");
    }
}
