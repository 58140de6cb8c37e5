//! Tokens and principals' names: how they are made and what is accepted as one.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use types::{Digest, Secret};

use crate::{Error, Result};

/// Marks a token as ours, for people and for scanners that look for leaked secrets.
const PREFIX: &str = "ct_";

/// Random bytes in a token: as many as its SHA-256 has.
const BYTES: usize = 32;

/// `PREFIX` and `BYTES` in base64 without padding.
const LENGTH: usize = PREFIX.len() + (BYTES * 4).div_ceil(3);

/// The longest name.
const LONGEST_NAME: usize = 64;

/// The principal of the first token.
pub(crate) const FIRST: &str = "admin";

/// Names that mean something else in the trail, or are given by Crosstie itself.
const RESERVED: [&str; 3] = [FIRST, "anonymous", "controller"];

/// A new token and what is kept of it.
pub(crate) fn generate() -> Result<(Secret<String>, Digest)> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|source| Error::Randomness { source })?;
    let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
    let digest = Digest::of(&token);
    Ok((Secret::new(token), digest))
}

/// The digest of what may be a token; `None` if it cannot be one.
pub(crate) fn digest(token: &str) -> Option<Digest> {
    (token.len() == LENGTH && token.starts_with(PREFIX)).then(|| Digest::of(token))
}

/// Lower case only, so that no two names look alike.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let refuse = |reason| Err(Error::Name { name: name.to_owned(), reason });
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '@');
    if RESERVED.contains(&name) {
        refuse("it is reserved")
    } else if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(allowed) {
        refuse("expected 1 to 64 of the characters a-z, 0-9, `.`, `_`, `-` and `@`")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_random_and_recognized() {
        let (token, kept) = generate().unwrap();
        assert_eq!(token.expose().len(), 3 + 43);
        assert_eq!(digest(token.expose()), Some(kept));
        assert_ne!(generate().unwrap().0.expose(), token.expose());
        assert_eq!(format!("{token:?} {token}"), "Secret(…) …");
        for other in ["", "ct_", "ct_short", &"x".repeat(46)] {
            assert_eq!(digest(other), None, "{other}");
        }
    }

    #[test]
    fn names_that_mean_something_else_or_look_alike_are_refused() {
        for name in ["anna", "ci-bot", "anna@example.com", "a.b_2"] {
            check_name(name).unwrap();
        }
        for name in ["", "Anna", "anna ", "änna", "a/b", "anonymous", "controller", "admin", &"a".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
