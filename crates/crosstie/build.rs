//! How the program is linked.

use std::process::Command;

/// The first glibc that reads packed addresses; a program that has them does not start with an older one.
const PACKED: (u32, u32) = (2, 36);

/// Addresses that the loader has to set, of which a program of this size has two hundred thousand, are packed into bits where
/// the machine's own C library can read that: 4 MB less to be read at each start and to be held afterwards. A program that
/// was built against a newer C library does not start with an older one in any case.
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if glibc().is_some_and(|version| version >= PACKED) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The version of this machine's glibc, if it has one.
fn glibc() -> Option<(u32, u32)> {
    let answer = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(answer.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
