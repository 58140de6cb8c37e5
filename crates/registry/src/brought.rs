//! What is brought here from a registry elsewhere: the version that is to be released, its run, and their files.
//!
//! They become rows and artifacts like all others, so that whoever judges, serves and explains a version knows nothing of
//! where it came from, and goes on when the other registry is away. Files first, rows last and in one transaction: a
//! version is here whole or not at all. A version's files do not change; if they did elsewhere, that is refused.

use artifacts::ArtifactPath;
use database::Transaction;
use types::{Digest, ErrorKind, ModelVersion, Principal, Role};
use uuid::Uuid;

use crate::{
    KeyValue, Origin, OriginError, OriginFolder, OriginVersion, RegisteredModel, RunInfo, Service, Version,
    error::{Error, Result},
    models,
    origin::{OriginFile, OriginRun},
    repo, storage,
};

/// The tag of a model that says where it was brought from.
const ORIGIN_TAG: &str = "crosstie.registry";
/// Where files are kept that were brought, below the store's root.
const FOLDER: &str = "brought";
/// What is held while rows are written.
const LOCK: &str = "registry:brought";
/// The folder of a run's artifacts that gates and drift read.
const EVALUATION: &str = "evaluation";
/// The one that lineage reads.
const EVIDENCE: &str = "crosstie";
/// The tag in which clients say who runs something.
const USER_TAG: &str = "mlflow.user";
/// The status of a version that is whole.
const READY: &str = "READY";

impl Service {
    /// The registry elsewhere, if versions come from one.
    #[must_use]
    pub fn origin(&self) -> Option<&dyn Origin> {
        self.elsewhere.as_ref().map(|elsewhere| &*elsewhere.origin)
    }

    /// Brings a version here from the registry elsewhere, with its files, or brings what is known of it up to date.
    /// Changes nothing where versions are registered here.
    ///
    /// # Errors
    /// When it is not there, its files cannot be read or changed since they were brought, or a model of this name was
    /// registered here.
    pub async fn bring(&self, version: &ModelVersion) -> Result<()> {
        let Some(elsewhere) = &self.elsewhere else { return Ok(()) };
        // Each by one at a time here: the others find it brought.
        let bringing = elsewhere.bringing(version);
        let _bringing = bringing.lock().await;
        let origin = &*elsewhere.origin;
        let mut found = origin.version(version).await?;
        if found.version.status != READY {
            let status = &found.version.status;
            let message = format!("{version} is {status} at {}, and not {READY}", origin.address());
            return Err(Error::InvalidState(message));
        }
        let folder = folder_of(&found.version)?;
        let files = origin.files(OriginFolder::Version(&found)).await?;
        if files.is_empty() {
            return Err(Error::InvalidState(format!("{version} has no files at {}", found.location)));
        }
        let others = self.artifacts.list(&folder).await?;
        let place = match self.brought_to(&found.version, &folder).await? {
            Some(place) => {
                self.check_unchanged(&place, &files, origin.address(), version).await?;
                place
            }
            None => {
                let place = folder.join(&Uuid::new_v4().simple().to_string())?;
                self.copy(origin, OriginFolder::Version(&found), files, &place).await?;
                place
            }
        };
        self.bring_run(origin, &mut found, &[EVALUATION, EVIDENCE]).await?;
        let kept = self.record(found, origin.address(), Some((folder, place.clone()))).await?;
        // Another server may have been quicker, and attempts may have been broken off before this one.
        let needed = |left: &ArtifactPath| kept.as_ref().is_none_or(|kept| kept == left || left.below(kept).is_some());
        for left in others.into_iter().map(|entry| entry.path).chain([place]).filter(|left| !needed(left)) {
            self.remove_artifacts(&left).await?;
        }
        Ok(())
    }

    /// Makes sure that what is known of a version is here, with what lineage reads of its run, though its files may not be.
    pub(crate) async fn know(&self, version: &ModelVersion) -> Result<()> {
        let Some(origin) = self.origin() else { return Ok(()) };
        match self.version(version.model.as_str(), &version.version.to_string()).await {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut found = origin.version(version).await?;
        self.bring_run(origin, &mut found, &[EVIDENCE]).await?;
        // Nothing of this server's own, whatever it is called there.
        found.version.storage_location = Some(format!("mlflow+{}", origin.address()));
        self.record(found, origin.address(), None).await?;
        Ok(())
    }

    /// Brings these folders of the run's artifacts, which then lie here. Last, since the version's files may be told by
    /// where the run's are.
    async fn bring_run(&self, origin: &dyn Origin, found: &mut OriginVersion, folders: &[&str]) -> Result<()> {
        let Some(run) = &mut found.run else { return Ok(()) };
        let root = ArtifactPath::parse(FOLDER)?.join("runs")?.join(&run.run.info.id)?;
        for folder in folders {
            let files = origin.files(OriginFolder::Run(run, folder)).await?;
            self.copy(origin, OriginFolder::Run(run, folder), files, &root.join(folder)?).await?;
        }
        run.run.info.artifact_uri = own_uri(&root);
        Ok(())
    }

    /// Where the files of this very version are, if they are here, all of them.
    async fn brought_to(&self, version: &Version, folder: &ArtifactPath) -> Result<Option<ArtifactPath>> {
        let (name, number) = (version.name.clone(), version.version);
        let known = self.database.read(async move |tx| repo::versions::by_number(tx, &name, number).await).await?;
        Ok(known.and_then(|known| place_in(folder, &known)))
    }

    /// Compares by paths and sizes: nobody elsewhere tells digests.
    async fn check_unchanged(
        &self,
        place: &ArtifactPath,
        files: &[OriginFile],
        address: &str,
        version: &ModelVersion,
    ) -> Result<()> {
        let here = self.artifacts.walk(place).await?;
        let here = here.iter().filter_map(|entry| Some((entry.path.below(place)?, entry.size)));
        let mut here: Vec<_> = here.collect();
        let mut there: Vec<_> = files.iter().map(|file| (file.path.as_str(), file.size)).collect();
        here.sort_unstable();
        there.sort_unstable();
        let same = here.len() == there.len()
            && here
                .iter()
                .zip(&there)
                .all(|(here, there)| here.0 == there.0 && there.1.is_none_or(|size| size == here.1));
        if same {
            return Ok(());
        }
        Err(Error::InvalidState(format!(
            "the files of {version} at {address} are not those that were brought here: a version does not change; \
             register what changed as a new version"
        )))
    }

    /// Copies `files`, each of which must be as large as it was said to be.
    async fn copy(
        &self,
        origin: &dyn Origin,
        folder: OriginFolder<'_>,
        files: Vec<OriginFile>,
        place: &ArtifactPath,
    ) -> Result<()> {
        for file in files {
            let content = origin.open(folder, &file.path).await?;
            let stored = self.put_artifact(&place.join(&file.path)?, content).await.map_err(broken_off)?;
            if let Some(size) = file.size.filter(|size| *size != stored.size) {
                let message = format!(
                    "`{}` has {} bytes where {} listed {size}: it is being changed, or the connection broke",
                    file.path,
                    stored.size,
                    origin.address()
                );
                return Err(OriginError::new(ErrorKind::Unavailable, message).into());
            }
        }
        Ok(())
    }

    /// Writes down what is known; of files in this folder, at this place, whose they are. Answers where the version's files are
    /// from now on: at another place if another server has brought them meanwhile.
    async fn record(
        &self,
        found: OriginVersion,
        address: &str,
        brought: Option<(ArtifactPath, ArtifactPath)>,
    ) -> Result<Option<ArtifactPath>> {
        let (now, address) = (self.now(), address.to_owned());
        self.database
            .write(async move |tx| {
                // Two versions may have a model, an experiment or a run in common.
                tx.lock(LOCK).await?;
                let OriginVersion { version, run, .. } = &found;
                let mut version = version.clone();
                record_model(tx, &version.name, &address, now).await?;
                if let Some(run) = run {
                    record_run(tx, run, now).await?;
                }
                let known = repo::versions::by_number(tx, &version.name, version.version).await?;
                let kept = brought.as_ref().map(|(folder, place)| {
                    known.as_ref().and_then(|known| place_in(folder, known)).unwrap_or_else(|| place.clone())
                });
                if let Some(kept) = &kept {
                    version.storage_location = Some(own_uri(kept));
                    repo::brought::record(tx, kept, version.run_id.as_deref()).await?;
                }
                if repo::brought::update_version(tx, &version).await? == 0 {
                    repo::versions::insert(tx, &version).await?;
                }
                repo::versions::set_tags(tx, &version.name, version.version, &version.tags).await?;
                repo::models::touch(tx, &version.name, now).await?;
                if let Some(author) = author_of(&version, run.as_ref()) {
                    repo::authors::record(tx, &version, &author).await?;
                }
                Ok(kept)
            })
            .await
    }
}

/// Whether `path` is where files are kept that were brought.
pub(crate) fn is_below(path: &ArtifactPath) -> bool {
    path.as_str().split('/').next() == Some(FOLDER)
}

/// Refuses what a caller would change where files are kept that were brought: they pass for those of the run elsewhere.
pub(crate) fn refuse_change(path: &ArtifactPath) -> Result<()> {
    if !is_below(path) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "`{path}` cannot be changed: `{FOLDER}/` holds what was brought from a registry elsewhere, as it was there. Choose \
         another folder"
    )))
}

/// A store that stopped in the middle is the other registry's failure, not the caller's.
fn broken_off(error: Error) -> Error {
    if !matches!(error, Error::Artifacts(artifacts::Error::Interrupted { .. })) {
        return error;
    }
    let message = "the connection broke while files were brought here";
    OriginError::because(ErrorKind::Unavailable, message, error).into()
}

/// The folder in which a version's files are kept: by name and number, and by when it was registered, so that another one of
/// the same number never passes for it. A name may be what no path can be. Each attempt to bring them has a folder in it.
fn folder_of(version: &Version) -> Result<ArtifactPath> {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let name: String = version.name.chars().map(plain).collect();
    let digest = Digest::of(&version.name).hex();
    let path = format!("{FOLDER}/models/{name}-{}/{}-{}", &digest[..8], version.version, version.created);
    Ok(ArtifactPath::parse(&path)?)
}

/// Where the files of a version that is known lie in its folder, if they were brought.
fn place_in(folder: &ArtifactPath, known: &Version) -> Option<ArtifactPath> {
    let location = known.storage_location.as_deref()?.strip_prefix(storage::OWN_ROOT)?;
    let place = ArtifactPath::parse(location).ok()?;
    (place == *folder || place.below(folder).is_some()).then_some(place)
}

fn own_uri(path: &ArtifactPath) -> String {
    format!("{}{path}", storage::OWN_ROOT)
}

/// Makes the model if it is missing, and refuses one that was registered here or brought from elsewhere.
async fn record_model(tx: &mut Transaction, name: &str, address: &str, now: i64) -> Result<()> {
    let model = RegisteredModel {
        name: name.to_owned(),
        created: Some(now),
        updated: Some(now),
        description: None,
        latest_versions: Vec::new(),
        tags: Vec::new(),
        aliases: Vec::new(),
    };
    if repo::models::insert(tx, &model).await? {
        return repo::models::set_tags(tx, name, &[KeyValue::new(ORIGIN_TAG, address)]).await;
    }
    let known = models::required(tx, name).await?;
    let from = known.tags.iter().find(|tag| tag.key == ORIGIN_TAG).map(|tag| tag.value.as_str());
    if from == Some(address) {
        return Ok(());
    }
    let from = from.map_or_else(|| "was registered here".to_owned(), |from| format!("was brought from {from}"));
    Err(Error::InvalidState(format!(
        "this server's own database has a model {name} that {from}, not from {address}: give `--database` one of its own \
         when `--registry` names another registry"
    )))
}

/// The run as it is now: what was logged since it was brought is added, what was deleted is gone.
async fn record_run(tx: &mut Transaction, found: &OriginRun, now: i64) -> Result<()> {
    let OriginRun { run, experiment } = found;
    let experiment_id = match repo::experiments::by_name(tx, experiment).await? {
        Some(known) => known.id,
        None => {
            let made = repo::experiments::insert(tx, experiment, Some(storage::OWN_ROOT), now).await?;
            made.ok_or_else(|| Error::Corrupt { what: "an experiment's name", value: experiment.clone() })?
        }
    };
    let info = RunInfo { experiment_id, ..run.info.clone() };
    match repo::runs::by_id(tx, &info.id).await? {
        None => repo::runs::insert(tx, &info).await?,
        Some(known) if known.artifact_uri == info.artifact_uri => {}
        Some(_) => {
            return Err(Error::InvalidState(format!(
                "this server's own database has a run {} that was logged here: give `--database` one of its own when \
                 `--registry` names another registry",
                info.id
            )));
        }
    }
    repo::runs::update(tx, &info).await?;
    repo::brought::forget_logged(tx, &info.id).await?;
    repo::brought::set_location(tx, &info.id, &info.artifact_uri).await?;
    repo::runs::insert_params(tx, &info.id, &run.params).await?;
    repo::runs::set_tags(tx, &info.id, &run.tags).await?;
    repo::metrics::insert(tx, &repo::metrics::Points::new(&info.id, &run.metrics)).await?;
    for dataset in &run.datasets {
        repo::inputs::insert_dataset(tx, experiment_id, &info.id, dataset).await?;
    }
    Ok(())
}

/// Who made the version, as its client said. No token was shown here.
fn author_of(version: &Version, run: Option<&OriginRun>) -> Option<Principal> {
    let of_run = run.and_then(|run| run.run.tag(USER_TAG).or(Some(run.run.info.user_id.as_str())));
    let name = version.user_id.as_deref().filter(|user| !user.is_empty()).or(of_run)?;
    (!name.is_empty()).then(|| Principal { name: name.to_owned(), role: Role::Editor, ..Principal::anonymous() })
}
