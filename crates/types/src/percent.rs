//! Shares of a whole, written `99.9%` or as the bare number of percent.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::ParseError;

/// A share from 0 % to 100 %.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, JsonSchema)]
#[schemars(with = "String")]
pub struct Percent(f64);

impl Percent {
    /// All of it.
    pub const ALL: Self = Self(100.0);
    /// None of it.
    pub const NONE: Self = Self(0.0);

    /// From a number of percent.
    ///
    /// # Errors
    /// When it is not between 0 and 100.
    pub fn new(percent: f64) -> Result<Self, ParseError> {
        if (0.0..=100.0).contains(&percent) {
            Ok(Self(percent))
        } else {
            Err(ParseError::new("percentage", &percent.to_string(), "a number from 0 to 100"))
        }
    }

    /// Parses `5`, `5%` or `99.9 %`.
    ///
    /// # Errors
    /// When it is no number between 0 and 100.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let number = text.trim().trim_end_matches('%').trim_end();
        number
            .parse()
            .ok()
            .and_then(|n| Self::new(n).ok())
            .ok_or_else(|| ParseError::new("percentage", text, "a number from 0 to 100, such as `99.9%`"))
    }

    /// In percent, 0 to 100.
    #[must_use]
    pub const fn percent(self) -> f64 {
        self.0
    }

    /// As a fraction, 0 to 1.
    #[must_use]
    pub fn fraction(self) -> f64 {
        self.0 / 100.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Percent;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a percentage such as `99.9%`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Percent, E> {
                Percent::parse(text).map_err(E::custom)
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Percent, E> {
                Percent::new(number).map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Percent, E> {
                self.visit_f64(number as f64)
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Percent, E> {
                self.visit_f64(number as f64)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_parse_with_and_without_sign() {
        assert_eq!(Percent::parse("99.9%").unwrap().percent(), 99.9);
        assert_eq!(Percent::parse("5").unwrap().fraction(), 0.05);
        assert_eq!(serde_json::from_str::<Percent>("25").unwrap().to_string(), "25%");
    }

    #[test]
    fn shares_outside_the_whole_are_refused() {
        for text in ["", "-1", "100.1%", "NaN", "ten"] {
            assert!(Percent::parse(text).is_err(), "{text}");
        }
    }
}
