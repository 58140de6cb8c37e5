//! Bodies: bounded, decompressed, and taken apart into the JSON header and the binary tensors behind it.

use std::io::{self, Read, Write};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use flate2::{
    Compression,
    read::{GzDecoder, ZlibDecoder},
    write::{GzEncoder, ZlibEncoder},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE},
};
use serde_json::json;

use super::{LARGE_BODY, LARGEST_BODY};
use crate::error::{Error, InferenceError};

/// Tells how many bytes of a body are JSON; the rest are binary tensors.
const HEADER_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");

/// A request's body, taken apart.
#[derive(Debug)]
pub(super) struct Parts {
    /// The JSON header.
    pub(super) json: Bytes,
    /// The binary tensors, one after another.
    pub(super) binary: Bytes,
}

/// Why a body was not read.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It is larger than allowed.
    TooLarge,
    /// It is encoded in a way that is not known.
    Encoding(String),
    /// Anything else.
    Invalid(String),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let with =
            |status: StatusCode, message: String| (status, axum::Json(json!({ "error": message }))).into_response();
        match self {
            Self::TooLarge => {
                with(StatusCode::PAYLOAD_TOO_LARGE, format!("the request is larger than {LARGEST_BODY} bytes"))
            }
            Self::Encoding(encoding) => with(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("Content-Encoding `{encoding}` is not supported: use gzip, deflate or none"),
            ),
            Self::Invalid(message) => InferenceError(Error::invalid(message)).into_response(),
        }
    }
}

/// Reads a request's body.
pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Parts, Refusal> {
    let encoding = Encoding::of_request(headers)?;
    let json_length = json_length(headers)?;
    let raw = axum::body::to_bytes(body, LARGEST_BODY).await.map_err(|error| {
        let too_large =
            std::error::Error::source(&error).is_some_and(|cause| cause.is::<http_body_util::LengthLimitError>());
        if too_large { Refusal::TooLarge } else { Refusal::Invalid("the body was cut off".to_owned()) }
    })?;
    let inflated = match encoding {
        None => raw,
        Some(encoding) if raw.len() > LARGE_BODY => runtime::blocking(move || encoding.inflate(&raw)).await?,
        Some(encoding) => encoding.inflate(&raw)?,
    };
    let mut json = inflated;
    let length = json_length.unwrap_or(json.len());
    if length > json.len() {
        let sent = json.len();
        return Err(Refusal::Invalid(format!("{HEADER_LENGTH} is {length}, but the body has {sent} bytes")));
    }
    let binary = json.split_off(length);
    Ok(Parts { json, binary })
}

fn json_length(headers: &HeaderMap) -> Result<Option<usize>, Refusal> {
    let Some(value) = headers.get(HEADER_LENGTH) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| Refusal::Invalid(format!("{HEADER_LENGTH} is not a number of bytes")))
}

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// `gzip`.
    Gzip,
    /// `deflate`, in zlib's wrapping, as HTTP has it.
    Deflate,
}

impl Encoding {
    fn of_request(headers: &HeaderMap) -> Result<Option<Self>, Refusal> {
        let Some(value) = headers.get(CONTENT_ENCODING) else { return Ok(None) };
        match value.to_str().unwrap_or_default().trim() {
            "" | "identity" => Ok(None),
            text => Self::parse(text).map(Some).ok_or_else(|| Refusal::Encoding(text.to_owned())),
        }
    }

    /// What the caller wants of the answer.
    pub(super) fn of_answer(headers: &HeaderMap) -> Option<Self> {
        let accepted = headers.get(ACCEPT_ENCODING)?.to_str().ok()?;
        accepted.split(',').find_map(|choice| match choice.split_once(';') {
            Some((_, weight)) if weight.replace(' ', "") == "q=0" => None,
            Some((name, _)) => Self::parse(name.trim()),
            None => Self::parse(choice.trim()),
        })
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }

    /// Decompresses, up to the largest body: a small body that would become a huge one is refused on the way.
    fn inflate(self, raw: &[u8]) -> Result<Bytes, Refusal> {
        let limit = u64::try_from(LARGEST_BODY).unwrap_or(u64::MAX);
        let mut inflated = Vec::new();
        let outcome = match self {
            Self::Gzip => GzDecoder::new(raw).take(limit + 1).read_to_end(&mut inflated),
            Self::Deflate => ZlibDecoder::new(raw).take(limit + 1).read_to_end(&mut inflated),
        };
        outcome.map_err(|_| Refusal::Invalid(format!("the body is not valid {}", self.name())))?;
        if inflated.len() > LARGEST_BODY { Err(Refusal::TooLarge) } else { Ok(inflated.into()) }
    }

    fn deflate(self, plain: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(plain)?;
                encoder.finish()
            }
            Self::Deflate => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(plain)?;
                encoder.finish()
            }
        }
    }
}

/// An answer: its JSON header, and the binary tensors behind it, if there are any.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The JSON header.
    pub(super) json: Vec<u8>,
    /// The binary tensors, in order.
    pub(super) binary: Vec<Bytes>,
}

impl Answer {
    /// The HTTP response, compressed if the caller wants it.
    pub(super) fn into_response(self, encoding: Option<Encoding>) -> Result<Response, Error> {
        let Self { json: mut body, binary } = self;
        let json_length = body.len();
        let has_binary = !binary.is_empty();
        for tensor in binary {
            body.extend_from_slice(&tensor);
        }
        let mut headers = HeaderMap::new();
        let media = if has_binary { "application/octet-stream" } else { "application/json" };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
        if has_binary {
            headers.insert(HEADER_LENGTH, HeaderValue::from(json_length));
        }
        if let Some(encoding) = encoding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
            body = encoding.deflate(&body).map_err(|error| Error::of(types::ErrorKind::Internal, &error))?;
        }
        Ok((headers, body).into_response())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[tokio::test]
    async fn compressed_bodies_are_taken_apart_after_decompression() {
        for encoding in [Encoding::Gzip, Encoding::Deflate] {
            let body = encoding.deflate(b"{}\x01\x02").unwrap();
            let headers = headers(&[(CONTENT_ENCODING, encoding.name()), (HEADER_LENGTH, "2")]);
            let parts = read(&headers, Body::from(body)).await.unwrap();
            assert_eq!((&parts.json[..], &parts.binary[..]), (&b"{}"[..], &b"\x01\x02"[..]));
        }
    }

    #[tokio::test]
    async fn bodies_that_are_too_large_or_lie_about_themselves_are_refused() {
        let bomb = Encoding::Gzip.deflate(&vec![0; LARGEST_BODY + 1]).unwrap();
        let refusal = read(&headers(&[(CONTENT_ENCODING, "gzip")]), Body::from(bomb)).await.unwrap_err();
        assert!(matches!(refusal, Refusal::TooLarge), "{refusal:?}");
        let refusal = read(&HeaderMap::new(), Body::from(vec![0; LARGEST_BODY + 1])).await.unwrap_err();
        assert!(matches!(refusal, Refusal::TooLarge), "{refusal:?}");
        let refusal = read(&headers(&[(HEADER_LENGTH, "3")]), Body::from("{}")).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Invalid(_)), "{refusal:?}");
        let refusal = read(&headers(&[(CONTENT_ENCODING, "gzip")]), Body::from("{}")).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Invalid(_)), "{refusal:?}");
        let refusal = read(&headers(&[(CONTENT_ENCODING, "br")]), Body::from("{}")).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Encoding(_)), "{refusal:?}");
    }

    #[test]
    fn an_encoding_that_the_caller_excludes_is_not_used() {
        assert_eq!(
            Encoding::of_answer(&headers(&[(ACCEPT_ENCODING, "br, gzip;q=0, deflate")])),
            Some(Encoding::Deflate)
        );
        assert_eq!(Encoding::of_answer(&headers(&[(ACCEPT_ENCODING, "identity")])), None);
    }
}
