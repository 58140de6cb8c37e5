//! The floors of the house: a crate uses only crates of lower floors, and never one of its own floor.
//!
//! Floor 1 has two storeys: what everything runs on (`runtime`, `telemetry`), and above it what keeps data with it (ADR 0001). A crate that is
//! missing from the table fails, so that nobody adds one without deciding where it belongs.

use super::Violation;
use crate::workspace::Package;

/// Floor of each crate, from the ground up. Order within the list is the order of the floors.
const FLOORS: &[(&str, &[&str])] = &[
    ("0", &["types", "protocol"]),
    ("1, lower storey", &["runtime", "telemetry"]),
    ("1, upper storey", &["database", "artifacts", "prediction-log"]),
    ("2", &["identity", "registry", "features", "serving", "release", "drift", "alerts", "pipelines", "bundle"]),
    ("3", &["api", "console", "migration", "onnx", "http-backend", "webhook-sender", "kubernetes", "remote-mlflow"]),
    ("4", &["crosstie"]),
    ("tools", &["xtask"]),
];

/// What a crate exports for the tests of others; the one thing for which a test may look sideways.
const TESTING: &str = "testing";

pub(super) fn check(packages: &[Package]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in packages {
        let Some((height, floor)) = floor_of(&package.name) else {
            violations.push(Violation::new(&package.name, "has no floor; decide it in xtask/src/tidy/floors.rs"));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|dependency| dependency.path.is_some()) {
            let Some((below, other)) = floor_of(&dependency.name) else { continue };
            let sideways_for_tests = dependency.is_dev() && dependency.features.iter().any(|f| f == TESTING);
            let allowed = if sideways_for_tests { below <= height } else { below < height };
            let tool = package.name == "xtask" || dependency.name == "xtask";
            if tool {
                violations.push(Violation::new(&package.name, format!("`{}`: xtask stands outside", dependency.name)));
            } else if !allowed {
                let message = format!(
                    "is on floor {floor} and uses `{}` on floor {other}; only lower floors may be used",
                    dependency.name
                );
                violations.push(Violation::new(&package.name, message));
            }
        }
    }
    violations
}

fn floor_of(name: &str) -> Option<(usize, &'static str)> {
    FLOORS
        .iter()
        .enumerate()
        .find(|(_, (_, crates))| crates.contains(&name))
        .map(|(height, (floor, _))| (height, *floor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::laws::testing::{dependency, package};

    fn inside(name: &str) -> crate::workspace::Dependency {
        crate::workspace::Dependency { path: Some("/house".into()), ..dependency(name) }
    }

    #[test]
    fn a_crate_may_use_what_is_below_it() {
        assert_eq!(check(&[package("release", vec![inside("database"), inside("types")])]), vec![]);
        assert_eq!(check(&[package("database", vec![inside("runtime")])]), vec![]);
    }

    #[test]
    fn a_sibling_and_a_higher_floor_are_refused() {
        assert_eq!(check(&[package("release", vec![inside("serving")])]).len(), 1);
        assert_eq!(check(&[package("types", vec![inside("api")])]).len(), 1);
        assert_eq!(check(&[package("runtime", vec![inside("telemetry")])]).len(), 1);
    }

    #[test]
    fn only_a_test_that_asks_for_testing_may_look_sideways() {
        let mut dev = inside("serving");
        dev.kind = Some("dev".to_owned());
        assert_eq!(check(&[package("release", vec![dev.clone()])]).len(), 1);
        dev.features = vec!["testing".to_owned()];
        assert_eq!(check(&[package("release", vec![dev.clone()])]), vec![]);
        assert_eq!(check(&[package("types", vec![dev])]).len(), 1, "not even a test may look up");
    }

    #[test]
    fn a_crate_without_a_floor_is_refused() {
        assert_eq!(check(&[package("surprise", vec![])]).len(), 1);
    }

    #[test]
    fn nothing_depends_on_xtask() {
        assert_eq!(check(&[package("crosstie", vec![inside("xtask")])]).len(), 1);
        assert_eq!(check(&[package("xtask", vec![inside("types")])]).len(), 1);
    }
}
