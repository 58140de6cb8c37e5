//! The checks of single values of a declaration.

use types::{Duration, TensorSpec, TensorType};
use url::Url;

use super::Described;
use crate::{
    Error,
    template::{Names, Text},
};

/// The most elements that a row of one output has.
const WIDEST: usize = 65_536;
/// The longest timeout: whoever waits longer for an answer wants another protocol.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(300);

pub(super) fn tensors(what: &str, described: &[Described]) -> Result<Vec<TensorSpec>, Error> {
    if described.is_empty() {
        return Err(Error::invalid(what, "is empty"));
    }
    let mut specs: Vec<TensorSpec> = Vec::with_capacity(described.len());
    for Described { name, datatype, shape } in described {
        let at = format!("{what}.{name}");
        if name.is_empty() || name.contains(['{', '}', '$']) {
            return Err(Error::invalid(at, "a name is not empty and has no `$`, `{` and `}`"));
        }
        if specs.iter().any(|spec| spec.name == *name) {
            return Err(Error::invalid(at, "is declared twice"));
        }
        let fits = matches!(shape.as_slice(), [-1, inner @ ..] if inner.iter().all(|size| *size > 0));
        let spec = TensorSpec { name: name.clone(), datatype: *datatype, shape: shape.clone() };
        if !fits || width(&spec) > WIDEST {
            let problem = format!(
                "has the shape {shape:?}; the first dimension counts rows and is -1, the others are known and hold at \
                 most {WIDEST} elements"
            );
            return Err(Error::invalid(at, problem));
        }
        specs.push(spec);
    }
    Ok(specs)
}

/// Elements of a row.
pub(super) fn width(spec: &TensorSpec) -> usize {
    let size = |size: &i64| usize::try_from(*size).unwrap_or(usize::MAX);
    spec.shape.iter().skip(1).map(size).fold(1, usize::saturating_mul)
}

pub(super) const fn is_float(datatype: TensorType) -> bool {
    match datatype {
        TensorType::Fp16 | TensorType::Bf16 | TensorType::Fp32 | TensorType::Fp64 => true,
        TensorType::Bool
        | TensorType::Uint8
        | TensorType::Uint16
        | TensorType::Uint32
        | TensorType::Uint64
        | TensorType::Int8
        | TensorType::Int16
        | TensorType::Int32
        | TensorType::Int64
        | TensorType::Bytes => false,
    }
}

/// The URL with its places, which are behind the host.
pub(super) fn url(declared: &str, names: Names<'_>) -> Result<Text, Error> {
    let at = |problem: String| Error::invalid("url", problem);
    let text = Text::compile(declared, Names { rows: false, ..names }).map_err(at)?;
    if let Some(first) = declared.find("${") {
        let host = declared.find("://").map_or(0, |at| at + 3);
        let path = declared[host..].find(['/', '?', '#']).map_or(declared.len(), |at| host + at);
        if first < path {
            return Err(at(format!(
                "`{declared}` has a placeholder in the server's name; it may be in path and query"
            )));
        }
    }
    absolute(declared)?;
    Ok(text)
}

/// An absolute URL, or the error that says why it is none.
fn absolute(declared: &str) -> Result<Url, Error> {
    let invalid = |problem: String| Error::invalid("url", problem);
    // Places stand for anything; a letter is as good as any.
    let mut plain = String::new();
    let mut rest = declared;
    while let Some((before, after)) = rest.split_once("${") {
        plain.push_str(before);
        plain.push('x');
        rest = after.split_once('}').map_or("", |(_, behind)| behind);
    }
    plain.push_str(rest);
    let url = Url::parse(&plain).map_err(|error| invalid(format!("`{declared}` is no URL: {error}")))?;
    if !is_http(&url) {
        return Err(invalid(format!("`{declared}` does not begin with `http://` or `https://`")));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("holds a user or a password; an artifact is no place for secrets".to_owned()));
    }
    Ok(url)
}

fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

/// The URL that is asked at load: a path on the same server, or a URL.
pub(super) fn health(declared_url: &str, health: &str) -> Result<Url, Error> {
    let base = absolute(declared_url)?;
    let url = base.join(health).map_err(|error| Error::invalid("health", format!("`{health}` is no URL: {error}")))?;
    if is_http(&url) && url.username().is_empty() && url.password().is_none() {
        Ok(url)
    } else {
        Err(Error::invalid("health", format!("`{health}` is no path and no URL of HTTP without a password")))
    }
}

pub(super) fn timeout(timeout: Duration) -> Result<Duration, Error> {
    if timeout.as_micros() > 0 && timeout <= LONGEST_TIMEOUT {
        Ok(timeout)
    } else {
        Err(Error::invalid("timeout", format!("is {timeout}; it is more than 0s and at most {LONGEST_TIMEOUT}")))
    }
}

pub(super) fn concurrency(concurrency: u16) -> Result<u16, Error> {
    if concurrency > 0 { Ok(concurrency) } else { Err(Error::invalid("concurrency", "is 0: nothing could be called")) }
}
