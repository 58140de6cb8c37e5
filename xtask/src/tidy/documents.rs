//! The house's documents: decisions are numbered without gaps, pages of errors are named by their code, and links inside the repository lead
//! somewhere.

use std::collections::BTreeMap;

use super::Violation;
use super::tree::{File, Tree};

const DECISIONS: &str = "docs/adr/";
const ERRORS: &str = "docs/errors/";

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = check_decisions(tree);
    violations.extend(check_error_pages(tree));
    for page in tree.files().iter().filter(|file| file.path.ends_with(".md")) {
        violations.extend(check_links(tree, page));
    }
    violations
}

/// `docs/adr/0001-floors.md` begins with `# 1. …`; numbers rise by one from 1, and each says its status.
fn check_decisions(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut by_number: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for file in tree.files().iter().filter(|file| file.path.starts_with(DECISIONS)) {
        let name = &file.path[DECISIONS.len()..];
        let number = name.split_once('-').filter(|(digits, _)| digits.len() == 4).and_then(|(d, _)| d.parse().ok());
        let Some(number) = number else {
            violations.push(Violation::new(&file.path, "is not named NNNN-title.md"));
            continue;
        };
        by_number.entry(number).or_default().push(&file.path);
        if !file.text.starts_with(&format!("# {number}. ")) {
            violations.push(Violation::new(&file.path, format!("does not begin with `# {number}. `")));
        }
        if !file.text.lines().any(|line| line.starts_with("Status: ")) {
            violations.push(Violation::new(&file.path, "has no line `Status: …`"));
        }
    }
    for (position, (number, files)) in by_number.iter().enumerate() {
        if *number != position + 1 || files.len() > 1 {
            let message = format!("{}: decisions are numbered from 1 without gaps or repeats", files.join(", "));
            violations.push(Violation::new(DECISIONS, message));
        }
    }
    violations
}

/// `docs/errors/port-in-use.md` begins with `# port-in-use`, and the code must occur in the code that reports it.
fn check_error_pages(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.files().iter().filter(|file| file.path.starts_with(ERRORS)) {
        let code = file.path[ERRORS.len()..].trim_end_matches(".md");
        if code == "README" {
            continue;
        }
        if !file.text.starts_with(&format!("# {code}\n")) {
            violations.push(Violation::new(&file.path, format!("does not begin with `# {code}`")));
        }
        let quoted = format!("\"{code}\"");
        if !tree.rust().any(|source| source.path.starts_with("crates/") && source.text.contains(&quoted)) {
            violations.push(Violation::new(&file.path, format!("describes `{code}`, which no crate reports")));
        }
    }
    violations
}

/// Relative links of a page must lead to a file or folder of the repository.
fn check_links(tree: &Tree, page: &File) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (position, _) in page.text.match_indices("](") {
        let rest = &page.text[position + 2..];
        let Some(end) = rest.find(')') else { continue };
        let target = rest[..end].split('#').next().unwrap_or_default();
        if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let path = resolve(&page.path, target);
        let folder = format!("{}/", path.trim_end_matches('/'));
        if !tree.files().iter().any(|file| file.path == path || file.path.starts_with(&folder)) {
            violations.push(Violation::new(&page.path, format!("links to {target}, which is not there")));
        }
    }
    violations
}

fn resolve(page: &str, target: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECISION: &str = "# 1. Floors\n\nStatus: accepted\n";

    #[test]
    fn numbered_decisions_pass() {
        let second = DECISION.replace("# 1.", "# 2.");
        let tree = Tree::of(&[("docs/adr/0001-floors.md", DECISION), ("docs/adr/0002-sql.md", &second)]);
        assert_eq!(check(&tree), vec![]);
    }

    #[test]
    fn gaps_repeats_and_unnamed_decisions_are_refused() {
        let third = DECISION.replace("# 1.", "# 3.");
        assert_eq!(check(&Tree::of(&[("docs/adr/0001-a.md", DECISION), ("docs/adr/0003-b.md", &third)])).len(), 1);
        assert_eq!(check(&Tree::of(&[("docs/adr/0001-a.md", DECISION), ("docs/adr/0001-b.md", DECISION)])).len(), 1);
        assert_eq!(check(&Tree::of(&[("docs/adr/floors.md", DECISION)])).len(), 1);
        assert_eq!(check(&Tree::of(&[("docs/adr/0001-a.md", "# Floors\n")])).len(), 2);
    }

    #[test]
    fn a_page_about_an_error_that_nobody_reports_is_refused() {
        let page = ("docs/errors/port-in-use.md", "# port-in-use\n");
        assert_eq!(check(&Tree::of(&[page])).len(), 1);
        assert_eq!(check(&Tree::of(&[page, ("crates/crosstie/src/up.rs", "code(\"port-in-use\")")])), vec![]);
    }

    #[test]
    fn links_must_lead_somewhere() {
        let page = "[a](adr/0001-a.md#why) [b](../README.md) [c](https://example.org) [d](errors/)";
        let files = [("docs/index.md", page), ("docs/adr/0001-a.md", DECISION), ("README.md", "")];
        let found = check(&Tree::of(&files));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].message.contains("errors/"));
    }
}
