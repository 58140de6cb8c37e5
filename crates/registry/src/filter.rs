//! MLflow's filter strings and `order_by` clauses: comparisons joined by AND, parsed once for every search.
//!
//! What is searched is a [`Domain`]: which entities and attributes it has. SQL is made elsewhere (`search`).

mod lexer;
mod order;

use crate::{
    error::{Error, Result},
    rules::{python_list, python_repr},
};

use lexer::{Token, tokens};
pub(crate) use order::{OrderBy, parse_order};

/// What a comparison looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entity {
    Attribute,
    Metric,
    Param,
    Tag,
    Dataset,
}

impl Entity {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Attribute => "attribute",
            Self::Metric => "metric",
            Self::Param => "parameter",
            Self::Tag => "tag",
            Self::Dataset => "dataset",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "metric" | "metrics" => Self::Metric,
            "parameter" | "parameters" | "param" | "params" => Self::Param,
            "tag" | "tags" => Self::Tag,
            "attribute" | "attr" | "attributes" | "run" => Self::Attribute,
            "dataset" | "datasets" => Self::Dataset,
            _ => return None,
        })
    }
}

/// How a comparison compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparator {
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Like,
    ILike,
    In,
    NotIn,
    IsNull,
    IsNotNull,
}

impl Comparator {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Like => "LIKE",
            Self::ILike => "ILIKE",
            Self::In => "IN",
            Self::NotIn => "NOT IN",
            Self::IsNull => "IS NULL",
            Self::IsNotNull => "IS NOT NULL",
        }
    }

    const fn is_order(self) -> bool {
        matches!(self, Self::Greater | Self::GreaterOrEqual | Self::Less | Self::LessOrEqual)
    }

    const fn is_equality(self) -> bool {
        matches!(self, Self::Equal | Self::NotEqual)
    }

    const fn is_pattern(self) -> bool {
        matches!(self, Self::Like | Self::ILike)
    }

    const fn is_list(self) -> bool {
        matches!(self, Self::In | Self::NotIn)
    }

    const fn is_presence(self) -> bool {
        matches!(self, Self::IsNull | Self::IsNotNull)
    }
}

/// What a comparison compares with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    Text(String),
    Integer(i64),
    Float(f64),
    List(Vec<String>),
    Nothing,
}

/// One comparison of a filter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Clause {
    pub(crate) entity: Entity,
    pub(crate) key: String,
    pub(crate) comparator: Comparator,
    pub(crate) operand: Operand,
}

/// What can be searched.
#[derive(Debug)]
pub(crate) struct Domain {
    /// Entities that comparisons may name.
    pub(crate) entities: &'static [Entity],
    /// Attributes that filters may name.
    pub(crate) attributes: &'static [&'static str],
    /// Attributes that results may be ordered by.
    pub(crate) orderable: &'static [&'static str],
    /// Attributes that are numbers.
    pub(crate) numeric: &'static [&'static str],
    /// Attributes that may be compared with a list.
    pub(crate) lists: &'static [&'static str],
}

/// Parses `filter`; an empty one has no clauses.
pub(crate) fn parse(domain: &Domain, filter: &str) -> Result<Vec<Clause>> {
    let mut rest = tokens(filter)?.into_iter().peekable();
    let mut clauses = Vec::new();
    while rest.peek().is_some() {
        clauses.push(clause(domain, &mut rest)?);
        match rest.next() {
            None => break,
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("and") => {}
            Some(token) => {
                return Err(Error::invalid(format!("Invalid clause(s) in filter string: '{token}'")));
            }
        }
    }
    Ok(clauses)
}

fn clause(domain: &Domain, rest: &mut impl Iterator<Item = Token>) -> Result<Clause> {
    let identifier = match rest.next() {
        Some(Token::Word(word)) => word,
        Some(token) => return Err(Error::invalid(format!("Invalid clause(s) in filter string: '{token}'"))),
        None => return Err(Error::invalid("Invalid clause(s) in filter string: ''")),
    };
    let comparator = comparator(&identifier, rest)?;
    let (entity, key) = identify(domain, &identifier, domain.attributes)?;
    if comparator.is_presence() {
        if !matches!(entity, Entity::Tag | Entity::Param) {
            return Err(Error::invalid(format!(
                "IS NULL / IS NOT NULL is only supported for tags and params, not for '{}' '{key}'",
                entity.as_str()
            )));
        }
        return Ok(Clause { entity, key, comparator, operand: Operand::Nothing });
    }
    let Some(value) = rest.next() else {
        return Err(Error::invalid(format!(
            "Invalid clause(s) in filter string: '{identifier}', '{}'",
            comparator.as_str()
        )));
    };
    let operand = operand(domain, entity, &key, value)?;
    check_comparator(domain, entity, &key, comparator, &operand)?;
    Ok(Clause { entity, key, comparator, operand })
}

fn comparator(identifier: &str, rest: &mut impl Iterator<Item = Token>) -> Result<Comparator> {
    let invalid = |found: &dyn std::fmt::Display| {
        Error::invalid(format!("Invalid clause(s) in filter string: '{identifier}', '{found}'"))
    };
    let mut word = || match rest.next() {
        Some(Token::Word(word)) => Ok(word.to_ascii_uppercase()),
        Some(Token::Operator(operator)) => Ok(operator),
        Some(token @ (Token::Text(_) | Token::Number(_) | Token::List(_))) => Err(invalid(&token)),
        None => Err(Error::invalid(format!("Invalid clause(s) in filter string: '{identifier}'"))),
    };
    let first = word()?;
    let found = match first.as_str() {
        ">" => Comparator::Greater,
        ">=" => Comparator::GreaterOrEqual,
        "=" => Comparator::Equal,
        "!=" | "<>" => Comparator::NotEqual,
        "<" => Comparator::Less,
        "<=" => Comparator::LessOrEqual,
        "LIKE" => Comparator::Like,
        "ILIKE" => Comparator::ILike,
        "IN" => Comparator::In,
        "NOT" if word()? == "IN" => Comparator::NotIn,
        "IS" => match word()?.as_str() {
            "NULL" => Comparator::IsNull,
            "NOT" if word()? == "NULL" => Comparator::IsNotNull,
            other => return Err(invalid(&other)),
        },
        other => return Err(invalid(&other)),
    };
    Ok(found)
}

/// Splits `metrics.`a b`` into entity and key, and checks that the domain has it.
fn identify(domain: &Domain, identifier: &str, attributes: &[&str]) -> Result<(Entity, String)> {
    let (entity, key) = match identifier.split_once('.') {
        None => (Entity::Attribute, identifier),
        Some((word, key)) => {
            let word = unquoted(word, &['`']);
            let entity = Entity::parse(word).filter(|entity| domain.entities.contains(entity));
            let valid = domain.entities.iter().map(|entity| entity.as_str());
            let invalid =
                || Error::invalid(format!("Invalid entity type '{word}'. Valid values are {}", python_list(valid)));
            (entity.ok_or_else(invalid)?, key)
        }
    };
    let key = unquoted(unquoted(key, &['"', '\'']), &['`']);
    let valid: &[&str] = match entity {
        Entity::Attribute => attributes,
        Entity::Dataset => &["name", "digest", "context"],
        Entity::Metric | Entity::Param | Entity::Tag => return Ok((entity, key.to_owned())),
    };
    if !valid.contains(&key) {
        return Err(Error::invalid(format!(
            "Invalid {} key '{key}' specified. Valid keys are '{{{}}}'",
            entity.as_str(),
            valid.iter().map(|key| python_repr(key)).collect::<Vec<_>>().join(", ")
        )));
    }
    Ok((entity, key.to_owned()))
}

/// `text` without one pair of one of `quotes` around it.
fn unquoted<'a>(text: &'a str, quotes: &[char]) -> &'a str {
    quotes.iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(text)
}

fn operand(domain: &Domain, entity: Entity, key: &str, value: Token) -> Result<Operand> {
    let is_number = entity == Entity::Metric || (entity == Entity::Attribute && domain.numeric.contains(&key));
    match (value, is_number) {
        (Token::Number(number), true) => number_of(&number),
        (value, true) => Err(Error::invalid(match entity {
            Entity::Attribute => format!("Expected numeric value type for numeric attribute: {key}. Found {value}"),
            Entity::Metric | Entity::Param | Entity::Tag | Entity::Dataset => {
                format!("Expected numeric value type for metric. Found {value}")
            }
        })),
        (Token::Text(text), false) => Ok(Operand::Text(text)),
        (Token::List(items), false) => {
            let allowed = match entity {
                Entity::Attribute => domain.lists.contains(&key),
                Entity::Dataset => true,
                Entity::Metric | Entity::Param | Entity::Tag => false,
            };
            if allowed {
                return Ok(Operand::List(items));
            }
            Err(Error::invalid(match entity {
                Entity::Attribute => format!(
                    "Only {} attributes support comparison with a list of quoted string values.",
                    python_list(domain.lists.iter().copied())
                ),
                Entity::Metric | Entity::Param | Entity::Tag | Entity::Dataset => format!(
                    "Expected a quoted string value for {} (e.g. 'my-value'). Got value {}",
                    entity.as_str(),
                    Token::List(items)
                ),
            }))
        }
        (Token::Word(word), false) => Err(Error::invalid(format!(
            "Parameter value is either not quoted or unidentified quote types used for string value {word}. Use either \
             single or double quotes."
        ))),
        (value @ (Token::Number(_) | Token::Operator(_)), false) => Err(Error::invalid(match entity {
            Entity::Param | Entity::Tag | Entity::Metric => {
                format!("Expected a quoted string value for {} (e.g. 'my-value'). Got value {value}", entity.as_str())
            }
            Entity::Attribute => format!("Expected a quoted string value for attributes. Got value {value}"),
            Entity::Dataset => format!("Expected a quoted string value for dataset attributes. Got value {value}"),
        })),
    }
}

fn number_of(text: &str) -> Result<Operand> {
    if let Ok(integer) = text.parse() {
        return Ok(Operand::Integer(integer));
    }
    let float = text.parse().map_err(|_| Error::invalid(format!("Invalid number in filter string: '{text}'")))?;
    Ok(Operand::Float(float))
}

fn check_comparator(
    domain: &Domain,
    entity: Entity,
    key: &str,
    comparator: Comparator,
    operand: &Operand,
) -> Result<()> {
    let numeric = entity == Entity::Metric || (entity == Entity::Attribute && domain.numeric.contains(&key));
    let list = matches!(operand, Operand::List(_));
    let fits = if numeric {
        comparator.is_equality() || comparator.is_order()
    } else if list {
        comparator.is_list()
    } else {
        comparator.is_equality() || comparator.is_pattern()
    };
    if fits {
        return Ok(());
    }
    let valid: &[&str] =
        if numeric { &["!=", "<", "<=", "=", ">", ">="] } else { &["!=", "=", "ILIKE", "IN", "LIKE", "NOT IN"] };
    let valid = valid.iter().map(|word| python_repr(word)).collect::<Vec<_>>().join(", ");
    Err(Error::invalid(format!("Invalid comparator '{}' not one of '{{{valid}}}'", comparator.as_str())))
}

#[cfg(test)]
mod tests;
