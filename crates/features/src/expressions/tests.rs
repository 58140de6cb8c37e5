//! What compiles, what is refused and how that is said, and that one row and many agree.

use std::sync::Arc;

use arrow::array::{
    Array as _, AsArray as _, BooleanArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
    new_null_array,
};
use arrow::datatypes::{Float32Type, Float64Type, Int32Type, Int64Type, TimeUnit};

use super::*;
use crate::columns::data_type;

fn micros() -> DataType {
    data_type(ValueType::Timestamp)
}

fn compile(sql: &str, output: ValueType) -> Result<Compiled, Error> {
    let available = [
        ("a", DataType::Int64),
        ("b", DataType::Int64),
        ("x", DataType::Float64),
        ("s", DataType::Utf8),
        ("Country", DataType::Utf8),
        ("t", micros()),
        ("u", micros()),
    ];
    Compiled::new(sql, &available, output)
}

fn refusal(sql: &str, output: ValueType) -> String {
    compile(sql, output).unwrap_err().to_string()
}

fn ints(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Int64Array>())
}

#[test]
fn one_row_and_many_give_the_same() {
    let compiled = compile("CASE WHEN a >= 18 THEN 1 ELSE 0 END", ValueType::Int64).unwrap();
    assert_eq!(compiled.inputs().collect::<Vec<_>>(), ["a"]);
    let many: Vec<i64> = (0..1_000).collect();
    let whole = compiled.evaluate(vec![ints(many.iter().copied().map(Some))], many.len()).unwrap();
    for value in many {
        let one = compiled.evaluate(vec![ints([Some(value)])], 1).unwrap();
        assert_eq!(one.as_primitive::<Int64Type>().value(0), whole.as_primitive::<Int64Type>().value(value as usize));
    }
    let nothing = compiled.evaluate(vec![ints([])], 0).unwrap();
    assert_eq!(nothing.len(), 0);
}

#[test]
fn functions_that_must_be_simplified_and_constants_work() {
    let compiled = compile("coalesce(s, upper('none'))", ValueType::String).unwrap();
    let text: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), None]));
    let result = compiled.evaluate(vec![text], 2).unwrap();
    assert_eq!(result.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("x"), Some("NONE")]);
    let constant = compile("1 + 1", ValueType::Int32).unwrap();
    assert_eq!(constant.evaluate(vec![], 3).unwrap().as_primitive::<Int32Type>().values(), &[2, 2, 2]);
}

#[test]
fn names_keep_their_case_and_nulls_stay_null() {
    let compiled = compile("lower(Country)", ValueType::String).unwrap();
    assert_eq!(compiled.inputs().collect::<Vec<_>>(), ["Country"]);
    let result = compiled.evaluate(vec![new_null_array(&DataType::Utf8, 1)], 1).unwrap();
    assert!(result.is_null(0));
}

#[test]
fn what_is_wrong_is_said_with_what_was_meant() {
    for (sql, expected) in [
        ("upperr(s)", "there is no function `upperr`; did you mean `upper`?"),
        ("country", "there is no column `country`; did you mean `Country`?"),
        ("missing_thing + 1", "there is no column `missing_thing`"),
        ("a +", "Expected: an expression"),
        ("a AS b", "a feature is named by `name`, not by `AS b`"),
        ("(SELECT 1)", "one row"),
        ("sum(a)", "there is no function `sum`"),
        ("$1", "no parameters"),
        ("a; DROP TABLE x", "Expected: end of expression"),
    ] {
        let message = refusal(sql, ValueType::Int64);
        assert!(message.contains(expected), "`{sql}` is refused with: {message}");
        assert!(!message.contains('\n'), "{message}");
    }
    assert!(refusal(&"a+".repeat(3_000), ValueType::Int64).contains("longer than"));
}

#[test]
fn functions_that_are_not_deterministic_are_refused() {
    for sql in ["now()", "random()", "uuid()", "current_date()", "CURRENT_TIMESTAMP", "coalesce(x, random())"] {
        let message = refusal(sql, ValueType::Float64);
        assert!(message.contains("not deterministic"), "`{sql}` is refused with: {message}");
        assert!(columns_of(sql).is_err(), "{sql}");
    }
}

#[test]
fn comparing_with_intervals_is_refused_and_with_seconds_is_not() {
    let message = refusal("(t - u) <= INTERVAL '1 day'", ValueType::Bool);
    assert!(message.contains("comparing with an interval"), "{message}");
    let seconds = compile("date_part('epoch', t) - date_part('epoch', u) <= 86400", ValueType::Bool).unwrap();
    let time = |hours: i64| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(vec![hours * 3_600_000_000]).with_timezone("UTC"))
    };
    let order: Vec<String> = seconds.inputs().map(str::to_owned).collect();
    let columns = order.iter().map(|name| if name == "t" { time(30) } else { time(0) }).collect();
    assert!(!seconds.evaluate(columns, 1).unwrap().as_boolean().value(0), "30 hours are more than a day");
    let hour = compile("date_part('hour', t)", ValueType::Int32).unwrap();
    assert_eq!(hour.evaluate(vec![time(30)], 1).unwrap().as_primitive::<Int32Type>().value(0), 6);
}

#[test]
fn types_that_lose_something_are_refused_before_any_row() {
    for (sql, output, expected) in [
        ("x", ValueType::Int64, "CAST(… AS BIGINT)"),
        ("s", ValueType::Int64, "does not become int64"),
        ("a", ValueType::String, "does not become string"),
        ("a", ValueType::Bool, "does not become bool"),
    ] {
        let message = refusal(sql, output);
        assert!(message.contains(expected), "`{sql}` is refused with: {message}");
    }
}

#[test]
fn overflow_fails_instead_of_wrapping() {
    let sum = compile("a + b", ValueType::Int64).unwrap();
    assert!(sum.evaluate(vec![ints([Some(i64::MAX)]), ints([Some(1)])], 1).is_err());
    let narrow = compile("a", ValueType::Int32).unwrap();
    assert!(narrow.evaluate(vec![ints([Some(1 << 40)])], 1).is_err());
    let float = compile("a", ValueType::Float64).unwrap();
    let message = float.evaluate(vec![ints([Some(9_007_199_254_740_993)])], 1).unwrap_err().to_string();
    assert!(message.contains("too large to be exact"), "{message}");
    let exact = float.evaluate(vec![ints([Some(1 << 53), None])], 2).unwrap();
    assert_eq!(exact.as_primitive::<Float64Type>().value(0), 9_007_199_254_740_992.0);
    let single = compile("x", ValueType::Float32).unwrap();
    let doubles = |value: f64| -> ArrayRef { Arc::new(Float64Array::from(vec![value])) };
    assert!(single.evaluate(vec![doubles(1e300)], 1).is_err());
    assert_eq!(single.evaluate(vec![doubles(0.1)], 1).unwrap().as_primitive::<Float32Type>().value(0), 0.1);
    assert!(single.evaluate(vec![doubles(f64::NAN)], 1).unwrap().as_primitive::<Float32Type>().value(0).is_nan());
    let zero = compile("a / b", ValueType::Int64).unwrap();
    assert!(zero.evaluate(vec![ints([Some(1)]), ints([Some(0)])], 1).is_err());
}

#[test]
fn logic_and_deep_expressions_work() {
    let logic = compile("a > 3 AND (s = 'DE' OR s IS NULL)", ValueType::Bool).unwrap();
    let text: ArrayRef = Arc::new(StringArray::from(vec!["DE", "FR"]));
    let result = logic.evaluate(vec![ints([Some(4), Some(4)]), text], 2).unwrap();
    assert_eq!(result.as_boolean(), &BooleanArray::from(vec![true, false]));
    let deep = format!("a{}", "+1".repeat(100));
    let result = compile(&deep, ValueType::Int64).map(|compiled| compiled.evaluate(vec![ints([Some(0)])], 1).unwrap());
    assert_eq!(result.unwrap().as_primitive::<Int64Type>().value(0), 100);
    let message = refusal(&format!("a{}", "+1".repeat(2_000)), ValueType::Int64);
    assert!(message.contains("operations deep"), "{message}");
    let message = refusal(&format!("{}a{}", "(".repeat(2_000), ")".repeat(2_000)), ValueType::Int64);
    assert!(message.contains("nests too deeply"), "{message}");
}

#[test]
fn timestamps_of_any_unit_become_microseconds_in_utc() {
    for (unit, value, expected) in [
        (TimeUnit::Second, 2_i64, 2_000_000_i64),
        (TimeUnit::Millisecond, 2, 2_000),
        (TimeUnit::Microsecond, 2, 2),
        (TimeUnit::Nanosecond, 2_999, 2),
        (TimeUnit::Nanosecond, -1, -1),
    ] {
        let ticks = ints([Some(value)]);
        for zone in [None, Some("+02:00".into())] {
            let column = arrow::compute::cast(&ticks, &DataType::Timestamp(unit, zone)).unwrap();
            let cast = cast_to(&column, ValueType::Timestamp).unwrap();
            assert_eq!(cast.data_type(), &micros());
            let micros = cast.as_primitive::<arrow::datatypes::TimestampMicrosecondType>().value(0);
            assert_eq!(micros, expected, "{unit:?}");
        }
    }
}
