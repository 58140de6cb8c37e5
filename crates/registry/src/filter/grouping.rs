//! Which tokens make a comparison. Whatever stands between comparisons and is not AND is told together.

use super::lexer::{Kind, Token};

/// Tokens that compare something: `left comparator right`; IS NULL has no right.
#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) left: Token,
    /// As written, but one blank between words.
    pub(super) comparator: String,
    pub(super) right: Option<Token>,
}

/// The comparisons of a filter, or the tokens that are part of none.
pub(super) fn comparisons(tokens: Vec<Token>) -> Result<Vec<Comparison>, Vec<Token>> {
    let (mut found, mut strays) = (Vec::new(), Vec::new());
    let mut rest = tokens.as_slice();
    let mut expects_and = false;
    while let Some(first) = rest.first() {
        if first.is_word("and") {
            expects_and = false;
            rest = &rest[1..];
        } else if let Some((comparison, length)) = comparison(rest).filter(|_| !expects_and) {
            found.push(comparison);
            expects_and = true;
            rest = &rest[length..];
        } else {
            expects_and = false;
            strays.push(first.clone());
            rest = &rest[1..];
        }
    }
    if strays.is_empty() { Ok(found) } else { Err(strays) }
}

/// The comparison that `tokens` begin with, and of how many it is.
fn comparison(tokens: &[Token]) -> Option<(Comparison, usize)> {
    let words = |expected: &[&str]| {
        let words = tokens.get(1..=expected.len())?;
        let same = words.iter().zip(expected).all(|(token, word)| token.is_word(word));
        same.then(|| (words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" "), expected.len() + 1))
    };
    let left = tokens.first().filter(|token| token.is_value())?;
    let of = |comparator: String, right: Option<&Token>, length: usize| {
        Some((Comparison { left: left.clone(), comparator, right: right.cloned() }, length))
    };
    if let Some(operator) = tokens.get(1).filter(|token| token.kind == Kind::Operator) {
        let right = tokens.get(2).filter(|token| token.is_value())?;
        return of(operator.text.clone(), Some(right), 3);
    }
    if !left.is_identifier() {
        return None;
    }
    if let Some((comparator, length)) = words(&["in"]).or_else(|| words(&["not", "in"])) {
        let right = tokens.get(length).filter(|token| token.is_list())?;
        return of(comparator, Some(right), length + 1);
    }
    let (comparator, length) = words(&["is", "null"]).or_else(|| words(&["is", "not", "null"]))?;
    of(comparator, None, length)
}
