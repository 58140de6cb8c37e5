//! Gateways that follow what is decided, answer steady traffic, and tell how it went; all in a time that the test moves.

use std::time::Duration as Wait;

use database::{Database, params};
use release::{
    Arm, ArmWindow, Assignment, Controller, GatewayReport, ModelReport, Release, ReleaseId, RolloutReport, Stage,
    machine::Leg,
};
use runtime::testing::{ManualClock, eventually};
use serde_json::{Value as Json, json};
use types::{Duration, Timestamp};

use crate::world::{LONG, World, approver, model};

/// The steps of the design with seconds for minutes, and a bound that is reached within seconds.
pub(crate) fn gradual() -> Json {
    json!({
        "steps": [
            { "shadow": { "duration": "3s" } },
            { "set_weight": 5 },
            { "pause": { "duration": "3s", "min_requests": 20, "max": "1m" } },
            { "set_weight": 25 },
            { "pause": { "duration": "3s", "min_requests": 20, "max": "5m" } },
            { "set_weight": 100 },
        ],
        "rollback_on": { "errors": { "tolerance": "10%", "max_excess": "5%" }, "latency": { "tolerance": "20%" } },
    })
}

pub(crate) struct Fleet {
    pub(crate) world: World,
    pub(crate) clock: ManualClock,
    pub(crate) controller: Controller,
    pub(crate) gateways: Vec<Gateway>,
    /// Requests a second, on each gateway.
    pub(crate) rate: f64,
    /// The share of the candidate's requests that fail, and that are slow once slow means something.
    pub(crate) fails: f64,
    pub(crate) slow: f64,
}

pub(crate) struct Gateway {
    pub(crate) name: String,
    /// Follows nothing new.
    pub(crate) is_stuck: bool,
    /// Says nothing at all.
    pub(crate) is_dead: bool,
    pub(crate) cannot_load: Option<u32>,
    pub(crate) follows: Option<Assignment>,
    /// Parts of requests that have not come to a whole one.
    carried: [f64; 5],
}

impl Gateway {
    pub(crate) fn new(name: &str) -> Self {
        let (is_stuck, is_dead, cannot_load, follows) = (false, false, None, None);
        Self { name: name.to_owned(), is_stuck, is_dead, cannot_load, follows, carried: [0.0; 5] }
    }

    /// The whole part of what came together of the `of`th kind.
    fn whole(&mut self, of: usize, more: f64) -> u64 {
        self.carried[of] += more;
        let whole = self.carried[of].floor();
        self.carried[of] -= whole;
        whole as u64
    }

    fn report(&self) -> GatewayReport {
        let report = self.follows.as_ref().map(|assignment| {
            let canary = assignment.canary.as_ref().map(|canary| canary.pinned.version);
            let shadow = assignment.shadow.as_ref().map(|shadow| shadow.version);
            let failed = self.cannot_load.filter(|version| Some(*version) == canary || Some(*version) == shadow);
            let failed = failed.map(|version| (version, "no memory".to_owned()));
            ModelReport {
                revision: assignment.revision,
                settled: failed.is_none(),
                failed: failed.into_iter().collect(),
            }
        });
        GatewayReport {
            gateway: self.name.clone(),
            models: report.map(|report| (model(), report)).into_iter().collect(),
        }
    }

    /// What it counted in a second.
    fn windows(&mut self, second: i64, rate: f64, fails: f64, slow: f64) -> Vec<ArmWindow> {
        let Some(assignment) = self.follows.clone() else { return Vec::new() };
        let (arm, candidate, share) = match (&assignment.canary, &assignment.shadow) {
            (Some(canary), _) => (Arm::Canary, canary.pinned.clone(), canary.weight.fraction()),
            (None, Some(shadow)) => (Arm::Shadow, shadow.clone(), 1.0),
            (None, None) => return Vec::new(),
        };
        let requests = self.whole(0, rate * share);
        let of_stable = if arm == Arm::Shadow { requests } else { self.whole(1, rate * (1.0 - share)) };
        let failed = self.whole(2, requests as f64 * fails);
        let is_judged = assignment.slow_after.is_some();
        let slow = if is_judged { self.whole(3, requests as f64 * slow) } else { 0 };
        // A twentieth of stable's answers is slow, by definition.
        let stable_slow = if is_judged { self.whole(4, of_stable as f64 * 0.05) } else { 0 };
        let window = |arm, version, requests, errors, slow| ArmWindow {
            model: model(),
            release: candidate.release,
            revision: assignment.revision,
            second,
            arm,
            version,
            requests,
            entities: requests,
            errors,
            slow,
            failed_requests: errors,
            latency: vec![(4_000, requests - errors)],
        };
        let stable = assignment.stable.as_ref().map_or(0, |stable| stable.version);
        vec![
            window(Arm::Stable, stable, of_stable, 0, stable_slow),
            window(arm, candidate.version, requests, failed, slow),
        ]
    }
}

impl Fleet {
    /// Version 1 is stable, two gateways serve it.
    pub(crate) async fn new(database: Database) -> Self {
        let mut fleet = Self::without_stable(database).await;
        fleet.release(1).await;
        fleet.until(ReleaseId(1), "done", |release| release.stage == Stage::Done).await;
        fleet
    }

    pub(crate) async fn without_stable(database: Database) -> Self {
        let clock = ManualClock::new(Timestamp::from_micros(1_800_000_000_000_000));
        let mut world = World::without_controller(database).await;
        world.service = world.service.deciding_by(std::sync::Arc::new(clock.clone()));
        let controller = Controller::new(world.service.clone(), world.tasks.clone());
        let gateways = ["a", "b"].map(Gateway::new).into();
        Self { world, clock, controller, gateways, rate: 100.0, fails: 0.0, slow: 0.05 }
    }

    /// Creates a release and takes it to the beginning of its rollout.
    pub(crate) async fn release(&mut self, number: u32) -> ReleaseId {
        let id = self.world.create(number).await.id;
        self.until(id, "waits for approval", |release| release.stage == Stage::AwaitingApproval).await;
        self.world.service.approve(&approver(), id, None).await.unwrap();
        id
    }

    /// The release of version 2 with the steps of [`gradual`], at the beginning of its rollout.
    pub(crate) async fn gradual(&mut self) -> ReleaseId {
        *self.world.registry.rollout.lock().unwrap() = Some(gradual());
        self.release(2).await
    }

    /// A second goes by: gateways follow, count and tell, and the controller looks.
    pub(crate) async fn second(&mut self) {
        self.clock.advance(Duration::from_secs(1));
        self.tell().await;
        self.controller.pass().await;
    }

    /// Gateways follow, count and tell.
    pub(crate) async fn tell(&mut self) {
        let service = &self.world.service;
        let decided = service.assignment(&model()).await.unwrap();
        let second = runtime::Clock::now(&self.clock).as_micros() / 1_000_000;
        for gateway in self.gateways.iter_mut().filter(|gateway| !gateway.is_dead) {
            if !gateway.is_stuck {
                gateway.follows.clone_from(&decided);
            }
            service.acknowledge(&gateway.report()).await.unwrap();
            let windows = gateway.windows(second, self.rate, self.fails, self.slow);
            service.count(&gateway.name, windows).await.unwrap();
        }
    }

    /// Seconds go by until the release is so.
    pub(crate) async fn until(&mut self, id: ReleaseId, what: &str, is: impl Fn(&Release) -> bool) -> Release {
        for _ in 0..600 {
            let release = self.get(id).await;
            if is(&release) {
                return release;
            }
            self.second().await;
            self.settle(id).await;
        }
        panic!("never {what}: {:?}", self.get(id).await);
    }

    /// Waits until what runs beside the controller has told what it found out.
    async fn settle(&mut self, id: ReleaseId) {
        let before = self.get(id).await;
        let asks = |release: &Release| {
            let checks = matches!(release.progress.leg, Leg::Starting | Leg::Promoting);
            release.stage == Stage::Gating || (release.stage == Stage::RollingOut && checks && !release.paused)
        };
        if !asks(&before) {
            return;
        }
        for _ in 0..1_000 {
            // Each pass starts what is missing; none of it takes long.
            self.controller.pass().await;
            let service = self.world.service.clone();
            let changed = eventually(LONG, async || {
                let release = service.get(id).await.unwrap();
                let told = release.sequence != before.sequence || release.progress.leg != before.progress.leg;
                if told { Ok(()) } else { Err("nothing was found out") }
            });
            if tokio::time::timeout(Wait::from_millis(200), changed).await.is_ok() {
                return;
            }
        }
    }

    pub(crate) async fn seconds(&mut self, seconds: u32) {
        for _ in 0..seconds {
            self.second().await;
        }
    }

    /// Seconds go by until the step with this weight holds.
    pub(crate) async fn until_weight(&mut self, id: ReleaseId, percent: f64) -> Release {
        self.until(id, "at the weight", |release| {
            release.weight.percent() == percent && release.progress.leg == Leg::Holding
        })
        .await
    }

    pub(crate) async fn get(&self, id: ReleaseId) -> Release {
        self.world.service.get(id).await.unwrap()
    }

    pub(crate) async fn report(&self, id: ReleaseId) -> RolloutReport {
        self.world.service.rollout(id).await.unwrap()
    }

    /// The controller is killed, and another takes over once the lease is over.
    pub(crate) async fn restart(&mut self) {
        self.end_lease().await;
        self.controller = Controller::new(self.world.service.clone(), self.world.tasks.clone());
    }

    pub(crate) async fn end_lease(&self) {
        let sql = "UPDATE crosstie_lease SET expires_at = 0";
        self.world.database.write(async move |tx| tx.execute(sql, params![]).await).await.unwrap();
    }

    /// What was decided about the traffic, oldest first: the candidate's weight, and the version that was stable.
    pub(crate) async fn history(&self) -> Vec<String> {
        let sql = "SELECT assignment FROM crosstie_traffic ORDER BY revision";
        let rows = self.world.database.read(async move |tx| tx.rows(sql, params![]).await).await.unwrap();
        let told = rows.iter().map(|row| {
            let assignment: Assignment = serde_json::from_str(&row.get::<String>("assignment").unwrap()).unwrap();
            let stable = assignment.stable.map_or("nothing".to_owned(), |stable| stable.version.to_string());
            match (assignment.canary, assignment.shadow) {
                (Some(canary), None) => format!("{stable}, {} at {}", canary.pinned.version, canary.weight),
                (None, Some(shadow)) => format!("{stable}, {} shadows", shadow.version),
                (None, None) => stable,
                (Some(_), Some(_)) => panic!("both a canary and a shadow"),
            }
        });
        let mut told: Vec<_> = told.collect();
        told.dedup();
        told
    }

    pub(crate) async fn stop(self) {
        self.world.stop().await;
    }
}
