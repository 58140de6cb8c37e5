//! What a comparison compares with: a value of the kind that the left side has.

use super::{
    Domain, Entity, Operand, Search,
    identifier::{quoted_word, unquoted},
    lexer::{Kind, Token},
    refusals,
};
use crate::error::{Error, Result};

/// The value of `token`.
pub(super) fn operand(domain: &Domain, entity: Entity, key: &str, token: &Token) -> Result<Operand> {
    let number = domain.is_number(entity, key);
    match domain.search {
        Search::Runs | Search::Experiments | Search::LoggedModels if number => match token.kind {
            Kind::Number => number_of(&token.text),
            Kind::Word | Kind::Operator | Kind::Text | Kind::List | Kind::Mark => {
                Err(refusals::not_a_number(entity, key, token))
            }
        },
        Search::LoggedModels => Ok(match token.kind {
            Kind::List => Operand::List(items(token)?),
            Kind::Word | Kind::Operator | Kind::Number | Kind::Text | Kind::Mark => {
                Operand::Text(unquoted(&token.text, &['"', '\'']).to_owned())
            }
        }),
        Search::Versions if number && token.kind == Kind::Number => number_of(&token.text),
        Search::Runs | Search::Experiments | Search::Models | Search::Versions => text(domain, entity, key, token),
    }
}

fn text(domain: &Domain, entity: Entity, key: &str, token: &Token) -> Result<Operand> {
    let takes_lists = matches!(entity, Entity::Attribute | Entity::Dataset);
    match token.kind {
        Kind::Text | Kind::Word => Ok(Operand::Text(quoted_word(&token.text)?.to_owned())),
        Kind::List if takes_lists => {
            if entity == Entity::Attribute && !domain.lists.contains(&key) {
                return Err(refusals::no_list(domain));
            }
            Ok(Operand::List(items(token)?))
        }
        Kind::List | Kind::Number | Kind::Operator | Kind::Mark => Err(refusals::not_a_text(domain, entity, token)),
    }
}

/// An operand as its attribute needs it: versions' numbers may be in quotes, and none has a fraction.
pub(super) fn typed(domain: &Domain, entity: Entity, key: &str, operand: Operand) -> Result<Operand> {
    let whole = matches!(domain.search, Search::Versions | Search::Experiments);
    if !whole || entity != Entity::Attribute || !domain.is_number(entity, key) {
        return Ok(operand);
    }
    let shown = match operand {
        Operand::Text(text) => match text.trim().parse() {
            Ok(number) => return Ok(Operand::Integer(number)),
            Err(_) => crate::rules::python_repr(&text),
        },
        Operand::Float(number) if domain.search == Search::Experiments => format!("'{number:?}'"),
        Operand::Float(number) => format!("{number:?}"),
        operand @ (Operand::Integer(_) | Operand::List(_) | Operand::Nothing) => return Ok(operand),
    };
    Err(Error::invalid(format!("Invalid value for numeric attribute '{key}': {shown}")))
}

fn number_of(text: &str) -> Result<Operand> {
    if let Ok(integer) = text.parse() {
        return Ok(Operand::Integer(integer));
    }
    let float = text.parse().map_err(|_| Error::invalid(format!("Invalid number in filter string: '{text}'")))?;
    Ok(Operand::Float(float))
}

/// The texts of a list.
fn items(list: &Token) -> Result<Vec<String>> {
    let malformed = |how: &str| {
        Error::invalid(format!(
            "While parsing a list in the query, expected a non-empty list of string values, but got {how}."
        ))
    };
    let inner = list.text.trim_start_matches('(').trim_end_matches(')').trim();
    if inner.is_empty() {
        return Err(Error::invalid(
            "While parsing a list in the query, expected a non-empty list of string values, but got empty list",
        ));
    }
    let parts = super::lexer::tokens(inner).map_err(|_| malformed("ill-formed list"))?;
    let mut items = Vec::new();
    for pair in parts.chunks(2) {
        let is_comma = pair.get(1).is_none_or(|mark| mark.text == ",");
        let text = pair.first().filter(|token| is_comma && matches!(token.kind, Kind::Text | Kind::Word));
        let text = text.and_then(|token| quoted_word(&token.text).ok());
        items.push(text.ok_or_else(|| malformed("ill-formed list"))?.to_owned());
    }
    Ok(items)
}
