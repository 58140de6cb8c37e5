//! What every Rust file looks like: it begins by saying why it exists, is named by its concept, and can be read in one sitting.

use super::Violation;
use super::tree::{File, Tree};

/// More lines than this are read by nobody in one sitting.
const MAX_LINES: usize = 500;

/// Files that are longer, each with the reason.
const LONG_FILES: &[(&str, &str)] = &[];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "common", "manager", "misc", "mod"];

/// Written by a generator, which has its own habits; its freshness is checked instead.
const GENERATED: &str = "/generated/";

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = check_exceptions(tree, LONG_FILES);
    for file in tree.rust().filter(|file| !file.path.contains(GENERATED)) {
        violations.extend(check_file(file, LONG_FILES));
    }
    violations
}

fn check_file(file: &File, long_files: &[(&str, &str)]) -> Vec<Violation> {
    let mut violations = Vec::new();
    if !file.text.starts_with("//!") {
        violations.push(Violation::new(&file.path, "does not begin with `//!` and why it exists"));
    }
    for part in file.path.split('/') {
        let name = part.strip_suffix(".rs").unwrap_or(part);
        if EMPTY_NAMES.contains(&name) {
            violations.push(Violation::new(&file.path, format!("`{name}` names no concept")));
        }
    }
    let lines = file.text.lines().count();
    if lines > MAX_LINES && !long_files.iter().any(|(path, _)| *path == file.path) {
        let message = format!(
            "has {lines} lines, more than {MAX_LINES}; split it, or give the reason in xtask/src/tidy/files.rs"
        );
        violations.push(Violation::new(&file.path, message));
    }
    violations
}

/// An exception that is no longer needed is an invitation.
fn check_exceptions(tree: &Tree, long_files: &[(&str, &str)]) -> Vec<Violation> {
    long_files
        .iter()
        .filter(|(path, _)| !tree.rust().any(|file| file.path == *path && file.text.lines().count() > MAX_LINES))
        .map(|(path, _)| Violation::new(*path, "is listed as a long file in xtask/src/tidy/files.rs and is none"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).into_iter().map(|violation| violation.message).collect()
    }

    #[test]
    fn a_file_that_says_why_it_exists_passes() {
        assert_eq!(messages("crates/release/src/promotion.rs", "//! Promotion.\nfn f() {}\n"), Vec::<String>::new());
    }

    #[test]
    fn a_file_without_a_reason_is_refused() {
        assert_eq!(messages("crates/release/src/promotion.rs", "fn f() {}\n").len(), 1);
        assert_eq!(messages("crates/release/src/promotion.rs", "\n//! Late.\n").len(), 1);
    }

    #[test]
    fn names_without_a_concept_are_refused_for_files_and_folders() {
        for path in ["crates/a/src/utils.rs", "crates/a/src/mod.rs", "crates/a/src/common/rows.rs"] {
            assert_eq!(messages(path, "//! X.\n").len(), 1, "{path}");
        }
    }

    #[test]
    fn a_long_file_is_refused_unless_it_has_a_reason() {
        let text = format!("//! Long.\n{}", "// line\n".repeat(MAX_LINES));
        assert_eq!(messages("crates/a/src/table.rs", &text).len(), 1);
        let file = File { path: "crates/a/src/table.rs".to_owned(), text };
        assert_eq!(check_file(&file, &[("crates/a/src/table.rs", "a table")]), vec![]);
    }

    #[test]
    fn an_exception_for_a_short_file_is_refused() {
        let tree = Tree::of(&[("crates/a/src/table.rs", "//! Short.\n")]);
        assert_eq!(check_exceptions(&tree, &[("crates/a/src/table.rs", "a table")]).len(), 1);
    }

    #[test]
    fn generated_files_are_left_alone() {
        assert_eq!(messages("crates/protocol/src/generated/inference.rs", "// @generated\n"), Vec::<String>::new());
    }
}
