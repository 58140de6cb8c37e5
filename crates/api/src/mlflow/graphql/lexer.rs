//! The words of GraphQL.

use serde_json::{Number, Value as Json};

/// One word.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A single character such as `{`, or `.` for three of them.
    Mark(char),
    Name(String),
    Number(Number),
    Text(String),
}

impl Token {
    /// How messages show it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Mark('.') => "'...'".to_owned(),
            Self::Mark(mark) => format!("'{mark}'"),
            Self::Name(name) => format!("Name '{name}'"),
            Self::Number(number) => format!("Number '{number}'"),
            Self::Text(text) => format!("String '{text}'"),
        }
    }
}

/// The words of `source`.
pub(super) fn tokens(source: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = source.strip_prefix('\u{feff}').unwrap_or(source);
    while let Some(first) = rest.chars().next() {
        let length = match first {
            ' ' | '\t' | '\n' | '\r' | ',' => 1,
            '#' => rest.find(['\n', '\r']).unwrap_or(rest.len()),
            '!' | '$' | '&' | '(' | ')' | ':' | '=' | '@' | '[' | ']' | '{' | '|' | '}' => {
                tokens.push(Token::Mark(first));
                1
            }
            '.' if rest.starts_with("...") => {
                tokens.push(Token::Mark('.'));
                3
            }
            '"' if rest.starts_with("\"\"\"") => block(rest, &mut tokens)?,
            '"' => text(rest, &mut tokens)?,
            '_' | 'a'..='z' | 'A'..='Z' => {
                let length = rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
                tokens.push(Token::Name(rest[..length].to_owned()));
                length
            }
            '-' | '0'..='9' => {
                let length =
                    rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')).unwrap_or(rest.len());
                let written = &rest[..length];
                let number = serde_json::from_str(written).map_err(|_| format!("Invalid number '{written}'."))?;
                tokens.push(Token::Number(number));
                length
            }
            other => return Err(format!("Unexpected character: '{other}'.")),
        };
        rest = &rest[length..];
    }
    Ok(tokens)
}

/// A text in quotes, whose escapes are JSON's; answers its length with them.
fn text(rest: &str, tokens: &mut Vec<Token>) -> Result<usize, String> {
    let unterminated = || "Unterminated string.".to_owned();
    let mut is_escaped = false;
    for (index, c) in rest.char_indices().skip(1) {
        match c {
            '\n' | '\r' => return Err(unterminated()),
            '"' if !is_escaped => {
                let written = &rest[..=index];
                // A tab may stand in GraphQL's texts and not in JSON's.
                let json: Json = serde_json::from_str(&written.replace('\t', "\\t"))
                    .map_err(|_| format!("Invalid escape in string {written}."))?;
                tokens.push(Token::Text(json.as_str().unwrap_or_default().to_owned()));
                return Ok(index + 1);
            }
            _ => is_escaped = c == '\\' && !is_escaped,
        }
    }
    Err(unterminated())
}

/// A text in three quotes, without the indent that its lines have in common.
fn block(rest: &str, tokens: &mut Vec<Token>) -> Result<usize, String> {
    const QUOTES: &str = "\"\"\"";
    let mut end = 3;
    let length = loop {
        let found = rest[end..].find(QUOTES).ok_or("Unterminated string.")?;
        if !rest[..end + found].ends_with('\\') {
            break end + found;
        }
        end += found + 3;
    };
    let raw = rest[3..length].replace("\\\"\"\"", QUOTES);
    let lines: Vec<&str> = raw.lines().collect();
    let indent_of = |line: &&str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let is_blank = |line: &&str| line.trim_matches([' ', '\t']).is_empty();
    let indent = lines.iter().skip(1).filter(|line| !is_blank(line)).map(indent_of).min().unwrap_or_default();
    let dedented =
        lines.iter().enumerate().map(|(n, line)| if n == 0 { *line } else { line.get(indent..).unwrap_or("") });
    let lines: Vec<&str> = dedented.collect();
    let first = lines.iter().position(|line| !is_blank(line)).unwrap_or(lines.len());
    let last = lines.iter().rposition(|line| !is_blank(line)).map_or(first, |last| last + 1);
    tokens.push(Token::Text(lines[first..last].join("\n")));
    Ok(length + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<String> {
        let text = |token| if let Token::Text(text) = token { text } else { panic!("{token:?}") };
        tokens(source).unwrap().into_iter().map(text).collect()
    }

    #[test]
    fn texts_have_jsons_escapes_and_blocks_have_no_indent() {
        assert_eq!(texts(r#""a\"b\\" "é	\u00e9""#), ["a\"b\\", "é\té"]);
        assert_eq!(texts("\"\"\"\n    one\n      two \\\"\"\"\n  \"\"\""), ["one\n  two \"\"\""]);
    }

    #[test]
    fn commas_and_comments_say_nothing_and_what_is_no_word_is_refused() {
        let marks = [Token::Mark('{'), Token::Name("a".to_owned()), Token::Number(Number::from(-1)), Token::Mark('.')];
        assert_eq!(tokens("\u{feff}{,,a # } \"\n -1 ...").unwrap(), marks);
        for wrong in ["%", "\"open", "\"line\nbreak\"", "\"\"\"open", "1..2", "\"\\q\"", ".."] {
            assert!(tokens(wrong).is_err(), "{wrong}");
        }
    }
}
