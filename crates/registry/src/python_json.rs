//! JSON as Python writes it, for what MLflow keeps as text: clients compare it as such.

use std::io;

use serde::Serialize as _;
use serde_json::{Serializer, Value as Json, ser::Formatter};

struct Python;

impl Formatter for Python {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.begin_array_value(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for character in fragment.chars() {
            if character.is_ascii() {
                writer.write_all(&[character as u8])?;
            } else {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

/// `value` as Python's `json.dumps` writes it.
pub(crate) fn python_json(value: &Json) -> String {
    let mut text = Vec::new();
    // Memory takes everything, and a value has only keys that are text.
    let written = value.serialize(&mut Serializer::with_formatter(&mut text, Python));
    debug_assert!(written.is_ok());
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_what_python_writes() {
        let value = json!([{ "name": "m \"ü😀\n", "version": 1 }, [], {}, null, 1.5, true]);
        let text = r#"[{"name": "m \"\u00fc\ud83d\ude00\n", "version": 1}, [], {}, null, 1.5, true]"#;
        assert_eq!(python_json(&value), text);
    }
}
