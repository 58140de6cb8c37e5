//! Just enough of an HTTP client to see whether a port answers; everything else speaks through the stock clients.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Context as _;

/// A server that takes longer has failed the check.
const PATIENCE: Duration = Duration::from_secs(10);

/// Status and body of one GET.
pub(crate) fn get(address: &str, path: &str) -> anyhow::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\nAccept: */*\r\nConnection: close\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).with_context(|| format!("read the answer of {address}{path}"))?;
    parse(&String::from_utf8_lossy(&bytes)).with_context(|| format!("{address}{path} did not answer in HTTP"))
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_status_and_a_body() {
        assert_eq!(parse("HTTP/1.0 404 Not Found\r\nA: b\r\n\r\nno\r\n\r\n"), Some((404, "no\r\n\r\n".to_owned())));
        assert_eq!(parse("SSH-2.0-OpenSSH"), None);
    }
}
