//! Words, operators, numbers, quoted texts and lists of a filter string.

use std::fmt;

use crate::error::{Error, Result};

/// A piece of a filter string.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A keyword or identifier, with its quotes: ``metrics.`a b` ``.
    Word(String),
    /// `=`, `!=`, `<>`, `<`, `<=`, `>`, `>=`.
    Operator(String),
    /// A number as written.
    Number(String),
    /// A quoted text, without its quotes.
    Text(String),
    /// A parenthesized list of quoted texts.
    List(Vec<String>),
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(text) | Self::Operator(text) | Self::Number(text) => f.write_str(text),
            Self::Text(text) => write!(f, "'{text}'"),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(|item| format!("'{item}'")).collect();
                write!(f, "({})", items.join(", "))
            }
        }
    }
}

/// Splits `filter` into tokens.
pub(super) fn tokens(filter: &str) -> Result<Vec<Token>> {
    let mut rest = filter.trim_start();
    let mut tokens = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '\'' | '"' => {
                let (text, length) = quoted(rest, first, filter)?;
                // A quoted word followed by a dot is an entity's name; MLflow has none in quotes.
                (Token::Text(text), length)
            }
            '(' => list(rest, filter)?,
            '=' | '!' | '<' | '>' => operator(rest, filter)?,
            '-' | '+' | '.' | '0'..='9' => number(rest),
            ';' => {
                return Err(Error::invalid(format!(
                    "Search filter contained multiple expression '{filter}'. Provide AND-ed expression list."
                )));
            }
            _ => word(rest, filter)?,
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn unfinished(filter: &str) -> Error {
    Error::invalid(format!("Invalid clause(s) in filter string: '{filter}'"))
}

/// The text in quotes that `rest` begins with, and how long it is with them.
fn quoted(rest: &str, quote: char, filter: &str) -> Result<(String, usize)> {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        let next_is_quote = characters.peek().is_some_and(|(_, next)| *next == quote);
        if (c == '\\' && next_is_quote) || (c == quote && quote != '`' && next_is_quote) {
            characters.next();
        } else if c == quote {
            return Ok((rest[1..at].to_owned(), at + 1));
        }
    }
    Err(unfinished(filter))
}

fn operator(rest: &str, filter: &str) -> Result<(Token, usize)> {
    let known = ["!=", "<>", "<=", ">=", "=", "<", ">"];
    let found = known.into_iter().find(|operator| rest.starts_with(operator)).ok_or_else(|| unfinished(filter))?;
    Ok((Token::Operator(found.to_owned()), found.len()))
}

fn number(rest: &str) -> (Token, usize) {
    let mut before = ' ';
    let end = rest
        .find(|c: char| {
            let sign = matches!(c, '+' | '-') && matches!(before, ' ' | 'e' | 'E');
            before = c;
            !(sign || c.is_ascii_alphanumeric() || c == '.')
        })
        .unwrap_or(rest.len());
    (Token::Number(rest[..end].to_owned()), end)
}

fn list(rest: &str, filter: &str) -> Result<(Token, usize)> {
    let malformed = || {
        Error::invalid(
            "While parsing a list in the query, expected a non-empty list of string values, but got ill-formed list.",
        )
    };
    let mut items = Vec::new();
    let mut at = 1;
    loop {
        at += blanks(&rest[at..]);
        match rest[at..].chars().next() {
            Some(quote @ ('\'' | '"')) => {
                let (item, length) = quoted(&rest[at..], quote, filter)?;
                items.push(item);
                at += length;
            }
            Some(')') if !items.is_empty() => return Ok((Token::List(items), at + 1)),
            _ => return Err(malformed()),
        }
        at += blanks(&rest[at..]);
        match rest[at..].chars().next() {
            Some(',') => at += 1,
            Some(')') => return Ok((Token::List(items), at + 1)),
            _ => return Err(malformed()),
        }
    }
}

fn blanks(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

/// A word up to blank, operator or parenthesis; parts in quotes may contain those.
fn word(rest: &str, filter: &str) -> Result<(Token, usize)> {
    let mut at = 0;
    while let Some(c) = rest[at..].chars().next() {
        match c {
            '`' | '"' | '\'' => at += quoted(&rest[at..], c, filter)?.1,
            '=' | '!' | '<' | '>' | '(' | ')' | ';' => break,
            c if c.is_whitespace() => break,
            c => at += c.len_utf8(),
        }
    }
    if at == 0 { Err(unfinished(filter)) } else { Ok((Token::Word(rest[..at].to_owned()), at)) }
}
