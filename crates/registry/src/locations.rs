//! Where an experiment may keep its artifacts: MLflow's rules for such a URI, with its texts.
//!
//! One of its rules is not here. MLflow refuses URIs that name a host, since it would ask that host; this server asks none.

use types::percent_decoded;

use crate::error::{Error, Result};

/// Characters of a location.
const LONGEST: usize = 2_048;
/// Rounds of percent-decoding, after which MLflow gives up.
const DECODINGS: usize = 10;
/// Schemes in whose URIs a `;` in the last part of the path begins parameters, as Python reads them; empty for none.
const WITH_PARAMS: [&str; 16] = [
    "", "ftp", "hdl", "http", "https", "imap", "mms", "prospero", "rtsp", "rtsps", "rtspu", "sftp", "shttp", "sip",
    "sips", "tel",
];

/// Refuses what is no place for artifacts.
pub(crate) fn check(location: &str) -> Result<()> {
    let (before, fragment) = location.split_once('#').unwrap_or((location, ""));
    let (path, query) = before.split_once('?').unwrap_or((before, ""));
    if !fragment.is_empty() || has_params(path) {
        return Err(Error::invalid("'artifact_location' URL can't include fragments or params."));
    }
    if leads_up(query) {
        return Err(Error::invalid("Invalid query string"));
    }
    if location.starts_with("runs:") {
        return Err(Error::invalid(format!("Artifact location cannot be a runs:/ URI. Given: '{location}'")));
    }
    if location.chars().count() > LONGEST {
        return Err(Error::invalid(format!(
            "Invalid artifact path length. The length of the artifact path cannot be greater than {LONGEST} characters. \
             To configure this limit, please set the MLFLOW_ARTIFACT_LOCATION_MAX_LENGTH environment variable."
        )));
    }
    Ok(())
}

/// The scheme of a URI, in small letters; empty for a path.
fn scheme(uri: &str) -> String {
    let is_scheme = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    };
    let scheme = uri.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| is_scheme(scheme));
    scheme.unwrap_or_default().to_ascii_lowercase()
}

fn has_params(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    let params = last.split_once(';').is_some_and(|(_, params)| !params.is_empty());
    params && WITH_PARAMS.contains(&scheme(path).as_str())
}

/// Whether a query has `..` in any encoding.
fn leads_up(query: &str) -> bool {
    let mut form = query.to_owned();
    for _ in 0..DECODINGS {
        let decoded = percent_decoded(&form);
        if decoded == form {
            return form.contains("..");
        }
        form = decoded;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_uri_without_what_could_lead_elsewhere() {
        for location in ["", "mine", "s3://b/x;y", "file:///a;b", "s3://b/x?y=1", "C:/x", "x#", "a;", "b/c;d/e"] {
            assert!(check(location).is_ok(), "{location}");
        }
        for (location, told) in [
            ("s3://b/x#y", "can't include fragments or params"),
            ("/a;b", "can't include fragments or params"),
            ("http://h/a;b", "can't include fragments or params"),
            ("a b:c;d", "can't include fragments or params"),
            ("s3://b/x?../y", "Invalid query string"),
            ("s3://b/x?%252e%2e", "Invalid query string"),
            ("runs:/x", "cannot be a runs:/ URI"),
            ("x".repeat(2_049).as_str(), "set the MLFLOW_ARTIFACT_LOCATION_MAX_LENGTH environment variable."),
        ] {
            let said = check(location).unwrap_err().to_string();
            assert!(said.contains(told), "{location}: {said}");
        }
    }
}
