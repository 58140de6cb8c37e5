//! How large a query may be, by MLflow's numbers: a query that asks for the same thing under many names, or descends
//! for ever, is refused before anything is looked up.

use std::collections::HashSet;

use super::document::{Document, Field, Selection};

const MOST_ROOT_FIELDS: usize = 10;
const MOST_ALIASES: usize = 10;
const DEEPEST: usize = 10;
const MOST_SELECTIONS: usize = 1_000;

/// What clients are told when `document` asks for too much.
pub(super) fn excess(document: &Document) -> Option<String> {
    let (mut root_fields, mut aliases, mut selections) = (0, 0, 0);
    for operation in &document.operations {
        let mut open = vec![(operation.selections.as_slice(), 1)];
        while let Some((set, depth)) = open.pop() {
            if depth > DEEPEST {
                return Some(format!("Query exceeds maximum depth of {DEEPEST}"));
            }
            let (fields, walked) = fields_at(set, document);
            aliases = aliases.max(fields.iter().filter(|field| field.alias.is_some()).count());
            root_fields += if depth == 1 { fields.len() } else { 0 };
            selections += walked;
            if selections > MOST_SELECTIONS {
                return Some(format!("Query exceeds maximum total selections of {MOST_SELECTIONS}"));
            }
            let below = fields.iter().map(|field| field.selections.as_slice()).filter(|set| !set.is_empty());
            open.extend(below.map(|set| (set, depth + 1)));
        }
    }
    for (count, most, what, variable) in [
        (root_fields, MOST_ROOT_FIELDS, "root fields", "MLFLOW_SERVER_GRAPHQL_MAX_ROOT_FIELDS"),
        (aliases, MOST_ALIASES, "aliases", "MLFLOW_SERVER_GRAPHQL_MAX_ALIASES"),
    ] {
        if count > most {
            return Some(format!(
                "GraphQL queries should have at most {most} {what}, got {count} {what}. To increase the limit, set the \
                 {variable} environment variable."
            ));
        }
    }
    None
}

/// The fields of one level, with those of its fragments, each fragment once; and how many selections were walked through.
fn fields_at<'a>(set: &'a [Selection], document: &'a Document) -> (Vec<&'a Field>, usize) {
    let (mut fields, mut walked) = (Vec::new(), 0);
    let mut seen = HashSet::new();
    let mut open = vec![set];
    while let Some(set) = open.pop() {
        walked += set.len();
        for selection in set {
            match selection {
                Selection::Field(field) => fields.push(field),
                Selection::Inline { selections, .. } => open.push(selections),
                Selection::Spread { name, .. } => {
                    let fragment = document.fragments.get(name).filter(|_| seen.insert(name));
                    open.extend(fragment.map(|fragment| fragment.selections.as_slice()));
                }
            }
        }
    }
    (fields, walked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excess_of(query: &str) -> Option<String> {
        excess(&super::super::parser::parse(query).unwrap())
    }

    #[test]
    fn what_mlflows_own_client_asks_is_allowed() {
        assert_eq!(excess_of("query Q { mlflowGetRun(input: {runId: \"a\"}) { run { info { runId } } } }"), None);
    }

    #[test]
    fn names_spread_over_fragments_are_counted_together() {
        let aliases = |from: usize, to: usize| (from..to).map(|n| format!("a{n}: b ")).collect::<String>();
        let query = format!(
            "{{ c {{ ...F ... {{ {} }} {} }} }} fragment F on C {{ {} }}",
            aliases(0, 4),
            aliases(4, 8),
            aliases(8, 12)
        );
        let told = "GraphQL queries should have at most 10 aliases, got 12 aliases. To increase the limit, set the \
                    MLFLOW_SERVER_GRAPHQL_MAX_ALIASES environment variable.";
        assert_eq!(excess_of(&query).unwrap(), told);
    }

    #[test]
    fn fragments_that_spread_each_other_end_at_the_limit_of_depth() {
        let query = "{ a { ...F } } fragment F on A { a { ...G } } fragment G on A { a { ...F } }";
        assert_eq!(excess_of(query).unwrap(), "Query exceeds maximum depth of 10");
        assert_eq!(excess_of("{ ...F } fragment F on Query { ...F a }"), None, "each fragment once");
    }

    #[test]
    fn many_root_fields_and_many_selections_are_refused() {
        let fields = |count: usize| (0..count).map(|n| format!("f{n} ")).collect::<String>();
        assert!(excess_of(&format!("{{ {} }}", fields(11))).unwrap().contains("at most 10 root fields, got 11"));
        let query = format!("{{ a {{ {} }} }}", fields(1_000));
        assert_eq!(excess_of(&query).unwrap(), "Query exceeds maximum total selections of 1000");
        let query = format!("{{ a {{ b {} }} }}", "...F ".repeat(1_000));
        assert_eq!(excess_of(&query).unwrap(), "Query exceeds maximum total selections of 1000", "spreads count, too");
    }
}
