//! Where the `onnxruntime` wheel puts the library in a Python virtual environment.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The library in the virtual environment at `root`, if `onnxruntime` is installed there.
#[must_use]
pub fn library_in_environment(root: &Path) -> Option<PathBuf> {
    let packages = subfolders(&root.join("lib")).into_iter().map(|python| python.join("site-packages"));
    let windows = [root.join("Lib").join("site-packages")];
    packages.chain(windows).find_map(|packages| library_in_folder(&packages.join("onnxruntime").join("capi")))
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut folders: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    folders.sort();
    folders
}

/// The library itself: `libonnxruntime.so.1.24.0`, `libonnxruntime.1.24.0.dylib`, `onnxruntime.dll`; not one of the
/// providers that lie beside it.
fn library_in_folder(folder: &Path) -> Option<PathBuf> {
    let is_library = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("libonnxruntime.so")
            || (name.starts_with("libonnxruntime.") && name.ends_with(".dylib"))
            || name == "onnxruntime.dll"
    };
    subfolders(folder).into_iter().find(is_library)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wheels_library_is_found_and_its_providers_are_not_taken_for_it() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(library_in_environment(root.path()), None);
        let capi = root.path().join("lib/python3.11/site-packages/onnxruntime/capi");
        fs::create_dir_all(&capi).unwrap();
        fs::write(capi.join("libonnxruntime_providers_shared.so"), "").unwrap();
        assert_eq!(library_in_environment(root.path()), None);
        fs::write(capi.join("libonnxruntime.so.1.32.0"), "").unwrap();
        assert_eq!(library_in_environment(root.path()), Some(capi.join("libonnxruntime.so.1.32.0")));
    }
}
