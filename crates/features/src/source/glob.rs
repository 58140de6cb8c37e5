//! Patterns over folders: `*` and `?` within a name, `**` for any folders. Hidden files match only patterns that name
//! them, so that what a writer has not finished (`.tmp-…`) is no data.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

type Failure = (PathBuf, io::Error);

/// The files below `base` that match `pattern`. A folder or file that is not there matches nothing.
pub(super) fn find(base: &Path, pattern: &str) -> Result<Vec<PathBuf>, Failure> {
    let parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let mut found = Vec::new();
    walk(base, &parts, &mut found)?;
    found.dedup();
    Ok(found)
}

fn walk(folder: &Path, parts: &[&str], found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let Some((first, rest)) = parts.split_first() else { return Ok(()) };
    if !first.contains(['*', '?']) {
        return visit(&folder.join(first), rest, found);
    }
    let any_depth = *first == "**";
    if any_depth {
        walk(folder, rest, found)?;
    }
    for path in entries(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') && !first.starts_with('.') {
            continue;
        }
        if any_depth {
            // Links are not followed to any depth: they may lead in circles.
            if path.is_dir() && !path.is_symlink() {
                walk(&path, parts, found)?;
            }
        } else if matches(first.as_bytes(), name.as_bytes()) {
            visit(&path, rest, found)?;
        }
    }
    Ok(())
}

fn visit(path: &Path, rest: &[&str], found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if rest.is_empty() {
        if path.is_file() {
            found.push(path.to_owned());
        }
        return Ok(());
    }
    if path.is_dir() { walk(path, rest, found) } else { Ok(()) }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| (folder.to_owned(), error);
    match fs::read_dir(folder) {
        Ok(entries) => {
            let paths = entries.map(|entry| entry.map(|entry| entry.path()));
            let mut paths = paths.collect::<Result<Vec<_>, _>>().map_err(failed)?;
            paths.sort_unstable();
            Ok(paths)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed(error)),
    }
}

/// Whether `name` matches `pattern`. One pass with one place to come back to: `*` first tries to be empty.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[n] => {
                p += 1;
                n += 1;
            }
            Some(_) | None => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_within_a_name() {
        for (pattern, name, expected) in [
            ("*.parquet", "part-0.parquet", true),
            ("*.parquet", "part-0.parquet.tmp", false),
            ("part-?.parquet", "part-10.parquet", false),
            ("a*b*c", "aXbXbc", true),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}
