//! A GraphQL request document, as far as queries have one: operations and fragments; no type definitions.

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// A parsed document.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) operations: Vec<Operation>,
    pub(super) fragments: BTreeMap<String, Fragment>,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Query,
    Mutation,
    Subscription,
}

#[derive(Debug)]
pub(super) struct Operation {
    pub(super) kind: Kind,
    pub(super) name: Option<String>,
    pub(super) variables: Vec<Variable>,
    pub(super) directives: Vec<Directive>,
    pub(super) selections: Vec<Selection>,
}

/// A variable's definition.
#[derive(Debug)]
pub(super) struct Variable {
    pub(super) name: String,
    /// Its type as it was written, without spaces: `[String!]!`.
    pub(super) type_name: String,
    pub(super) default: Option<Value>,
}

#[derive(Debug)]
pub(super) struct Fragment {
    pub(super) on: String,
    pub(super) selections: Vec<Selection>,
}

#[derive(Debug)]
pub(super) enum Selection {
    Field(Field),
    /// `...Name`
    Spread {
        name: String,
        directives: Vec<Directive>,
    },
    /// `... on Type { }`
    Inline {
        on: Option<String>,
        directives: Vec<Directive>,
        selections: Vec<Selection>,
    },
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) alias: Option<String>,
    pub(super) name: String,
    pub(super) arguments: Vec<(String, Value)>,
    pub(super) directives: Vec<Directive>,
    pub(super) selections: Vec<Selection>,
}

impl Field {
    /// Under which name its value is answered.
    pub(super) fn key(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.name)
    }
}

#[derive(Debug)]
pub(super) struct Directive {
    pub(super) name: String,
    pub(super) arguments: Vec<(String, Value)>,
}

/// A value as it was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Variable(String),
    Enum(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
    /// Null, a truth value, a number or a text.
    Plain(Json),
}

impl Value {
    /// A variable's value, which came as JSON.
    pub(super) fn of_json(json: &Json) -> Self {
        match json {
            Json::Array(items) => Self::List(items.iter().map(Self::of_json).collect()),
            Json::Object(fields) => {
                Self::Object(fields.iter().map(|(name, value)| (name.clone(), Self::of_json(value))).collect())
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => Self::Plain(json.clone()),
        }
    }

    /// About how many bytes it takes.
    pub(super) fn size(&self) -> usize {
        let text = match self {
            Self::Variable(text) | Self::Enum(text) | Self::Plain(Json::String(text)) => text.len(),
            Self::List(items) => items.iter().map(Self::size).sum(),
            Self::Object(fields) => fields.iter().map(|(name, value)| name.len() + value.size()).sum(),
            Self::Plain(_) => 0,
        };
        text + size_of::<Self>()
    }

    /// How messages show it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Variable(name) => format!("${name}"),
            Self::Enum(name) => name.clone(),
            Self::List(items) => format!("[{}]", items.iter().map(Self::shown).collect::<Vec<_>>().join(", ")),
            Self::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| format!("{name}: {}", value.shown()));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
            }
            Self::Plain(json) => json.to_string(),
        }
    }
}
