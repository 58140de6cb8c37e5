//! Which outcomes are known, by prediction and event.
//!
//! Keys are held by the hour of their prediction. An hour that is not held is read back from the files before it is
//! asked, so the answer is the same before and after a restart, and memory stays bounded however far back outcomes reach.

use std::collections::{BTreeMap, HashSet};

use types::Digest;

use crate::{Error, Outcome, hour::Hour};

/// How many keys are held before the hours that were not asked for longest are let go: about 64 MB.
const MOST_KEYS: usize = 2_000_000;

/// 128 bits of SHA-256 over prediction and event: two outcomes that are not the same never meet in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; 16]);

impl Key {
    /// The key of one outcome.
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let digest = Digest::of(format!("{}\n{}", outcome.prediction, outcome.event));
        let mut key = [0; 16];
        key.copy_from_slice(&digest.as_bytes()[..16]);
        Self(key)
    }
}

/// The known keys, as far as they are in memory.
#[derive(Debug, Default)]
pub(crate) struct Known {
    hours: BTreeMap<Hour, Held>,
    clock: u64,
}

#[derive(Debug, Default)]
struct Held {
    keys: HashSet<Key>,
    asked: u64,
}

impl Known {
    /// Makes `hour` ready to be asked, with `load` if it is not held.
    pub(crate) fn prepare(
        &mut self,
        hour: Hour,
        load: impl FnOnce() -> Result<HashSet<Key>, Error>,
    ) -> Result<(), Error> {
        self.clock += 1;
        let asked = self.clock;
        if let Some(held) = self.hours.get_mut(&hour) {
            held.asked = asked;
            return Ok(());
        }
        self.hours.insert(hour, Held { keys: load()?, asked });
        Ok(())
    }

    /// Whether the outcome is known.
    pub(crate) fn contains(&self, hour: Hour, key: Key) -> bool {
        self.hours.get(&hour).is_some_and(|held| held.keys.contains(&key))
    }

    /// Remembers it. The hour has been prepared.
    pub(crate) fn insert(&mut self, hour: Hour, key: Key) {
        self.hours.entry(hour).or_default().keys.insert(key);
    }

    /// Lets hours go until few enough keys are held; at least one hour stays.
    pub(crate) fn shrink(&mut self) {
        let mut held: usize = self.hours.values().map(|held| held.keys.len()).sum();
        while held > MOST_KEYS && self.hours.len() > 1 {
            let oldest = self.hours.iter().min_by_key(|(_, held)| held.asked).map(|(hour, _)| *hour);
            let gone = oldest.and_then(|hour| self.hours.remove(&hour));
            held -= gone.map_or(0, |gone| gone.keys.len());
        }
    }
}
