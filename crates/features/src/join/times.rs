//! Times as the kernel compares them: whole microseconds, or nanoseconds where one of the columns has them.

use std::borrow::Cow;

use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array},
    compute::cast,
    datatypes::{DataType, Int64Type, TimeUnit},
};
use types::Timestamp;

use crate::Error;

/// A column of points in time. Without a zone they are UTC; with one they are the instants meant.
#[derive(Debug, Clone)]
pub struct TimeColumn {
    ticks: Int64Array,
    nanos: bool,
}

impl TimeColumn {
    /// The column `name` of `place`.
    ///
    /// # Errors
    /// When it holds neither timestamps nor dates.
    pub fn new(place: &str, name: &str, column: &ArrayRef) -> Result<Self, Error> {
        let wrong = || Error::WrongType {
            place: place.to_owned(),
            column: name.to_owned(),
            reason: format!("{} is not a timestamp", column.data_type()),
        };
        let days = |column: &ArrayRef| cast(column, &DataType::Timestamp(TimeUnit::Second, None));
        let (column, unit) = if let DataType::Timestamp(unit, _) = column.data_type() {
            (ArrayRef::clone(column), *unit)
        } else if matches!(column.data_type(), DataType::Date32 | DataType::Date64) {
            (days(column).map_err(|_| wrong())?, TimeUnit::Second)
        } else if column.data_type() == &DataType::Null {
            return Ok(Self { ticks: Int64Array::new_null(column.len()), nanos: false });
        } else {
            return Err(wrong());
        };
        let ticks = cast(&column, &DataType::Int64).map_err(|_| wrong())?;
        let ticks = ticks.as_primitive::<Int64Type>();
        let (per_micro, nanos) = match unit {
            TimeUnit::Second => (1_000_000, false),
            TimeUnit::Millisecond => (1_000, false),
            TimeUnit::Microsecond => (1, false),
            TimeUnit::Nanosecond => (1, true),
        };
        let ticks = if per_micro == 1 { ticks.clone() } else { ticks.unary(|tick| tick.saturating_mul(per_micro)) };
        Ok(Self { ticks, nanos })
    }

    /// From single times.
    #[must_use]
    pub fn of_times(times: impl IntoIterator<Item = Timestamp>) -> Self {
        Self { ticks: times.into_iter().map(Timestamp::as_micros).collect::<Vec<i64>>().into(), nanos: false }
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ticks.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ticks.is_empty()
    }

    /// The first row without a time.
    #[must_use]
    pub fn first_null(&self) -> Option<usize> {
        if self.ticks.null_count() == 0 { None } else { (0..self.ticks.len()).find(|row| self.ticks.is_null(*row)) }
    }

    /// Row `row` in microseconds; a nanosecond that has begun counts as the whole microsecond, so that a value is never
    /// seen before its time.
    #[must_use]
    pub fn at(&self, row: usize) -> Option<Timestamp> {
        self.is_known(row).then(|| {
            let ticks = self.ticks.value(row);
            let floor = ticks.div_euclid(1_000);
            let ceiling = floor + i64::from(ticks.rem_euclid(1_000) > 0);
            Timestamp::from_micros(if self.nanos { ceiling } else { ticks })
        })
    }

    /// The latest time in the column.
    pub(crate) fn latest(&self) -> Option<Timestamp> {
        let row = (0..self.len()).filter(|row| self.is_known(*row)).max_by_key(|row| self.ticks.value(*row))?;
        self.at(row)
    }

    pub(super) fn is_nanos(&self) -> bool {
        self.nanos
    }

    pub(super) fn is_known(&self, row: usize) -> bool {
        self.ticks.is_valid(row)
    }

    /// All rows in one unit. What nanoseconds do not reach (before 1677, after 2262) is before and after everything
    /// that they do, and is put there.
    pub(super) fn ticks(&self, nanos: bool) -> Cow<'_, [i64]> {
        if nanos && !self.nanos {
            Cow::Owned(self.ticks.values().iter().map(|tick| tick.saturating_mul(1_000)).collect())
        } else {
            Cow::Borrowed(self.ticks.values())
        }
    }

    pub(super) fn ticks_null_lowest(&self, nanos: bool) -> Cow<'_, [i64]> {
        let mut ticks = self.ticks(nanos);
        if self.ticks.null_count() > 0 {
            for (row, tick) in ticks.to_mut().iter_mut().enumerate() {
                if self.ticks.is_null(row) {
                    *tick = i64::MIN;
                }
            }
        }
        ticks
    }

    /// The columns of several files as one.
    pub(crate) fn concat(parts: &[&Self]) -> Result<Self, arrow::error::ArrowError> {
        let nanos = parts.iter().any(|part| part.nanos);
        let scaled: Vec<Int64Array> = parts
            .iter()
            .map(|part| {
                let scale = if nanos && !part.nanos { 1_000 } else { 1 };
                part.ticks.unary(|tick| tick.saturating_mul(scale))
            })
            .collect();
        let arrays: Vec<&dyn Array> = scaled.iter().map(|part| part as &dyn Array).collect();
        let whole = arrow::compute::concat(&arrays)?;
        Ok(Self { ticks: whole.as_primitive::<Int64Type>().clone(), nanos })
    }
}
