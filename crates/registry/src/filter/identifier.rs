//! What a comparison looks at: `metrics.loss`, `` tags.`a b` ``, `name`.

use super::{Domain, Entity, Search, refusals};
use crate::error::{Error, Result};

/// Splits ``metrics.`a b` `` into entity and key, and checks that the domain has it.
pub(super) fn identify(domain: &Domain, identifier: &str, attributes: &[&str]) -> Result<(Entity, String)> {
    match domain.search {
        Search::Runs => of_run(domain, identifier, attributes),
        Search::Experiments | Search::Models | Search::Versions => of_registry(domain.search, identifier, attributes),
        Search::LoggedModels => of_logged_model(domain, identifier, attributes),
    }
}

fn of_run(domain: &Domain, identifier: &str, attributes: &[&str]) -> Result<(Entity, String)> {
    let (entity, key) = match identifier.split_once('.') {
        None => (Entity::Attribute, identifier),
        Some((word, key)) => {
            let word = unquoted(word, &['`']);
            (Entity::parse(word).ok_or_else(|| refusals::entity(domain.search, word))?, key)
        }
    };
    let key = bare(key);
    let valid: &[&str] = match entity {
        Entity::Attribute => attributes,
        Entity::Dataset => &["name", "digest", "context"],
        Entity::Metric | Entity::Param | Entity::Tag => return Ok((entity, key.to_owned())),
    };
    if valid.contains(&key) { Ok((entity, key.to_owned())) } else { Err(refusals::key(entity, key, valid)) }
}

fn of_registry(search: Search, identifier: &str, attributes: &[&str]) -> Result<(Entity, String)> {
    let (entity, key) = match identifier.split_once('.') {
        None => (Entity::Attribute, identifier),
        Some(("attribute", key)) => (Entity::Attribute, key),
        Some(("tag" | "tags", key)) => (Entity::Tag, key),
        Some((word, _)) => return Err(refusals::entity(search, word)),
    };
    // To the searches for models and versions, an attribute in quotes is another one.
    let attribute = if search == Search::Experiments { bare(key) } else { key };
    if entity == Entity::Attribute && !attributes.contains(&attribute) {
        return Err(refusals::key(entity, attribute, attributes));
    }
    Ok((entity, bare(key).to_owned()))
}

fn of_logged_model(domain: &Domain, identifier: &str, attributes: &[&str]) -> Result<(Entity, String)> {
    let split = identifier.split_once('.');
    let split = split.filter(|(word, _)| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()));
    let (entity, key) = match split {
        None => (Entity::Attribute, identifier),
        Some(("attributes", key)) => (Entity::Attribute, key),
        Some(("metrics", key)) => (Entity::Metric, key),
        Some(("params", key)) => (Entity::Param, key),
        Some(("tags", key)) => (Entity::Tag, key),
        Some((word, _)) => return Err(refusals::entity(domain.search, word)),
    };
    let key = key.trim_matches('`');
    if entity == Entity::Attribute && !attributes.contains(&key) {
        return Err(refusals::key(entity, key, attributes));
    }
    Ok((entity, key.to_owned()))
}

/// A key without its quotes.
fn bare(key: &str) -> &str {
    unquoted(unquoted(key, &['"', '\'']), &['`'])
}

/// `text` without one pair of one of `quotes` around it.
pub(super) fn unquoted<'a>(text: &'a str, quotes: &[char]) -> &'a str {
    quotes.iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(text)
}

/// The text of a word that is wholly in quotes.
pub(super) fn quoted_word(text: &str) -> Result<&str> {
    let bare = unquoted(text, &['"', '\'']);
    if bare.len() < text.len() {
        return Ok(bare);
    }
    Err(Error::invalid(format!(
        "Parameter value is either not quoted or unidentified quote types used for string value {text}. Use either \
         single or double quotes."
    )))
}
