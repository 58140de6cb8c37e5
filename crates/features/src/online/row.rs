//! The bytes of a stored row and of its key.
//!
//! A row is, in this order: one byte for the version of this form; the rank, 17 bytes that compare as (event time,
//! created time with null lowest) do, so that a store can order rows without knowing their view; one byte for the
//! origin; a bit per feature, set where it is null; the values, each of a fixed width (text: where it begins and how
//! long it is, four bytes each); the texts. A key is each part in turn: integers as eight bytes, text with its length
//! before it, so that no two composite keys run into one.

use std::sync::Arc;

use types::{Timestamp, Value, ValueType};

use crate::rows::Origin;

const FORM: u8 = 1;
const RANK: usize = 1;
const ORIGIN: usize = RANK + 17;
const NULLS: usize = ORIGIN + 1;
const MATERIALIZED: u8 = 0;
const PUSHED: u8 = 1;

/// How new a row is. Greater is newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// When it became true.
    pub event_time: Timestamp,
    /// When it became known; unknown is before everything.
    pub created: Option<Timestamp>,
}

/// The entity that a row is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntityKey(Box<[u8]>);

impl EntityKey {
    /// From the values of all join keys; `None` if one of them is null or not of a key's type: no row is about that.
    pub fn encode<'a>(parts: impl IntoIterator<Item = &'a Value>) -> Option<Self> {
        let mut bytes = Vec::with_capacity(16);
        for part in parts {
            match part {
                Value::Int32(value) => bytes.extend_from_slice(&i64::from(*value).to_be_bytes()),
                Value::Int64(value) => bytes.extend_from_slice(&value.to_be_bytes()),
                Value::String(text) => {
                    bytes.extend_from_slice(&u32::try_from(text.len()).ok()?.to_be_bytes());
                    bytes.extend_from_slice(text.as_bytes());
                }
                Value::Null | Value::Bool(_) | Value::Float32(_) | Value::Float64(_) | Value::Timestamp(_) => {
                    return None;
                }
            }
        }
        Some(Self(bytes.into()))
    }

    /// The values of the join keys, whose types are `kinds`; `None` if it is no key of those.
    pub fn decode(&self, kinds: impl IntoIterator<Item = ValueType>) -> Option<Vec<Value>> {
        let mut rest: &[u8] = &self.0;
        let mut values = Vec::new();
        for kind in kinds {
            let value = match kind {
                ValueType::Int32 => Value::Int32(i32::try_from(i64::from_be_bytes(take(&mut rest)?)).ok()?),
                ValueType::Int64 => Value::Int64(i64::from_be_bytes(take(&mut rest)?)),
                ValueType::String => {
                    let length = u32::from_be_bytes(take(&mut rest)?) as usize;
                    let text = rest.get(..length)?;
                    rest = &rest[length..];
                    Value::String(std::str::from_utf8(text).ok()?.to_owned())
                }
                ValueType::Bool | ValueType::Float32 | ValueType::Float64 | ValueType::Timestamp => return None,
            };
            values.push(value);
        }
        rest.is_empty().then_some(values)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*first)
}

/// A row as it is stored. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRow(Arc<[u8]>);

impl StoredRow {
    /// From bytes that a store kept; `None` if they are no row.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= NULLS && bytes[0] == FORM).then(|| Self(bytes.into()))
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// How new it is.
    #[must_use]
    pub fn rank(&self) -> Rank {
        let created = (self.0[RANK + 8] == 1).then(|| self.time(RANK + 9));
        Rank { event_time: self.time(RANK), created }
    }

    /// Whether it is not older than `other`.
    #[must_use]
    pub fn replaces(&self, other: &Self) -> bool {
        self.0[RANK..ORIGIN] >= other.0[RANK..ORIGIN]
    }

    /// Whether a producer pushed it.
    #[must_use]
    pub fn is_pushed(&self) -> bool {
        self.0[ORIGIN] == PUSHED
    }

    pub(crate) fn origin(&self) -> Origin {
        if self.is_pushed() { Origin::Pushed } else { Origin::Materialized }
    }

    fn time(&self, at: usize) -> Timestamp {
        Timestamp::from_micros(i64::from_be_bytes(self.bytes(at)) ^ i64::MIN)
    }

    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        self.0.get(at..).and_then(|rest| rest.first_chunk::<N>()).copied().unwrap_or([0; N])
    }
}

/// Where each feature of a view lies in its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    slots: Vec<(ValueType, usize)>,
    texts: usize,
}

const fn width(kind: ValueType) -> usize {
    match kind {
        ValueType::Bool => 1,
        ValueType::Int32 | ValueType::Float32 => 4,
        ValueType::Int64 | ValueType::Float64 | ValueType::String | ValueType::Timestamp => 8,
    }
}

impl Layout {
    /// For features of these types, in this order.
    pub fn new(kinds: impl IntoIterator<Item = ValueType>) -> Self {
        let kinds: Vec<ValueType> = kinds.into_iter().collect();
        let mut at = NULLS + kinds.len().div_ceil(8);
        let mut slots = Vec::with_capacity(kinds.len());
        for kind in kinds {
            slots.push((kind, at));
            at += width(kind);
        }
        Self { slots, texts: at }
    }

    /// The row of `values`; a value of another type than its slot's is stored as null, so check types before.
    pub fn encode<'a>(&self, rank: Rank, pushed: bool, values: impl IntoIterator<Item = &'a Value>) -> StoredRow {
        let mut row = vec![0_u8; self.texts];
        row[0] = FORM;
        write(&mut row, RANK, &(rank.event_time.as_micros() ^ i64::MIN).to_be_bytes());
        if let Some(created) = rank.created {
            row[RANK + 8] = 1;
            write(&mut row, RANK + 9, &(created.as_micros() ^ i64::MIN).to_be_bytes());
        }
        row[ORIGIN] = if pushed { PUSHED } else { MATERIALIZED };
        for (index, ((kind, at), value)) in self.slots.iter().zip(values).enumerate() {
            match (kind, value) {
                (ValueType::Bool, Value::Bool(value)) => row[*at] = u8::from(*value),
                (ValueType::Int32, Value::Int32(value)) => write(&mut row, *at, &value.to_le_bytes()),
                (ValueType::Int64, Value::Int64(value)) => write(&mut row, *at, &value.to_le_bytes()),
                (ValueType::Float32, Value::Float32(value)) => write(&mut row, *at, &value.to_le_bytes()),
                (ValueType::Float64, Value::Float64(value)) => write(&mut row, *at, &value.to_le_bytes()),
                (ValueType::Timestamp, Value::Timestamp(value)) => {
                    write(&mut row, *at, &value.as_micros().to_le_bytes());
                }
                (ValueType::String, Value::String(text)) => {
                    let begin = u32::try_from(row.len() - self.texts).unwrap_or(u32::MAX);
                    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
                    write(&mut row, *at, &begin.to_le_bytes());
                    write(&mut row, *at + 4, &length.to_le_bytes());
                    row.extend_from_slice(text.as_bytes());
                }
                (_, _null) => row[NULLS + index / 8] |= 1 << (index % 8),
            }
        }
        StoredRow(row.into())
    }

    /// Feature `index` of a row of this layout.
    #[must_use]
    pub fn decode(&self, row: &StoredRow, index: usize) -> Value {
        let (kind, at) = self.slots[index];
        if row.0.get(NULLS + index / 8).is_none_or(|bits| bits >> (index % 8) & 1 == 1) {
            return Value::Null;
        }
        match kind {
            ValueType::Bool => Value::Bool(row.bytes::<1>(at) != [0]),
            ValueType::Int32 => Value::Int32(i32::from_le_bytes(row.bytes(at))),
            ValueType::Int64 => Value::Int64(i64::from_le_bytes(row.bytes(at))),
            ValueType::Float32 => Value::Float32(f32::from_le_bytes(row.bytes(at))),
            ValueType::Float64 => Value::Float64(f64::from_le_bytes(row.bytes(at))),
            ValueType::Timestamp => Value::Timestamp(Timestamp::from_micros(i64::from_le_bytes(row.bytes(at)))),
            ValueType::String => {
                let begin = self.texts + u32::from_le_bytes(row.bytes(at)) as usize;
                let length = u32::from_le_bytes(row.bytes(at + 4)) as usize;
                let text = row.0.get(begin..begin.saturating_add(length));
                text.and_then(|text| std::str::from_utf8(text).ok())
                    .map_or(Value::Null, |text| Value::String(text.to_owned()))
            }
        }
    }
}

fn write(row: &mut [u8], at: usize, bytes: &[u8]) {
    row[at..at + bytes.len()].copy_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(event: i64, created: Option<i64>) -> Rank {
        Rank { event_time: Timestamp::from_micros(event), created: created.map(Timestamp::from_micros) }
    }

    #[test]
    fn rows_survive_their_bytes_bit_for_bit() {
        let values = [
            Value::Bool(true),
            Value::Int32(-7),
            Value::Int64(9_007_199_254_740_993),
            Value::Float32(-0.0),
            Value::Float64(f64::from_bits(0x7ff8_0000_0000_0001)),
            Value::String("é".to_owned()),
            Value::Timestamp(Timestamp::from_micros(-1)),
            Value::Null,
            Value::String(String::new()),
            Value::String("DE".to_owned()),
        ];
        let kinds = values.iter().map(|value| value.value_type().unwrap_or(ValueType::String));
        let layout = Layout::new(kinds);
        let row = layout.encode(rank(-5, None), true, &values);
        let row = StoredRow::from_bytes(row.as_bytes()).unwrap();
        for (index, value) in values.iter().enumerate() {
            assert!(layout.decode(&row, index).same(value), "{value:?}");
        }
        assert_eq!((row.rank(), row.is_pushed()), (rank(-5, None), true));
        assert!(StoredRow::from_bytes(b"\x01short").is_none());
    }

    #[test]
    fn the_first_form_of_a_row_stays_readable() {
        let layout = Layout::new([ValueType::Int64, ValueType::String, ValueType::Bool]);
        let values = [Value::Int64(-2), Value::String("DE".to_owned()), Value::Null];
        let row = layout.encode(rank(1, Some(2)), true, &values);
        let hex: String = row.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let expected = "01".to_owned()
            + "8000000000000001" + "01" + "8000000000000002" + "01" // rank, origin
            + "04" // nulls
            + "feffffffffffffff" + "0000000002000000" + "00" // values
            + "4445";
        assert_eq!(hex, expected);
    }

    #[test]
    fn bytes_of_ranks_order_as_ranks_do() {
        let layout = Layout::new([]);
        let ranks = [rank(i64::MIN, None), rank(-1, None), rank(-1, Some(i64::MIN)), rank(-1, Some(3)), rank(0, None)];
        for (i, older) in ranks.iter().enumerate() {
            for (j, newer) in ranks.iter().enumerate() {
                let (older, newer) = (layout.encode(*older, false, []), layout.encode(*newer, true, []));
                assert_eq!(newer.replaces(&older), j >= i);
            }
        }
    }

    #[test]
    fn keys_survive_and_never_run_into_one_another() {
        let key = |parts: &[&str]| {
            let parts: Vec<Value> = parts.iter().map(|part| Value::String((*part).to_owned())).collect();
            EntityKey::encode(&parts).unwrap()
        };
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        let parts = [Value::Int64(i64::MIN), Value::String("x".to_owned()), Value::Int32(-1)];
        let kinds = [ValueType::Int64, ValueType::String, ValueType::Int32];
        assert_eq!(EntityKey::encode(&parts).unwrap().decode(kinds).unwrap(), parts);
        assert!(EntityKey::encode(&[Value::Null]).is_none());
    }
}
