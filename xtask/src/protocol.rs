//! The Rust code of the Open Inference Protocol, made from our own `.proto` and checked in.
//!
//! So nobody needs `protoc` or a build script to build Crosstie, and a change of the wire format shows in a diff. `cargo xtask protocol`
//! writes the file; `cargo xtask tidy` makes it again and compares.

use std::{fs, path::Path};

use anyhow::{Context as _, ensure};

/// Where the definition lies, and its folder.
const FOLDER: &str = "crates/protocol/proto";
const DEFINITION: &str = "inference.proto";
/// What is made from it. The name is the protocol's package.
const GENERATED: &str = "crates/protocol/src/generated/inference.rs";

/// Writes the generated code below `root`; with `check`, compares it with what lies there instead.
pub(crate) fn generate(root: &Path, check: bool) -> anyhow::Result<()> {
    let fresh = render(root)?;
    let place = root.join(GENERATED);
    if check {
        let there = fs::read_to_string(&place).with_context(|| format!("cannot read {GENERATED}"))?;
        ensure!(there == fresh, "{GENERATED} is not what {FOLDER}/{DEFINITION} makes");
        return Ok(());
    }
    fs::write(&place, fresh).with_context(|| format!("cannot write {GENERATED}"))
}

fn render(root: &Path) -> anyhow::Result<String> {
    let folder = root.join(FOLDER);
    let descriptors =
        protox::compile([folder.join(DEFINITION)], [&folder]).context("the definition does not compile")?;
    // The generator writes files and nothing else; this is its own place.
    let scratch = std::env::temp_dir().join(format!("crosstie-protocol-{}", std::process::id()));
    fs::create_dir_all(&scratch)?;
    let made = tonic_prost_build::configure()
        .bytes(".")
        .generate_default_stubs(true)
        .emit_rerun_if_changed(false)
        .out_dir(&scratch)
        .compile_fds(descriptors)
        .context("no code can be made from the definition")
        .and_then(|()| Ok(fs::read_to_string(scratch.join("inference.rs"))?));
    fs::remove_dir_all(&scratch)?;
    Ok(format!("//! Made from `proto/{DEFINITION}` by `cargo xtask protocol`. Do not edit.\n\n{}", made?))
}
