//! The grammar, by example.

use super::*;

const RUNS: Domain = Domain {
    entities: &[Entity::Metric, Entity::Param, Entity::Tag, Entity::Attribute, Entity::Dataset],
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
    assert!(parsed("  ").is_empty());
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
    for filter in [
        "metrics.a",
        "metrics.a >",
        "> 3",
        "foo.a = 'x'",
        "nothing = 'x'",
        "params.a = 3",
        "params.a > 'x'",
        "metrics.a LIKE 'x'",
        "status IN ('a')",
        "run_id IN ()",
        "run_id IN ('a'",
        "tags.a = 'x",
        "tags.a = 'x' ;",
        "run_id = ('a')",
        "start_time = 'x'",
        "metrics.a IS NULL",
        "datasets.foo = 'x'",
        "tags.a IS 'x'",
        "(",
    ] {
        refusal(filter);
    }
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
}
