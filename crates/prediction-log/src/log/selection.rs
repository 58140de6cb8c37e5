//! Which predictions a scan answers with: the best by its order, each once, and of the rest as little as possible decoded.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
};

use types::{PredictionId, Timestamp};

use crate::Scan;

/// The best `limit` records by the scan's order, as `T`; never more than twice as many in memory.
pub(super) struct Selection<'a, T> {
    scan: &'a Scan,
    /// Tells what is not wanted again.
    is_known: &'a dyn Fn(&PredictionId) -> bool,
    kept: HashMap<PredictionId, (Timestamp, T)>,
    /// The time of the worst record that would still be kept, once there are enough.
    edge: Option<Timestamp>,
}

impl<'a, T> Selection<'a, T> {
    pub(super) fn new(scan: &'a Scan, is_known: &'a dyn Fn(&PredictionId) -> bool) -> Self {
        Self { scan, is_known, kept: HashMap::new(), edge: None }
    }

    /// The places, ascending, of those records of one file that may be kept, given where each lies, when and which it is.
    pub(super) fn choose(&mut self, heads: impl Iterator<Item = (usize, Timestamp, PredictionId)>) -> Vec<usize> {
        self.shrink();
        let mut ids = HashSet::new();
        let mut heads: Vec<_> = heads
            .filter(|(_, at, id)| self.may_keep(*at) && !self.kept.contains_key(id) && !(self.is_known)(id))
            .filter(|(.., id)| ids.insert(*id))
            .collect();
        if heads.len() > self.scan.limit {
            heads.sort_unstable_by(|a, b| compare(self.scan, (a.1, a.2), (b.1, b.2)));
            heads.truncate(self.scan.limit);
        }
        let mut places: Vec<usize> = heads.into_iter().map(|(place, ..)| place).collect();
        places.sort_unstable();
        places
    }

    /// Takes a record that was chosen.
    pub(super) fn add(&mut self, at: Timestamp, id: PredictionId, record: T) {
        self.kept.insert(id, (at, record));
    }

    /// Whether nothing between `first` and `last` can be kept.
    pub(super) fn is_beyond(&mut self, first: Timestamp, last: Timestamp) -> bool {
        self.shrink();
        let is_outside = last < self.scan.since || first > self.scan.until;
        is_outside || self.edge.is_some_and(|edge| if self.scan.newest_first { last < edge } else { first > edge })
    }

    /// The records in the scan's order.
    pub(super) fn into_records(self) -> Vec<T> {
        let scan = self.scan;
        sorted(self.kept, scan).into_iter().map(|(.., record)| record).collect()
    }

    fn may_keep(&self, at: Timestamp) -> bool {
        let is_worse = |edge| if self.scan.newest_first { at < edge } else { at > edge };
        (self.scan.since..=self.scan.until).contains(&at) && !self.edge.is_some_and(is_worse)
    }

    fn shrink(&mut self) {
        let is_known = self.edge.is_some() && self.kept.len() == self.scan.limit;
        if self.kept.len() < self.scan.limit || is_known {
            return;
        }
        let kept = sorted(std::mem::take(&mut self.kept), self.scan);
        self.edge = kept.last().map(|(at, ..)| *at);
        self.kept = kept.into_iter().map(|(at, id, record)| (id, (at, record))).collect();
    }
}

fn sorted<T>(kept: HashMap<PredictionId, (Timestamp, T)>, scan: &Scan) -> Vec<(Timestamp, PredictionId, T)> {
    let mut records: Vec<_> = kept.into_iter().map(|(id, (at, record))| (at, id, record)).collect();
    records.sort_unstable_by(|a, b| compare(scan, (a.0, a.1), (b.0, b.1)));
    records.truncate(scan.limit);
    records
}

fn compare(scan: &Scan, a: (Timestamp, PredictionId), b: (Timestamp, PredictionId)) -> Ordering {
    if scan.newest_first { b.cmp(&a) } else { a.cmp(&b) }
}
