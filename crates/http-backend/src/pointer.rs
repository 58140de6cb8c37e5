//! Where in an answer an element is: a JSON pointer, or `1 - ` and one, for servers that tell the probability of one class.

use serde_json::Value as Json;

/// What makes an element the rest to 1.
const REST: &str = "1 - ";
/// The most letters of an answer that a message quotes: enough to recognize an error page.
const QUOTED: usize = 160;

/// The place of one element, or of an array of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pointer {
    path: String,
    rest: bool,
}

impl Pointer {
    /// Parses RFC 6901's syntax, with or without `1 - ` before it. The empty pointer is the whole answer.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (path, rest) = text.strip_prefix(REST).map_or((text, false), |path| (path, true));
        let mut escapes = path.split('~').skip(1);
        if !(path.is_empty() || path.starts_with('/')) {
            return Err(format!("`{text}` is no JSON pointer: one begins with `/`, as in `/score` or `1 - /score`"));
        }
        if escapes.any(|after| !after.starts_with(['0', '1'])) {
            return Err(format!("`{text}` is no JSON pointer: `~` is written `~0`"));
        }
        Ok(Self { path: path.to_owned(), rest })
    }

    /// Whether the element is 1 less what is there.
    pub(crate) const fn is_rest(&self) -> bool {
        self.rest
    }

    /// What is at this place.
    pub(crate) fn find<'a>(&self, answer: &'a Json) -> Option<&'a Json> {
        answer.pointer(&self.path)
    }

    /// The place, for messages.
    pub(crate) fn place(&self) -> &str {
        if self.path.is_empty() { "the whole answer" } else { &self.path }
    }
}

/// A JSON value as a message quotes it.
pub(crate) fn quoted(value: &Json) -> String {
    let kind = match value {
        Json::Null => return "null".to_owned(),
        Json::Bool(_) => "the truth value ",
        Json::Number(_) => "the number ",
        Json::String(_) => "the text ",
        Json::Array(_) => "the array ",
        Json::Object(_) => "the object ",
    };
    format!("{kind}{}", excerpt(&value.to_string()))
}

/// The beginning of a text, in one line.
pub(crate) fn excerpt(text: &str) -> String {
    let line: String = text.trim().chars().take(QUOTED).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.trim().chars().nth(QUOTED).is_some() { format!("{line}…") } else { line }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pointers_find_what_is_there_and_tell_the_rest_to_one() {
        let answer = json!({ "a/b": [1, { "score": 0.25 }] });
        let pointer = Pointer::parse("1 - /a~1b/1/score").unwrap();
        assert_eq!((pointer.is_rest(), pointer.find(&answer)), (true, Some(&json!(0.25))));
        assert_eq!(Pointer::parse("/a~1b/2").unwrap().find(&answer), None);
        assert_eq!(Pointer::parse("").unwrap().find(&answer), Some(&answer));
    }

    #[test]
    fn what_is_no_pointer_is_refused_with_an_example() {
        for text in ["score", "1-/score", "2 - /score", "/a~b", "$.score"] {
            assert!(Pointer::parse(text).unwrap_err().contains(text), "{text}");
        }
    }

    #[test]
    fn quotes_are_short_and_in_one_line() {
        assert_eq!(quoted(&json!("a\nb")), r#"the text "a\nb""#);
        assert!(excerpt(&"<html>\n".repeat(100)).chars().count() <= QUOTED + 1);
    }
}
