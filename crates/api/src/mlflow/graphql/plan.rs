//! From a document to what is to be read: every name is looked up in the tables before anything is asked, and what is
//! wrong is told as GraphQL's reference implementation, and so MLflow, tells it.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value as Json;

use super::{
    super::fields::snake_case,
    document::{Directive, Document, Field, Operation, Selection, Value},
    input::{self, Takes},
    roots::{self, Argument, Root},
    types::{Holds, OBJECTS},
};

/// The name of an object's own type.
const TYPENAME: &str = "__typename";
/// Names the part of the web client that asks; it has no meaning here.
const COMPONENT: &str = "component";
/// Most bytes of variables' values in all places where they are used: a short query may name a long one often.
const MOST_PUT: usize = 4 << 20;

/// One field of an answer.
#[derive(Debug)]
pub(super) struct Step {
    /// Its name in the answer.
    pub(super) key: String,
    pub(super) reads: Reads,
}

/// Where a field's value comes from.
#[derive(Debug)]
pub(super) enum Reads {
    /// The type's name.
    Typename(&'static str),
    /// A field of MLflow's JSON, by its name there, and what is read of the objects in it.
    Field { json_name: String, holds: Holds, below: Vec<Step> },
    /// A call with its argument, if there is one, and what is read of its answer.
    Call { root: &'static Root, input: Option<Json>, below: Vec<Step> },
}

/// What `operation` asks for.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn plan(document: &Document, operation: &Operation, given: &Json) -> Result<Vec<Step>, Vec<String>> {
    let (name, calls) = roots::of_kind(operation.kind).ok_or_else(|| vec!["There are no subscriptions.".to_owned()])?;
    let mut planner = Planner { document, variables: HashMap::new(), room: Some(MOST_PUT), errors: Vec::new() };
    for directive in operation.directives.iter().filter(|directive| directive.name != COMPONENT) {
        planner.errors.push(format!("Unknown directive '@{}'.", directive.name));
    }
    planner.take_variables(operation, given);
    let mut steps = Vec::new();
    for (key, fields) in planner.fields_at(name, &[&operation.selections]) {
        let reads = planner.call(name, calls, &fields);
        steps.extend(reads.map(|reads| Step { key, reads }));
    }
    if planner.errors.is_empty() { Ok(steps) } else { Err(planner.errors) }
}

struct Planner<'a> {
    document: &'a Document,
    /// Values, each with its size.
    variables: HashMap<String, (Value, usize)>,
    /// How many bytes of them may still be put in; `None` once there were too many.
    room: Option<usize>,
    errors: Vec<String>,
}

impl<'a> Planner<'a> {
    /// The variables that were given, or have a default; others are null where they may be.
    fn take_variables(&mut self, operation: &Operation, given: &Json) {
        for variable in &operation.variables {
            if self.variables.contains_key(&variable.name) {
                self.errors.push(format!("There can be only one variable named '${}'.", variable.name));
                continue;
            }
            let value = given.get(&variable.name).map(Value::of_json).or_else(|| variable.default.clone());
            let is_null = value.as_ref().is_none_or(|value| *value == Value::Plain(Json::Null));
            if is_null && variable.type_name.ends_with('!') {
                let message = format!(
                    "Variable '${}' of required type '{}' was not provided.",
                    variable.name, variable.type_name
                );
                self.errors.push(message);
            }
            let value = value.unwrap_or(Value::Plain(Json::Null));
            let size = value.size();
            self.variables.insert(variable.name.clone(), (value, size));
        }
    }

    /// The fields of one level by their names in the answer: those of fragments among them, and each name once, with all
    /// places where it stands.
    fn fields_at(&mut self, type_name: &str, sets: &[&'a [Selection]]) -> Vec<(String, Vec<&'a Field>)> {
        let mut found: Vec<(String, Vec<&'a Field>)> = Vec::new();
        let mut seen = BTreeSet::new();
        let mut open: Vec<&'a Selection> = sets.iter().rev().flat_map(|set| set.iter().rev()).collect();
        while let Some(selection) = open.pop() {
            let (on, selections) = match selection {
                Selection::Field(field) => {
                    if self.is_wanted(&field.directives) {
                        match found.iter_mut().find(|(key, _)| key == field.key()) {
                            Some((_, fields)) => fields.push(field),
                            None => found.push((field.key().to_owned(), vec![field])),
                        }
                    }
                    continue;
                }
                Selection::Inline { on, directives, selections } => {
                    if !self.is_wanted(directives) {
                        continue;
                    }
                    (on.as_deref().unwrap_or(type_name), selections)
                }
                Selection::Spread { name, directives } => {
                    if !self.is_wanted(directives) || !seen.insert(name) {
                        continue;
                    }
                    let Some(fragment) = self.document.fragments.get(name) else {
                        self.errors.push(format!("Unknown fragment '{name}'."));
                        continue;
                    };
                    (fragment.on.as_str(), &fragment.selections)
                }
            };
            if on == type_name {
                open.extend(selections.iter().rev());
            } else {
                self.errors.push(format!(
                    "Fragment cannot be spread here as objects of type '{type_name}' can never be of type '{on}'."
                ));
            }
        }
        found
    }

    /// Whether `@skip` and `@include` let a selection in.
    fn is_wanted(&mut self, directives: &[Directive]) -> bool {
        directives.iter().all(|directive| {
            let wanted_if = match directive.name.as_str() {
                "include" => true,
                "skip" => false,
                other => {
                    self.errors.push(format!("Unknown directive '@{other}'."));
                    return true;
                }
            };
            let condition = directive.arguments.iter().find(|(name, _)| name == "if");
            let condition = condition.map(|(_, value)| self.without_variables(value));
            if let Some(Value::Plain(Json::Bool(condition))) = condition {
                return condition == wanted_if;
            }
            let name = &directive.name;
            self.errors.push(format!("Directive '@{name}' argument 'if' of type 'Boolean!' is required."));
            true
        })
    }

    /// `value` with the values of variables in their places.
    fn without_variables(&mut self, value: &Value) -> Value {
        match value {
            Value::Variable(name) => self.variable(name).unwrap_or(Value::Plain(Json::Null)),
            Value::List(items) => Value::List(items.iter().map(|item| self.without_variables(item)).collect()),
            Value::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| (name.clone(), self.without_variables(value)));
                Value::Object(fields.collect())
            }
            Value::Enum(_) | Value::Plain(_) => value.clone(),
        }
    }

    /// The value of a variable, as long as there is room for it.
    fn variable(&mut self, name: &str) -> Option<Value> {
        let Some((value, size)) = self.variables.get(name) else {
            self.errors.push(format!("Variable '${name}' is not defined."));
            return None;
        };
        let room = self.room?.checked_sub(*size);
        if room.is_none() {
            self.errors
                .push(format!("The variables are longer than {MOST_PUT} bytes in the places where they are used."));
        }
        self.room = room;
        room.map(|_| value.clone())
    }

    fn call(&mut self, type_name: &'static str, calls: &'static [Root], fields: &[&'a Field]) -> Option<Reads> {
        let field = self.same(fields)?;
        if field.name == TYPENAME {
            return Some(Reads::Typename(type_name));
        }
        let Some(root) = calls.iter().find(|root| root.name == field.name) else {
            self.unknown_field(&field.name, type_name);
            return None;
        };
        let mut input = None;
        for (name, value) in &field.arguments {
            if name != root.argument.name() {
                self.errors.push(format!("Unknown argument '{name}' on field '{type_name}.{}'.", root.name));
                continue;
            }
            let value = self.without_variables(value);
            let taken = match root.argument {
                Argument::Input(of) => input::object(of, &value),
                Argument::Text => input::value(Takes::String, &value),
            };
            match taken {
                Ok(json) => input = Some(json).filter(|json| !json.is_null()),
                Err(errors) => self.errors.extend(errors),
            }
        }
        let below = self.object(root.answer, root.name, fields);
        Some(Reads::Call { root, input, below })
    }

    /// What is read of objects of a type, in `fields` of that type.
    fn object(&mut self, type_name: &'static str, name: &str, fields: &[&'a Field]) -> Vec<Step> {
        let sets: Vec<&'a [Selection]> = fields.iter().map(|field| field.selections.as_slice()).collect();
        if sets.iter().all(|set| set.is_empty()) {
            self.errors.push(format!(
                "Field '{name}' of type '{type_name}' must have a selection of subfields. Did you mean '{name} {{ ... }}'?"
            ));
        }
        let table = OBJECTS.iter().find(|(object, _)| *object == type_name).map_or(&[][..], |(_, fields)| fields);
        let mut steps = Vec::new();
        for (key, fields) in self.fields_at(type_name, &sets) {
            let Some(field) = self.same(&fields) else { continue };
            if field.name == TYPENAME {
                steps.push(Step { key, reads: Reads::Typename(type_name) });
                continue;
            }
            let Some((known, holds)) = table.iter().find(|(known, _)| *known == field.name) else {
                self.unknown_field(&field.name, type_name);
                continue;
            };
            if let Some((argument, _)) = field.arguments.first() {
                self.errors.push(format!("Unknown argument '{argument}' on field '{type_name}.{known}'."));
            }
            let below = match holds.object() {
                Some(of) => self.object(of, known, &fields),
                None => self.leaf(known, &fields),
            };
            steps.push(Step { key, reads: Reads::Field { json_name: snake_case(known), holds: *holds, below } });
        }
        steps
    }

    /// A field that holds no object has nothing below.
    fn leaf(&mut self, name: &str, fields: &[&'a Field]) -> Vec<Step> {
        if fields.iter().any(|field| !field.selections.is_empty()) {
            self.errors.push(format!("Field '{name}' must not have a selection since it has no subfields."));
        }
        Vec::new()
    }

    /// The field that stands in all places of one name, if it is the same one.
    fn same(&mut self, fields: &[&'a Field]) -> Option<&'a Field> {
        let (first, others) = fields.split_first()?;
        if others.iter().all(|other| other.name == first.name && other.arguments == first.arguments) {
            return Some(first);
        }
        self.errors.push(format!(
            "Fields '{}' conflict because they are different fields or have differing arguments. Use different aliases on \
             the fields to fetch both if this was intentional.",
            first.key()
        ));
        None
    }

    fn unknown_field(&mut self, field: &str, type_name: &str) {
        self.errors.push(format!("Cannot query field '{field}' on type '{type_name}'."));
    }
}
