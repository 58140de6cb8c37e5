//! SQL that is put together at run time: text and parameters side by side, and comparisons in both dialects.

use database::{Dialect, Parameter};

use crate::filter::{Comparator, Operand};

/// A statement under construction.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sql {
    text: String,
    params: Vec<Parameter>,
}

impl Sql {
    /// The statement that counts what this one finds.
    pub(crate) fn counting(&self) -> Self {
        let text = format!("SELECT COUNT(*) AS count FROM ({}) found", self.text);
        Self { text, params: self.params.clone() }
    }

    /// Begins with `text`.
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), params: Vec::new() }
    }

    /// A statement that selects `columns` from `table`; conditions are pushed behind it.
    pub(crate) fn select(columns: &str, table: &str) -> Self {
        Self::new(&format!("SELECT {columns} FROM {table}"))
    }

    /// Appends `text`.
    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends a placeholder for `value`.
    pub(crate) fn bind(&mut self, value: impl Into<Parameter>) -> &mut Self {
        self.params.push(value.into());
        self.text.push_str(&format!("${}", self.params.len()));
        self
    }

    /// Appends `($1, $2, …)` for `values`; for none, a list that nothing is in.
    pub(crate) fn bind_list<P: Into<Parameter>>(&mut self, values: impl IntoIterator<Item = P>) -> &mut Self {
        self.push("(");
        let before = self.params.len();
        for value in values {
            if self.params.len() > before {
                self.push(", ");
            }
            self.bind(value);
        }
        if self.params.len() == before {
            self.push("NULL");
        }
        self.push(")")
    }

    /// Appends `column` compared with `operand`.
    pub(crate) fn compare(
        &mut self,
        dialect: Dialect,
        column: &str,
        comparator: Comparator,
        operand: &Operand,
    ) -> &mut Self {
        match (comparator, operand) {
            (Comparator::Like, Operand::Text(pattern)) if dialect == Dialect::Sqlite => {
                // SQLite's LIKE ignores case; GLOB does not.
                self.push(column).push(" GLOB ").bind(glob(pattern))
            }
            (Comparator::ILike, Operand::Text(pattern)) => {
                // Both sides by the database, whose idea of small letters may be its own: SQLite's is that of ASCII.
                self.push("lower(").push(column).push(") LIKE lower(").bind(pattern).push(")")
            }
            (Comparator::In | Comparator::NotIn, Operand::List(items)) => {
                self.push(column).push(" ").push(comparator.as_str()).push(" ").bind_list(items)
            }
            (_, operand) => {
                self.push(column).push(" ").push(comparator.as_str()).push(" ");
                match operand {
                    Operand::Text(text) => self.bind(text),
                    Operand::Integer(number) => self.bind(*number),
                    Operand::Float(number) => self.bind(*number),
                    Operand::List(items) => self.bind_list(items),
                    Operand::Nothing => self,
                }
            }
        }
    }

    /// The text and its parameters.
    pub(crate) fn into_parts(self) -> (String, Vec<Parameter>) {
        (self.text, self.params)
    }
}

/// A LIKE pattern as GLOB writes it.
fn glob(pattern: &str) -> String {
    let mut glob = String::with_capacity(pattern.len());
    for c in pattern.chars() {
        match c {
            '%' => glob.push('*'),
            '_' => glob.push('?'),
            '*' | '?' | '[' => {
                glob.push('[');
                glob.push(c);
                glob.push(']');
            }
            c => glob.push(c),
        }
    }
    glob
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_count_on_across_parts() {
        let mut sql = Sql::new("SELECT 1 WHERE a = ");
        sql.bind(1_i64).push(" AND b IN ").bind_list(["x", "y"]).push(" AND c IN ").bind_list(Vec::<i64>::new());
        let (text, params) = sql.into_parts();
        assert_eq!(text, "SELECT 1 WHERE a = $1 AND b IN ($2, $3) AND c IN (NULL)");
        assert_eq!(params.len(), 3);
    }

    #[test]
    fn patterns_keep_their_case_on_sqlite() {
        assert_eq!(glob("a%b_c*[d"), "a*b?c[*][[]d");
    }
}
