//! Finding and scanning, over segments and rolled files alike.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use prediction_log::Scan;
use types::ModelName;

use crate::world::{World, id, ids, minutes, of_model, record, start};

#[tokio::test]
async fn a_scan_answers_the_same_whether_records_are_rolled_or_not() {
    let world = World::new();
    let process = world.open();
    // Twelve hours in both directions, so that partitions matter.
    let records: Vec<_> = (0..48_u32)
        .map(|n| of_model(if n % 2 == 0 { "even" } else { "odd one" }, start() + minutes(n * 15), n))
        .collect();
    let range = Scan { since: records[10].at, until: records[30].at, newest_first: false, ..Scan::newest(1_000) };
    let odd = Scan { model: Some(ModelName::parse("odd one").unwrap()), ..range.clone() };
    let expected: Vec<_> = ids(&records[10..=30]);
    for rolled in [0, 20, 48] {
        process.log.append(&records[..rolled]).unwrap();
        process.log.roll().await.unwrap();
        process.log.append(&records[rolled..]).unwrap();
        let scan = async |scan: Scan| ids(&process.log.scan(scan).await.unwrap());
        assert_eq!(scan(range.clone()).await, expected, "{rolled} rolled");
        assert_eq!(scan(Scan { limit: 3, ..range.clone() }).await, expected[..3]);
        let newest: Vec<_> = expected.iter().rev().take(4).copied().collect();
        assert_eq!(scan(Scan { limit: 4, newest_first: true, ..range.clone() }).await, newest);
        let odds: Vec<_> = expected.iter().copied().filter(|id| id.row % 2 == 1).collect();
        assert_eq!(scan(odd.clone()).await, odds);
        assert_eq!(scan(Scan { limit: 0, ..range.clone() }).await, []);
    }
    assert!(
        world
            .rolled("predictions")
            .iter()
            .any(|file| file.to_string_lossy().contains("model=odd%20one/date=2026-11-2"))
    );
    process.end().await;
}

#[tokio::test]
async fn a_prediction_is_found_by_id_in_a_segment_and_in_a_rolled_file() {
    let world = World::new();
    let process = world.open();
    let records: Vec<_> = (0..50).map(|row| record(start() + minutes(row), row)).collect();
    process.log.append(&records).unwrap();
    for _ in 0..2 {
        let (found, outcomes) = process.log.find(records[17].id).await.unwrap().unwrap();
        assert_eq!((found, outcomes.len()), (records[17].clone(), 0));
        assert!(process.log.find(id(start(), 17)).await.unwrap().is_none());
        process.log.roll().await.unwrap();
    }
    process.end().await;
}

#[tokio::test]
async fn a_scan_decodes_only_what_it_answers_with() {
    let world = World::new();
    let process = world.open();
    // Within one hour, so that partitions do not matter, and not in the order of time.
    let records: Vec<_> = (0..90_u32).map(|n| record(start() + types::Duration::from_secs(n * 7 % 90), n)).collect();
    let mut in_order = records.clone();
    in_order.sort_by_key(|record| record.at);
    let middle = Scan { since: in_order[40].at, until: in_order[44].at, newest_first: false, ..Scan::newest(1_000) };
    for rolled in [0, 45, 90] {
        process.log.append(&records[..rolled]).unwrap();
        process.log.roll().await.unwrap();
        process.log.append(&records[rolled..]).unwrap();
        for (scan, expected, most) in
            [(middle.clone(), ids(&in_order[40..45]), 5), (Scan::newest(1), vec![in_order[89].id], 3)]
        {
            let decoded = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&decoded);
            let of = move |record: prediction_log::PredictionRecord| {
                counted.fetch_add(1, Ordering::SeqCst);
                record.id
            };
            assert_eq!(process.log.scan_as(scan, of).await.unwrap(), expected, "{rolled} rolled");
            let decoded = decoded.load(Ordering::SeqCst);
            assert!(decoded <= most, "{decoded} of 90 with {rolled} rolled");
        }
        let known: Vec<_> = ids(&in_order[..88]);
        let decoded = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&decoded);
        let of = move |_| counted.fetch_add(1, Ordering::SeqCst);
        let fresh = process.log.scan_unless(Scan::newest(1_000), move |id| known.contains(id), of).await.unwrap();
        assert_eq!((fresh.len(), decoded.load(Ordering::SeqCst) <= 4), (2, true), "{rolled} rolled");
    }
    process.end().await;
}

#[tokio::test]
async fn a_scan_leaves_files_of_other_times_closed_even_in_its_hour() {
    let world = World::new();
    let process = world.open();
    process.log.append(&(0..20).map(|n| record(start(), n)).collect::<Vec<_>>()).unwrap();
    process.log.roll().await.unwrap();
    let old = world.rolled("predictions").remove(0);
    let later: Vec<_> = (20..23).map(|n| record(start() + minutes(1), n)).collect();
    process.log.append(&later).unwrap();
    process.log.roll().await.unwrap();
    // Everything but what it says of itself is gone.
    let mut bytes = std::fs::read(&old).unwrap();
    let footer = bytes.len() - 8 - u32::from_le_bytes(bytes[bytes.len() - 8..][..4].try_into().unwrap()) as usize;
    bytes[4..footer].fill(0);
    std::fs::write(&old, bytes).unwrap();
    assert_eq!(process.newest(3).await.len(), 3);
    let since = Scan { since: start() + minutes(1), newest_first: false, ..Scan::newest(100) };
    assert_eq!(process.log.scan(since).await.unwrap().len(), 3);
    assert!(process.log.scan(Scan::newest(4)).await.is_err(), "that one needs it");
    process.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_segment_is_rolled_by_itself_when_it_is_old_enough() {
    let world = World::new();
    let process = world.open();
    process.log.append(&[record(start(), 0)]).unwrap();
    world.clock.advance(minutes(11));
    runtime::testing::eventually(std::time::Duration::from_secs(60), async || {
        let rolled = world.rolled("predictions");
        if rolled.iter().any(|file| file.extension().is_some_and(|extension| extension == "parquet")) {
            Ok(())
        } else {
            Err(format!("{rolled:?}"))
        }
    })
    .await;
    assert_eq!(process.newest(5).await.len(), 1);
    process.end().await;
}
