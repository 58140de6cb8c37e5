//! Hours, by which rolled files are partitioned, and the folders they lie in.

use std::path::{Path, PathBuf};

use types::{Digest, Duration, ModelName, PredictionId, Timestamp};

const MICROS: i64 = 3_600_000_000;
/// The last hour that has a four-digit year, which is as far as dates in folder names go.
const LAST: i64 = 253_402_300_799 / 3_600;
/// The longest folder name that a model's name is spelled out in; file systems take 255 bytes.
const LONGEST_FOLDER: usize = 200;

/// An hour, counted from 1970 in UTC. A prediction belongs to the hour in its id, so that the id says where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Hour(i64);

impl Hour {
    /// The hour that holds `time`; times before 1970 and after 9999 are put at the ends.
    pub(crate) fn of(time: Timestamp) -> Self {
        Self(time.as_micros().div_euclid(MICROS).clamp(0, LAST))
    }

    /// The hour in the id, if there is one that a folder can be named after.
    pub(crate) fn in_id(id: &PredictionId) -> Option<Self> {
        let hour = id.requested_at()?.as_micros().div_euclid(MICROS);
        (0..=LAST).contains(&hour).then_some(Self(hour))
    }

    /// Its first instant.
    pub(crate) fn start(self) -> Timestamp {
        Timestamp::from_micros(self.0 * MICROS)
    }

    /// The first instant after it.
    pub(crate) fn end(self) -> Timestamp {
        self.start() + Duration::from_micros(MICROS)
    }

    /// `date=2026-11-23/hour=14`.
    pub(crate) fn folder(self) -> PathBuf {
        let text = self.start().to_string();
        Path::new(&format!("date={}", &text[..10])).join(format!("hour={}", &text[11..13]))
    }

    /// The hour of `date=…` and `hour=…` folders; none for folders that are something else.
    pub(crate) fn of_folders(date: &str, hour: &str) -> Option<Self> {
        let (date, hour) = (date.strip_prefix("date=")?, hour.strip_prefix("hour=")?);
        Timestamp::parse(&format!("{date}T{hour}:00:00Z")).ok().map(Self::of)
    }
}

/// `model=click-ranker`, with whatever a path or a query engine could misread as `%` and hexadecimal digits.
pub(crate) fn model_folder(model: &ModelName) -> String {
    let mut name = String::from("model=");
    for byte in model.as_str().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => name.push(char::from(byte)),
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    if name.len() > LONGEST_FOLDER {
        // Every character is ASCII by now.
        name.truncate(LONGEST_FOLDER);
        name.push('~');
        name.push_str(&Digest::of(model.as_str()).short());
    }
    name
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn hours_survive_their_folders() {
        let hour = Hour::of(Timestamp::parse("2026-11-23T14:59:59.999999Z").unwrap());
        assert_eq!(hour.folder(), Path::new("date=2026-11-23/hour=14"));
        assert_eq!(Hour::of_folders("date=2026-11-23", "hour=14"), Some(hour));
        assert_eq!(hour.end(), Timestamp::parse("2026-11-23T15:00:00Z").unwrap());
        assert_eq!(Hour::of_folders("tmp", "hour=14"), None);
    }

    #[test]
    fn ids_without_a_usable_time_have_no_hour() {
        assert_eq!(Hour::in_id(&PredictionId::new(Uuid::from_u128(u128::MAX >> 8), 0)), None);
        assert!(Hour::in_id(&PredictionId::new(Uuid::now_v7(), 0)).is_some());
        assert_eq!(Hour::of(Timestamp::MAX).folder(), Path::new("date=9999-12-31/hour=23"));
    }

    #[test]
    fn different_models_lie_in_different_short_folders() {
        let name = |text: &str| model_folder(&ModelName::parse(text).unwrap());
        assert_eq!(name("click-ranker"), "model=click-ranker");
        assert_eq!(name("a b=é"), "model=a%20b%3D%C3%A9");
        let (long, longer) = (name(&"é".repeat(200)), name(&"é".repeat(201)));
        assert!(long.len() < 255 && long != longer);
    }
}
