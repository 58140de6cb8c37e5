//! What MLflow says of a filter that it does not take. Each of its searches has words of its own.

use super::{Domain, Entity, Search, lexer::Token};
use crate::{
    error::Error,
    rules::{python_list, python_repr},
};

const NUMERIC: &[&str] = &["!=", "<", "<=", "=", ">", ">="];
const TEXTUAL: &[&str] = &["!=", "=", "ILIKE", "IN", "LIKE", "NOT IN"];
const PRESENT: &[&str] = &["!=", "=", "ILIKE", "IS NOT NULL", "IS NULL", "LIKE"];

/// A set as Python writes it; Python's own order changes from process to process.
fn python_set(items: &[&str]) -> String {
    format!("{{{}}}", items.iter().map(|item| python_repr(item)).collect::<Vec<_>>().join(", "))
}

/// Tokens that are part of no comparison.
pub(super) fn strays(search: Search, filter: &str, strays: &[Token]) -> Error {
    let listed = |quote: &str| {
        let strays: Vec<_> = strays.iter().map(|token| format!("{quote}{token}{quote}")).collect();
        format!("Invalid clause(s) in filter string: {}", strays.join(", "))
    };
    Error::invalid(match search {
        Search::Runs => listed("'"),
        Search::Experiments | Search::Models | Search::Versions => listed(""),
        Search::LoggedModels => format!(
            "Invalid filter string: {}. Expected a list of comparisons separated by 'AND' (e.g. 'metrics.loss > 0.1 AND \
             params.lr = 0.01').",
            python_repr(filter)
        ),
    })
}

/// An entity that there is not.
pub(super) fn entity(search: Search, word: &str) -> Error {
    Error::invalid(match search {
        Search::Runs => {
            let valid = ["metric", "parameter", "tag", "attribute", "dataset"];
            format!("Invalid entity type '{word}'. Valid values are {}", python_list(valid))
        }
        Search::Experiments | Search::Models | Search::Versions => {
            format!("Invalid entity type '{word}'. Valid entity types are ('attribute', 'tag', 'tags')")
        }
        Search::LoggedModels => {
            let valid = python_list(["attributes", "metrics", "params", "tags"]);
            format!("Invalid entity type: {}. Expected one of {valid}.", python_repr(word))
        }
    })
}

/// A key that there is not.
pub(super) fn key(entity: Entity, key: &str, valid: &[&str]) -> Error {
    let kind = entity.as_str();
    Error::invalid(format!("Invalid {kind} key '{key}' specified. Valid keys are '{}'", python_set(valid)))
}

/// IS NULL of what always has a value.
pub(super) fn presence(search: Search, entity: Entity, key: &str, left: &Token, comparator: &str) -> Error {
    Error::invalid(match search {
        Search::LoggedModels => format!(
            "Invalid comparison: {left}{}. Expected a comparison with 3 tokens.",
            comparator.to_ascii_uppercase()
        ),
        Search::Experiments => {
            format!("IS NULL / IS NOT NULL is only supported for tags, not for attribute '{key}'")
        }
        Search::Runs | Search::Models | Search::Versions => format!(
            "IS NULL / IS NOT NULL is only supported for tags and params, not for '{}' '{key}'",
            entity.as_str()
        ),
    })
}

/// A comparator that does not fit.
pub(super) fn comparator(domain: &Domain, entity: Entity, key: &str, comparator: &str) -> Error {
    let comparator = comparator.to_ascii_uppercase();
    let number = domain.is_number(entity, key);
    // Where MLflow opens a quote, it does not always close it.
    let of_set = |valid: &[&str], close: &str| {
        format!("Invalid comparator '{comparator}' not one of '{}{close}", python_set(valid))
    };
    Error::invalid(match (domain.search, entity) {
        (Search::LoggedModels, _) => {
            let kind = match entity {
                Entity::Attribute => "attributes",
                Entity::Metric => "metrics",
                Entity::Param => "params",
                Entity::Tag | Entity::Dataset => "tags",
            };
            let valid =
                if number { "'<', '<=', '>', '>=', '=', '!='" } else { "'=', '!=', 'LIKE', 'ILIKE', 'IN', 'NOT IN'" };
            format!("Invalid comparison operator for {kind}.{key}: '{comparator}'. Expected one of ({valid}).")
        }
        (Search::Experiments, Entity::Attribute) if key == "experiment_id" => {
            format!("Invalid comparator for experiment_id: {comparator}")
        }
        (Search::Versions, Entity::Attribute) if number => {
            format!("Invalid comparator for attribute {key}: {comparator}")
        }
        (Search::Models | Search::Versions, Entity::Attribute) => {
            format!("Invalid comparator for attribute: {comparator}")
        }
        (Search::Experiments | Search::Models | Search::Versions, Entity::Tag) => {
            format!("Invalid comparator for tag: {comparator}")
        }
        (_, Entity::Attribute) => of_set(TEXTUAL, if number { "" } else { "'" }),
        (_, Entity::Metric) => of_set(NUMERIC, ""),
        (_, Entity::Param) => of_set(PRESENT, "'"),
        (_, Entity::Tag) => of_set(PRESENT, ""),
        (_, Entity::Dataset) => of_set(TEXTUAL, ""),
    })
}

/// Something else than the number that is needed.
pub(super) fn not_a_number(entity: Entity, key: &str, found: &Token) -> Error {
    Error::invalid(match entity {
        Entity::Attribute => format!("Expected numeric value type for numeric attribute: {key}. Found {found}"),
        Entity::Metric | Entity::Param | Entity::Tag | Entity::Dataset => {
            format!("Expected numeric value type for metric. Found {found}")
        }
    })
}

/// Something else than the text that is needed.
pub(super) fn not_a_text(domain: &Domain, entity: Entity, found: &Token) -> Error {
    Error::invalid(match entity {
        Entity::Param | Entity::Tag | Entity::Metric => {
            format!("Expected a quoted string value for {} (e.g. 'my-value'). Got value {found}", entity.as_str())
        }
        Entity::Dataset => format!("Expected a quoted string value for dataset attributes. Got value {found}"),
        Entity::Attribute => match domain.search {
            Search::Models => format!(
                "Expected a quoted string value or a list of quoted string values for attributes. Got value {found}"
            ),
            Search::Versions => format!(
                "Only the '{}' attributes support comparison with numeric values.",
                python_set(&["creation_timestamp", "last_updated_timestamp", "version_number"])
            ),
            Search::Runs | Search::Experiments | Search::LoggedModels => {
                format!("Expected a quoted string value for attributes. Got value {found}")
            }
        },
    })
}

/// A list for what takes none.
pub(super) fn no_list(domain: &Domain) -> Error {
    let mut keys = domain.lists.to_vec();
    keys.sort_unstable();
    let keys = python_list(keys);
    Error::invalid(format!("Only {keys} attributes support comparison with a list of quoted string values."))
}

/// A key that results cannot be ordered by.
pub(super) fn order(search: Search, key: &str) -> Error {
    Error::invalid(match search {
        Search::Models => {
            let valid = python_set(&["name", "timestamp"]);
            format!("Invalid order by key '{key}' specified. Valid keys are '{valid}'")
        }
        Search::Versions => {
            let valid = python_set(&["creation_timestamp", "last_updated_timestamp", "name", "version_number"]);
            format!("Invalid order by key '{key}' specified. Valid keys are {valid}")
        }
        Search::Runs | Search::Experiments | Search::LoggedModels => "Invalid order_by entity: tag".to_owned(),
    })
}
