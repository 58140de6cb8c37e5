//! Rows on their way out of a statement, decoded at once, so that they are the same for both databases.
//!
//! SQLite has four kinds of value and Postgres a hundred; here there are six. Reading converts only where nothing is
//! lost: an integer as a float, 0 and 1 as a truth value, text as what it parses into.

use std::{str::FromStr, sync::Arc};

use types::{Digest, ModelName, Role, Timestamp};

use crate::{Error, Result};

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// Truth value (Postgres only; SQLite answers 0 or 1).
    Bool(bool),
    /// Integer of any width.
    Int(i64),
    /// Floating point of any width.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// The names of an answer's columns, shared by its rows.
pub(crate) type Columns = Arc<[String]>;

/// One row of an answer.
#[derive(Debug, Clone)]
pub struct Row {
    columns: Columns,
    cells: Vec<Cell>,
}

impl Row {
    pub(crate) fn new(columns: Columns, cells: Vec<Cell>) -> Self {
        Self { columns, cells }
    }

    /// Takes the values of another row of the same columns.
    pub(crate) fn refill(&mut self, cell: impl Fn(usize) -> Result<Cell>) -> Result<()> {
        self.cells.clear();
        self.cells.reserve_exact(self.columns.len());
        for index in 0..self.columns.len() {
            self.cells.push(cell(index)?);
        }
        Ok(())
    }

    /// Moves the values out.
    pub(crate) fn take(&mut self) -> Self {
        Self { columns: Arc::clone(&self.columns), cells: std::mem::take(&mut self.cells) }
    }

    /// The value of a column, as written in the `SELECT` (lower case).
    ///
    /// # Errors
    /// When there is no such column, or its value is not a `T`; a null only if `T` is an `Option`.
    pub fn get<T: FromCell>(&self, column: &str) -> Result<T> {
        let failed = |found: String| Error::Column { column: column.to_owned(), expected: T::EXPECTED, found };
        let index = self
            .columns
            .iter()
            .position(|name| name == column)
            .ok_or_else(|| failed(format!("only the columns {}", self.columns.join(", "))))?;
        let cell = &self.cells[index];
        T::from_cell(cell).ok_or_else(|| failed(describe(cell)))
    }

    /// The names of the columns, in order.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The values, in the columns' order.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }
}

fn describe(cell: &Cell) -> String {
    match cell {
        Cell::Null => "null".to_owned(),
        Cell::Bool(value) => format!("the truth value {value}"),
        Cell::Int(value) => format!("the integer {value}"),
        Cell::Float(value) => format!("the number {value}"),
        // Not the text itself: it may be anybody's data, and errors are logged.
        Cell::Text(value) => format!("a text of {} bytes", value.len()),
        Cell::Bytes(value) => format!("{} bytes", value.len()),
    }
}

/// A type that values are read as.
pub trait FromCell: Sized {
    /// What is expected, for messages.
    const EXPECTED: &'static str;

    /// The value, if it is one.
    fn from_cell(cell: &Cell) -> Option<Self>;
}

impl<T: FromCell> FromCell for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn from_cell(cell: &Cell) -> Option<Self> {
        if matches!(cell, Cell::Null) { Some(None) } else { T::from_cell(cell).map(Some) }
    }
}

impl FromCell for bool {
    const EXPECTED: &'static str = "a truth value";

    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Bool(value) => Some(*value),
            Cell::Int(0) => Some(false),
            Cell::Int(1) => Some(true),
            Cell::Null | Cell::Int(_) | Cell::Float(_) | Cell::Text(_) | Cell::Bytes(_) => None,
        }
    }
}

impl FromCell for i64 {
    const EXPECTED: &'static str = "an integer";

    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Int(value) => Some(*value),
            Cell::Null | Cell::Bool(_) | Cell::Float(_) | Cell::Text(_) | Cell::Bytes(_) => None,
        }
    }
}

impl FromCell for i32 {
    const EXPECTED: &'static str = "an integer of 32 bits";

    fn from_cell(cell: &Cell) -> Option<Self> {
        i64::from_cell(cell)?.try_into().ok()
    }
}

impl FromCell for u32 {
    const EXPECTED: &'static str = "an unsigned integer of 32 bits";

    fn from_cell(cell: &Cell) -> Option<Self> {
        i64::from_cell(cell)?.try_into().ok()
    }
}

impl FromCell for u64 {
    const EXPECTED: &'static str = "an unsigned integer";

    fn from_cell(cell: &Cell) -> Option<Self> {
        i64::from_cell(cell)?.try_into().ok()
    }
}

impl FromCell for f64 {
    const EXPECTED: &'static str = "a number";

    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Float(value) => Some(*value),
            Cell::Int(value) => Some(*value as Self),
            Cell::Null | Cell::Bool(_) | Cell::Text(_) | Cell::Bytes(_) => None,
        }
    }
}

impl FromCell for String {
    const EXPECTED: &'static str = "text";

    fn from_cell(cell: &Cell) -> Option<Self> {
        text(cell).map(str::to_owned)
    }
}

impl FromCell for Vec<u8> {
    const EXPECTED: &'static str = "bytes";

    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Bytes(value) => Some(value.clone()),
            Cell::Null | Cell::Bool(_) | Cell::Int(_) | Cell::Float(_) | Cell::Text(_) => None,
        }
    }
}

impl FromCell for Timestamp {
    const EXPECTED: &'static str = "a time in microseconds";

    fn from_cell(cell: &Cell) -> Option<Self> {
        i64::from_cell(cell).map(Self::from_micros)
    }
}

macro_rules! from_text {
    ($($rust:ty, $expected:literal;)*) => {
        $(
            impl FromCell for $rust {
                const EXPECTED: &'static str = $expected;

                fn from_cell(cell: &Cell) -> Option<Self> {
                    Self::from_str(text(cell)?).ok()
                }
            }
        )*
    };
}
from_text! {
    Digest, "a digest";
    ModelName, "a model name";
    Role, "a role";
}

fn text(cell: &Cell) -> Option<&str> {
    match cell {
        Cell::Text(value) => Some(value),
        Cell::Null | Cell::Bool(_) | Cell::Int(_) | Cell::Float(_) | Cell::Bytes(_) => None,
    }
}
