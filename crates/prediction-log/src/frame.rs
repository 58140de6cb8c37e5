//! How records lie in a segment: length, checksum, payload.
//!
//! A payload begins with the format byte `0x01` and is one JSON object. JSON never contains that byte, so after a
//! damaged length the next frame can be found again by looking for it. The checksum covers the length too.

use std::ops::Range;

use serde::Serialize;

use crate::Error;

/// What a segment begins with; the last byte is the version of this layout.
pub(crate) const MAGIC: [u8; 8] = *b"XTIELOG\x01";
/// The first byte of every payload of this version.
const FORMAT: u8 = 1;
/// Length and checksum, four bytes each, little-endian.
const HEADER: usize = 8;
/// The longest payload: far above any row, far below what a damaged length could ask to be allocated.
pub(crate) const LONGEST: usize = 16 << 20;

/// Appends the frame of `record` to `frames`.
pub(crate) fn encode(record: &impl Serialize, frames: &mut Vec<u8>) -> Result<(), Error> {
    let start = frames.len();
    frames.extend_from_slice(&[0; HEADER]);
    frames.push(FORMAT);
    serde_json::to_writer(&mut *frames, record).map_err(Error::Encode)?;
    let bytes = frames.len() - start - HEADER;
    let Some(length) = u32::try_from(bytes).ok().filter(|_| bytes <= LONGEST) else {
        frames.truncate(start);
        return Err(Error::TooLong { bytes, limit: LONGEST });
    };
    let length = length.to_le_bytes();
    let checksum = checksum(length, &frames[start + HEADER..]).to_le_bytes();
    frames[start..start + 4].copy_from_slice(&length);
    frames[start + 4..start + HEADER].copy_from_slice(&checksum);
    Ok(())
}

/// What a stretch of frames holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Where the JSON of each sound frame lies.
    pub(crate) payloads: Vec<Range<usize>>,
    /// How many damaged stretches lie between sound frames.
    pub(crate) corrupt: usize,
    /// Where the last sound frame ends. What follows is an unfinished write.
    pub(crate) end: usize,
}

/// Reads the frames in `bytes` from `start`.
pub(crate) fn read(bytes: &[u8], start: usize) -> Reading {
    let mut reading = Reading { end: start, ..Reading::default() };
    let mut at = start;
    let mut is_damaged = false;
    while at < bytes.len() {
        if let Some(payload) = sound_frame(bytes, at) {
            reading.corrupt += usize::from(is_damaged);
            is_damaged = false;
            at = payload.end;
            reading.end = payload.end;
            reading.payloads.push(payload.start + 1..payload.end);
        } else {
            is_damaged = true;
            at = next_candidate(bytes, at);
        }
    }
    reading
}

/// The payload of the frame at `at`, if its checksum holds.
fn sound_frame(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let header = bytes.get(at..at + HEADER)?;
    let length: [u8; 4] = header[..4].try_into().ok()?;
    let expected = u32::from_le_bytes(header[4..].try_into().ok()?);
    let start = at + HEADER;
    let end = start.checked_add(usize::try_from(u32::from_le_bytes(length)).ok()?)?;
    let payload = bytes.get(start..end).filter(|payload| payload.len() <= LONGEST)?;
    (payload.first() == Some(&FORMAT) && checksum(length, payload) == expected).then_some(start..end)
}

/// Where the next frame after `at` may begin: before the next format byte that opens an object.
fn next_candidate(bytes: &[u8], at: usize) -> usize {
    let from = at + 1 + HEADER;
    bytes
        .get(from..)
        .and_then(|rest| rest.windows(2).position(|pair| pair == [FORMAT, b'{']))
        .map_or(bytes.len(), |offset| from + offset - HEADER)
}

fn checksum(length: [u8; 4], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(texts: &[&str]) -> Vec<u8> {
        let mut frames = MAGIC.to_vec();
        for text in texts {
            encode(&serde_json::json!({ "text": text }), &mut frames).unwrap();
        }
        frames
    }

    fn texts(bytes: &[u8], reading: &Reading) -> Vec<String> {
        let text = |range: &Range<usize>| {
            let json: serde_json::Value = serde_json::from_slice(&bytes[range.clone()]).unwrap();
            json["text"].as_str().unwrap().to_owned()
        };
        reading.payloads.iter().map(text).collect()
    }

    #[test]
    fn a_last_frame_cut_anywhere_is_unfinished_and_the_rest_stands() {
        let whole = frames(&["first", "second", "third"]);
        let kept = frames(&["first", "second"]).len();
        for cut in kept..whole.len() {
            let reading = read(&whole[..cut], MAGIC.len());
            assert_eq!(texts(&whole, &reading), ["first", "second"], "cut at {cut}");
            assert_eq!((reading.end, reading.corrupt), (kept, 0), "cut at {cut}");
        }
        assert_eq!(texts(&whole, &read(&whole, MAGIC.len())), ["first", "second", "third"]);
    }

    #[test]
    fn any_damaged_byte_of_a_middle_frame_costs_that_frame_alone() {
        let whole = frames(&["first", "second", "third"]);
        let (from, to) = (frames(&["first"]).len(), frames(&["first", "second"]).len());
        for at in from..to {
            for damage in [0x00, 0x01, 0xff, whole[at] ^ 0x10] {
                let mut damaged = whole.clone();
                damaged[at] = damage;
                if damaged == whole {
                    continue;
                }
                let reading = read(&damaged, MAGIC.len());
                assert_eq!(texts(&damaged, &reading), ["first", "third"], "byte {at} became {damage}");
                assert_eq!((reading.corrupt, reading.end), (1, whole.len()), "byte {at} became {damage}");
            }
        }
    }

    #[test]
    fn zeros_that_a_file_system_left_are_an_unfinished_write() {
        let mut bytes = frames(&["first"]);
        let end = bytes.len();
        bytes.extend_from_slice(&[0; 4_096]);
        let reading = read(&bytes, MAGIC.len());
        assert_eq!((reading.payloads.len(), reading.corrupt, reading.end), (1, 0, end));
    }
}
