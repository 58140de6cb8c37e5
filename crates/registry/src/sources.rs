//! Where a version comes from. A source must belong to the run or logged model that the request names: otherwise
//! whoever may register versions could read any file that the server can.

use database::Transaction;
use types::percent_decoded;

use crate::{
    LifecycleStage,
    error::{Error, Result},
    logged_models, models, repo, runs, versions,
};

/// A source as a URI says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// `runs:/ID/path`
    Run {
        /// The run.
        id: String,
        /// The path below its artifacts.
        path: String,
    },
    /// `models:/m-…`
    LoggedModel {
        /// The logged model.
        id: String,
    },
    /// `models:/name/3`, `models:/name/latest`, `models:/name/Production`, `models:/name@alias`
    Registered {
        /// The model.
        name: String,
        /// Version, stage, `latest`, or `@` and an alias.
        selector: String,
    },
    /// Something in a folder of the server.
    Local,
    /// Something in this server's own store, by its URI or its proxy's address.
    Own,
    /// Something elsewhere.
    Elsewhere,
}

/// Reads a source's URI.
pub(crate) fn parse(uri: &str) -> Result<Source> {
    if let Some(rest) = uri.strip_prefix("runs:") {
        // `runs:///ID` names no host; `runs://ID` does.
        let rest = rest.strip_prefix("///").or_else(|| rest.strip_prefix('/')).filter(|rest| !rest.starts_with('/'));
        let rest = rest.filter(|rest| !rest.is_empty()).ok_or_else(|| foreign(uri, "run_id"))?;
        let (id, path) = rest.split_once('/').unwrap_or((rest, ""));
        return Ok(Source::Run { id: id.to_owned(), path: path.to_owned() });
    }
    if let Some(rest) = uri.strip_prefix("models:") {
        if rest.starts_with("//") {
            return Err(Error::invalid(format!(
                "Invalid model version source: '{uri}'. Registered model sources must use the active model registry."
            )));
        }
        let rest = rest.strip_prefix('/').filter(|rest| !rest.is_empty());
        let rest = rest.ok_or_else(|| foreign(uri, "model_id"))?;
        if let Some((name, selector)) = rest.split_once('/') {
            if selector.contains('/') || selector.trim().is_empty() {
                return Err(foreign(uri, "model_id"));
            }
            return Ok(Source::Registered { name: name.to_owned(), selector: selector.to_owned() });
        }
        // A model's name may have an `@`, an alias has none.
        if let Some((name, alias)) = rest.rsplit_once('@') {
            if alias.trim().is_empty() {
                return Err(foreign(uri, "model_id"));
            }
            return Ok(Source::Registered { name: name.to_owned(), selector: format!("@{alias}") });
        }
        return Ok(Source::LoggedModel { id: rest.to_owned() });
    }
    let scheme = uri.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    Ok(match scheme.as_deref() {
        None | Some("file" | "") => Source::Local,
        Some("mlflow-artifacts") => Source::Own,
        Some("http" | "https") if uri.contains("/api/2.0/mlflow-artifacts/artifacts/") => Source::Own,
        Some(_) => Source::Elsewhere,
    })
}

fn foreign(uri: &str, id_name: &str) -> Error {
    Error::invalid(format!(
        "Invalid model version source: '{uri}'. The {id_name} request parameter must identify the resource that \
         contains the source."
    ))
}

/// A version's source, checked: what the version is registered with.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) source: String,
    pub(crate) storage_location: String,
    pub(crate) run_id: String,
    pub(crate) model_id: Option<String>,
}

/// Checks that `uri` belongs to what the request names, and finds out where the files lie.
pub(crate) async fn resolve(
    tx: &mut Transaction,
    uri: &str,
    run_id: Option<&str>,
    model_id: Option<&str>,
) -> Result<Resolved> {
    let named_run = run_id.filter(|id| !id.is_empty());
    let named_model = model_id.filter(|id| !id.is_empty());
    if uri.starts_with("runs:") && named_model.is_some() {
        check_no_escape(uri)?;
        return Err(foreign(uri, "model_id"));
    }
    let source = parse(uri)?;
    if let Source::Registered { name, selector } = &source {
        return copy(tx, uri, name, selector, run_id, model_id).await;
    }
    if source != Source::Local {
        check_no_escape(uri)?;
    } else if uri.starts_with("file:") && local_path(uri).starts_with("//") {
        return Err(Error::OtherHost { uri: uri.to_owned() });
    }
    let mut resolved = Resolved {
        source: uri.to_owned(),
        storage_location: uri.to_owned(),
        run_id: run_id.unwrap_or_default().to_owned(),
        model_id: named_model.map(str::to_owned),
    };
    match (&source, named_model) {
        (Source::LoggedModel { id }, Some(model)) if id == model => {}
        (Source::LoggedModel { .. } | Source::Run { .. }, Some(_)) | (Source::LoggedModel { .. }, None) => {
            return Err(foreign(uri, "model_id"));
        }
        (Source::Local | Source::Own, Some(model)) => {
            let root = logged_model_root(tx, model).await?.ok_or_else(|| foreign(uri, "model_id"))?;
            check_within(uri, &source, Some(&root), "model_id")?;
        }
        // Older clients name another run, or none. Whoever may register may read every run, so nothing is given away; and
        // what counts before a release is the run whose files they are.
        (Source::Run { .. } | Source::Own, None) => {}
        (Source::Local, None) => {
            let root = match named_run {
                Some(run) => {
                    let found = repo::runs::by_id(tx, run).await?.ok_or_else(|| foreign(uri, "run_id"))?;
                    Some(found.artifact_uri)
                }
                None => None,
            };
            check_within(uri, &source, root.as_deref(), "run_id")?;
        }
        (Source::Elsewhere | Source::Registered { .. }, _) => {}
    }
    if let Some(model) = named_model {
        let (model, _) = logged_models::stored(tx, model).await?;
        if matches!(source, Source::LoggedModel { .. }) {
            resolved.storage_location = model.artifact_uri;
        }
        if resolved.run_id.is_empty() {
            resolved.run_id = model.source_run_id.unwrap_or_default();
        }
    }
    Ok(resolved)
}

/// A version made from another: it lies where that one lies, and has its run.
async fn copy(
    tx: &mut Transaction,
    uri: &str,
    name: &str,
    selector: &str,
    run_id: Option<&str>,
    model_id: Option<&str>,
) -> Result<Resolved> {
    let model = models::required(tx, name).await?;
    if models::is_prompt(&model.tags) {
        return Err(Error::invalid(format!(
            "Invalid model version source: '{uri}'. Prompt versions cannot be used as model version sources."
        )));
    }
    let newest = |stage: &str| {
        let of_stage = model.latest_versions.iter().filter(|version| version.stage.eq_ignore_ascii_case(stage));
        of_stage.map(|version| version.version).max()
    };
    let number = if let Some(alias) = selector.strip_prefix('@') {
        let found = model.aliases.iter().find(|found| found.alias == alias).map(|found| found.version);
        Some(found.ok_or_else(|| Error::invalid(format!("Registered model alias {alias} not found.")))?)
    } else if selector.eq_ignore_ascii_case("latest") {
        model.latest_versions.iter().map(|version| version.version).max()
    } else {
        selector.parse().ok().or_else(|| newest(selector))
    };
    let missing = || Error::NotFound(format!("Model Version (name={name}, version={selector}) not found"));
    let version = versions::required(tx, name, number.ok_or_else(missing)?).await?;
    let run = version.run_id.clone().unwrap_or_default();
    if run_id.is_some_and(|named| named != run) {
        return Err(Error::invalid(format!(
            "Invalid model version source: '{uri}'. The run_id and model_id request parameters must match the \
             referenced model version."
        )));
    }
    Ok(Resolved {
        source: format!("models:/{name}/{}", version.version),
        storage_location: version.storage_location.or(version.source).unwrap_or_default(),
        run_id: run,
        model_id: model_id.filter(|id| !id.is_empty()).map(str::to_owned),
    })
}

async fn logged_model_root(tx: &mut Transaction, id: &str) -> Result<Option<String>> {
    let found = repo::logged_models::by_id(tx, id).await?;
    let active = found.filter(|(_, stage)| *stage == LifecycleStage::Active);
    Ok(active.map(|(model, _)| model.artifact_uri))
}

/// Refuses `..` and NUL in any encoding, and a path that is not absolute, is none, or has a `.` among its parts.
fn check_no_escape(uri: &str) -> Result<()> {
    let relative = || {
        Error::invalid(format!(
            "Invalid model version source: '{uri}'. If supplying a source as an http, https, local file path, ftp, \
             objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative path references \
             present. Please provide an absolute path."
        ))
    };
    let mut form = uri.to_owned();
    loop {
        if form.contains('\0') || form.split(['/', '\\']).any(|part| part == "..") {
            return Err(relative());
        }
        let decoded = percent_decoded(&form);
        if decoded == form {
            break;
        }
        form = decoded;
    }
    let path = path_of(&form).trim_end_matches('/');
    if path.starts_with('/') && path.split('/').all(|part| part != ".") { Ok(()) } else { Err(relative()) }
}

/// The path of a URI, between its host and its query.
fn path_of(uri: &str) -> &str {
    let rest = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    let rest = match rest.strip_prefix("//") {
        Some(authority) => &authority[authority.find(['/', '?', '#']).unwrap_or(authority.len())..],
        None => rest,
    };
    rest.split(['?', '#']).next().unwrap_or_default()
}

/// Refuses a source outside of the artifacts at `root`.
fn check_within(uri: &str, source: &Source, root: Option<&str>, id_name: &str) -> Result<()> {
    let same_kind = root.filter(|root| parse(root).is_ok_and(|root| root == *source));
    if same_kind.is_some_and(|root| is_within(uri, root)) {
        return Ok(());
    }
    if *source == Source::Local {
        return Err(Error::invalid(format!(
            "Invalid model version source: '{}'. To use a local path as a model version source, the {id_name} \
             request parameter has to be specified and the local path has to be contained within the artifact \
             directory of the run specified by the {id_name}.",
            if root.is_some() { local_path(uri) } else { uri }
        )));
    }
    Err(foreign(uri, id_name))
}

/// The path of a local source; `//host/…` when it names another host.
fn local_path(uri: &str) -> &str {
    let path = uri.strip_prefix("file:").unwrap_or(uri);
    path.strip_prefix("//").filter(|path| path.starts_with('/')).unwrap_or(path)
}

/// Ids of runs that a place in a store may be of: those among its parts, innermost first.
pub(crate) fn runs_at(uri: &str) -> Vec<String> {
    let is_id = |part: &&str| part.len() == 32 && part.bytes().all(|c| c.is_ascii_hexdigit());
    uri.rsplit('/').filter(is_id).map(str::to_owned).collect()
}

/// Whether `uri` is `root` or below it, part by part, with `..` followed: only local paths may still have it here.
pub(crate) fn is_within(uri: &str, root: &str) -> bool {
    let parts = |uri: &str| {
        let bare = uri.strip_prefix("file://").or_else(|| uri.strip_prefix("file:")).unwrap_or(uri);
        let mut parts: Vec<String> = Vec::new();
        for part in percent_decoded(bare).split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                part => parts.push(part.to_owned()),
            }
        }
        parts
    };
    let root = parts(root);
    !root.is_empty() && parts(uri).starts_with(&root)
}

/// Where the files of a version lie, from its storage location: runs and logged models are looked up.
pub(crate) async fn place(tx: &mut Transaction, uri: &str) -> Result<String> {
    match parse(uri)? {
        Source::Run { id, path } => {
            let run = runs::required(tx, &id).await?;
            Ok(if path.is_empty() { run.artifact_uri } else { crate::storage::append(&run.artifact_uri, &path) })
        }
        Source::LoggedModel { id } => Ok(logged_models::stored(tx, &id).await?.0.artifact_uri),
        Source::Registered { .. } | Source::Local | Source::Own | Source::Elsewhere => Ok(uri.to_owned()),
    }
}

/// The logged model whose files lie at `uri`, if its path says so: `…/models/m-…/artifacts`.
pub(crate) fn logged_model_at(uri: &str) -> Option<String> {
    let is_id = |part: &&str| {
        part.strip_prefix("m-").is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|c| c.is_ascii_hexdigit()))
    };
    uri.split('/').find(is_id).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_apart() {
        let run = |id: &str, path: &str| Source::Run { id: id.to_owned(), path: path.to_owned() };
        let registered =
            |name: &str, selector: &str| Source::Registered { name: name.to_owned(), selector: selector.to_owned() };
        for (uri, source) in [
            ("runs:/abc/model/x", run("abc", "model/x")),
            ("models:/m-1", Source::LoggedModel { id: "m-1".to_owned() }),
            ("models:/m/3", registered("m", "3")),
            ("models:/m@champion", registered("m", "@champion")),
            ("models:/a@b@champion", registered("a@b", "@champion")),
            ("/srv/x", Source::Local),
            ("file:///srv/x", Source::Local),
            ("mlflow-artifacts:/0/x", Source::Own),
            ("http://h/api/2.0/mlflow-artifacts/artifacts/0/x", Source::Own),
            ("s3://b/x", Source::Elsewhere),
        ] {
            assert_eq!(parse(uri).unwrap(), source, "{uri}");
        }
        for uri in [
            "runs://host/abc/x",
            "runs:/",
            "models://host/m/1",
            "models:/",
            "models:/m/1/x",
            "models:/m/ ",
            "models:/m@",
        ] {
            assert!(parse(uri).is_err(), "{uri}");
        }
    }

    #[test]
    fn escapes_are_refused_and_neighbours_are_outside() {
        for uri in [
            "mlflow-artifacts:/0/../1",
            "s3://b/%2e%2e/x",
            "http://h/..%252fx",
            "file:///a%00",
            "s3://b",
            "s3://b/",
            "s3://b?/x",
            "s3://b/./x",
            "s3://b/x/%2e",
            "mlflow-artifacts:x",
        ] {
            assert!(check_no_escape(uri).is_err(), "{uri}");
        }
        for uri in [
            "s3://b/x",
            "s3://b//x/",
            "runs:/abc",
            "models:/m-1",
            "dbfs:/m",
            "http://h/x?a=./b#.",
            "mlflow-artifacts:/x",
        ] {
            assert!(check_no_escape(uri).is_ok(), "{uri}");
        }
        assert_eq!(local_path("file:///srv/x"), "/srv/x");
        assert_eq!(local_path("file://host/x"), "//host/x");
        assert!(is_within("mlflow-artifacts:/0/a/artifacts/m", "mlflow-artifacts:/0/a/artifacts"));
        assert!(!is_within("mlflow-artifacts:/0/ab/artifacts", "mlflow-artifacts:/0/a"));
        assert!(is_within("file:///srv/a/b/..", "/srv/a"));
        assert!(!is_within("/srv/a/../b", "/srv/a"));
        assert!(!is_within("/srv/a/%2e%2e/b", "/srv/a"));
    }
}
