//! Reading the log back. Segments are read before Parquet files: a segment is deleted only after its files are in place,
//! so whatever is missing from the first is in the second, and whatever is in both counts once.

use std::{
    collections::{BTreeMap, HashSet},
    path::PathBuf,
};

use types::{Duration, PredictionId};

use super::{Inner, selection::Selection};
use crate::{
    Error, Outcome, PredictionRecord, Scan,
    dedup::Key,
    head::Head,
    hour::{Hour, model_folder},
    journal::Journal,
    rolled::{self, Rolled},
    segment,
};

/// How far a record's own time may lie from the hour in its id.
const SKEW: Duration = Duration::from_secs(3_600);

/// How far into a payload the request's id reaches: it is the first field of both kinds of record.
const ID_WITHIN: usize = 64;

impl Inner {
    pub(super) fn find(&self, id: PredictionId) -> Result<Option<(PredictionRecord, Vec<Outcome>)>, Error> {
        let mut predictions = in_segments(&self.predictions, Some(&id), |record: &PredictionRecord| record.id == id)?;
        if predictions.is_empty() {
            for folder in self.partitions_of(&id)? {
                for file in rolled::files_in(&folder)? {
                    predictions.extend(rolled::read_of::<PredictionRecord>(&file, &id)?);
                }
            }
        }
        let Some(prediction) = predictions.into_iter().next() else { return Ok(None) };
        let mut outcomes = in_segments(&self.outcomes, Some(&id), |outcome: &Outcome| outcome.prediction == id)?;
        if let Some(hour) = Hour::in_id(&id) {
            for file in rolled::files_in(&self.outcomes_root().join(hour.folder()))? {
                outcomes.extend(rolled::read_of::<Outcome>(&file, &id)?);
            }
        }
        Ok(Some((prediction, unique(outcomes))))
    }

    /// What `of` makes of each prediction that `scan` asks for. Whether one is wanted is told by its first fields, or by
    /// two columns; only what is wanted is decoded, and forgotten again before the next is.
    pub(super) fn scan<T>(
        &self,
        scan: &Scan,
        is_known: impl Fn(&PredictionId) -> bool,
        of: impl Fn(PredictionRecord) -> T,
    ) -> Result<Vec<T>, Error> {
        let mut selection = Selection::new(scan, &is_known);
        let mut segments = self.predictions.snapshot();
        if scan.newest_first {
            segments.reverse();
        }
        for (path, length) in segments {
            let Some((bytes, reading)) = segment::read(&path, length)? else { continue };
            let payload = |place: usize| &bytes[reading.payloads[place].clone()];
            let heads = (0..reading.payloads.len()).filter_map(|place| {
                let head = Head::of(payload(place))?;
                let is_wanted = scan.model.as_ref().is_none_or(|model| *model == head.version.model);
                is_wanted.then_some((place, head.at, head.id))
            });
            for place in selection.choose(heads) {
                // What does not parse was counted at recovery, or will be when it is rolled.
                let Ok(record) = serde_json::from_slice::<PredictionRecord>(payload(place)) else { continue };
                selection.add(record.at, record.id, of(record));
            }
        }
        let files = self.files_of_predictions(scan)?;
        let hours: Vec<_> =
            if scan.newest_first { files.into_iter().rev().collect() } else { files.into_iter().collect() };
        for (hour, mut files) in hours {
            if selection.is_beyond(hour.start() - SKEW, hour.end() + SKEW) {
                break;
            }
            if scan.newest_first {
                files.reverse();
            }
            for file in files {
                if rolled::span(&file)?.is_some_and(|(first, last)| selection.is_beyond(first, last)) {
                    continue;
                }
                let chosen = selection.choose(rolled::heads(&file)?.into_iter());
                rolled::read_places(&file, &chosen, |record: PredictionRecord| {
                    selection.add(record.at, record.id, of(record));
                })?;
            }
        }
        Ok(selection.into_records())
    }

    pub(super) fn scan_outcomes(&self, scan: &Scan) -> Result<Vec<Outcome>, Error> {
        let is_wanted = |outcome: &Outcome| {
            outcome.prediction.requested_at().is_some_and(|at| (scan.since..=scan.until).contains(&at))
        };
        let mut outcomes = in_segments(&self.outcomes, None, is_wanted)?;
        let mut files = BTreeMap::new();
        rolled::hours(&self.outcomes_root(), &mut files)?;
        let (first, last) = (Hour::of(scan.since), Hour::of(scan.until));
        let hours = files.range(first..=last);
        let hours: Vec<_> = if scan.newest_first { hours.rev().collect() } else { hours.collect() };
        for (_, files) in hours {
            if outcomes.len() >= scan.limit.saturating_mul(2) {
                outcomes = cut(outcomes, scan);
            }
            for file in files {
                outcomes.extend(rolled::read::<Outcome>(file)?.into_iter().filter(is_wanted));
            }
        }
        Ok(cut(outcomes, scan))
    }

    /// The keys of every outcome of predictions in `hour`.
    pub(super) fn keys_of(&self, hour: Hour) -> Result<HashSet<Key>, Error> {
        let is_of_hour = |outcome: &Outcome| Hour::in_id(&outcome.prediction) == Some(hour);
        let mut keys: HashSet<Key> = in_segments(&self.outcomes, None, is_of_hour)?.iter().map(Key::of).collect();
        for file in rolled::files_in(&self.outcomes_root().join(hour.folder()))? {
            keys.extend(rolled::read::<Outcome>(&file)?.iter().map(Key::of));
        }
        Ok(keys)
    }

    /// Where a prediction may lie: the hour in its id, in whatever model's folder.
    fn partitions_of(&self, id: &PredictionId) -> Result<Vec<PathBuf>, Error> {
        let models = rolled::folders(&self.predictions_root())?;
        match Hour::in_id(id) {
            Some(hour) => Ok(models.into_iter().map(|(_, folder)| folder.join(hour.folder())).collect()),
            None => Ok(Vec::new()),
        }
    }

    fn files_of_predictions(&self, scan: &Scan) -> Result<BTreeMap<Hour, Vec<PathBuf>>, Error> {
        let mut files = BTreeMap::new();
        let root = self.predictions_root();
        match &scan.model {
            Some(model) => rolled::hours(&root.join(model_folder(model)), &mut files)?,
            None => {
                for (_, folder) in rolled::folders(&root)? {
                    rolled::hours(&folder, &mut files)?;
                }
            }
        }
        let (first, last) = (Hour::of(scan.since - SKEW), Hour::of(scan.until + SKEW));
        files.retain(|hour, _| (first..=last).contains(hour));
        Ok(files)
    }
}

/// The records in the segments that are wanted; with `id`, only frames that begin with it are decoded.
fn in_segments<R: Rolled>(
    journal: &Journal,
    id: Option<&PredictionId>,
    is_wanted: impl Fn(&R) -> bool,
) -> Result<Vec<R>, Error> {
    let mention = id.map(|id| id.request.to_string().into_bytes());
    let mut found = Vec::new();
    for (path, length) in journal.snapshot() {
        let Some((bytes, reading)) = segment::read(&path, length)? else { continue };
        for payload in reading.payloads {
            let payload = &bytes[payload];
            let beginning = &payload[..payload.len().min(ID_WITHIN)];
            if mention.as_ref().is_some_and(|id| !beginning.windows(id.len()).any(|window| window == id.as_slice())) {
                continue;
            }
            // What does not parse was counted at recovery, or will be when it is rolled.
            let Ok(record) = serde_json::from_slice::<R>(payload) else { continue };
            if is_wanted(&record) {
                found.push(record);
            }
        }
    }
    Ok(found)
}

fn cut(outcomes: Vec<Outcome>, scan: &Scan) -> Vec<Outcome> {
    let mut outcomes = unique(outcomes);
    if scan.newest_first {
        outcomes.reverse();
    }
    outcomes.truncate(scan.limit);
    outcomes
}

/// Each (prediction, event) once, in that order.
fn unique(mut outcomes: Vec<Outcome>) -> Vec<Outcome> {
    outcomes.sort_by(|a, b| (a.prediction, &a.event).cmp(&(b.prediction, &b.event)));
    outcomes.dedup_by(|a, b| a.prediction == b.prediction && a.event == b.event);
    outcomes
}
