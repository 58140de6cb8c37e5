//! Pages of search results: MLflow's tokens are base64 of `{"offset": N}`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value as Json;

use crate::{
    error::{Error, Result},
    rules::python_repr,
};

/// Part of a result, and where the next part begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows of this part.
    pub items: Vec<T>,
    /// What to send for the next part; `None` at the end.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The page at `offset` of `limit` rows, made of up to `limit + 1` fetched ones: one more tells that there is a
    /// next page.
    pub(crate) fn of(mut items: Vec<T>, offset: i64, limit: i64) -> Self {
        let full = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > full;
        items.truncate(full);
        Self { items, next: more.then(|| token(offset + limit)) }
    }
}

fn token(offset: i64) -> String {
    STANDARD.encode(format!("{{\"offset\": {offset}}}"))
}

/// The offset that `token` holds; 0 without one.
pub(crate) fn offset(token: Option<&str>) -> Result<i64> {
    let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(0) };
    let undecodable = || Error::invalid("Invalid page token, could not base64-decode");
    let decoded = STANDARD.decode(token).map_err(|_| undecodable())?;
    let text = String::from_utf8(decoded).map_err(|_| undecodable())?;
    let json: Json = serde_json::from_str(&text)
        .map_err(|_| Error::invalid(format!("Invalid page token, decoded value=b{}", python_repr(&text))))?;
    let offset = match json.get("offset") {
        Some(Json::String(text)) => Some(
            text.trim()
                .parse::<i64>()
                .map_err(|_| Error::invalid(format!("Invalid page token, not stringable {text}")))?,
        ),
        other => other.and_then(Json::as_i64),
    };
    let offset = offset.filter(|offset| *offset > 0);
    offset.ok_or_else(|| Error::invalid(format!("Invalid page token, parsed value={json}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_knows_whether_another_follows() {
        let page = Page::of(vec![1, 2, 3], 4, 2);
        assert_eq!(page.items, [1, 2]);
        assert_eq!(offset(page.next.as_deref()).unwrap(), 6);
        assert_eq!(Page::of(vec![1, 2], 4, 2).next, None);
        assert_eq!(page.next.unwrap(), "eyJvZmZzZXQiOiA2fQ==", "MLflow's own token for it");
    }

    #[test]
    fn forged_tokens_are_refused() {
        for token in ["no", "bm8=", "e30=", "eyJvZmZzZXQiOiAtMX0="] {
            assert!(offset(Some(token)).is_err(), "{token}");
        }
    }
}
