//! Words, operators, numbers, quoted texts and lists of a filter string, each as it is written.

use std::fmt;

use crate::{
    error::{Error, Result},
    rules::python_repr,
};

/// A piece of a filter string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// As written, with its quotes.
    pub(super) text: String,
}

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or identifier: ``metrics.`a b` ``, `"name"`.
    Word,
    /// What stands between two values: `=`, `<=`, `LIKE`, `NOT LIKE`; also one that there is not, such as `==`.
    Operator,
    Number,
    /// In single quotes.
    Text,
    /// In parentheses, whatever there is in them.
    List,
    /// Anything else: a mark, a quote that is never closed, a comment.
    Mark,
}

/// Words that are no values.
const KEYWORDS: [&str; 7] = ["and", "or", "not", "in", "is", "null", "between"];

impl Token {
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    pub(super) fn is_identifier(&self) -> bool {
        self.kind == Kind::Word && !KEYWORDS.iter().any(|word| self.text.eq_ignore_ascii_case(word))
    }

    /// Whether it can be compared.
    pub(super) fn is_value(&self) -> bool {
        match self.kind {
            Kind::Word => self.is_identifier(),
            Kind::Number | Kind::Text | Kind::List => true,
            Kind::Operator | Kind::Mark => false,
        }
    }

    pub(super) fn is_list(&self) -> bool {
        self.kind == Kind::List
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// How many quotes and parentheses a filter may leave open: whether one is closed is only known at the end of the filter.
const MOST_OPEN: usize = 20;

/// Splits `filter` into tokens.
pub(super) fn tokens(filter: &str) -> Result<Vec<Token>> {
    let mut rest = filter.trim_start();
    let mut tokens: Vec<Token> = Vec::new();
    let mut open = 0;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = match first {
            '\'' => quoted(rest, first).map_or((Kind::Mark, 1), |length| (Kind::Text, length)),
            '(' => list(rest).map_or((Kind::Mark, 1), |length| (Kind::List, length)),
            '=' | '!' | '<' | '>' | '~' => (Kind::Operator, span(rest, |c| "=!<>~".contains(c))),
            ';' if rest[1..].trim().is_empty() => (Kind::Mark, 1),
            ';' => {
                let shown = python_repr(filter);
                return Err(Error::invalid(format!(
                    "Search filter contained multiple expression {shown}. Provide AND-ed expression list."
                )));
            }
            '-' if rest.starts_with("--") => (Kind::Mark, span(rest, |c| c != '\n')),
            '/' if rest.starts_with("/*") => (Kind::Mark, rest.find("*/").map_or(rest.len(), |at| at + 2)),
            '-' | '.' | '0'..='9' if begins_number(rest) => (Kind::Number, number(rest)),
            '-' | '+' | ')' | ',' => (Kind::Mark, 1),
            _ => match word(rest) {
                0 => (Kind::Mark, first.len_utf8()),
                length => (Kind::Word, length),
            },
        };
        if kind == Kind::Mark && matches!(first, '(' | '\'' | '"' | '`') {
            open += 1;
        }
        if open > MOST_OPEN {
            return Err(Error::invalid("The search filter has too many quotes and parentheses that are not closed."));
        }
        let text = rest[..length].to_owned();
        rest = rest[length..].trim_start();
        let is_pattern =
            kind == Kind::Word && ["like", "ilike", "rlike"].iter().any(|word| text.eq_ignore_ascii_case(word));
        match tokens.last_mut().filter(|_| is_pattern) {
            Some(before) if before.is_word("not") => {
                *before = Token { kind: Kind::Operator, text: format!("{} {text}", before.text) };
            }
            _ => tokens.push(Token { kind: if is_pattern { Kind::Operator } else { kind }, text }),
        }
    }
    Ok(tokens)
}

/// How long the beginning of `rest` is whose characters are all `wanted`.
fn span(rest: &str, wanted: impl Fn(char) -> bool) -> usize {
    rest.find(|c| !wanted(c)).unwrap_or(rest.len())
}

/// How long the text in quotes is that `rest` begins with; `None` if it never ends.
fn quoted(rest: &str, quote: char) -> Option<usize> {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        let next_is_quote = characters.peek().is_some_and(|(_, next)| *next == quote);
        if (c == '\\' && next_is_quote) || (c == quote && quote != '`' && next_is_quote) {
            characters.next();
        } else if c == quote {
            return Some(at + 1);
        }
    }
    None
}

fn begins_number(rest: &str) -> bool {
    rest.trim_start_matches(['-', '.']).starts_with(|c: char| c.is_ascii_digit())
}

fn number(rest: &str) -> usize {
    let mut before = ' ';
    rest.find(|c: char| {
        let sign = matches!(c, '+' | '-') && matches!(before, ' ' | 'e' | 'E');
        before = c;
        !(sign || c.is_ascii_alphanumeric() || c == '.')
    })
    .unwrap_or(rest.len())
}

/// How long the parenthesis is that `rest` begins with; quotes may hold parentheses.
fn list(rest: &str) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(c) = rest[at..].chars().next() {
        match c {
            '\'' | '"' => {
                at += quoted(&rest[at..], c)?;
                continue;
            }
            '(' => depth += 1,
            ')' if depth == 1 => return Some(at + 1),
            ')' => depth -= 1,
            _ => {}
        }
        at += c.len_utf8();
    }
    None
}

/// How long the word is that `rest` begins with: up to blank, operator or mark; parts in quotes may contain those.
fn word(rest: &str) -> usize {
    let mut at = 0;
    while let Some(c) = rest[at..].chars().next() {
        match c {
            '`' | '"' | '\'' => match quoted(&rest[at..], c) {
                Some(length) => at += length,
                None => break,
            },
            '=' | '!' | '<' | '>' | '~' | '(' | ')' | ';' | ',' => break,
            c if c.is_whitespace() => break,
            c => at += c.len_utf8(),
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_never_closed_is_not_looked_for_again_and_again() {
        let many = 1_000_000;
        let escaped = |quote: char| format!("{quote}{}", format!("\\{quote}").repeat(many));
        for filter in ["(".repeat(many), "('".repeat(many), escaped('\''), escaped('"'), escaped('`')] {
            assert!(tokens(&filter).is_err(), "{}", &filter[..8]);
        }
        assert!(tokens(&"(1, 2) '' \"a\" ".repeat(1_000)).is_ok());
    }
}
