//! A disk that fills up under the program, and has room again: a file system of 64 MiB where the tests may mount one, and
//! a limit on the size of files everywhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::Method;
use rustix::process::{Pid, Resource, Rlimit, geteuid, getrlimit, prlimit};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{history::Record, report};
use crate::program::{Server, experiment, folder};

const MIB: usize = 1 << 20;
/// What fits on the small disk, and the size that no file may pass.
const DISK: usize = 64 * MIB;
const LARGEST: usize = 6 * MIB;
/// More than any of them takes.
const TOO_LARGE: usize = 80 * MIB;
/// Writes that must be enough to fill either: each is about 200 KB.
const ENOUGH: usize = 2_000;
/// Params of one write, and the length of each.
const PARAMS: usize = 100;
const LENGTH: usize = 2_000;

/// A server on a folder, and a run that is written to.
struct Room {
    dir: PathBuf,
    server: Server,
    http: reqwest::Client,
    run: String,
    /// Params that were acknowledged, by number.
    acknowledged: BTreeSet<usize>,
    next: usize,
    refused: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_harms_nothing_and_writes_go_on_once_there_is_room() {
    let Some(disk) = Disk::mount() else { return };
    // What will be taken away when there is no room left.
    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![7; 4 * MIB]).unwrap();
    let mut room = Room::start(disk.path()).await;
    let uploads = room.upload_until_refused().await;
    let writes = room.write_until_refused().await;
    room.is_read(0, MIB).await;
    fs::remove_file(ballast).unwrap();
    let line = room.goes_on().await;
    report(&format!(
        "a disk of {} MiB full after {uploads} artifacts of 1 MiB and {writes} writes of 200 KB: {line}",
        DISK / MIB
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_may_not_grow_are_told_and_harm_nothing_and_writes_go_on_once_they_may() {
    let (_dir, path) = folder(&[]);
    let mut room = Room::start(&path).await;
    room.limit_files(Some(LARGEST as u64));
    let (status, answer) = room.artifact(Method::PUT, 0, vec![7; MIB]).await;
    assert_eq!(status, 200, "{answer}");
    room.is_refused(1, TOO_LARGE).await;
    let writes = room.write_until_refused().await;
    room.is_read(0, MIB).await;
    room.limit_files(None);
    let line = room.goes_on().await;
    report(&format!("files of at most {} MiB, reached by {writes} writes of 200 KB: {line}", LARGEST / MIB));
}

impl Room {
    async fn start(dir: &Path) -> Self {
        let server = Server::start(dir).await;
        let experiment = experiment(&server, "full").await;
        let new = json!({ "experiment_id": experiment, "start_time": 1 });
        let made = server.mlflow(Method::POST, "runs/create", new).await.unwrap();
        let run = made["run"]["info"]["run_id"].as_str().unwrap().to_owned();
        let http = reqwest::Client::new();
        Self { dir: dir.to_owned(), server, http, run, acknowledged: BTreeSet::new(), next: 0, refused: 0 }
    }

    /// Status and text of a call about artifact `number`.
    async fn artifact(&self, method: Method, number: usize, content: Vec<u8>) -> (u16, String) {
        let address = self.server.address("api");
        let url = format!("http://{address}/api/2.0/mlflow-artifacts/artifacts/0/{}/artifacts/{number}.bin", self.run);
        let response = self.http.request(method, url).body(content).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// An artifact that there is no room for leaves nothing, not even a part of it.
    async fn is_refused(&mut self, number: usize, size: usize) {
        let (status, answer) = self.artifact(Method::PUT, number, vec![7; size]).await;
        self.refused += 1;
        assert_full(status, &answer);
        let partial: Vec<_> = fs::read_dir(self.dir.join(".crosstie/artifacts/.crosstie-partial")).unwrap().collect();
        assert!(partial.is_empty(), "{partial:?}");
        let (status, answer) = self.artifact(Method::GET, number, Vec::new()).await;
        assert_eq!(status, 404, "{answer}");
    }

    /// How many were stored.
    async fn upload_until_refused(&mut self) -> usize {
        self.is_refused(DISK / MIB, TOO_LARGE).await;
        for number in 0..DISK / MIB {
            let (status, answer) = self.artifact(Method::PUT, number, vec![7; MIB]).await;
            if status != 200 {
                assert_full(status, &answer);
                self.refused += 1;
                return number;
            }
        }
        panic!("all of it fits");
    }

    /// Params, as long as they are taken; then three more attempts, each refused alike.
    async fn write_until_refused(&mut self) -> usize {
        let mut taken = 0;
        while self.write().await {
            taken += 1;
            assert!(taken < ENOUGH, "all of it fits");
        }
        for _ in 0..3 {
            // Less may fit than what was refused.
            self.write().await;
        }
        self.all_is_there().await;
        taken
    }

    /// Whether one more write was taken.
    async fn write(&mut self) -> bool {
        let numbers = self.next..self.next + PARAMS;
        self.next = numbers.end;
        let params: Vec<_> =
            numbers.clone().map(|number| json!({ "key": format!("p{number}"), "value": value(number) })).collect();
        let url = format!("http://{}/api/2.0/mlflow/runs/log-batch", self.server.address("api"));
        let batch = json!({ "run_id": self.run, "params": params });
        let response = self.http.post(url).json(&batch).send().await.unwrap();
        let status = response.status().as_u16();
        if status == 200 {
            self.acknowledged.extend(numbers);
            return true;
        }
        assert_full(status, &response.text().await.unwrap());
        self.refused += 1;
        false
    }

    /// What was acknowledged is there, and nothing of what was refused.
    async fn all_is_there(&self) {
        let found = self.server.mlflow(Method::GET, "runs/get", json!({ "run_id": self.run })).await.unwrap();
        let mut there = BTreeSet::new();
        for param in found["run"]["data"]["params"].as_array().into_iter().flatten() {
            let number = param["key"].as_str().unwrap()[1..].parse().unwrap();
            assert_eq!(param["value"], value(number));
            there.insert(number);
        }
        assert_eq!(there, self.acknowledged);
    }

    async fn is_read(&self, number: usize, size: usize) {
        let (status, content) = self.artifact(Method::GET, number, Vec::new()).await;
        assert_eq!((status, content.len()), (200, size));
        assert!(content.bytes().all(|byte| byte == 7));
    }

    /// With room again: writes at once, then all that was acknowledged in a database without fault, also after a kill.
    async fn goes_on(mut self) -> String {
        assert!(self.write().await, "there is room again");
        let (status, answer) = self.artifact(Method::PUT, 900, vec![7; MIB / 4]).await;
        assert_eq!(status, 200, "{answer}");
        self.all_is_there().await;
        let Self { dir, server, http, run, acknowledged, next, refused } = self;
        server.kill();
        let record = Record::open(&format!("sqlite:{}", dir.join(".crosstie/crosstie.db").display())).await;
        let fault = record.rows("PRAGMA integrity_check").await;
        assert_eq!(fault[0].get::<String>("integrity_check").unwrap(), "ok");
        record.database.close().await;
        let room = Self { server: Server::start(&dir).await, dir, http, run, acknowledged, next, refused };
        room.all_is_there().await;
        room.is_read(0, MIB).await;
        format!(
            "{} calls refused with 507, {} params acknowledged and all there, reads meanwhile, writes at once afterwards; \
             integrity_check ok, nothing partial left",
            room.refused,
            room.acknowledged.len(),
        )
    }

    /// Sets the largest size of files that the server may write; none lifts the limit.
    fn limit_files(&self, largest: Option<u64>) {
        let running = fs::read(self.dir.join(".crosstie/up.json")).unwrap();
        let running: Value = serde_json::from_slice(&running).unwrap();
        let pid = i32::try_from(running["pid"].as_i64().unwrap()).unwrap();
        let maximum = getrlimit(Resource::Fsize).maximum;
        prlimit(Pid::from_raw(pid), Resource::Fsize, Rlimit { current: largest.or(maximum), maximum }).unwrap();
    }
}

fn value(number: usize) -> String {
    format!("{number:0LENGTH$}")
}

/// A refusal in MLflow's shape that says what is the matter and what to do.
fn assert_full(status: u16, answer: &str) {
    let answer: Value =
        serde_json::from_str(answer).unwrap_or_else(|_| panic!("{status}, not MLflow's shape: {answer}"));
    let message = answer["message"].as_str().unwrap();
    assert_eq!((status, answer["error_code"].as_str()), (507, Some("RESOURCE_EXHAUSTED")), "{answer}");
    assert!(message.contains("space") && message.contains("try again"), "{message}");
}

/// A small file system; it ends with its test.
struct Disk {
    dir: TempDir,
}

impl Disk {
    #[expect(clippy::print_stdout, reason = "the one who runs the tests should see what was not tested")]
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={DISK}"), "tmpfs"]).arg(dir.path());
        if geteuid().is_root() && mount.output().is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self { dir });
        }
        println!("skipped: no file system can be mounted here; the limit on the size of files is tried instead");
        None
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(self.dir.path()).status().ok();
    }
}
