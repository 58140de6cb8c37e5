//! Evidence as tables: what a gate hands in is JSON of its own shape, and people should not have to read JSON.
//!
//! An object is a list of its keys, a list of objects is a table, everything else is itself. Nothing is interpreted, so
//! a gate that hands in something new is shown without a change here.

use maud::{Markup, html};
use serde_json::{Map, Value};

/// How deep structures are unfolded; what lies deeper is shown as JSON.
const DEEPEST: u32 = 4;
/// Rows of a table that are shown; evidence is a record, not a report.
const MOST_ROWS: usize = 50;

/// Shows `evidence`.
pub(crate) fn evidence(evidence: &Value) -> Markup {
    at_depth(evidence, 0)
}

fn at_depth(value: &Value, depth: u32) -> Markup {
    match value {
        Value::Null => html! { span.none { "–" } },
        Value::Bool(truth) => html! { (if *truth { "yes" } else { "no" }) },
        Value::Number(number) => html! { code { (number) } },
        Value::String(text) if text.starts_with("sha256:") && text.len() > 19 => {
            html! { code.digest title=(text) { (text[7..19]) } }
        }
        Value::String(text) => html! { (text) },
        Value::Array(items) if items.is_empty() => html! { span.none { "none" } },
        Value::Object(keys) if keys.is_empty() => html! { span.none { "none" } },
        Value::Array(_) | Value::Object(_) if depth >= DEEPEST => html! { code { (value) } },
        Value::Array(items) => list(items, depth),
        Value::Object(keys) => pairs(keys, depth),
    }
}

fn pairs(keys: &Map<String, Value>, depth: u32) -> Markup {
    html! {
        dl {
            @for (key, value) in keys { div.wide[is_table(value)] { dt { (key) } dd { (at_depth(value, depth + 1)) } } }
        }
    }
}

/// Whether `value` is shown as a table, which wants the whole width.
fn is_table(value: &Value) -> bool {
    value.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(Value::is_object))
}

fn list(items: &[Value], depth: u32) -> Markup {
    let objects: Vec<_> = items.iter().filter_map(Value::as_object).collect();
    if objects.len() < items.len() {
        return html! {
            @if items.iter().all(|item| !item.is_object() && !item.is_array()) {
                @for (index, item) in items.iter().enumerate() {
                    @if index > 0 { ", " } (at_depth(item, depth + 1))
                }
            } @else {
                ul { @for item in items { li { (at_depth(item, depth + 1)) } } }
            }
        };
    }
    let mut columns: Vec<&String> = Vec::new();
    for key in objects.iter().flat_map(|object| object.keys()) {
        if !columns.contains(&key) {
            columns.push(key);
        }
    }
    html! {
        div.scroll {
            table {
                thead { tr { @for column in &columns { th { (column) } } } }
                tbody {
                    @for object in objects.iter().take(MOST_ROWS) {
                        tr { @for column in &columns { td { (at_depth(object.get(*column).unwrap_or(&Value::Null), depth + 1)) } } }
                    }
                }
            }
        }
        @if objects.len() > MOST_ROWS { p.note { "and " (objects.len() - MOST_ROWS) " more" } }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_become_a_table_and_texts_cannot_become_markup() {
        let shown = evidence(&json!({ "rows": 2, "first_differences": [
            { "entity": "user 1", "feature": "country", "online": { "value": "us" }, "offline": { "value": "<b>US</b>" } },
        ] }))
        .into_string();
        assert!(shown.contains("<th>feature</th>") && shown.contains("first_differences"), "{shown}");
        assert!(shown.contains("&lt;b&gt;US&lt;/b&gt;") && !shown.contains("<b>"), "{shown}");
    }
}
