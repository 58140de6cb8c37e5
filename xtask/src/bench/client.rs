//! A keep-alive HTTP/1.1 client that costs little: one blocking socket, requests that are ready bytes, answers that are
//! counted and not looked into. What it takes from the machine is taken from the servers that it measures.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::linux::net::TcpStreamExt as _;
use std::time::Duration;

use anyhow::{Context as _, bail};

/// A call that takes longer than this has failed, whatever comes after it.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// How a client treats the two packets that some servers answer in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acknowledge {
    /// As every client does: the kernel may wait 40 ms before it acknowledges the first packet, and a server that waits for
    /// that with its second one (Nagle's algorithm) stalls for as long.
    Lazily,
    /// `TCP_QUICKACK` before each answer: no stall.
    AtOnce,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Client {
    address: String,
    stream: TcpStream,
    acknowledge: Acknowledge,
    buffer: Vec<u8>,
}

/// What was answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Where the body lies in the buffer.
    body: (usize, usize),
}

impl Client {
    pub(super) fn connect(address: &str, acknowledge: Acknowledge) -> anyhow::Result<Self> {
        Ok(Self { address: address.to_owned(), stream: open(address)?, acknowledge, buffer: vec![0; 1 << 16] })
    }

    /// Takes a new connection: servers close them when they are idle, and MLflow's when a worker did not answer its
    /// supervisor in time.
    pub(super) fn reconnect(&mut self) -> anyhow::Result<()> {
        self.stream = open(&self.address)?;
        Ok(())
    }

    /// Sends a request and reads its whole answer.
    pub(super) fn call(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(request).context("send")?;
        let (mut filled, mut head_end) = (0, None);
        loop {
            if self.acknowledge == Acknowledge::AtOnce {
                // It holds only until the next packet.
                self.stream.set_quickack(true)?;
            }
            if filled == self.buffer.len() {
                self.buffer.resize(filled * 2, 0);
            }
            let read = self.stream.read(&mut self.buffer[filled..]).context("read the answer")?;
            if read == 0 {
                bail!("the server closed the connection in the middle of an answer");
            }
            filled += read;
            if head_end.is_none() {
                head_end = Head::parse(&self.buffer[..filled])?;
            }
            let Some(head) = &head_end else { continue };
            let complete = match head.length {
                Some(length) => filled >= head.end + length,
                None => self.buffer[head.end..filled].ends_with(b"0\r\n\r\n"),
            };
            if complete {
                return Ok(Answer { status: head.status, body: (head.end, filled) });
            }
        }
    }

    /// The body of the last answer.
    pub(super) fn body(&self, answer: Answer) -> &[u8] {
        &self.buffer[answer.body.0..answer.body.1]
    }

    /// Calls, on a second connection if the first one breaks, and reads the answer as JSON; anything but 200 is a failure.
    pub(super) fn json(&mut self, request: &[u8]) -> anyhow::Result<serde_json::Value> {
        let answer = match self.call(request) {
            Ok(answer) => answer,
            Err(_) => {
                self.reconnect()?;
                self.call(request)?
            }
        };
        let body = String::from_utf8_lossy(self.body(answer)).into_owned();
        if answer.status != 200 {
            bail!(
                "{} answered {}: {body}",
                String::from_utf8_lossy(request).lines().next().unwrap_or(""),
                answer.status
            );
        }
        serde_json::from_str(&body).with_context(|| format!("not JSON: {body}"))
    }
}

fn open(address: &str) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

#[derive(Debug)]
struct Head {
    status: u16,
    end: usize,
    /// Absent when the body comes in chunks.
    length: Option<usize>,
}

impl Head {
    /// The head of an answer, if it is there whole.
    fn parse(bytes: &[u8]) -> anyhow::Result<Option<Self>> {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
        let text = std::str::from_utf8(&bytes[..end]).context("a head that is no text")?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).context("a status line")?;
        let (mut length, mut chunked) = (None, false);
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.trim().parse().context("a content length")?);
            }
            chunked |= name.eq_ignore_ascii_case("transfer-encoding") && value.trim().eq_ignore_ascii_case("chunked");
        }
        let length = if chunked { None } else { Some(length.unwrap_or(0)) };
        Ok(Some(Self { status, end: end + 4, length }))
    }
}

/// A GET, ready to be sent.
pub(super) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n").into_bytes()
}

/// A POST of JSON, ready to be sent.
pub(super) fn post(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_where_the_body_ends() {
        let head = Head::parse(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap().unwrap();
        assert_eq!((head.status, head.end, head.length), (200, 38, Some(2)));
        let head = Head::parse(b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap().unwrap();
        assert_eq!((head.status, head.length), (404, None));
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\ncontent-").unwrap().is_none());
    }
}
