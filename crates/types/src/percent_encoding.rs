//! Percent-encoding, read: the only reader of it, so that no two parts of the house see another text in the same bytes.
//!
//! Decoding happens once per call. Whoever looks for what must not be there decodes until nothing changes.

/// `text` with each `%` and two hexadecimal digits replaced by that byte, once. A `%` without them stays as it is.
#[must_use]
pub fn percent_decoded_bytes(text: &[u8]) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((&first, after)) = rest.split_first() {
        match escaped(first, after) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    bytes
}

/// As [`percent_decoded_bytes`], as text: bytes that are not UTF-8 become U+FFFD.
#[must_use]
pub fn percent_decoded(text: &str) -> String {
    String::from_utf8_lossy(&percent_decoded_bytes(text.as_bytes())).into_owned()
}

/// The byte that `first` and the two digits after it stand for.
fn escaped(first: u8, after: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
    if first != b'%' {
        return None;
    }
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_read_once_and_the_rest_stays() {
        for (text, decoded) in [
            ("a%20b", "a b"),
            ("%C3%a4", "ä"),
            ("%252e", "%2e"),
            ("100%", "100%"),
            ("%zz%2", "%zz%2"),
            ("%+1%é", "%+1%é"),
            ("%e4", "\u{fffd}"),
        ] {
            assert_eq!(percent_decoded(text), decoded, "{text}");
        }
        assert_eq!(percent_decoded_bytes(b"%ff%00"), [0xff, 0]);
    }
}
