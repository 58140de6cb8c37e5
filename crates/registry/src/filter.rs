//! MLflow's filter strings and `order_by` clauses: comparisons joined by AND, parsed once for every search.
//!
//! What is searched is a [`Domain`]: which entities and attributes it has. SQL is made elsewhere (`search`). A refusal
//! has the text of MLflow's own search of that kind, which clients and their tests match; MLflow words each one
//! differently (`refusals`).

mod grouping;
mod identifier;
mod lexer;
mod operand;
mod order;
mod refusals;

use crate::error::{Error, Result};

use grouping::{Comparison, comparisons};
use identifier::identify;
use lexer::tokens;
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

    /// The entity that the search for runs calls so.
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

    /// The comparator that is written so.
    fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_uppercase().as_str() {
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            "=" => Self::Equal,
            "!=" => Self::NotEqual,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            "LIKE" => Self::Like,
            "ILIKE" => Self::ILike,
            "IN" => Self::In,
            "NOT IN" => Self::NotIn,
            "IS NULL" => Self::IsNull,
            "IS NOT NULL" => Self::IsNotNull,
            _ => return None,
        })
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
    /// Whose grammar and words.
    pub(crate) search: Search,
    /// Attributes that filters may name.
    pub(crate) attributes: &'static [&'static str],
    /// Attributes that results may be ordered by.
    pub(crate) orderable: &'static [&'static str],
    /// Attributes that are numbers.
    pub(crate) numeric: &'static [&'static str],
    /// Attributes that may be compared with a list.
    pub(crate) lists: &'static [&'static str],
}

/// MLflow's searches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Search {
    Runs,
    Experiments,
    Models,
    Versions,
    LoggedModels,
}

impl Domain {
    fn is_number(&self, entity: Entity, key: &str) -> bool {
        entity == Entity::Metric || (entity == Entity::Attribute && self.numeric.contains(&key))
    }
}

/// Parses `filter`; an empty one has no clauses.
pub(crate) fn parse(domain: &Domain, filter: &str) -> Result<Vec<Clause>> {
    if filter.is_empty() {
        return Ok(Vec::new());
    }
    if filter.trim().is_empty() {
        return Err(Error::invalid(format!("Invalid filter '{filter}'. Could not be parsed.")));
    }
    let found = comparisons(tokens(filter)?);
    let comparisons = found.map_err(|strays| refusals::strays(domain.search, filter, &strays))?;
    comparisons.iter().map(|comparison| clause(domain, comparison)).collect()
}

fn clause(domain: &Domain, comparison: &Comparison) -> Result<Clause> {
    let Comparison { left, comparator: written, right } = comparison;
    if domain.search != Search::LoggedModels && !left.is_identifier() {
        let text = format!("Invalid comparison clause. Expected 'Identifier' found '{left}'");
        return Err(Error::invalid(text));
    }
    let (entity, key) = identify(domain, &left.text, domain.attributes)?;
    let comparator = Comparator::parse(written);
    let Some(right) = right else {
        let comparator = comparator.filter(|_| entity == Entity::Tag || entity == Entity::Param);
        let comparator = comparator.filter(|_| domain.search != Search::LoggedModels);
        let comparator = comparator.ok_or_else(|| refusals::presence(domain.search, entity, &key, left, written))?;
        return Ok(Clause { entity, key, comparator, operand: Operand::Nothing });
    };
    // Logged models are asked for the comparator first.
    let fits = comparator.filter(|comparator| fits(domain, entity, &key, *comparator, right.is_list()));
    let unfit = || refusals::comparator(domain, entity, &key, written);
    if domain.search == Search::LoggedModels && fits.is_none() {
        return Err(unfit());
    }
    let operand = operand::operand(domain, entity, &key, right)?;
    Ok(Clause {
        comparator: fits.ok_or_else(unfit)?,
        operand: operand::typed(domain, entity, &key, operand)?,
        entity,
        key,
    })
}

/// Whether what `key` is can be compared so.
fn fits(domain: &Domain, entity: Entity, key: &str, comparator: Comparator, list: bool) -> bool {
    if comparator.is_presence() {
        false
    } else if domain.is_number(entity, key) {
        comparator.is_equality() || comparator.is_order()
    } else if list {
        comparator.is_list()
    } else if domain.search == Search::Experiments && key == "experiment_id" && entity == Entity::Attribute {
        comparator.is_equality()
    } else {
        comparator.is_equality() || comparator.is_pattern()
    }
}

#[cfg(test)]
mod tests;
