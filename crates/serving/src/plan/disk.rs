//! The last plan, kept on disk, so that a gateway starts and serves with the database down.
//!
//! Written whole to a temporary file, synced and renamed: a reader sees the old plan or the new one, never a part.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::TrafficPlan;
use crate::Error;

/// The file's name in the service's folder.
const NAME: &str = "traffic-plan.json";

/// The stored form, with the version of the format.
#[derive(Serialize, Deserialize)]
struct Stored<P> {
    version: u32,
    plan: P,
}

/// The format that is written.
const FORMAT: u32 = 1;

/// The place of the last plan.
#[derive(Debug, Clone)]
pub(crate) struct PlanFile(PathBuf);

impl PlanFile {
    /// In `folder`.
    pub(crate) fn within(folder: &Path) -> Self {
        Self(folder.join(NAME))
    }

    /// The last plan, if one was kept.
    pub(crate) fn read(&self) -> Result<Option<TrafficPlan>, Error> {
        let text = match fs::read(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("read", error)),
        };
        let stored: Stored<serde_json::Value> =
            serde_json::from_slice(&text).map_err(|error| self.failed("read", error.into()))?;
        if stored.version != FORMAT {
            let unknown = format!("format {} is not known to this version of Crosstie", stored.version);
            return Err(self.failed("read", io::Error::new(io::ErrorKind::InvalidData, unknown)));
        }
        serde_json::from_value(stored.plan).map(Some).map_err(|error| self.failed("read", error.into()))
    }

    /// Keeps `plan` in place of the one before.
    pub(crate) fn write(&self, plan: &TrafficPlan) -> Result<(), Error> {
        self.replace(plan).map_err(|error| self.failed("written", error))
    }

    fn replace(&self, plan: &TrafficPlan) -> io::Result<()> {
        let folder = self.0.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let temporary = self.0.with_extension("json.new");
        let mut file = File::create(&temporary)?;
        file.write_all(&serde_json::to_vec_pretty(&Stored { version: FORMAT, plan })?)?;
        file.sync_all()?;
        fs::rename(&temporary, &self.0)?;
        File::open(folder)?.sync_all()
    }

    fn failed(&self, attempted: &'static str, source: io::Error) -> Error {
        Error::PlanFile { file: self.0.display().to_string(), attempted, source }
    }
}
