//! The log of one step: each line to its file, to whoever listens, and the last ones kept for the report.

use std::{collections::VecDeque, io, path::PathBuf};

use tokio::{
    fs::File,
    io::{AsyncWriteExt, BufWriter},
    sync::mpsc,
};

use crate::{
    error::Error,
    event::{Event, Line},
};

/// Enough for a Python traceback of some depth, little enough to read on one screen.
const TAIL: usize = 20;

pub(super) struct StepLog {
    path: PathBuf,
    task: String,
    file: BufWriter<File>,
    tail: VecDeque<String>,
    events: mpsc::Sender<Event>,
}

impl StepLog {
    pub(super) async fn create(path: PathBuf, task: String, events: mpsc::Sender<Event>) -> Result<Self, Error> {
        match File::create(&path).await {
            Ok(file) => Ok(Self { path, task, file: BufWriter::new(file), tail: VecDeque::new(), events }),
            Err(source) => Err(Error::Log { path, source }),
        }
    }

    pub(super) async fn write(&mut self, line: Line) -> Result<(), Error> {
        let written = self.append(&line.text).await;
        written.map_err(|source| Error::Log { path: self.path.clone(), source })?;
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line.text.clone());
        // Whoever listened has gone; the log is kept all the same.
        let _ = self.events.send(Event::TaskLine { task: self.task.clone(), line }).await;
        Ok(())
    }

    async fn append(&mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes()).await?;
        self.file.write_all(b"\n").await?;
        // Each line at once: someone may follow the file while the step runs.
        self.file.flush().await
    }

    /// The file and the last lines.
    pub(super) async fn finish(mut self) -> Result<(PathBuf, Vec<String>), Error> {
        match self.file.flush().await {
            Ok(()) => Ok((self.path, self.tail.into())),
            Err(source) => Err(Error::Log { path: self.path, source }),
        }
    }
}
