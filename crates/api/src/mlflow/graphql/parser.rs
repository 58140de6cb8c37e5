//! From words to a document.

use serde_json::Value as Json;

use super::{
    document::{Directive, Document, Field, Fragment, Kind, Operation, Selection, Value, Variable},
    lexer::{Token, tokens},
};

/// How deep anything may stand in another: more than the limits allow, and far less than the stack holds.
const DEEPEST: usize = 40;
/// How many names a list of arguments or fields of a value may have: some ten times those of any type.
const MOST_NAMES: usize = 100;

/// Parses `source`.
///
/// # Errors
/// What is wrong with it, for the client.
pub(super) fn parse(source: &str) -> Result<Document, String> {
    let mut parser = Parser { tokens: tokens(source)?, next: 0, depth: 0 };
    let mut document = Document::default();
    while parser.peek().is_some() {
        if parser.accept_word("fragment") {
            let name = parser.name()?;
            parser.expect_word("on")?;
            let on = parser.name()?;
            parser.directives()?;
            let fragment = Fragment { on, selections: parser.selections()? };
            if document.fragments.insert(name.clone(), fragment).is_some() {
                return Err(format!("There can be only one fragment named '{name}'."));
            }
        } else {
            document.operations.push(parser.operation()?);
        }
    }
    if document.operations.is_empty() { Err("Unexpected <EOF>.".to_owned()) } else { Ok(document) }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self) -> Result<Token, String> {
        let token = self.peek().cloned().ok_or("Unexpected <EOF>.")?;
        self.next += 1;
        Ok(token)
    }

    fn accept(&mut self, mark: char) -> bool {
        let is_there = self.peek() == Some(&Token::Mark(mark));
        self.next += usize::from(is_there);
        is_there
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let is_there = matches!(self.peek(), Some(Token::Name(name)) if name == word);
        self.next += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, mark: char) -> Result<(), String> {
        if self.accept(mark) { Ok(()) } else { Err(self.unexpected(&format!("'{mark}'"))) }
    }

    fn expect_word(&mut self, word: &str) -> Result<(), String> {
        if self.accept_word(word) { Ok(()) } else { Err(self.unexpected(&format!("'{word}'"))) }
    }

    fn unexpected(&self, expected: &str) -> String {
        let found = self.peek().map_or_else(|| "<EOF>".to_owned(), Token::shown);
        format!("Expected {expected}, found {found}.")
    }

    fn name(&mut self) -> Result<String, String> {
        match self.peek() {
            Some(Token::Name(name)) => {
                let name = name.clone();
                self.next += 1;
                Ok(name)
            }
            _ => Err(self.unexpected("Name")),
        }
    }

    /// What `parse` reads, one level deeper.
    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        if self.depth == DEEPEST {
            return Err(format!("The document is nested deeper than {DEEPEST} levels."));
        }
        self.depth += 1;
        let parsed = parse(self)?;
        self.depth -= 1;
        Ok(parsed)
    }

    fn operation(&mut self) -> Result<Operation, String> {
        let mut operation = Operation {
            kind: Kind::Query,
            name: None,
            variables: Vec::new(),
            directives: Vec::new(),
            selections: Vec::new(),
        };
        if self.peek() != Some(&Token::Mark('{')) {
            operation.kind = match self.name()?.as_str() {
                "query" => Kind::Query,
                "mutation" => Kind::Mutation,
                "subscription" => Kind::Subscription,
                other => return Err(format!("Unexpected Name '{other}'.")),
            };
            if matches!(self.peek(), Some(Token::Name(_))) {
                operation.name = Some(self.name()?);
            }
            if self.accept('(') {
                while !self.accept(')') {
                    operation.variables.push(self.variable()?);
                }
            }
            operation.directives = self.directives()?;
        }
        operation.selections = self.selections()?;
        Ok(operation)
    }

    fn variable(&mut self) -> Result<Variable, String> {
        self.expect('$')?;
        let name = self.name()?;
        self.expect(':')?;
        let type_name = self.type_name()?;
        let default = if self.accept('=') { Some(self.value()?) } else { None };
        self.directives()?;
        Ok(Variable { name, type_name, default })
    }

    fn type_name(&mut self) -> Result<String, String> {
        let mut written = if self.accept('[') {
            let item = self.deeper(Self::type_name)?;
            self.expect(']')?;
            format!("[{item}]")
        } else {
            self.name()?
        };
        if self.accept('!') {
            written.push('!');
        }
        Ok(written)
    }

    fn directives(&mut self) -> Result<Vec<Directive>, String> {
        let mut directives = Vec::new();
        while self.accept('@') {
            directives.push(Directive { name: self.name()?, arguments: self.arguments()? });
        }
        Ok(directives)
    }

    fn arguments(&mut self) -> Result<Vec<(String, Value)>, String> {
        if self.accept('(') { self.named_values(')') } else { Ok(Vec::new()) }
    }

    fn named_values(&mut self, end: char) -> Result<Vec<(String, Value)>, String> {
        let mut values: Vec<(String, Value)> = Vec::new();
        while !self.accept(end) {
            let name = self.name()?;
            self.expect(':')?;
            if values.iter().any(|(other, _)| *other == name) {
                return Err(format!("There can be only one value named '{name}'."));
            }
            if values.len() == MOST_NAMES {
                return Err(format!("There are more than {MOST_NAMES} values in one place."));
            }
            values.push((name, self.deeper(Self::value)?));
        }
        Ok(values)
    }

    fn value(&mut self) -> Result<Value, String> {
        Ok(match self.take()? {
            Token::Mark('$') => Value::Variable(self.name()?),
            Token::Mark('[') => {
                let mut items = Vec::new();
                while !self.accept(']') {
                    items.push(self.deeper(Self::value)?);
                }
                Value::List(items)
            }
            Token::Mark('{') => Value::Object(self.named_values('}')?),
            Token::Number(number) => Value::Plain(Json::Number(number)),
            Token::Text(text) => Value::Plain(Json::String(text)),
            Token::Name(name) => match name.as_str() {
                "true" => Value::Plain(Json::Bool(true)),
                "false" => Value::Plain(Json::Bool(false)),
                "null" => Value::Plain(Json::Null),
                _ => Value::Enum(name),
            },
            other @ Token::Mark(_) => return Err(format!("Unexpected {}.", other.shown())),
        })
    }

    fn selections(&mut self) -> Result<Vec<Selection>, String> {
        self.expect('{')?;
        let mut selections = Vec::new();
        while !self.accept('}') {
            selections.push(self.deeper(Self::selection)?);
        }
        if selections.is_empty() { Err("Expected Name, found '}'.".to_owned()) } else { Ok(selections) }
    }

    fn selection(&mut self) -> Result<Selection, String> {
        if !self.accept('.') {
            return self.field().map(Selection::Field);
        }
        let on = if self.accept_word("on") { Some(self.name()?) } else { None };
        if on.is_none() && matches!(self.peek(), Some(Token::Name(_))) {
            return Ok(Selection::Spread { name: self.name()?, directives: self.directives()? });
        }
        Ok(Selection::Inline { on, directives: self.directives()?, selections: self.selections()? })
    }

    fn field(&mut self) -> Result<Field, String> {
        let first = self.name()?;
        let (alias, name) = if self.accept(':') { (Some(first), self.name()?) } else { (None, first) };
        let (arguments, directives) = (self.arguments()?, self.directives()?);
        let has_more = self.peek() == Some(&Token::Mark('{'));
        let selections = if has_more { self.selections()? } else { Vec::new() };
        Ok(Field { alias, name, arguments, directives, selections })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_a_query_may_have_is_read() {
        let document = parse(
            "query Q($a: [String!]! = [\"x\"], $b: Input) @component(name: \"c\") {
               one: run(input: {id: $a, view: ALL, deep: {n: 1.5}, none: null}) @include(if: true) { ...F ... on Run { id } ... { id } }
             }
             fragment F on Run { id }
             mutation { m }",
        )
        .unwrap();
        assert_eq!(document.operations.len(), 2);
        assert_eq!(document.operations[0].variables[0].type_name, "[String!]!");
        let Selection::Field(field) = &document.operations[0].selections[0] else { panic!("a field") };
        assert_eq!((field.key(), field.name.as_str(), field.selections.len()), ("one", "run", 3));
        assert_eq!(field.arguments[0].1.shown(), "{id: $a, view: ALL, deep: {n: 1.5}, none: null}");
        assert_eq!(document.operations[1].kind, Kind::Mutation);
    }

    #[test]
    fn what_is_no_query_is_refused_and_the_stack_is_not_left() {
        for (source, said) in [
            ("", "<EOF>"),
            ("{", "Expected Name, found <EOF>."),
            ("{}", "found '}'"),
            ("{a(b:)}", "Unexpected ')'."),
            ("nonsense { a }", "Unexpected Name 'nonsense'."),
            ("{a(b: 1, b: 2)}", "only one value named 'b'"),
            ("fragment F on A { a } fragment F on A { a }", "only one fragment named 'F'"),
        ] {
            let error = parse(source).unwrap_err();
            assert!(error.contains(said), "{source}: {error}");
        }
        for deep in [
            "{a".repeat(100_000),
            format!("{{a(b:{}", "[".repeat(100_000)),
            format!("query($a:{}", "[".repeat(100_000)),
        ] {
            assert!(parse(&deep).unwrap_err().contains("nested deeper than"));
        }
        let names = (0..80_000).map(|n| format!("n{n}:1 ")).collect::<String>();
        assert!(parse(&format!("{{a({names})}}")).unwrap_err().contains("more than 100 values"));
    }
}
