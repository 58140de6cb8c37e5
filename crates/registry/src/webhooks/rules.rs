//! What a webhook may be called and where it may go, with MLflow's texts.

use url::Url;

use crate::{
    error::{Error, Result},
    rules::python_repr,
};

/// Characters of a name.
const NAME: usize = 63;
/// Characters of a URL that the column holds.
const URL: usize = 500;
/// Characters of a description that the column holds.
const DESCRIPTION: usize = 1_000;
/// Characters of an encrypted secret that the column holds.
const SECRET: usize = 1_000;

/// Checks a name.
pub(super) fn check_name(name: &str) -> Result<()> {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let inner = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if inner && ends(name.chars().next()) && ends(name.chars().last()) && name.len() <= NAME {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "Webhook name {} is invalid. It must start and end with a letter or digit, be less than 63 characters long, and \
         contain only letters, digits, dots (.), underscores (_), and hyphens (-).",
        python_repr(name)
    )))
}

/// Checks a description.
pub(super) fn check_description(description: &str) -> Result<()> {
    check_length("description", DESCRIPTION, description)
}

/// Checks an encrypted secret. Each three bytes of a secret are four characters of it.
pub(super) fn check_encrypted(secret: &str) -> Result<()> {
    if secret.len() <= SECRET {
        return Ok(());
    }
    Err(Error::invalid("'secret' is too long: encrypted, it has more than 1000 characters"))
}

fn check_length(what: &str, limit: usize, text: &str) -> Result<()> {
    if text.chars().count() <= limit {
        return Ok(());
    }
    Err(Error::invalid(format!("'{what}' exceeds the maximum length of {limit} characters")))
}

/// Reads a URL, if it has one of `schemes` and names a host. Whether the host may be spoken to is for the sender to say.
pub(super) fn parse_url(text: &str, schemes: &[String]) -> Result<Url> {
    let repr = || python_repr(text);
    if text.trim().is_empty() {
        return Err(Error::invalid(format!("Webhook URL cannot be empty or just whitespace: {}", repr())));
    }
    check_length("url", URL, text)?;
    let (scheme, rest) = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)).unwrap_or(("", text));
    let authority = rest.strip_prefix("//").map(|rest| rest.split(['/', '?', '#', '\\']).next().unwrap_or_default());
    let authority = authority.unwrap_or_default();
    if authority.contains('[') != authority.contains(']') {
        return Err(Error::invalid(format!("Invalid webhook URL {}: ValueError('Invalid IPv6 URL')", repr())));
    }
    let scheme = scheme.to_ascii_lowercase();
    if !schemes.contains(&scheme) {
        return Err(Error::invalid(format!(
            "Invalid webhook URL scheme: {}. Allowed schemes are: {}.",
            python_repr(&scheme),
            schemes.join(", ")
        )));
    }
    let host = authority.rsplit('@').next().unwrap_or_default();
    if host.is_empty() || host.starts_with(':') {
        return Err(Error::invalid(format!("Webhook URL must include a hostname: {}", repr())));
    }
    Url::parse(text).map_err(|error| Error::invalid(format!("Invalid webhook URL {}: {error}", repr())))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_refused_in_mlflows_words() {
        let schemes = ["http", "https"].map(str::to_owned);
        for (url, text) in [
            ("   ", "Webhook URL cannot be empty or just whitespace: '   '"),
            ("ftp://1.1.1.1", "Invalid webhook URL scheme: 'ftp'. Allowed schemes are: http, https."),
            ("foo", "Invalid webhook URL scheme: ''. Allowed schemes are: http, https."),
            ("http://[invalid", "Invalid webhook URL 'http://[invalid': ValueError('Invalid IPv6 URL')"),
            ("http://", "Webhook URL must include a hostname: 'http://'"),
            // Not the host `x`, as browsers read it.
            ("http:///x", "Webhook URL must include a hostname: 'http:///x'"),
            ("http:x", "Webhook URL must include a hostname: 'http:x'"),
            ("http://user@:80/", "Webhook URL must include a hostname: 'http://user@:80/'"),
        ] {
            assert_eq!(parse_url(url, &schemes).unwrap_err().to_string(), text);
        }
        assert_eq!(parse_url("HTTPS://Example.com/x", &schemes).unwrap().host_str(), Some("example.com"));
        assert_eq!(parse_url("http://2130706433/x", &schemes).unwrap().host_str(), Some("127.0.0.1"));
        assert!(parse_url(&format!("https://a/{}", "x".repeat(500)), &schemes).is_err());
    }

    #[test]
    fn names_begin_and_end_with_letters_or_digits() {
        for name in ["a", "A1", "a.b_c-d", &"x".repeat(63)] {
            check_name(name).unwrap();
        }
        for name in ["", "-", "-a", "a.", "a b", "ä", "a'b", &"x".repeat(64)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
