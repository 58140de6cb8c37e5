//! Statements on SQLite: parameters in by their number, rows out as what SQLite stored. Each tells `wrote` before it is run
//! that it may change something.

use rusqlite::{CachedStatement, Connection, types::ValueRef};

use crate::{Cell, Error, Parameter, Result, Row, row::Columns, transaction::check_count};

/// Runs a statement to its end and answers how many rows it changed.
pub(crate) fn execute(connection: &Connection, sql: &str, parameters: &[Parameter], wrote: &mut bool) -> Result<u64> {
    let failed = |source: rusqlite::Error| Error::of_statement(sql, source);
    let mut statement = prepare(connection, sql, parameters).map_err(failed)?;
    *wrote |= !statement.readonly();
    let mut rows = statement.raw_query();
    // Some statements answer rows that nobody asked for.
    while rows.next().map_err(failed)?.is_some() {}
    drop(rows);
    Ok(if statement.readonly() { 0 } else { connection.changes() })
}

/// Runs a statement once for each row of `width` parameters, which it has places for from `$1` on; it is looked up only once.
pub(crate) fn execute_each<R: AsRef<[Parameter]>>(
    connection: &Connection,
    sql: &str,
    width: usize,
    rows: impl IntoIterator<Item = R>,
    wrote: &mut bool,
) -> Result<()> {
    let failed = |source: rusqlite::Error| Error::of_statement(sql, source);
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    *wrote |= !statement.readonly();
    for row in rows {
        let row = row.as_ref();
        check_count(sql, width, row)?;
        for (index, value) in row.iter().enumerate() {
            bind(&mut statement, index + 1, value).map_err(failed)?;
        }
        statement.raw_execute().map_err(failed)?;
    }
    Ok(())
}

/// Runs a statement and shows each of its rows to `visit`, in the same `Row` again and again.
pub(crate) fn each<E: From<Error>>(
    connection: &Connection,
    sql: &str,
    parameters: &[Parameter],
    wrote: &mut bool,
    mut visit: impl FnMut(&mut Row) -> Result<(), E>,
) -> Result<(), E> {
    let failed = |source: rusqlite::Error| Error::of_statement(sql, source);
    let mut statement = prepare(connection, sql, parameters).map_err(failed)?;
    *wrote |= !statement.readonly();
    let columns: Columns = statement.column_names().into_iter().map(str::to_owned).collect();
    let width = columns.len();
    let mut shown = Row::new(columns, Vec::with_capacity(width));
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(failed)? {
        shown.refill(|index| {
            let value = row.get_ref(index).map_err(failed)?;
            decode(value).ok_or_else(|| Error::Column {
                column: row.as_ref().column_name(index).unwrap_or_default().to_owned(),
                expected: "text in UTF-8",
                found: "other bytes".to_owned(),
            })
        })?;
        visit(&mut shown)?;
    }
    Ok(())
}

/// Runs many statements without parameters.
pub(crate) fn batch(connection: &Connection, sql: &str, wrote: &mut bool) -> Result<()> {
    *wrote = true;
    connection.execute_batch(sql).map_err(|source| Error::of_statement(sql, source))
}

fn prepare<'a>(
    connection: &'a Connection,
    sql: &str,
    parameters: &[Parameter],
) -> Result<CachedStatement<'a>, rusqlite::Error> {
    let mut statement = connection.prepare_cached(sql)?;
    for index in 1..=statement.parameter_count() {
        let place = place(&statement, index);
        bind(&mut statement, index, &parameters[place])?;
    }
    Ok(statement)
}

/// Which of the parameters, counted from 0, goes where SQLite counts `index`: for SQLite `$2` is a name, and the first that
/// stands in the text is number one. Callers have checked that there are as many parameters as the highest number.
fn place(statement: &CachedStatement<'_>, index: usize) -> usize {
    let number = statement.parameter_name(index).and_then(|name| name.get(1..)?.parse::<usize>().ok());
    number.unwrap_or(index).saturating_sub(1)
}

fn bind(statement: &mut CachedStatement<'_>, index: usize, parameter: &Parameter) -> Result<(), rusqlite::Error> {
    match parameter {
        Parameter::Null(_) => statement.raw_bind_parameter(index, rusqlite::types::Null),
        Parameter::Bool(value) => statement.raw_bind_parameter(index, value),
        Parameter::Int(value) => statement.raw_bind_parameter(index, value),
        Parameter::Float(value) => statement.raw_bind_parameter(index, value),
        Parameter::Text(value) => statement.raw_bind_parameter(index, value),
        Parameter::Bytes(value) => statement.raw_bind_parameter(index, value),
    }
}

/// A value by what SQLite stored, not by what the column was declared as; `None` for text that is not UTF-8.
fn decode(value: ValueRef<'_>) -> Option<Cell> {
    Some(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(value) => Cell::Int(value),
        ValueRef::Real(value) => Cell::Float(value),
        ValueRef::Text(bytes) => Cell::Text(std::str::from_utf8(bytes).ok()?.to_owned()),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_owned()),
    })
}
