//! Join keys as the kernel compares them, and their numbering.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array, StringArray},
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, Int64Type},
    row::{RowConverter, Rows, SortField},
};
use types::{Value, ValueType};

use crate::{Error, expressions};

/// No entity: a null key, or one that no label asks for.
pub(super) const NONE: u32 = u32::MAX;

/// One join key's column: integers of any width as 64 bits, or text in any encoding.
#[derive(Debug, Clone)]
pub enum KeyColumn {
    /// Whole numbers.
    Int(Int64Array),
    /// Text.
    Text(StringArray),
}

impl KeyColumn {
    /// The column `name` of `place` as the key type that `expected` compares as.
    ///
    /// # Errors
    /// When the column is of another kind, or a number does not fit: never silent nulls.
    pub fn new(place: &str, name: &str, column: &ArrayRef, expected: ValueType) -> Result<Self, Error> {
        let mismatch = || Error::KeyTypeMismatch {
            key: name.to_owned(),
            place: place.to_owned(),
            found: column.data_type().to_string(),
            expected: expected.to_string(),
        };
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        let whole = matches!(expected, ValueType::Int32 | ValueType::Int64);
        if column.data_type() == &DataType::Null || (whole && column.data_type().is_integer()) {
            if !whole {
                return Ok(Self::Text(StringArray::new_null(column.len())));
            }
            let cast = cast_with_options(column, &DataType::Int64, &strict).map_err(|_| mismatch())?;
            let keys = cast.as_primitive::<Int64Type>().clone();
            let fits = expected == ValueType::Int64 || keys.iter().flatten().all(|key| i32::try_from(key).is_ok());
            return if fits { Ok(Self::Int(keys)) } else { Err(mismatch()) };
        }
        if expected == ValueType::String && expressions::is_text(column.data_type()) {
            let cast = cast_with_options(column, &DataType::Utf8, &strict).map_err(|_| mismatch())?;
            return Ok(Self::Text(cast.as_string::<i32>().clone()));
        }
        Err(mismatch())
    }

    /// From single values; what is not of type `expected` is null.
    pub(crate) fn of_values<'a>(expected: ValueType, values: impl Iterator<Item = &'a Value>) -> Self {
        if expected == ValueType::String {
            let text = values.map(|value| if let Value::String(text) = value { Some(text.as_str()) } else { None });
            return Self::Text(text.collect());
        }
        let whole = values.map(|value| {
            if let Value::Int64(key) = value {
                Some(*key)
            } else if let Value::Int32(key) = value {
                Some(i64::from(*key))
            } else {
                None
            }
        });
        Self::Int(whole.collect())
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Int(keys) => keys.len(),
            Self::Text(keys) => keys.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Row `row` as a value of type `kind`.
    pub(crate) fn value(&self, row: usize, kind: ValueType) -> Value {
        match self {
            Self::Int(keys) if keys.is_valid(row) => match i32::try_from(keys.value(row)) {
                Ok(key) if kind == ValueType::Int32 => Value::Int32(key),
                Ok(_) | Err(_) => Value::Int64(keys.value(row)),
            },
            Self::Text(keys) if keys.is_valid(row) => Value::String(keys.value(row).to_owned()),
            Self::Int(_) | Self::Text(_) => Value::Null,
        }
    }

    fn is_valid(&self, row: usize) -> bool {
        match self {
            Self::Int(keys) => keys.is_valid(row),
            Self::Text(keys) => keys.is_valid(row),
        }
    }

    fn array(&self) -> ArrayRef {
        match self {
            Self::Int(keys) => Arc::new(keys.clone()),
            Self::Text(keys) => Arc::new(keys.clone()),
        }
    }

    /// The columns of several files as one.
    pub(crate) fn concat(parts: &[&Self]) -> Result<Self, arrow::error::ArrowError> {
        let arrays: Vec<ArrayRef> = parts.iter().map(|part| part.array()).collect();
        let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
        let whole = arrow::compute::concat(&arrays)?;
        Ok(match parts.first() {
            Some(Self::Text(_)) => Self::Text(whole.as_string::<i32>().clone()),
            Some(Self::Int(_)) | None => Self::Int(whole.as_primitive::<Int64Type>().clone()),
        })
    }
}

/// Numbers the entities that `labels` ask for, from 0: the number of each label row, of each fact row, and how many.
pub(super) fn number(labels: &[KeyColumn], facts: &[KeyColumn]) -> (Vec<u32>, Vec<u32>, usize) {
    match (labels, facts) {
        ([KeyColumn::Int(labels)], [KeyColumn::Int(facts)]) => {
            let mut numbers: HashMap<i64, u32, BuildHasherDefault<Spread>> = HashMap::default();
            let of_labels =
                label_numbers(labels.len(), |row| labels.is_valid(row).then(|| labels.value(row)), &mut numbers);
            let plain = facts.nulls().is_none();
            let of_facts = facts.values().iter().enumerate().map(|(row, key)| {
                if plain || facts.is_valid(row) { numbers.get(key).copied().unwrap_or(NONE) } else { NONE }
            });
            (of_labels, of_facts.collect(), numbers.len())
        }
        ([KeyColumn::Text(labels)], [KeyColumn::Text(facts)]) => {
            let mut numbers: HashMap<&str, u32> = HashMap::new();
            let of_labels =
                label_numbers(labels.len(), |row| labels.is_valid(row).then(|| labels.value(row)), &mut numbers);
            let of_facts = facts.iter().map(|key| key.and_then(|key| numbers.get(key).copied()).unwrap_or(NONE));
            (of_labels, of_facts.collect(), numbers.len())
        }
        // Only the labels are to be numbered.
        ([KeyColumn::Int(_)], []) => number(labels, &[KeyColumn::Int(Int64Array::new_null(0))]),
        ([KeyColumn::Text(_)], []) => number(labels, &[KeyColumn::Text(StringArray::new_null(0))]),
        (labels, facts) => composite(labels, facts),
    }
}

fn label_numbers<K: std::hash::Hash + Eq, S: std::hash::BuildHasher>(
    rows: usize,
    key: impl Fn(usize) -> Option<K>,
    numbers: &mut HashMap<K, u32, S>,
) -> Vec<u32> {
    let number = |row| {
        key(row).map_or(NONE, |key| {
            let next = numbers.len() as u32;
            *numbers.entry(key).or_insert(next)
        })
    };
    (0..rows).map(number).collect()
}

fn composite(labels: &[KeyColumn], facts: &[KeyColumn]) -> (Vec<u32>, Vec<u32>, usize) {
    let (label_rows, fact_rows) = (encode(labels), encode(facts));
    let Some(label_rows) = label_rows else { return (Vec::new(), Vec::new(), 0) };
    let complete = |keys: &[KeyColumn], row: usize| keys.iter().all(|key| key.is_valid(row));
    let mut numbers: HashMap<&[u8], u32> = HashMap::new();
    let key = |row: usize| complete(labels, row).then(|| label_rows.row(row).data());
    let of_labels = label_numbers(label_rows.num_rows(), key, &mut numbers);
    let of_fact = |rows: &Rows, row: usize| {
        let number = complete(facts, row).then(|| numbers.get(rows.row(row).data()).copied());
        number.flatten().unwrap_or(NONE)
    };
    let of_facts = fact_rows.iter().flat_map(|rows| (0..rows.num_rows()).map(|row| of_fact(rows, row))).collect();
    (of_labels, of_facts, numbers.len())
}

fn encode(keys: &[KeyColumn]) -> Option<Rows> {
    if keys.is_empty() {
        return None;
    }
    let columns: Vec<ArrayRef> = keys.iter().map(KeyColumn::array).collect();
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let converter = RowConverter::new(fields).expect("integers and text have a row form");
    Some(converter.convert_columns(&columns).expect("the columns are of the types that the converter was made for"))
}

/// Spreads 64-bit keys over the table by one multiplication. Keys come from the user's own data, not from an adversary.
#[derive(Default)]
struct Spread(u64);

/// 2^64 divided by the golden ratio, which scatters runs of neighbouring keys.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0.rotate_left(8) ^ u64::from(*byte)).wrapping_mul(GOLDEN);
        }
    }

    fn write_i64(&mut self, key: i64) {
        let mixed = (key as u64).wrapping_mul(GOLDEN);
        self.0 = mixed ^ (mixed >> 32);
    }
}
