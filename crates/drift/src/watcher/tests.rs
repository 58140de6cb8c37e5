//! The watcher over a real log and a real database, with the clock in the tests' hands.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use async_trait::async_trait;
use database::{Database, testing::on_both};
use prediction_log::{Config, Log, Outcome, PredictionRecord};
use runtime::testing::ManualClock;
use telemetry::{Metrics, Severity};
use tempfile::TempDir;
use types::{Duration, ModelVersion, Timestamp};

use super::*;
use crate::{
    BoxError, FindingKind, Policy, Ports, ReferenceRows, References, Segment, State, Watched, WatchedModel,
    world::{self, World, customer, recode, start, watched},
};

const MINUTE: Duration = Duration::from_secs(60);
/// Mid-sized, and at home in the US.
const BROKEN: usize = 7;

/// What the ports answer.
struct Told {
    version: AtomicU32,
    /// Whether there is a model that comes before the other.
    has_another: AtomicBool,
    is_undeclared: AtomicBool,
    has_reference: AtomicBool,
    frozen: AtomicU32,
}

#[async_trait]
impl References for Told {
    async fn reference(&self, _: &ModelVersion) -> Result<Option<ReferenceRows>, BoxError> {
        self.frozen.fetch_add(1, Ordering::SeqCst);
        Ok(self.has_reference.load(Ordering::SeqCst).then(|| World::new(7).training(6_000, 6, true)))
    }
}

#[async_trait]
impl Watched for Told {
    async fn watched(&self) -> Result<Vec<WatchedModel>, BoxError> {
        let version = match self.version.load(Ordering::SeqCst) {
            0 => return Ok(Vec::new()),
            number => world::version(number),
        };
        let policy = Policy { window: MINUTE, min_rows: 300, exclude: Vec::new() };
        let declared = watched(MINUTE);
        let features = if self.is_undeclared.load(Ordering::SeqCst) { Vec::new() } else { declared.features.clone() };
        let declared = WatchedModel { policy, features, attribution: MINUTE, ..declared };
        let of = |version| WatchedModel { version, ..declared.clone() };
        let another = self.has_another.load(Ordering::SeqCst).then(|| of(another()));
        Ok(another.into_iter().chain([of(version)]).collect())
    }
}

fn another() -> ModelVersion {
    ModelVersion::new(ModelName::parse("before").unwrap(), 1)
}

struct Scene {
    service: Service,
    log: Log,
    clock: ManualClock,
    told: Arc<Told>,
    world: World,
    tasks: Tasks,
    metrics: Metrics,
    folder: TempDir,
}

impl Scene {
    async fn new(database: Database) -> Self {
        let folder = TempDir::new().unwrap();
        let clock = ManualClock::new(start());
        let (tasks, metrics) = (Tasks::new(), Metrics::new(&[prediction_log::METRICS, crate::METRICS]).unwrap());
        let log = Log::open(Config::new(folder.path()), Arc::new(clock.clone()), &tasks, metrics.clone()).unwrap();
        let (version, has_reference) = (AtomicU32::new(1), AtomicBool::new(true));
        let told = Arc::new(Told {
            version,
            has_another: AtomicBool::new(false),
            is_undeclared: AtomicBool::new(false),
            has_reference,
            frozen: AtomicU32::new(0),
        });
        let ports = Ports { references: Arc::clone(&told) as _, watched: Arc::clone(&told) as _ };
        let service = Service::new(database, log.clone(), ports, Arc::new(clock.clone()), metrics.clone());
        service.migrate().await.unwrap();
        let mut world = World::new(7);
        let _ = world.training(600, 6, false);
        Self { service, log, clock, told, world, tasks, metrics, folder }
    }

    /// So many rows arrive within half a minute; of `broken` the upstream says USA.
    fn serve(&mut self, rows: usize, version: u32, broken: impl Fn(usize) -> bool) -> Vec<PredictionRecord> {
        let half = Duration::from_secs(30);
        let mut rows = self.world.rows(rows, runtime::Clock::now(&self.clock), half);
        recode(&mut rows, broken, "US", "USA");
        self.clock.advance(half);
        let of = world::version(version);
        let records: Vec<_> =
            rows.iter().map(|row| PredictionRecord { version: of.clone(), ..world::record(row) }).collect();
        self.log.append(&records).unwrap();
        records
    }

    async fn stop(self) {
        assert_eq!(self.tasks.shutdown(Wait::from_secs(60)).await, [""; 0]);
    }
}

fn names_broken(finding: &crate::Finding) -> bool {
    let segment = Segment { name: "customer_id".to_owned(), value: customer(BROKEN) };
    finding.kind == FindingKind::NewCategories && finding.segment == Some(segment)
}

on_both! {
    async fn a_new_encoding_pages_at_the_next_look_and_ends_with_a_clean_window(db: Database) {
        let mut scene = Scene::new(db).await;
        let mut watcher = Watcher::new(scene.service.clone());
        scene.serve(700, 1, |_| false);
        watcher.try_pass().await.unwrap();
        assert_eq!(scene.service.findings().await.unwrap(), []);

        scene.serve(700, 1, |customer| customer == BROKEN);
        let since = runtime::Clock::now(&scene.clock);
        watcher.try_pass().await.unwrap();
        let findings = scene.service.findings().await.unwrap();
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert!(names_broken(&findings[0]));
        assert_eq!((findings[0].severity, findings[0].since), (Severity::Page, since));
        let gauge = r#"crosstie_drift_findings{kind="new_categories",model="ranker",severity="page"} 1"#;
        assert!(scene.metrics.render().contains(gauge));

        // The window with it closes, and another: it still holds, since the same time.
        scene.serve(700, 1, |customer| customer == BROKEN);
        scene.serve(700, 1, |customer| customer == BROKEN);
        watcher.try_pass().await.unwrap();
        let held = scene.service.findings().await.unwrap();
        assert!(held.iter().any(|finding| names_broken(finding) && finding.since == since), "{held:#?}");

        // Mended: the window that is open when that happens still has some of it, the next has not.
        for _ in 0..6 {
            scene.serve(700, 1, |_| false);
            watcher.try_pass().await.unwrap();
        }
        assert_eq!(scene.service.findings().await.unwrap(), []);
        assert!(scene.metrics.render().contains(&gauge.replace("} 1", "} 0")));
        assert_eq!(scene.told.frozen.load(Ordering::SeqCst), 1);
        scene.stop().await;
    }

    async fn whoever_takes_over_goes_on_with_the_window_that_was_open(db: Database) {
        let mut scene = Scene::new(db).await;
        let mut first = Watcher::new(scene.service.clone());
        scene.serve(200, 1, |_| false);
        first.try_pass().await.unwrap();
        let mut second = Watcher::new(scene.service.clone());
        second.try_pass().await.unwrap();
        assert!(second.open.is_empty(), "the first one has the lease");
        let opened = scene.service.report(&world::version(1).model).await.unwrap().windows[0].since;
        first.stop().await;

        scene.serve(50, 1, |_| false);
        second.try_pass().await.unwrap();
        let report = scene.service.report(&world::version(1).model).await.unwrap();
        assert_eq!((report.windows[0].since, report.windows[0].rows), (opened, 250));
        assert_eq!(report.reference_frozen_at, Some(start() + Duration::from_secs(30)));
        assert_eq!(scene.told.frozen.load(Ordering::SeqCst), 1, "frozen once, whoever asks");
        scene.stop().await;
    }

    async fn a_row_that_is_logged_late_counts_and_one_that_is_read_again_does_not_twice(db: Database) {
        let mut scene = Scene::new(db).await;
        let mut watcher = Watcher::new(scene.service.clone());
        let mut records = scene.serve(200, 1, |_| false);
        // Of the last seconds, but answered only after the look.
        let late = records.split_off(190).pop().unwrap();
        let late = PredictionRecord { id: types::PredictionId::new(uuid::Uuid::now_v7(), 0), ..late };
        watcher.try_pass().await.unwrap();
        scene.log.append(&[late.clone(), late]).unwrap();
        for _ in 0..2 {
            watcher.try_pass().await.unwrap();
            let report = scene.service.report(&world::version(1).model).await.unwrap();
            assert_eq!(report.windows[0].rows, 201);
            scene.clock.advance(Duration::from_secs(1));
        }
        scene.stop().await;
    }

    async fn whoever_rests_is_still_the_one_that_looks(db: Database) {
        let mut scene = Scene::new(db).await;
        let mut first = Watcher::new(scene.service.clone());
        first.rest_until = Instant::now() + Wait::from_secs(3_600);
        scene.serve(200, 1, |_| false);
        first.pass().await;
        assert!(first.open.is_empty(), "it rests");
        let mut second = Watcher::new(scene.service.clone());
        second.pass().await;
        assert!(second.open.is_empty(), "the first one has the lease");
        first.rest_until = Instant::now();
        first.pass().await;
        assert!(!first.open.is_empty() && first.rest_until > Instant::now());
        scene.stop().await;
    }

    async fn a_model_whose_log_is_damaged_keeps_no_other_from_being_looked_at_and_counted(db: Database) {
        let mut scene = Scene::new(db).await;
        let mut watcher = Watcher::new(scene.service.clone());
        scene.told.has_another.store(true, Ordering::SeqCst);
        scene.serve(700, 1, |_| false);
        watcher.try_pass().await.unwrap();
        let hour = "predictions/model=before/date=2026-11-23/hour=00";
        std::fs::create_dir_all(scene.folder.path().join(hour)).unwrap();
        std::fs::write(scene.folder.path().join(hour).join("damaged.parquet"), "PAR1").unwrap();
        scene.clock.advance(MINUTE);
        scene.serve(700, 1, |customer| customer == BROKEN);
        watcher.try_pass().await.unwrap();
        assert!(scene.service.findings().await.unwrap().iter().any(names_broken));
        let failures = "crosstie_drift_failures_total 1";
        assert!(scene.metrics.render().contains(failures), "{}", scene.metrics.render());
        Counter::new(scene.service.clone()).try_pass().await.unwrap();
        assert!(!scene.service.kpis(&world::version(1).model).await.unwrap().is_empty());
        scene.stop().await;
    }

    async fn windows_close_by_time_and_rows_and_keep_every_comparison(db: Database) {
        let mut scene = Scene::new(db).await;
        let mut watcher = Watcher::new(scene.service.clone());
        let model = world::version(1).model;
        for _ in 0..4 {
            scene.serve(70, 1, |_| false);
            watcher.try_pass().await.unwrap();
        }
        let report = scene.service.report(&model).await.unwrap();
        assert_eq!(report.windows.len(), 1);
        assert_eq!((report.windows[0].is_open, report.windows[0].rows), (true, 280), "two minutes, too few rows");
        scene.serve(400, 1, |_| false);
        watcher.try_pass().await.unwrap();
        scene.serve(10, 1, |_| false);
        watcher.try_pass().await.unwrap();
        let windows = scene.service.report(&model).await.unwrap().windows;
        let shapes: Vec<_> = windows.iter().map(|window| (window.is_open, window.rows)).collect();
        assert_eq!(shapes, [(true, 10), (false, 680)]);
        let compared = &windows[1].comparisons;
        let country = compared.iter().find(|of| of.feature == "user_country" && of.segment.is_none()).unwrap();
        assert_eq!((country.state, country.rows), (State::Clean, 680));
        assert!(scene.metrics.render().contains("crosstie_drift_score{feature=\"user_country\""));
        scene.stop().await;
    }

    async fn a_finding_of_a_version_that_serves_no_more_ends_when_its_successor_is_clean(db: Database) {
        let mut scene = Scene::new(db).await;
        let mut watcher = Watcher::new(scene.service.clone());
        scene.serve(1_400, 1, |customer| customer == BROKEN);
        watcher.try_pass().await.unwrap();
        assert!(scene.service.findings().await.unwrap().iter().any(names_broken));
        scene.told.version.store(2, Ordering::SeqCst);
        scene.serve(400, 2, |_| false);
        watcher.try_pass().await.unwrap();
        assert!(scene.service.findings().await.unwrap().iter().any(names_broken), "not shown to be over");
        for _ in 0..6 {
            scene.serve(400, 2, |_| false);
            watcher.try_pass().await.unwrap();
        }
        assert_eq!(scene.service.findings().await.unwrap(), []);
        scene.told.version.store(0, Ordering::SeqCst);
        watcher.try_pass().await.unwrap();
        scene.stop().await;
    }

    async fn a_version_without_a_reference_is_left_alone(db: Database) {
        let mut scene = Scene::new(db).await;
        scene.told.has_reference.store(false, Ordering::SeqCst);
        let mut watcher = Watcher::new(scene.service.clone());
        for _ in 0..4 {
            scene.serve(200, 1, |_| true);
            watcher.try_pass().await.unwrap();
        }
        assert_eq!(scene.told.frozen.load(Ordering::SeqCst), 1, "not asked at each look");
        let report = scene.service.report(&world::version(1).model).await.unwrap();
        assert_eq!((report.reference_frozen_at, report.findings), (None, Vec::new()));
        Counter::new(scene.service.clone()).try_pass().await.unwrap();
        assert!(!scene.service.kpis(&world::version(1).model).await.unwrap().is_empty(), "KPIs need none");
        scene.stop().await;
    }

    async fn a_model_whose_drift_nobody_asked_about_is_compared_with_nothing(db: Database) {
        let mut scene = Scene::new(db).await;
        let mut watcher = Watcher::new(scene.service.clone());
        scene.serve(1_400, 1, |customer| customer == BROKEN);
        watcher.try_pass().await.unwrap();
        assert!(!scene.service.findings().await.unwrap().is_empty());
        scene.told.is_undeclared.store(true, Ordering::SeqCst);
        watcher.try_pass().await.unwrap();
        assert_eq!(scene.service.findings().await.unwrap(), [], "what was found while it was asked about is over");
        assert!(watcher.open.is_empty(), "not even its answers are");
        Counter::new(scene.service.clone()).try_pass().await.unwrap();
        scene.stop().await;
    }

    async fn kpis_count_predictions_that_are_old_enough_once_for_each_event(db: Database) {
        let mut scene = Scene::new(db).await;
        let old = scene.serve(200, 1, |_| false);
        scene.clock.advance(MINUTE);
        let young = scene.serve(100, 1, |_| false);
        let outcome = |record: &PredictionRecord, event: &str| Outcome {
            prediction: record.id,
            event: event.to_owned(),
            value: None,
            at: record.at,
        };
        let mut outcomes: Vec<_> = old.iter().step_by(4).map(|record| outcome(record, "click")).collect();
        outcomes.extend(old.iter().step_by(20).map(|record| outcome(record, "purchase")));
        outcomes.extend(young.iter().map(|record| outcome(record, "click")));
        scene.log.append_outcomes(outcomes.clone()).await.unwrap();
        scene.log.append_outcomes(outcomes).await.unwrap();
        Counter::new(scene.service.clone()).try_pass().await.unwrap();
        let kpis = scene.service.kpis(&world::version(1).model).await.unwrap();
        let of = |kpi: &str, segment: Option<Segment>| {
            kpis.iter().find(|row| row.kpi == kpi && row.segment == segment).unwrap().clone()
        };
        let ctr = of("ctr", None);
        assert_eq!((ctr.predictions, ctr.events, ctr.value), (200, 50, Some(0.25)));
        assert!(ctr.low.unwrap() > 0.19 && ctr.high.unwrap() < 0.32, "{ctr:?}");
        let conversion = of("conversion", None);
        assert_eq!((conversion.events, conversion.per, conversion.value), (10, 50, Some(0.2)));
        let largest = of("ctr", Some(Segment { name: "customer_id".to_owned(), value: customer(0) }));
        assert!((40..150).contains(&largest.predictions), "{largest:?}");
        let shown = r#"crosstie_kpi{kpi="ctr",model="ranker",segment="all",version="1"} 0.25"#;
        assert!(scene.metrics.render().contains(shown));
        scene.stop().await;
    }

    async fn what_is_not_counted_any_more_is_not_shown_any_more(db: Database) {
        let mut scene = Scene::new(db).await;
        let mut counter = Counter::new(scene.service.clone());
        let ctr = |version: u32, value: &str| {
            format!(r#"crosstie_kpi{{kpi="ctr",model="ranker",segment="all",version="{version}"}} {value}"#)
        };
        let has = |scene: &Scene, line: &str| scene.metrics.render().contains(line);
        scene.serve(50, 1, |_| false);
        scene.clock.advance(MINUTE);
        counter.try_pass().await.unwrap();
        assert!(has(&scene, &ctr(1, "0\n")));
        scene.clock.advance(Duration::from_secs(25 * 60));
        scene.serve(50, 2, |_| false);
        scene.clock.advance(MINUTE);
        counter.count_after.clear();
        counter.try_pass().await.unwrap();
        assert!(has(&scene, &ctr(1, "NaN")) && has(&scene, &ctr(2, "0\n")));
        counter.stop().await;
        let mut second = Counter::new(scene.service.clone());
        second.try_pass().await.unwrap();
        counter.try_pass().await.unwrap();
        assert!(has(&scene, &ctr(2, "NaN")), "the process that lost the lease shows nothing");
        scene.stop().await;
    }

    async fn findings_are_shown_by_the_process_that_looks(db: Database) {
        let mut scene = Scene::new(db).await;
        let mut first = Watcher::new(scene.service.clone());
        scene.serve(1_400, 1, |customer| customer == BROKEN);
        first.try_pass().await.unwrap();
        let pages = r#"crosstie_drift_findings{kind="new_categories",model="ranker",severity="page"}"#;
        assert!(scene.metrics.render().contains(&format!("{pages} 1")));
        first.stop().await;
        let mut second = Watcher::new(scene.service.clone());
        second.try_pass().await.unwrap();
        first.try_pass().await.unwrap();
        assert!(scene.metrics.render().contains(&format!("{pages} 0")), "by the one that does not look any more");
        scene.stop().await;
    }
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_and_back_leaves_no_blind_day() {
    let folder = TempDir::new().unwrap();
    let tasks = Tasks::new();
    let uri = format!("sqlite:{}", folder.path().join("test.db").display());
    let mut scene = Scene::new(Database::connect(&uri, &tasks).await.unwrap()).await;
    let mut watcher = Watcher::new(scene.service.clone());
    scene.serve(400, 1, |_| false);
    watcher.try_pass().await.unwrap();
    let right: Timestamp = runtime::Clock::now(&scene.clock);
    scene.clock.advance(Duration::from_secs(86_400));
    watcher.try_pass().await.unwrap();
    scene.clock.set(right + Duration::from_secs(1));
    scene.serve(1_400, 1, |customer| customer == BROKEN);
    watcher.try_pass().await.unwrap();
    assert!(scene.service.findings().await.unwrap().iter().any(names_broken));
    scene.stop().await;
    tasks.shutdown(Wait::from_secs(60)).await;
}

#[test]
fn a_slow_look_is_followed_by_a_rest_that_is_not_longer_than_a_page_may_take() {
    assert_eq!(rest(Wait::from_millis(10)), Wait::from_millis(90));
    assert_eq!(rest(Wait::from_secs(7)), LONGEST_REST);
}
