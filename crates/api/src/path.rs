//! Paths of requests that are no text: refused in the shape of their route, before a handler's own reading of its path
//! would refuse them in none.

use crate::error::Error;

/// Refuses a path whose decoded bytes are no UTF-8.
///
/// # Errors
/// [`types::ErrorKind::InvalidArgument`].
pub(crate) fn check(path: &str) -> Result<(), Error> {
    match String::from_utf8(decoded(path.as_bytes())) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::invalid(format!("the path `{path}` is no text in UTF-8"))),
    }
}

/// Each `%` with two digits as its byte, once.
fn decoded(path: &[u8]) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::with_capacity(path.len()), path);
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *first == b'%');
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let byte = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        for text in ["/a/b", "/a%20b", "/%C3%A4", "/100%", "/%zz", "/%2", "/%+1"] {
            assert!(check(text).is_ok(), "{text}");
        }
        for bytes in ["/%ff", "/a/%C3/b", "/%e4%20"] {
            assert!(check(bytes).is_err(), "{bytes}");
        }
    }
}
