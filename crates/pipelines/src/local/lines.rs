//! A process's output, cut into lines as it arrives, and the part of it that becomes `outputs.result`.

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::mpsc,
};

use crate::{
    event::{Line, Stream},
    executor::ExecutorError,
};

/// What Argo hands on as a result or an output parameter at most (an annotation's size).
pub(super) const OUTPUT_LIMIT: usize = 256 * 1024;

/// A longer line is cut in pieces, so that a step that never ends its line cannot fill the memory.
const LINE_LIMIT: usize = 64 * 1024;

/// Standard output, kept up to the limit.
#[derive(Debug, Default)]
pub(super) struct Kept {
    bytes: Vec<u8>,
    too_long: bool,
}

impl Kept {
    fn push(&mut self, bytes: &[u8]) {
        if self.bytes.len() + bytes.len() > OUTPUT_LIMIT {
            self.too_long = true;
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// The text without its last line end, as Argo does it.
    pub(super) fn into_result(self) -> Result<String, ExecutorError> {
        if self.too_long {
            return Err(ExecutorError::OutputTooLong { what: "`outputs.result`".to_owned(), limit: OUTPUT_LIMIT });
        }
        Ok(without_last_line_end(&String::from_utf8_lossy(&self.bytes)))
    }
}

/// The text without one `\n` at its end.
pub(super) fn without_last_line_end(text: &str) -> String {
    text.strip_suffix('\n').unwrap_or(text).to_owned()
}

/// Reads `output` to its end, line by line. Goes on reading when nobody listens, so that the process is not held up.
pub(super) async fn forward(
    output: Option<impl AsyncRead + Unpin>,
    stream: Stream,
    lines: &mpsc::Sender<Line>,
    mut kept: Option<&mut Kept>,
) {
    let Some(mut output) = output else { return };
    let mut chunk = [0; 8192];
    let mut pending: Vec<u8> = Vec::new();
    // A failing read is treated as the end: how the process ended says more.
    while let Ok(length @ 1..) = output.read(&mut chunk).await {
        let mut rest = &chunk[..length];
        if let Some(kept) = &mut kept {
            kept.push(rest);
        }
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            pending.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            send(&mut pending, stream, lines).await;
        }
        pending.extend_from_slice(rest);
        if pending.len() >= LINE_LIMIT {
            send(&mut pending, stream, lines).await;
        }
    }
    if !pending.is_empty() {
        send(&mut pending, stream, lines).await;
    }
}

async fn send(pending: &mut Vec<u8>, stream: Stream, lines: &mpsc::Sender<Line>) {
    let text = String::from_utf8_lossy(pending).trim_end_matches('\r').to_owned();
    pending.clear();
    let _ = lines.send(Line { stream, text }).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_cut_at_their_ends_and_the_last_needs_none() {
        let (sender, mut receiver) = mpsc::channel(16);
        let mut kept = Kept::default();
        forward(Some(&b"one\r\n\ntw\xffo"[..]), Stream::Stdout, &sender, Some(&mut kept)).await;
        drop(sender);
        let mut texts = Vec::new();
        while let Some(line) = receiver.recv().await {
            texts.push(line.text);
        }
        assert_eq!(texts, ["one", "", "tw\u{fffd}o"]);
        assert_eq!(kept.into_result().unwrap(), "one\r\n\ntw\u{fffd}o");
    }

    #[tokio::test]
    async fn more_than_argo_hands_on_is_an_error_not_a_cut() {
        let (sender, receiver) = mpsc::channel(16);
        drop(receiver);
        let long = vec![b'x'; OUTPUT_LIMIT + 1];
        let mut kept = Kept::default();
        forward(Some(&long[..]), Stream::Stdout, &sender, Some(&mut kept)).await;
        let message = kept.into_result().unwrap_err().to_string();
        assert_eq!(message, "`outputs.result` is longer than 262144 bytes, the most that Argo hands on");
    }
}
