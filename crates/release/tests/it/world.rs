//! A release service with ports made of plain memory, and the people who use it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use database::{Database, Transaction, params};
use futures::future::LocalBoxFuture;
use release::{
    Assignment, AuditSink, Author, Candidate, Candidates, GateCheck, GateName, GateOutcome, ModelFile, PortError,
    Ports, Release, ReleaseId, Service, Stage, TrafficControl,
};
use runtime::{Signal, Tasks, testing::eventually};
use serde_json::json;
use telemetry::Metrics;
use types::{AuditEntry, Digest, ErrorKind, ModelName, ModelVersion, Principal, Role};

/// A deadline that only a defect reaches.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) service: Service,
    pub(crate) registry: Arc<Registry>,
    pub(crate) gates: BTreeMap<GateName, Arc<Gate>>,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) tasks: Tasks,
    pub(crate) metrics: Metrics,
}

impl World {
    /// A world with a controller.
    pub(crate) async fn new(database: Database) -> Self {
        let world = Self::without_controller(database).await;
        world.service.controller(&world.tasks);
        world
    }

    pub(crate) async fn without_controller(database: Database) -> Self {
        let table = "CREATE TABLE audit_of_test (number BIGINT PRIMARY KEY, action TEXT, principal TEXT, \
                     subject TEXT, detail TEXT)";
        database.write(async move |tx| tx.execute(table, params![]).await).await.unwrap();
        Self::beside(database).await
    }

    /// Another process on the same database.
    pub(crate) async fn beside(database: Database) -> Self {
        let registry = Arc::new(Registry::default());
        let gates: BTreeMap<_, _> = GateName::ALL.map(|name| (name, Arc::new(Gate::new(name)))).into();
        let traffic = Arc::new(Traffic::default());
        let ports = Ports {
            gates: gates.values().cloned().map(|gate| gate as Arc<dyn GateCheck>).collect(),
            candidates: Arc::clone(&registry) as _,
            traffic: Arc::clone(&traffic) as _,
            audit: Arc::new(Audit),
        };
        let metrics = Metrics::new(&[release::METRICS]).unwrap();
        let service = Service::new(database.clone(), ports, Signal::new(), metrics.clone());
        service.migrate().await.unwrap();
        Self { database, service, registry, gates, traffic, tasks: Tasks::new(), metrics }
    }

    pub(crate) async fn create(&self, number: u32) -> Release {
        self.service.create(&editor(), &version(number), Vec::new()).await.unwrap()
    }

    /// Releases a version the whole way.
    pub(crate) async fn promote(&self, number: u32) -> Release {
        let id = self.create(number).await.id;
        self.until(id, Stage::AwaitingApproval).await;
        self.service.approve(&approver(), id, None).await.unwrap();
        self.until(id, Stage::Done).await
    }

    pub(crate) async fn until(&self, id: ReleaseId, stage: Stage) -> Release {
        self.until_is(id, &format!("{stage}"), |release| release.stage == stage).await
    }

    pub(crate) async fn until_is(&self, id: ReleaseId, what: &str, is: impl Fn(&Release) -> bool) -> Release {
        eventually(LONG, async || {
            let release = self.service.get(id).await.unwrap();
            if is(&release) { Ok(release) } else { Err(format!("not {what}: {release:?}")) }
        })
        .await
    }

    pub(crate) async fn assignment(&self) -> Assignment {
        self.service.assignment(&model()).await.unwrap().unwrap()
    }

    pub(crate) async fn stable(&self) -> Option<u32> {
        self.assignment().await.stable.map(|stable| stable.version)
    }

    /// What the audit trail holds, oldest first.
    pub(crate) async fn actions(&self) -> Vec<String> {
        let sql = "SELECT action, principal, subject FROM audit_of_test ORDER BY number";
        let line = |row: &database::Row| {
            let get = |column| row.get::<String>(column).unwrap();
            format!("{} by {} on {}", get("action"), get("principal"), get("subject"))
        };
        let rows = self.database.read(async move |tx| tx.rows(sql, params![]).await).await.unwrap();
        rows.iter().map(line).collect()
    }

    /// The numbers of the last row of the audit trail.
    pub(crate) async fn last_detail(&self) -> serde_json::Value {
        let sql = "SELECT detail FROM audit_of_test ORDER BY number DESC LIMIT 1";
        let row = self.database.read(async move |tx| tx.row(sql, params![]).await).await.unwrap();
        serde_json::from_str(&row.unwrap().get::<String>("detail").unwrap()).unwrap()
    }

    pub(crate) async fn stop(self) {
        assert_eq!(self.tasks.shutdown(LONG).await, [""; 0]);
    }
}

pub(crate) fn model() -> ModelName {
    ModelName::parse("ranker").unwrap()
}

pub(crate) fn version(number: u32) -> ModelVersion {
    ModelVersion::new(model(), number)
}

/// Registered every version.
pub(crate) fn author() -> Principal {
    Principal::known("ada", Role::Admin)
}

pub(crate) fn editor() -> Principal {
    Principal::known("edith", Role::Editor)
}

pub(crate) fn approver() -> Principal {
    Principal::known("grace", Role::Approver)
}

pub(crate) fn operator() -> Principal {
    Principal::known("otto", Role::Operator)
}

/// Holds the versions, all by the same author.
#[derive(Default)]
pub(crate) struct Registry {
    changed: Mutex<BTreeMap<u32, Digest>>,
    /// What model files declare; everything at once otherwise.
    pub(crate) rollout: Mutex<Option<serde_json::Value>>,
    pub(crate) removed: Mutex<BTreeSet<u32>>,
    pub(crate) is_away: AtomicBool,
    /// Whether the features mean something else by now.
    pub(crate) is_redefined: AtomicBool,
}

impl Registry {
    /// Someone writes other bytes over a version's.
    pub(crate) fn overwrite(&self, number: u32) {
        self.changed.lock().unwrap().insert(number, Digest::of(format!("{number}, overwritten")));
    }

    fn digest(&self, number: u32) -> Result<Digest, PortError> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(PortError::new(ErrorKind::Unavailable, "the store is away"));
        }
        let changed = self.changed.lock().unwrap();
        Ok(changed.get(&number).copied().unwrap_or_else(|| Digest::of(number.to_string())))
    }
}

#[async_trait]
impl Candidates for Registry {
    async fn freeze(&self, version: &ModelVersion) -> Result<Candidate, PortError> {
        if version.version > 100 {
            return Err(PortError::new(ErrorKind::NotFound, format!("there is no version {version}")));
        }
        let model_file = json!({
            "version": 1,
            "model": version.model,
            "features": ["user:clicks"],
            "rollout": self.rollout.lock().unwrap().clone().unwrap_or_else(|| json!({})),
        });
        let model_file: ModelFile = serde_json::from_value(model_file).unwrap();
        let definition = if self.is_redefined.load(Ordering::SeqCst) { "user, otherwise" } else { "user" };
        Ok(Candidate {
            version: version.clone(),
            backend: "onnx".to_owned(),
            artifact_digest: self.digest(version.version)?,
            project_digest: Digest::of("project"),
            feature_digests: BTreeMap::from([("user".to_owned(), Digest::of(definition))]),
            model_file,
            author: Some(Author { name: author().name, anonymous: false }),
        })
    }

    async fn artifact_digest(&self, version: &ModelVersion) -> Result<Digest, PortError> {
        self.digest(version.version)
    }

    async fn exists(&self, version: &ModelVersion) -> Result<bool, PortError> {
        self.digest(version.version)?;
        Ok(!self.removed.lock().unwrap().contains(&version.version))
    }
}

/// A gate that answers what it is told to, and passes otherwise.
pub(crate) struct Gate {
    name: GateName,
    answers: Mutex<VecDeque<Result<bool, ErrorKind>>>,
    pub(crate) asked: AtomicU32,
    pub(crate) hangs: AtomicBool,
    pub(crate) panics: AtomicBool,
}

impl Gate {
    fn new(name: GateName) -> Self {
        let (answers, asked) = (Mutex::default(), AtomicU32::new(0));
        Self { name, answers, asked, hangs: AtomicBool::new(false), panics: AtomicBool::new(false) }
    }

    pub(crate) fn answers(&self, answers: impl IntoIterator<Item = Result<bool, ErrorKind>>) {
        self.answers.lock().unwrap().extend(answers);
    }
}

#[async_trait]
impl GateCheck for Gate {
    fn name(&self) -> GateName {
        self.name
    }

    async fn check(&self, candidate: &Candidate) -> Result<GateOutcome, PortError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics.load(Ordering::SeqCst), "told to panic");
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let answer = self.answers.lock().unwrap().pop_front().unwrap_or(Ok(true));
        let evidence = json!({ "rows": 7, "of": candidate.version });
        answer
            .map(|passed| GateOutcome { passed, summary: format!("7 rows, {passed}"), evidence })
            .map_err(|kind| PortError::because(kind, "cannot look", "the dog ate it"))
    }
}

/// Remembers what it was told.
#[derive(Default)]
pub(crate) struct Traffic {
    pub(crate) applied: Mutex<Vec<Assignment>>,
    pub(crate) is_away: AtomicBool,
    /// Versions that somebody deleted.
    pub(crate) gone: Mutex<BTreeSet<u32>>,
}

impl Traffic {
    pub(crate) async fn until_told(&self, revision: i64) {
        eventually(LONG, async || {
            let told: Vec<_> = self.applied.lock().unwrap().iter().map(|assignment| assignment.revision).collect();
            if told.contains(&revision) { Ok(()) } else { Err(format!("{revision} is not in {told:?}")) }
        })
        .await;
    }
}

#[async_trait]
impl TrafficControl for Traffic {
    async fn apply(&self, _: &ModelName, assignment: &Assignment) -> Result<(), PortError> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(PortError::new(ErrorKind::Unavailable, "nobody listens"));
        }
        if let Some(stable) = &assignment.stable
            && self.gone.lock().unwrap().contains(&stable.version)
        {
            return Err(PortError::new(ErrorKind::NotFound, "there is no such version"));
        }
        self.applied.lock().unwrap().push(assignment.clone());
        Ok(())
    }
}

struct Audit;

impl AuditSink for Audit {
    fn record<'t>(
        &'t self,
        transaction: &'t mut Transaction,
        entry: &'t AuditEntry,
    ) -> LocalBoxFuture<'t, Result<(), database::Error>> {
        Box::pin(async move {
            let sql = "INSERT INTO audit_of_test (number, action, principal, subject, detail)
                       SELECT COALESCE(MAX(number), 0) + 1, $1, $2, $3, $4 FROM audit_of_test";
            let detail = entry.detail.to_string();
            transaction.execute(sql, params![&entry.action, &entry.principal, &entry.subject, detail]).await?;
            Ok(())
        })
    }
}
