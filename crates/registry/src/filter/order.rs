//! `order_by` clauses: an identifier and a direction.

use super::{
    Domain, Entity, Search, identify,
    lexer::{Kind, Token, tokens},
    refusals,
};
use crate::error::{Error, Result};

/// One key to order by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OrderBy {
    pub(crate) entity: Entity,
    pub(crate) key: String,
    pub(crate) ascending: bool,
}

impl OrderBy {
    /// `ASC` or `DESC`.
    pub(crate) const fn direction(&self) -> &'static str {
        if self.ascending { "ASC" } else { "DESC" }
    }
}

/// Parses `order_by`. No key may stand twice, except in a search for experiments, where the first one decides.
pub(crate) fn parse_order(domain: &Domain, order_by: &[String]) -> Result<Vec<OrderBy>> {
    let mut parsed: Vec<OrderBy> = Vec::new();
    for clause in order_by {
        let order = parse_one(domain, clause)?;
        let stands = parsed.iter().any(|other| (other.entity, &other.key) == (order.entity, &order.key));
        if stands && domain.search != Search::Experiments {
            let all = crate::rules::python_list(order_by.iter().map(String::as_str));
            return Err(Error::invalid(format!("`order_by` contains duplicate fields: {all}")));
        }
        parsed.push(order);
    }
    Ok(parsed)
}

fn parse_one(domain: &Domain, clause: &str) -> Result<OrderBy> {
    let unparsable = || Error::invalid(format!("Invalid order_by clause '{clause}'. Could not be parsed."));
    if clause.starts_with(char::is_whitespace) {
        return Err(unparsable());
    }
    let tokens = tokens(clause).map_err(|_| unparsable())?;
    let words: Vec<_> = tokens.iter().filter(|token| token.kind == Kind::Word).map(Token::to_string).collect();
    let (identifier, ascending) = match words.as_slice() {
        _ if words.len() != tokens.len() => return Err(unparsable()),
        [word] => (word, true),
        [word, direction] if direction.eq_ignore_ascii_case("asc") => (word, true),
        [word, direction] if direction.eq_ignore_ascii_case("desc") => (word, false),
        [_, _] => return Err(Error::invalid(format!("Invalid ordering key in order_by clause '{clause}'."))),
        _ => return Err(unparsable()),
    };
    if domain.search == Search::Models {
        let key = identifier.trim_matches('`');
        if !domain.orderable.contains(&key) {
            return Err(refusals::order(domain.search, key));
        }
        return Ok(OrderBy { entity: Entity::Attribute, key: key.to_owned(), ascending });
    }
    let identifier = if domain.search == Search::Versions { identifier.trim_matches('`') } else { identifier };
    // `` `Run name` `` without an entity is an attribute in quotes.
    let (entity, key) = identify(domain, identifier, domain.orderable)?;
    if entity == Entity::Tag && domain.search != Search::Runs {
        return Err(refusals::order(domain.search, &key));
    }
    Ok(OrderBy { entity, key, ascending })
}
