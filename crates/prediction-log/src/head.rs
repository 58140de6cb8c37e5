//! The beginning of a prediction in a segment: enough to tell whether the rest is worth decoding, which is most of the
//! work.

use std::fmt;

use serde::{
    Deserializer as _,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};
use types::{ModelVersion, PredictionId, Timestamp};

/// What a prediction is chosen by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Head {
    pub(crate) id: PredictionId,
    pub(crate) at: Timestamp,
    pub(crate) version: ModelVersion,
}

impl Head {
    /// The head of a payload. None, if it is not one of a prediction.
    pub(crate) fn of(payload: &[u8]) -> Option<Self> {
        let mut head = None;
        // It ends with an error wherever it stops, since what follows is not read.
        let _ = serde_json::Deserializer::from_slice(payload).deserialize_map(Beginning(&mut head));
        head
    }
}

/// Reads fields until all of the head are there.
struct Beginning<'a>(&'a mut Option<Head>);

impl<'de> Visitor<'de> for Beginning<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a prediction")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut id, mut at, mut version) = (None, None, None);
        while let Some(field) = map.next_key::<&str>()? {
            match field {
                "id" => id = Some(map.next_value()?),
                "at" => at = Some(map.next_value()?),
                "version" => version = Some(map.next_value()?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
            if let (Some(id), Some(at), Some(version)) = (&id, &at, &version) {
                *self.0 = Some(Head { id: *id, at: *at, version: ModelVersion::clone(version) });
                return Ok(());
            }
        }
        Err(A::Error::missing_field("version"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_without_what_follows_it_and_in_any_order() {
        let id = r#""id":"01997a3c-7e00-7abc-8def-0123456789ab:0""#;
        let (at, version) = (r#""at":"2025-09-24T06:40:00Z""#, r#""version":"click-ranker/7""#);
        let head = Head::of(format!("{{{id},{at},{version},\"arm\":").as_bytes()).unwrap();
        assert_eq!((head.version.version, head.at), (7, Timestamp::parse("2025-09-24T06:40:00Z").unwrap()));
        let turned = Head::of(format!("{{{version},\"arm\":[1],{at},{id}}}").as_bytes());
        assert_eq!(turned, Some(head));
        assert_eq!(Head::of(format!("{{{id},{at}}}").as_bytes()), None);
        assert_eq!(Head::of(b"[]"), None);
    }
}
