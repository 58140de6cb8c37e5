//! What a test run amounts to: counts by database, then the runner's own closing lines.

use std::collections::BTreeMap;

/// Begins nextest's closing lines.
const RULE: &str = "────────────";

/// Tests that `database::testing::on_both!` makes end in the name of their database.
const DATABASES: &[&str] = &["sqlite", "postgres"];

/// Reads a runner's lines as they come.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    by_database: BTreeMap<&'static str, Counts>,
    closing: Vec<String>,
    has_tests: bool,
    all: Counts,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    passed: u32,
    failed: u32,
}

impl Summary {
    /// Takes one line; true if it is to be shown now, false if it belongs to the end.
    pub(crate) fn read(&mut self, line: &str) -> bool {
        let plain = without_colour(line);
        let words: Vec<&str> = plain.split_whitespace().collect();
        if !self.closing.is_empty() || (self.has_tests && plain.trim_start().starts_with(RULE)) {
            self.closing.push(line.to_owned());
            return false;
        }
        match words.as_slice() {
            // nextest: `PASS [   0.012s] (3/9) registry repo::tests::a_run_is_found::sqlite`
            ["PASS", .., name] if plain.contains('[') => self.count(name, true),
            ["FAIL" | "TIMEOUT" | "SIGKILL" | "SIGABRT" | "SIGSEGV", .., name] if plain.contains('[') => {
                self.count(name, false);
            }
            // cargo test: `test repo::tests::a_run_is_found::sqlite ... ok`
            ["test", name, "...", "ok"] => self.count(name, true),
            ["test", name, "...", "FAILED"] => self.count(name, false),
            _ => {}
        }
        true
    }

    fn count(&mut self, name: &str, passed: bool) {
        self.has_tests = true;
        self.all.add(passed);
        if let Some(database) = DATABASES.iter().find(|database| name.rsplit("::").next() == Some(**database)) {
            self.by_database.entry(database).or_default().add(passed);
        }
    }

    /// The last lines of the run.
    pub(crate) fn closing(&self) -> String {
        let mut text = String::new();
        for (database, counts) in &self.by_database {
            text.push_str(&format!("   on {database}: {} passed, {} failed\n", counts.passed, counts.failed));
        }
        if self.closing.is_empty() && self.has_tests {
            // cargo test sums up each binary, but not the run.
            text.push_str(&format!("{} passed, {} failed\n", self.all.passed, self.all.failed));
        }
        text.extend(self.closing.iter().map(String::as_str));
        text
    }
}

impl Counts {
    fn add(&mut self, passed: bool) {
        if passed {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
    }
}

fn without_colour(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find('\u{1b}') {
        plain.push_str(&rest[..start]);
        let end = rest[start..].find('m').map_or(rest.len(), |end| start + end + 1);
        rest = &rest[end..];
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closing_of(lines: &[&str]) -> String {
        let mut summary = Summary::default();
        for line in lines {
            summary.read(line);
        }
        summary.closing()
    }

    #[test]
    fn the_runners_summary_comes_last_and_databases_are_counted() {
        let text = closing_of(&[
            "────────────\n",
            " Nextest run ID 1 with nextest profile: default\n",
            "    Starting 3 tests across 1 binary\n",
            "\u{1b}[32;1m        PASS\u{1b}[0m [   0.005s] (1/3) \u{1b}[35mregistry\u{1b}[0m repo::a_run::sqlite\n",
            "        PASS [   0.005s] (2/3) registry repo::a_run::postgres\n",
            "        FAIL [   0.005s] (3/3) registry repo::a_tag::postgres\n",
            "────────────\n",
            "     Summary [   0.010s] 3 tests run: 2 passed, 1 failed, 0 skipped\n",
        ]);
        assert_eq!(
            text,
            "   on postgres: 1 passed, 1 failed\n   on sqlite: 1 passed, 0 failed\n────────────\n     \
             Summary [   0.010s] 3 tests run: 2 passed, 1 failed, 0 skipped\n"
        );
    }

    #[test]
    fn cargo_test_is_summed_over_its_binaries() {
        let text = closing_of(&[
            "test a::b::sqlite ... ok\n",
            "test result: ok. 1 passed; 0 failed; 0 ignored\n",
            "test a::c ... FAILED\n",
        ]);
        assert_eq!(text, "   on sqlite: 1 passed, 0 failed\n1 passed, 1 failed\n");
    }
}
