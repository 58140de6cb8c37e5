//! Requests with places for inputs: JSON and text in which `${name}` stands for the input `name`.
//!
//! A JSON string that is one placeholder and nothing else becomes the input itself, with its type; one within other text
//! becomes text. Compiled once, so that filling looks nothing up.

use serde_json::{Map, Value as Json};

/// Where the rows of a batch go.
const ROWS: &str = "rows";

/// JSON with places.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Template {
    /// As it is.
    Literal(Json),
    /// The input at this position, with its type.
    Input(usize),
    /// The rows of a batch.
    Rows,
    /// Text with places.
    Text(Text),
    /// An array.
    Array(Vec<Template>),
    /// An object.
    Object(Vec<(String, Template)>),
}

/// Text with places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Input(usize),
}

/// What placeholders may name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'a> {
    /// Inputs by position, each with whether a row of it is one value.
    pub(crate) inputs: &'a [(&'a str, bool)],
    /// Whether `${rows}` stands for the rows of a batch.
    pub(crate) rows: bool,
}

impl Template {
    pub(crate) fn compile(json: &Json, names: Names<'_>) -> Result<Self, String> {
        Ok(match json {
            Json::Null | Json::Bool(_) | Json::Number(_) => Self::Literal(json.clone()),
            Json::String(text) => Self::of_text(text, names)?,
            Json::Array(elements) => {
                Self::Array(elements.iter().map(|element| Self::compile(element, names)).collect::<Result<_, _>>()?)
            }
            Json::Object(members) => {
                let member = |(key, value): (&String, &Json)| {
                    if key.contains("${") {
                        return Err(format!("the key `{key}` has a placeholder, which only values may have"));
                    }
                    Ok((key.clone(), Self::compile(value, names)?))
                };
                Self::Object(members.iter().map(member).collect::<Result<_, _>>()?)
            }
        })
    }

    fn of_text(text: &str, names: Names<'_>) -> Result<Self, String> {
        if let Some(name) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'))
            && !name.contains('}')
        {
            if names.rows {
                return if name == ROWS { Ok(Self::Rows) } else { Err(only_rows(name)) };
            }
            return position(name, names).map(Self::Input);
        }
        let compiled = Text::compile(text, names)?;
        Ok(match compiled.0.as_slice() {
            [] => Self::Literal(Json::String(String::new())),
            [Part::Literal(literal)] => Self::Literal(Json::String(literal.clone())),
            [..] => Self::Text(compiled),
        })
    }

    /// The JSON, with `inputs` (a row of each, by position) and `rows` in their places.
    pub(crate) fn fill(&self, inputs: &[Json], rows: &[Json]) -> Json {
        match self {
            Self::Literal(json) => json.clone(),
            Self::Input(position) => inputs.get(*position).cloned().unwrap_or_default(),
            Self::Rows => Json::Array(rows.to_vec()),
            Self::Text(text) => Json::String(text.fill(inputs, ToOwned::to_owned)),
            Self::Array(elements) => elements.iter().map(|element| element.fill(inputs, rows)).collect(),
            Self::Object(members) => {
                let filled = members.iter().map(|(key, value)| (key.clone(), value.fill(inputs, rows)));
                Json::Object(filled.collect::<Map<_, _>>())
            }
        }
    }

    /// The inputs that it has places for.
    pub(crate) fn uses(&self, position: usize) -> bool {
        match self {
            Self::Literal(_) | Self::Rows => false,
            Self::Input(input) => *input == position,
            Self::Text(text) => text.uses(position),
            Self::Array(elements) => elements.iter().any(|element| element.uses(position)),
            Self::Object(members) => members.iter().any(|(_, value)| value.uses(position)),
        }
    }

    /// How often the rows of a batch have a place.
    pub(crate) fn places_of_rows(&self) -> usize {
        match self {
            Self::Literal(_) | Self::Input(_) | Self::Text(_) => 0,
            Self::Rows => 1,
            Self::Array(elements) => elements.iter().map(Self::places_of_rows).sum(),
            Self::Object(members) => members.iter().map(|(_, value)| value.places_of_rows()).sum(),
        }
    }
}

impl Text {
    pub(crate) fn compile(text: &str, names: Names<'_>) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, behind) =
                after.split_once('}').ok_or_else(|| format!("`{text}` has a placeholder without an end"))?;
            if names.rows {
                return Err(only_rows(name));
            }
            let input = position(name, names)?;
            if !names.inputs[input].1 {
                return Err(format!("`${{{name}}}` is an array, which cannot stand within the text `{text}`"));
            }
            if !before.is_empty() {
                parts.push(Part::Literal(before.to_owned()));
            }
            parts.push(Part::Input(input));
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// The text with inputs in their places, each passed through `escape`.
    pub(crate) fn fill(&self, inputs: &[Json], escape: impl Fn(&str) -> String) -> String {
        let part = |part: &Part| match part {
            Part::Literal(literal) => literal.clone(),
            Part::Input(position) => match inputs.get(*position) {
                Some(Json::String(text)) => escape(text),
                Some(value) => escape(&value.to_string()),
                None => String::new(),
            },
        };
        self.0.iter().map(part).collect()
    }

    /// Whether it has no places.
    pub(crate) fn is_literal(&self) -> bool {
        self.0.iter().all(|part| matches!(part, Part::Literal(_)))
    }

    /// Whether it has a place for the input at `position`.
    pub(crate) fn uses(&self, position: usize) -> bool {
        self.0.contains(&Part::Input(position))
    }
}

fn position(name: &str, names: Names<'_>) -> Result<usize, String> {
    names.inputs.iter().position(|(input, _)| *input == name).ok_or_else(|| {
        let known = names.inputs.iter().map(|(input, _)| format!("`{input}`")).collect::<Vec<_>>().join(", ");
        format!("`${{{name}}}` names no input; the inputs are {known}")
    })
}

fn only_rows(name: &str) -> String {
    format!("`${{{name}}}` has no value here: with `batch`, inputs go into `batch.row` and `request` has `${{rows}}`")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NAMES: Names<'_> = Names { inputs: &[("user", true), ("items", false)], rows: false };

    #[test]
    fn a_placeholder_alone_keeps_its_type_and_one_in_text_becomes_text() {
        let json = json!({ "id": "${user}", "key": "u/${user}/x", "all": ["${items}"], "k": 3, "plain": "$5 {}" });
        let template = Template::compile(&json, NAMES).unwrap();
        let filled = template.fill(&[json!(7), json!([1, 2])], &[]);
        assert_eq!(filled, json!({ "id": 7, "key": "u/7/x", "all": [[1, 2]], "k": 3, "plain": "$5 {}" }));
        assert!(template.uses(0) && template.uses(1) && !template.uses(2));
    }

    #[test]
    fn the_rows_of_a_batch_have_their_own_place() {
        let names = Names { rows: true, ..NAMES };
        let template = Template::compile(&json!({ "instances": "${rows}" }), names).unwrap();
        assert_eq!(template.places_of_rows(), 1);
        assert_eq!(template.fill(&[], &[json!(1), json!(2)]), json!({ "instances": [1, 2] }));
        assert!(Template::compile(&json!("${user}"), names).unwrap_err().contains("batch.row"));
    }

    #[test]
    fn what_cannot_be_filled_is_refused_when_it_is_compiled() {
        for (json, expected) in [
            (json!("${usr}"), "`${usr}` names no input; the inputs are `user`, `items`"),
            (json!("to ${user"), "without an end"),
            (json!("all ${items}"), "is an array"),
            (json!({ "${user}": 1 }), "only values may have"),
        ] {
            let error = Template::compile(&json, NAMES).unwrap_err();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
