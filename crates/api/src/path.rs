//! Paths of requests that are no text: refused in the shape of their route, before a handler's own reading of its path
//! would refuse them in none.

use crate::error::Error;

/// Refuses a path whose decoded bytes are no UTF-8.
///
/// # Errors
/// [`types::ErrorKind::InvalidArgument`].
pub(crate) fn check(path: &str) -> Result<(), Error> {
    match String::from_utf8(types::percent_decoded_bytes(path.as_bytes())) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::invalid(format!("the path `{path}` is no text in UTF-8"))),
    }
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
