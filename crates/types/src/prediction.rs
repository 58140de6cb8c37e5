//! Prediction ids: the request's UUIDv7 and the row in it, so that time order and request can be read off.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{ParseError, Timestamp};

/// Names one served row, written `<uuid>:<row>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PredictionId {
    /// The request, a UUIDv7.
    pub request: Uuid,
    /// The row in the request, from 0.
    pub row: u32,
}

impl PredictionId {
    /// Row `row` of `request`.
    #[must_use]
    pub const fn new(request: Uuid, row: u32) -> Self {
        Self { request, row }
    }

    /// When the request arrived, to the millisecond, if the UUID is a version 7.
    #[must_use]
    pub fn requested_at(&self) -> Option<Timestamp> {
        let (seconds, nanos) = self.request.get_timestamp()?.to_unix();
        let micros = i64::try_from(seconds).ok()?.checked_mul(1_000_000)? + i64::from(nanos / 1_000);
        Some(Timestamp::from_micros(micros))
    }

    /// Parses `<uuid>:<row>`; a bare UUID is its row 0.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let malformed = || ParseError::new("prediction id", text, "UUID:ROW");
        let (request, row) = text.split_once(':').unwrap_or((text, "0"));
        Ok(Self {
            request: Uuid::parse_str(request).map_err(|_| malformed())?,
            row: row.parse().map_err(|_| malformed())?,
        })
    }
}

impl fmt::Display for PredictionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.request, self.row)
    }
}

impl FromStr for PredictionId {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for PredictionId {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, ParseError> {
        Self::parse(&text)
    }
}

impl From<PredictionId> for String {
    fn from(id: PredictionId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prediction_ids_survive_text_and_know_their_time() {
        let id = PredictionId::new(Uuid::now_v7(), 3);
        assert_eq!(PredictionId::parse(&id.to_string()).unwrap(), id);
        assert!(id.requested_at().unwrap() > Timestamp::from_micros(1_700_000_000_000_000));
        assert!(PredictionId::parse("not-an-id").is_err());
    }
}
