//! What every manifest says: the house's lints, no documentation tests, and no dependency with features that nobody asked for.

use anyhow::Context as _;
use toml::{Table, Value};

use super::Violation;
use crate::workspace::{Package, Workspace};

/// The crate that may have a build script: it tells the linker something that cargo has no setting for, and generates nothing.
const LINKED: &str = "crosstie";

pub(super) fn check_crates(workspace: &Workspace) -> anyhow::Result<Vec<Violation>> {
    let mut violations = Vec::new();
    for package in workspace.packages() {
        let text = std::fs::read_to_string(&package.manifest_path)
            .with_context(|| format!("read {}", package.manifest_path.display()))?;
        violations.extend(check_crate(package, &text)?);
    }
    Ok(violations)
}

fn check_crate(package: &Package, text: &str) -> anyhow::Result<Vec<Violation>> {
    let place = format!("{}/Cargo.toml", package.name);
    let manifest: Table = text.parse().with_context(|| format!("{place} is not TOML"))?;
    let mut violations = Vec::new();
    let inherits = |table: &str, key: &str| {
        let value = manifest.get(table).and_then(|table| table.get(key));
        // `workspace = true` of a whole table, or of one of its keys.
        value.and_then(|value| value.as_bool().or_else(|| value.get("workspace")?.as_bool())) == Some(true)
    };
    if !inherits("lints", "workspace") {
        violations.push(Violation::new(&place, "does not inherit the house's lints (`[lints] workspace = true`)"));
    }
    for key in ["version", "edition", "rust-version", "license", "publish"] {
        if !inherits("package", key) {
            violations.push(Violation::new(&place, format!("`package.{key}` does not come from the workspace")));
        }
    }
    if package.targets.iter().any(|target| target.doctest && target.kind.iter().any(|kind| kind == "lib")) {
        violations.push(Violation::new(&place, "has documentation tests (`[lib] doctest = false`)"));
    }
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        for (name, value) in manifest.get(section).and_then(Value::as_table).into_iter().flatten() {
            // Features of tests (`testing`) may be added where the crate is used; versions and defaults may not.
            let own_folder = value.get("path").is_some();
            if !own_folder && value.get("workspace").and_then(Value::as_bool) != Some(true) {
                let message = format!("`{name}` has its version here; put it into [workspace.dependencies]");
                violations.push(Violation::new(&place, message));
            }
        }
    }
    let is_built = manifest.get("package").and_then(|p| p.get("build")).is_some();
    if (is_built || package.targets.iter().any(is_build_script)) && package.name != LINKED {
        violations.push(Violation::new(&place, "has a build script; generated code is checked in"));
    }
    Ok(violations)
}

fn is_build_script(target: &crate::workspace::Target) -> bool {
    target.kind.iter().any(|kind| kind == "custom-build")
}

/// Judges the root manifest.
pub(super) fn check_workspace(text: &str) -> anyhow::Result<Vec<Violation>> {
    let manifest: Table = text.parse().context("the root Cargo.toml is not TOML")?;
    let dependencies = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("dependencies"))
        .and_then(Value::as_table)
        .context("the root Cargo.toml has no [workspace.dependencies]")?;
    let mut violations = Vec::new();
    for (name, value) in dependencies {
        let ours = value.get("path").is_some();
        if !ours && value.get("default-features").and_then(Value::as_bool) != Some(false) {
            let message = format!("`{name}` takes default features; name the ones that are needed");
            violations.push(Violation::new("Cargo.toml", message));
        }
    }
    Ok(violations)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::laws::testing::package;
    use crate::workspace::Target;

    const GOOD: &str = "[package]\nname = 'a'\nversion.workspace = true\nedition.workspace = true\n\
        rust-version.workspace = true\nlicense.workspace = true\npublish.workspace = true\n\
        [lints]\nworkspace = true\n[dependencies]\nserde.workspace = true\n";

    fn found(text: &str, doctest: bool) -> Vec<String> {
        let mut a = package("a", vec![]);
        a.targets = vec![Target { kind: vec!["lib".to_owned()], doctest }];
        check_crate(&a, text).unwrap().into_iter().map(|violation| violation.message).collect()
    }

    #[test]
    fn a_manifest_of_the_house_passes() {
        assert_eq!(found(GOOD, false), Vec::<String>::new());
    }

    #[test]
    fn each_departure_is_refused() {
        assert_eq!(found(GOOD, true).len(), 1, "documentation tests");
        assert_eq!(found(&GOOD.replace("[lints]\nworkspace = true", ""), false).len(), 1, "lints");
        assert_eq!(found(&GOOD.replace("license.workspace = true", "license = 'MIT'"), false).len(), 1, "license");
        assert_eq!(found(&GOOD.replace("serde.workspace = true", "serde = '1'"), false).len(), 1, "version");
    }

    #[test]
    fn default_features_must_be_switched_off() {
        let text = |value: &str| format!("[workspace.dependencies]\nours = {{ path = 'x' }}\nserde = {value}\n");
        assert_eq!(check_workspace(&text("'1'")).unwrap().len(), 1);
        assert_eq!(check_workspace(&text("{ version = '1', features = ['std'] }")).unwrap().len(), 1);
        assert_eq!(check_workspace(&text("{ version = '1', default-features = false }")).unwrap(), vec![]);
    }
}
