//! How the program is linked.

/// Addresses that the loader has to set, of which a program of this size has two hundred thousand, are packed into bits: 4 MB
/// less to be read at each start and to be held afterwards. Linkers and C libraries that do not know this go on as before.
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if cfg!(target_os = "linux") {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
