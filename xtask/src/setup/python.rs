//! The Python environments: the demo's, and one with the whole of MLflow to compare ourselves with, and with Playwright.
//!
//! They are kept beside the build cache, `$XDG_CACHE_HOME/crosstie/python/<name>-<digest>`, named by the digest of their requirements and
//! interpreter, so that a fresh clone with the same requirements finds them ready; `.venv` and `.venv-mlflow` in the project point at them. A stamp,
//! written last, tells a finished environment from one whose making was interrupted.

use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use super::packages;
use crate::process::{Runner, answer};
use crate::workspace::Workspace;
use crate::{environment, output};

/// The oldest Python that the pinned packages support.
const OLDEST: (u32, u32) = (3, 11);

/// Named versions before whatever `python3` happens to be, oldest first: wheels exist for them the longest.
const INTERPRETERS: &[&str] = &["python3.11", "python3.12", "python3.13", "python3"];

const STAMP: &str = "crosstie-requirements.txt";

/// A ready environment.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    folder: PathBuf,
}

impl Environment {
    pub(crate) fn interpreter(&self) -> PathBuf {
        self.folder.join("bin/python")
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// ONNX Runtime's library, which its wheel carries.
    pub(crate) fn onnxruntime(&self) -> anyhow::Result<PathBuf> {
        let script = "import pathlib, onnxruntime; print(pathlib.Path(onnxruntime.__file__).parent / 'capi')";
        let capi = PathBuf::from(answer(Command::new(self.interpreter()).args(["-c", script]))?.trim());
        let mut libraries: Vec<PathBuf> = std::fs::read_dir(&capi)
            .with_context(|| format!("list {}", capi.display()))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libonnxruntime.so")))
            .collect();
        libraries.sort();
        libraries.pop().with_context(|| format!("no libonnxruntime.so in {}", capi.display()))
    }
}

/// The environment of the demo and of the reference project.
pub(crate) fn demo(workspace: &Workspace, runner: &Runner) -> anyhow::Result<Environment> {
    ready(workspace, runner, "demo", ".venv")
}

/// The environment with the whole of MLflow, which the registry's tables and answers are compared with, and Playwright.
pub(crate) fn mlflow(workspace: &Workspace, runner: &Runner) -> anyhow::Result<Environment> {
    ready(workspace, runner, "test", ".venv-mlflow")
}

/// An environment of somebody else's requirements, which have no hashes; the project has no link to it.
pub(crate) fn of_requirements(runner: &Runner, name: &str, requirements: &Path) -> anyhow::Result<Environment> {
    let wanted = read(requirements)?;
    cached(runner, name, requirements, &wanted, &[])
}

/// The environment with FastTrackML, which the registry's speed is compared with.
pub(crate) fn bench(workspace: &Workspace, runner: &Runner) -> anyhow::Result<Environment> {
    ready(workspace, runner, "bench", ".venv-bench")
}

fn ready(workspace: &Workspace, runner: &Runner, name: &str, link: &str) -> anyhow::Result<Environment> {
    let requirements = workspace.root().join(format!("python/requirements/{name}.txt"));
    let environment = cached(runner, name, &requirements, &read(&requirements)?, &["--require-hashes"])?;
    point(&workspace.root().join(link), &environment.folder)?;
    Ok(environment)
}

fn read(requirements: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(requirements).with_context(|| format!("read {}", requirements.display()))
}

/// The environment of these requirements, made with these flags of pip if the cache does not have it.
fn cached(
    runner: &Runner,
    name: &str,
    requirements: &Path,
    wanted: &str,
    flags: &[&str],
) -> anyhow::Result<Environment> {
    let python = interpreter(runner)?;
    let stamp = format!("# {}\n{wanted}", python.version);
    let cache = environment::cache_dir().join("python");
    std::fs::create_dir_all(&cache).with_context(|| format!("create {}", cache.display()))?;
    let folder = cache.join(format!("{name}-{:016x}", digest(&stamp)));

    // Two runs at once must not fill one folder; the second waits and then finds it ready.
    let lock = File::create(folder.with_extension("lock"))?;
    if lock.try_lock().is_err() {
        output::line(format!("   waiting for another run that is making {}", folder.display()));
        lock.lock()?;
    }
    if !is_ready(&folder, &stamp) {
        make(runner, &python, &folder, requirements, name, flags)?;
        std::fs::write(folder.join(STAMP), &stamp)?;
    }
    Ok(Environment { folder })
}

fn make(
    runner: &Runner,
    python: &Interpreter,
    folder: &Path,
    requirements: &Path,
    name: &str,
    flags: &[&str],
) -> anyhow::Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("remove the unfinished {}", folder.display()))?;
    }
    let mut venv = Command::new(&python.program);
    venv.args(["-m", "venv"]).arg(folder);
    runner.quietly(&format!("venv-{name}"), &format!("making the Python environment `{name}`"), &mut venv)?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"]);
    pip.args(flags).arg("--requirement").arg(requirements);
    let what = format!("installing the Python packages of `{name}` ({})", python.version);
    runner.quietly(&format!("pip-{name}"), &what, &mut pip)
}

fn is_ready(folder: &Path, stamp: &str) -> bool {
    std::fs::read_to_string(folder.join(STAMP)).is_ok_and(|found| found == stamp)
}

/// Makes `link` point at `folder`. An environment that somebody made there by hand is left alone and used by nobody.
fn point(link: &Path, folder: &Path) -> anyhow::Result<()> {
    match link.symlink_metadata() {
        Ok(meta) if !meta.is_symlink() => {
            output::line(format!(
                "   {} is a folder of its own; left alone, using {}",
                link.display(),
                folder.display()
            ));
            return Ok(());
        }
        Ok(_) if std::fs::read_link(link).is_ok_and(|found| found == folder) => return Ok(()),
        Ok(_) => std::fs::remove_file(link)?,
        Err(_) => {}
    }
    std::os::unix::fs::symlink(folder, link).with_context(|| format!("link {}", link.display()))
}

/// A name for a cache folder, not a promise: the stamp inside is compared in full.
fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

struct Interpreter {
    program: PathBuf,
    version: String,
}

/// The first Python that is new enough and can make environments.
fn interpreter(runner: &Runner) -> anyhow::Result<Interpreter> {
    let Some(found) = search()? else {
        let purpose = format!("Python {}.{} or newer", OLDEST.0, OLDEST.1);
        packages::install(runner, &["python3", "python3-venv"], &purpose)?;
        return search()?.with_context(|| format!("{purpose} is still missing: this system's python3 is older"));
    };
    let can_make = |python: &Path| answer(Command::new(python).args(["-c", "import ensurepip, venv"])).is_ok();
    if !can_make(&found.program) {
        let versioned = format!("python{}-venv", found.version.rsplit_once('.').map_or("3", |(minor, _)| minor));
        let purpose = format!("the venv module of Python {}", found.version);
        packages::install(runner, &["python3-venv", &versioned], &purpose)?;
        if !can_make(&found.program) {
            bail!("{} still cannot make environments (ensurepip is missing)", found.program.display());
        }
    }
    Ok(found)
}

fn search() -> anyhow::Result<Option<Interpreter>> {
    for name in INTERPRETERS {
        let Some(program) = environment::on_path(name) else { continue };
        // A version manager's shim may exist for a version that is not there.
        let script = "import platform; print(platform.python_version())";
        let Ok(version) = answer(Command::new(&program).args(["-c", script])) else { continue };
        let version = version.trim().to_owned();
        if is_new_enough(&version) {
            return Ok(Some(Interpreter { program, version }));
        }
    }
    Ok(None)
}

fn is_new_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    let found = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    found >= OLDEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(is_new_enough("3.11.7") && is_new_enough("3.14.0rc1") && !is_new_enough("3.9.18"));
    }

    #[test]
    fn only_a_finished_environment_with_these_requirements_is_ready() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!is_ready(dir.path(), "a"));
        std::fs::write(dir.path().join(STAMP), "a").unwrap();
        assert!(is_ready(dir.path(), "a") && !is_ready(dir.path(), "b"));
    }

    #[test]
    fn a_link_moves_and_a_folder_made_by_hand_stays() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join(".venv");
        for name in ["first", "second"] {
            point(&link, &dir.path().join(name)).unwrap();
            assert_eq!(std::fs::read_link(&link).unwrap(), dir.path().join(name));
        }
        std::fs::remove_file(&link).unwrap();
        std::fs::create_dir(&link).unwrap();
        point(&link, &dir.path().join("first")).unwrap();
        assert!(link.is_dir() && !link.is_symlink());
    }
}
