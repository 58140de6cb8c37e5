//! Law 3: which crates alone may know a technology, judged by dependency edges.
//!
//! Development dependencies are free: a test may start a server or speak HTTP whatever its crate is about.

use super::Violation;
use crate::workspace::Package;

/// Who may use what. A name that ends in `*` stands for every crate with that beginning.
const KNOWERS: &[(&str, &[&str])] = &[
    ("axum*", &["api", "console"]),
    ("hyper*", &["api", "console"]),
    ("tower-http", &["api", "console"]),
    ("tonic", &["api", "protocol"]),
    ("tonic-prost", &["api", "protocol"]),
    ("prost*", &["api", "protocol"]),
    ("maud", &["console"]),
    ("clap*", &["crosstie", "xtask"]),
    ("anyhow", &["crosstie", "xtask"]),
    ("miette", &["crosstie"]),
    ("indicatif", &["crosstie"]),
    ("comfy-table", &["crosstie"]),
    ("serde-saphyr", &["crosstie", "http-backend"]),
    ("tracing-subscriber", &["crosstie"]),
    ("ort*", &["onnx"]),
    ("kube*", &["kubernetes"]),
    ("k8s-openapi", &["kubernetes"]),
    ("datafusion*", &["features"]),
    ("arrow*", &["features", "prediction-log", "drift", "api", "crosstie"]),
    ("parquet", &["features", "prediction-log", "drift", "crosstie"]),
    ("sqlx*", &["database"]),
    ("rusqlite", &["database"]),
    ("object_store", &["artifacts"]),
    ("redb", &["features"]),
    ("redis", &["features"]),
    ("prometheus*", &["telemetry"]),
    (
        "reqwest",
        &[
            "crosstie",
            "alerts",
            "artifacts",
            "http-backend",
            "kubernetes",
            "migration",
            "remote-mlflow",
            "webhook-sender",
        ],
    ),
    ("protox*", &["xtask"]),
    ("tonic-prost-build", &["xtask"]),
];

pub(super) fn check(packages: &[Package]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in packages {
        for dependency in package.dependencies.iter().filter(|d| !d.is_dev() && d.path.is_none()) {
            let Some((_, knowers)) = KNOWERS.iter().find(|(pattern, _)| matches(pattern, &dependency.name)) else {
                continue;
            };
            if !knowers.contains(&package.name.as_str()) {
                let message = format!("may not know `{}`; only {} may", dependency.name, knowers.join(", "));
                violations.push(Violation::new(&package.name, message));
            }
        }
    }
    violations
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(stem) => name == stem || name.strip_prefix(stem).is_some_and(|rest| rest.starts_with(['-', '_'])),
        None => name == pattern,
    }
}

/// Small packages for the tests of the checks on dependency edges.
#[cfg(test)]
pub(super) mod testing {
    use crate::workspace::{Dependency, Package};

    pub(in crate::tidy) fn package(name: &str, dependencies: Vec<Dependency>) -> Package {
        Package { name: name.to_owned(), manifest_path: "Cargo.toml".into(), dependencies, targets: vec![] }
    }

    pub(in crate::tidy) fn dependency(name: &str) -> Dependency {
        Dependency { name: name.to_owned(), kind: None, path: None, features: vec![] }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{dependency, package};
    use super::*;

    #[test]
    fn a_server_in_a_service_crate_is_refused() {
        let found = check(&[package("registry", vec![dependency("axum"), dependency("serde")])]);
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("`axum`") && found[0].message.contains("console"), "{found:?}");
    }

    #[test]
    fn a_family_counts_as_one_technology_and_its_namesakes_do_not() {
        assert_eq!(check(&[package("serving", vec![dependency("datafusion-sql")])]).len(), 1);
        assert_eq!(check(&[package("serving", vec![dependency("ort-sys"), dependency("ortho")])]).len(), 1);
    }

    #[test]
    fn who_knows_it_may_use_it_and_tests_may_use_anything() {
        let mut dev = dependency("reqwest");
        dev.kind = Some("dev".to_owned());
        assert_eq!(check(&[package("api", vec![dependency("axum"), dev])]), vec![]);
    }
}
