//! Law 7: SQL statements are written in the `repo` of the crate that owns the tables, and nowhere else.
//!
//! A statement is recognised as a string literal that begins with a statement's verb in capitals. Tests may say what they like, and `database`
//! owns the tables of leases and migrations.

use super::Violation;
use super::tree::{File, Tree};

const VERBS: &[&str] = &["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "WITH "];

/// Modules that hold statements or DDL.
const HOMES: &[&str] = &["repo", "ddl", "schema", "migrations"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    tree.rust().filter(|file| is_judged(&file.path)).flat_map(check_file).collect()
}

fn is_judged(path: &str) -> bool {
    let Some(inside) = path.strip_prefix("crates/") else { return false };
    let mut parts = inside.split('/').map(|part| part.strip_suffix(".rs").unwrap_or(part));
    let owner = parts.next();
    let in_source = parts.next() == Some("src");
    in_source
        && owner != Some("database")
        && !parts.any(|part| HOMES.contains(&part) || part == "tests" || part == "testing")
}

fn check_file(file: &File) -> Vec<Violation> {
    let code = match file.text.find("#[cfg(test)]\nmod ") {
        Some(tests) => &file.text[..tests],
        None => &file.text,
    };
    let mut violations = Vec::new();
    for (position, _) in code.match_indices('"') {
        let literal = code[position + 1..].trim_start_matches(['\\', '\n', ' ', '\t']);
        let line_start = code[..position].rfind('\n').map_or(0, |newline| newline + 1);
        let is_comment = code[line_start..position].trim_start().starts_with("//");
        if !is_comment && VERBS.iter().any(|verb| literal.starts_with(verb)) {
            let line = code[..position].matches('\n').count() + 1;
            let message = "an SQL statement outside a `repo` module";
            violations.push(Violation::new(format!("{}:{line}", file.path), message));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).into_iter().map(|violation| violation.place).collect()
    }

    const STATEMENT: &str = "//! X.\nfn f() { query(\"SELECT 1\"); }\n";

    #[test]
    fn a_statement_outside_a_repo_is_refused_with_its_line() {
        assert_eq!(places("crates/release/src/service.rs", STATEMENT), ["crates/release/src/service.rs:2"]);
        let raw = "//! X.\n\nconst Q: &str = r#\"\n    INSERT INTO t VALUES (1)\"#;\n";
        assert_eq!(places("crates/release/src/service.rs", raw), ["crates/release/src/service.rs:3"]);
    }

    #[test]
    fn its_homes_are_left_alone() {
        for path in [
            "crates/release/src/repo.rs",
            "crates/registry/src/repo/runs.rs",
            "crates/registry/src/ddl/sqlite.rs",
            "crates/database/src/lease.rs",
            "crates/registry/tests/it/store.rs",
            "crates/registry/src/search/tests.rs",
            "xtask/src/demo.rs",
        ] {
            assert_eq!(places(path, STATEMENT), Vec::<String>::new(), "{path}");
        }
    }

    #[test]
    fn prose_comments_and_tests_are_left_alone() {
        let text = "//! X.\n// \"SELECT 1\"\nfn f() { say(\"select one\"); }\n#[cfg(test)]\nmod tests { const Q: &str = \"SELECT 1\"; }\n";
        assert_eq!(places("crates/release/src/service.rs", text), Vec::<String>::new());
    }
}
