//! Durations as people write them in project files: `20ms`, `10m`, `24h`, `7d`.

use std::{fmt, str::FromStr, time};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ParseError;

/// A length of time with microsecond resolution, written as a whole number and one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Duration(i64);

/// Units from long to short, in microseconds.
const UNITS: [(&str, i64); 7] = [
    ("w", 604_800_000_000),
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

impl Duration {
    /// From microseconds; negative lengths do not exist and become zero.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(if micros < 0 { 0 } else { micros })
    }

    /// From seconds.
    #[must_use]
    pub const fn from_secs(seconds: u32) -> Self {
        Self(seconds as i64 * 1_000_000)
    }

    /// In microseconds.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The length for people, in its two largest units: `16h 3m`, `250ms`. Not for parsing back.
    #[must_use]
    pub fn approximate(self) -> String {
        let mut rest = self.0;
        let mut parts = Vec::new();
        for (unit, micros) in UNITS {
            let whole = rest / micros;
            rest %= micros;
            if whole > 0 {
                parts.push(format!("{whole}{unit}"));
            }
            if parts.len() == 2 || (!parts.is_empty() && whole == 0) {
                break;
            }
        }
        if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
    }

    /// Parses a whole number and a unit (`us`, `ms`, `s`, `m`, `h`, `d`, `w`).
    ///
    /// # Errors
    /// When the number or the unit is missing or too large.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let malformed =
            || ParseError::new("duration", text, "a whole number and a unit, such as `20ms`, `10m`, `24h` or `7d`");
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(malformed)?;
        let (number, unit) = text.split_at(split);
        let number: i64 = number.parse().map_err(|_| malformed())?;
        let (_, micros) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(malformed)?;
        number.checked_mul(*micros).map(Self).ok_or_else(malformed)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let (unit, micros) = UNITS.into_iter().find(|(_, micros)| self.0 % micros == 0).unwrap_or(("us", 1));
        write!(f, "{}{unit}", self.0 / micros)
    }
}

impl FromStr for Duration {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Duration {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, ParseError> {
        Self::parse(&text)
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> Self {
        duration.to_string()
    }
}

impl From<Duration> for time::Duration {
    fn from(duration: Duration) -> Self {
        Self::from_micros(duration.0.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_survive_text_in_their_longest_whole_unit() {
        for (text, micros, shown) in
            [("20ms", 20_000, "20ms"), ("60s", 60_000_000, "1m"), ("7d", 604_800_000_000, "1w"), ("0s", 0, "0s")]
        {
            let duration = Duration::parse(text).unwrap();
            assert_eq!((duration.as_micros(), duration.to_string().as_str()), (micros, shown));
        }
    }

    #[test]
    fn people_are_told_the_two_largest_units() {
        for (micros, shown) in [
            (57_642_192_422, "16h"),
            (57_780_000_001, "16h 3m"),
            (250_000, "250ms"),
            (0, "0s"),
            (1_500_000, "1s 500ms"),
        ] {
            assert_eq!(Duration::from_micros(micros).approximate(), shown);
        }
    }

    #[test]
    fn durations_without_number_or_unit_are_refused() {
        for text in ["", "5", "m", "-5m", "1.5h", "99999999999999w", "5 m"] {
            assert!(Duration::parse(text).is_err(), "{text}");
        }
    }
}
