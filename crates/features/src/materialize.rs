//! From the offline source to the online store: the newest row per entity as known at a time.
//!
//! Materializing again does no harm, and picks up after a crash: rows go to the store by its rule (newer stays), and the
//! watermark moves only when all of them are there. What was read before is not read again: files are skipped from the
//! front, in source order, while they have not changed and hold nothing that was hidden at the last watermark; from the
//! first other file on all are read, so that of two rows that tie the later one in source order still wins.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use arrow::array::UInt32Array;
use serde::Serialize;
use types::{Digest, Timestamp};

use crate::{
    Error,
    columns::value_at,
    definitions::View,
    join,
    offline::Frame,
    online::{EntityKey, Rank, StoredRow},
    repo::Watermark,
    source,
};

/// Rows per write: one fsync each, and no reader waits for more than these are put into a map.
pub(crate) const CHUNK: usize = 8_192;

/// What materializing one view did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MaterializeReport {
    /// The view.
    pub view: String,
    /// The digest of its definition.
    pub digest: Digest,
    /// Entities whose row the store now answers with, or answered with already.
    pub rows: u64,
    /// Entities whose row in the store is newer, from a producer.
    pub superseded: u64,
    /// Files read, of those that the source has.
    pub files_read: usize,
    /// Files that the source has.
    pub files: usize,
    /// Until when the view is materialized now; none if only a part was asked for and nothing was there before.
    pub watermark: Option<Timestamp>,
}

/// Rows for the online store, and what they were made from.
#[derive(Debug)]
pub(crate) struct Newest {
    pub(crate) rows: Vec<(EntityKey, StoredRow)>,
    pub(crate) fingerprints: BTreeMap<String, String>,
    pub(crate) files_read: usize,
    pub(crate) latest_event: Option<Timestamp>,
}

/// The newest row per entity as known at `end`, of what `last` has not seen. Reads files; runs where blocking is
/// allowed.
pub(crate) fn newest(
    project: &Path,
    view: &Arc<View>,
    last: Option<&Watermark>,
    start: Option<Timestamp>,
    end: Timestamp,
) -> Result<Newest, Error> {
    let files = source::files(project, view.source())?;
    let fingerprints = files.iter().map(|file| (file.shown.to_string(), file.fingerprint.clone())).collect();
    let mut skip = 0;
    if let Some(last) = last.filter(|last| files.len() >= last.files.len()) {
        for file in &files {
            if last.files.get(&*file.shown) != Some(&file.fingerprint) || has_news(view, file, last.at)? {
                break;
            }
            skip += 1;
        }
    }
    let unread = &files[skip..];
    let all: Vec<usize> = (0..view.features().len()).collect();
    if unread.is_empty() {
        return Ok(Newest { rows: Vec::new(), fingerprints, files_read: 0, latest_event: None });
    }
    let frame = Frame::of_files(view, &all, unread)?;
    let chosen = join::newest(&frame.facts, end);
    let rows = encode(view, &frame, &chosen, start)?;
    let latest_event = frame.facts.event_time.latest();
    Ok(Newest { rows, fingerprints, files_read: unread.len(), latest_event })
}

/// Whether a file has rows that were hidden at the last watermark, because they were of a later time or came later.
fn has_news(view: &View, file: &source::SourceFile, watermark: Timestamp) -> Result<bool, Error> {
    let frame = Frame::of_files(view, &[], std::slice::from_ref(file))?;
    let later = |column: &join::TimeColumn| column.latest().is_some_and(|latest| latest > watermark);
    Ok(later(&frame.facts.event_time) || frame.facts.created.as_ref().is_some_and(later))
}

fn encode(
    view: &View,
    frame: &Frame,
    chosen: &UInt32Array,
    start: Option<Timestamp>,
) -> Result<Vec<(EntityKey, StoredRow)>, Error> {
    let columns = frame.take(chosen)?;
    let mut rows = Vec::with_capacity(chosen.len());
    for (place, row) in chosen.values().iter().enumerate() {
        let row = *row as usize;
        let Some(event_time) = frame.facts.event_time.at(row) else { continue };
        if start.is_some_and(|start| event_time < start) {
            continue;
        }
        let Some(key) = EntityKey::encode(&frame.key(view, row)) else { continue };
        let values: Vec<_> = columns
            .iter()
            .zip(view.features())
            .map(|(column, feature)| value_at(column, feature.value_type, place))
            .collect();
        let rank = Rank { event_time, created: frame.created(row) };
        rows.push((key, view.layout().encode(rank, false, &values)));
    }
    Ok(rows)
}
