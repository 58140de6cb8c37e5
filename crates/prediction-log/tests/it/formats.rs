//! What version 1 wrote is read, for as long as there is Crosstie.

use std::fs;

use prediction_log::{Outcome, PredictionRecord, Scan};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value as Json;

use crate::world::World;

fn fixture(name: &str) -> String {
    format!("{}/test-data/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn reads_what_version_1_wrote<T: Serialize + DeserializeOwned>(kind: &str) -> Vec<T> {
    let read = |name: &str| fs::read_to_string(fixture(&format!("{kind}/{name}"))).unwrap();
    let records: Vec<T> = serde_json::from_str(&read("v1.json")).unwrap();
    let expected: Json = serde_json::from_str(&read("v1.expected.json")).unwrap();
    assert_eq!(serde_json::to_value(&records).unwrap(), expected);
    records
}

#[test]
fn records_of_version_1_are_read() {
    assert_eq!(reads_what_version_1_wrote::<PredictionRecord>("prediction-record").len(), 2);
    assert_eq!(reads_what_version_1_wrote::<Outcome>("outcome").len(), 2);
}

/// NaN is not equal to itself, so records are compared as they are written.
fn as_json(mut records: Vec<PredictionRecord>) -> Json {
    records.sort_by_key(|record| record.id);
    serde_json::to_value(records).unwrap()
}

#[tokio::test]
async fn segments_of_version_1_are_read_and_written_byte_for_byte() {
    let world = World::new();
    let expected = reads_what_version_1_wrote::<PredictionRecord>("prediction-record");
    let segments = world.dir().join("segments/predictions");
    fs::create_dir_all(&segments).unwrap();
    fs::copy(fixture("segment/v1.bin"), segments.join("01997a3c-7e00-7abc-8def-0123456789ab.log")).unwrap();
    let process = world.open();
    assert_eq!(as_json(process.log.scan(Scan::newest(9)).await.unwrap()), as_json(expected.clone()));
    process.end().await;

    let world = World::new();
    let process = world.open();
    process.log.append(&expected).unwrap();
    assert_eq!(fs::read(world.segment("predictions")).unwrap(), fs::read(fixture("segment/v1.bin")).unwrap());
    process.end().await;
}

#[tokio::test]
async fn rolled_files_of_version_1_are_read_bit_for_bit() {
    let world = World::new();
    let expected = reads_what_version_1_wrote::<PredictionRecord>("prediction-record");
    let folder = world.dir().join("predictions/model=click-ranker/date=2025-09-24/hour=05");
    fs::create_dir_all(&folder).unwrap();
    fs::copy(fixture("rolled/v1.parquet"), folder.join("01997a3c-7e00-7abc-8def-0123456789ab.parquet")).unwrap();
    let process = world.open();
    assert_eq!(as_json(process.log.scan(Scan::newest(9)).await.unwrap()), as_json(expected[..1].to_vec()));
    let (found, _) = process.log.find(expected[0].id).await.unwrap().unwrap();
    assert_eq!(as_json(vec![found]), as_json(expected[..1].to_vec()));
    process.end().await;
}
