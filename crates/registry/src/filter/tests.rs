//! The grammar, by example.

use super::*;

const RUNS: Domain = Domain {
    search: Search::Runs,
    attributes: &["run_id", "status", "start_time", "Created", "Run name"],
    orderable: &["run_id", "start_time", "Created"],
    numeric: &["start_time", "Created"],
    lists: &["run_id"],
};

fn parsed(filter: &str) -> Vec<Clause> {
    parse(&RUNS, filter).unwrap_or_else(|error| panic!("{filter}: {error}"))
}

fn refusal(filter: &str) -> String {
    parse(&RUNS, filter).expect_err(filter).to_string()
}

#[test]
fn every_kind_of_comparison_is_read() {
    use Comparator::*;
    let text = |text: &str| Operand::Text(text.to_owned());
    for (filter, entity, key, comparator, operand) in [
        ("metrics.acc > 0.5", Entity::Metric, "acc", Greater, Operand::Float(0.5)),
        ("metric.`a b`>=-1e3", Entity::Metric, "a b", GreaterOrEqual, Operand::Float(-1000.0)),
        ("params.\"a.b\" = 'x'", Entity::Param, "a.b", Equal, text("x")),
        ("tags.t != \"y's\"", Entity::Tag, "t", NotEqual, text("y's")),
        ("tag.t ilike '%a AND b%'", Entity::Tag, "t", ILike, text("%a AND b%")),
        ("tags.t IS NOT NULL", Entity::Tag, "t", IsNotNull, Operand::Nothing),
        ("params.p is null", Entity::Param, "p", IsNull, Operand::Nothing),
        ("attributes.start_time <= 3", Entity::Attribute, "start_time", LessOrEqual, Operand::Integer(3)),
        ("`Run name` = 'n'", Entity::Attribute, "Run name", Equal, text("n")),
        ("status = 'FINISHED'", Entity::Attribute, "status", Equal, text("FINISHED")),
        (
            "attr.run_id NOT IN ('a', 'b')",
            Entity::Attribute,
            "run_id",
            NotIn,
            Operand::List(vec!["a".to_owned(), "b".to_owned()]),
        ),
        ("datasets.name LIKE 'd%'", Entity::Dataset, "name", Like, text("d%")),
    ] {
        assert_eq!(parsed(filter), [Clause { entity, key: key.to_owned(), comparator, operand }], "{filter}");
    }
    assert!(parsed("").is_empty());
    assert_eq!(refusal("  "), "Invalid filter '  '. Could not be parsed.");
    assert_eq!(parsed("metrics.a > 1 and params.b = '2' AND tags.c = 'd'").len(), 3);
}

#[test]
fn what_is_no_filter_is_refused() {
    assert_eq!(refusal("metrics.a > 1 OR metrics.b > 1"), "Invalid clause(s) in filter string: 'OR'");
    assert_eq!(
        refusal("params.a = x"),
        "Parameter value is either not quoted or unidentified quote types used for string value x. Use either single \
         or double quotes."
    );
    assert_eq!(refusal("metrics.a = 'x'"), "Expected numeric value type for metric. Found 'x'");
    for (filter, says) in [
        ("metrics.a", "Invalid clause(s) in filter string: 'metrics.a'"),
        ("metrics.a >", "Invalid clause(s) in filter string: 'metrics.a', '>'"),
        ("> 3", "Invalid clause(s) in filter string: '>', '3'"),
        ("NOT metrics.a > 1", "Invalid clause(s) in filter string: 'NOT'"),
        ("metrics.a BETWEEN 0 AND 1", "Invalid clause(s) in filter string: 'metrics.a', 'BETWEEN', '0', '1'"),
        ("metrics.a > +1", "Invalid clause(s) in filter string: 'metrics.a', '>', '+', '1'"),
        ("metrics.a > 1 -- all", "Invalid clause(s) in filter string: '-- all'"),
        ("tags.a = 'x' ;", "Invalid clause(s) in filter string: ';'"),
        (
            "tags.a = 'x'; tags.b = 'y'",
            "Search filter contained multiple expression \"tags.a = 'x'; tags.b = 'y'\". Provide AND-ed expression list.",
        ),
        ("tags.a = 'x", "Invalid clause(s) in filter string: 'tags.a', '=', ''', 'x'"),
        ("tags.a IS 'x'", "Invalid clause(s) in filter string: 'tags.a', 'IS', ''x''"),
        ("(metrics.a > 1)", "Invalid clause(s) in filter string: '(metrics.a > 1)'"),
        ("(", "Invalid clause(s) in filter string: '('"),
        ("run_id IN ('a'", "Invalid clause(s) in filter string: 'run_id', 'IN', '(', ''a''"),
        (
            "run_id IN ()",
            "While parsing a list in the query, expected a non-empty list of string values, but got empty list",
        ),
        (
            "run_id IN ('a' 'b', c)",
            "While parsing a list in the query, expected a non-empty list of string values, but got ill-formed list.",
        ),
        ("status IN ('a')", "Only ['run_id'] attributes support comparison with a list of quoted string values."),
        ("1 < metrics.a", "Invalid comparison clause. Expected 'Identifier' found '1'"),
        ("metrics.a == 1", "Invalid comparator '==' not one of '{'!=', '<', '<=', '=', '>', '>='}"),
        ("metrics.a IN (1)", "Expected numeric value type for metric. Found (1)"),
        (
            "tags.a NOT LIKE 'x'",
            "Invalid comparator 'NOT LIKE' not one of '{'!=', '=', 'ILIKE', 'IS NOT NULL', 'IS NULL', 'LIKE'}",
        ),
        ("params.a = 3", "Expected a quoted string value for parameter (e.g. 'my-value'). Got value 3"),
        ("metrics.a IS NULL", "IS NULL / IS NOT NULL is only supported for tags and params, not for 'metric' 'a'"),
        (
            "foo.a = 'x'",
            "Invalid entity type 'foo'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']",
        ),
        ("datasets.foo = 'x'", "Invalid dataset key 'foo' specified. Valid keys are '{'name', 'digest', 'context'}'"),
    ] {
        assert_eq!(refusal(filter), says, "{filter}");
    }
    for filter in [
        "nothing = 'x'",
        "params.a > 'x'",
        "metrics.a LIKE 'x'",
        "run_id = ('a')",
        "start_time = 'x'",
        "tags.a = 'x' tags.b = 'y'",
    ] {
        refusal(filter);
    }
}

#[test]
fn each_search_has_its_own_words() {
    let domain = |search| Domain {
        search,
        attributes: &["name", "number"],
        orderable: &["name"],
        numeric: &["number"],
        lists: &["name"],
    };
    for (search, filter, says) in [
        (Search::Experiments, "a = 'x' OR b", "Invalid clause(s) in filter string: OR, b"),
        (
            Search::Experiments,
            "attr.name = 'x'",
            "Invalid entity type 'attr'. Valid entity types are ('attribute', 'tag', 'tags')",
        ),
        (
            Search::Experiments,
            "name IS NULL",
            "IS NULL / IS NOT NULL is only supported for tags, not for attribute 'name'",
        ),
        (Search::Experiments, "number > 1.5", "Invalid value for numeric attribute 'number': '1.5'"),
        (Search::Models, "name > 'x'", "Invalid comparator for attribute: >"),
        (Search::Models, "tags.a > 'x'", "Invalid comparator for tag: >"),
        (Search::Versions, "number LIKE '1'", "Invalid comparator for attribute number: LIKE"),
        (Search::Versions, "number = 'x'", "Invalid value for numeric attribute 'number': 'x'"),
        (
            Search::LoggedModels,
            "attribute.name = 'x'",
            "Invalid entity type: 'attribute'. Expected one of ['attributes', 'metrics', 'params', 'tags'].",
        ),
        (
            Search::LoggedModels,
            "name < 'x'",
            "Invalid comparison operator for attributes.name: '<'. Expected one of ('=', '!=', 'LIKE', 'ILIKE', 'IN', \
             'NOT IN').",
        ),
        (
            Search::LoggedModels,
            "tags.a IS NULL",
            "Invalid comparison: tags.aIS NULL. Expected a comparison with 3 tokens.",
        ),
    ] {
        assert_eq!(parse(&domain(search), filter).expect_err(filter).to_string(), says, "{filter}");
    }
    let number = parse(&domain(Search::Versions), "number = '3'").unwrap();
    assert_eq!(number[0].operand, Operand::Integer(3), "in quotes, too");
    let order = |search, clause: &str| parse_order(&domain(search), &[clause.to_owned()]).unwrap_err().to_string();
    assert_eq!(
        order(Search::Models, "tags.a"),
        "Invalid order by key 'tags.a' specified. Valid keys are '{'name', 'timestamp'}'"
    );
    assert_eq!(order(Search::Experiments, "tags.a"), "Invalid order_by entity: tag");
}

#[test]
fn orders_have_a_direction_and_no_key_twice() {
    let order = |clauses: &[&str]| {
        let clauses: Vec<String> = clauses.iter().map(|clause| (*clause).to_owned()).collect();
        parse_order(&RUNS, &clauses)
    };
    let parsed = order(&["metrics.`a b` DESC", "start_time", "params.p asc"]).unwrap();
    let shown: Vec<_> = parsed.iter().map(|by| (by.entity, by.key.as_str(), by.direction())).collect();
    assert_eq!(
        shown,
        [(Entity::Metric, "a b", "DESC"), (Entity::Attribute, "start_time", "ASC"), (Entity::Param, "p", "ASC")]
    );
    for clauses in [&["metrics.a SIDEWAYS"][..], &["metrics.a", "metric.a"], &[""], &["a b c"], &["status"]] {
        assert!(order(clauses).is_err(), "{clauses:?}");
    }
    let experiments = Domain { search: Search::Experiments, ..RUNS };
    let twice = parse_order(&experiments, &["run_id".to_owned(), "run_id DESC".to_owned()]).unwrap();
    assert_eq!(twice.len(), 2, "MLflow lets the first of equal keys decide there");
}
