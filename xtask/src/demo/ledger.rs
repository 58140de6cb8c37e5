//! What the story checked and measured.

use std::time::Duration;

use crate::output;
use crate::time::Spoken;

/// How much of what was seen is shown.
const SEEN: usize = 1_500;

/// Every check, in order, and what was measured on the way.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    step: String,
    checks: Vec<Check>,
    measured: Vec<(String, String)>,
}

#[derive(Debug)]
struct Check {
    step: String,
    claim: String,
    failure: Option<String>,
}

impl Ledger {
    /// Checks from here on belong to this step.
    pub(crate) fn begin(&mut self, step: &str) {
        output::heading(step);
        step.clone_into(&mut self.step);
    }

    /// Counts a check and shows how it went; `seen` explains a failure.
    pub(crate) fn check(&mut self, holds: bool, claim: impl Into<String>, seen: impl FnOnce() -> String) {
        let claim = claim.into();
        let failure = (!holds).then(|| shortened(seen()));
        match &failure {
            None => output::line(format!("   ok    {claim}")),
            Some(seen) => output::line(format!("   FAIL  {claim}\n         seen: {seen}")),
        }
        self.checks.push(Check { step: self.step.clone(), claim, failure });
    }

    /// Keeps a number for the closing table.
    pub(crate) fn measure(&mut self, what: impl Into<String>, value: impl Into<String>) {
        let (what, value) = (what.into(), value.into());
        output::line(format!("   ..    {what}: {value}"));
        self.measured.push((what, value));
    }

    pub(crate) fn count(&self) -> usize {
        self.checks.len()
    }

    pub(crate) fn failed(&self) -> usize {
        self.checks.iter().filter(|check| check.failure.is_some()).count()
    }

    /// A story in which nothing was checked did not succeed.
    pub(crate) fn all_held(&self) -> bool {
        self.failed() == 0 && self.count() > 0
    }

    /// The closing table.
    pub(crate) fn print(&self, took: Duration) {
        output::heading("What was measured");
        let width = self.measured.iter().map(|(what, _)| what.chars().count()).max().unwrap_or_default();
        for (what, value) in &self.measured {
            output::line(format!("   {what:<width$}  {value}"));
        }
        output::heading("What was checked");
        let mut steps: Vec<&str> = self.checks.iter().map(|check| check.step.as_str()).collect();
        steps.dedup();
        let width = steps.iter().map(|step| step.chars().count()).max().unwrap_or_default();
        for step in steps {
            let of_step = || self.checks.iter().filter(|check| check.step == step);
            let held = of_step().filter(|check| check.failure.is_none()).count();
            output::line(format!("   {step:<width$}  {held} of {}", of_step().count()));
        }
        for check in &self.checks {
            if let Some(seen) = &check.failure {
                output::line(format!("   FAIL  {}: {}\n         seen: {seen}", check.step, check.claim));
            }
        }
        let verdict = if self.all_held() { "every check held" } else { "NOT every check held" };
        output::line(format!(
            "\n   {verdict}: {} passed, {} failed, in {}",
            self.count() - self.failed(),
            self.failed(),
            Spoken(took)
        ));
    }
}

/// Evidence can be long; its beginning tells what went wrong.
fn shortened(seen: String) -> String {
    match seen.char_indices().nth(SEEN) {
        Some((end, _)) => format!("{} …", &seen[..end]),
        None => seen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_check_fails_the_story_and_so_does_an_empty_one() {
        let mut ledger = Ledger::default();
        assert!(!ledger.all_held());
        ledger.check(true, "water is wet", String::new);
        assert!(ledger.all_held());
        ledger.check(false, "fire is cold", || "a burn".to_owned());
        assert!(!ledger.all_held());
        assert_eq!((ledger.count(), ledger.failed()), (2, 1));
    }
}
