//! What a crash, a full disk's torn write or a damaged sector leave, and what is read afterwards.

use std::fs;

use prediction_log::Error;

use crate::world::{World, ids, minutes, record, start};

#[tokio::test]
async fn a_last_write_torn_at_any_byte_is_cut_off_and_everything_before_it_stands() {
    let world = World::new();
    let records: Vec<_> = (0..3).map(|row| record(start() + minutes(row), row)).collect();
    let process = world.open();
    process.log.append(&records[..2]).unwrap();
    let kept = fs::metadata(world.segment("predictions")).unwrap().len();
    process.log.append(&records[2..]).unwrap();
    process.end().await;
    let whole = fs::read(world.segment("predictions")).unwrap();
    for cut in usize::try_from(kept).unwrap()..whole.len() {
        fs::write(world.segment("predictions"), &whole[..cut]).unwrap();
        let process = world.open();
        assert_eq!(process.newest(9).await, [records[1].id, records[0].id], "cut at {cut}");
        let torn = process.metric("crosstie_prediction_log_torn_bytes_total{kind=\"predictions\"}");
        assert_eq!(torn, (cut as u64 - kept) as f64);
        process.log.append(&records[2..]).unwrap();
        assert_eq!(process.newest(9).await.len(), 3, "cut at {cut}, and appended to again");
        process.end().await;
    }
}

#[tokio::test]
async fn a_damaged_frame_in_the_middle_is_skipped_and_counted_once() {
    let world = World::new();
    let records: Vec<_> = (0..3).map(|row| record(start() + minutes(row), row)).collect();
    let process = world.open();
    let ends: Vec<_> = records
        .iter()
        .map(|record| {
            process.log.append(std::slice::from_ref(record)).unwrap();
            usize::try_from(fs::metadata(world.segment("predictions")).unwrap().len()).unwrap()
        })
        .collect();
    process.end().await;
    let mut bytes = fs::read(world.segment("predictions")).unwrap();
    bytes[ends[0] + 20] ^= 0xff;
    fs::write(world.segment("predictions"), &bytes).unwrap();
    let process = world.open();
    let corrupt = "crosstie_prediction_log_corrupt_frames_total{kind=\"predictions\"}";
    assert_eq!(process.newest(9).await, [records[2].id, records[0].id]);
    assert_eq!(process.metric(corrupt), 1.0);
    process.log.roll().await.unwrap();
    assert_eq!(process.newest(9).await, [records[2].id, records[0].id], "rolled without it");
    assert_eq!(process.metric(corrupt), 1.0, "not counted again");
    process.end().await;
}

#[tokio::test]
async fn a_crash_after_the_parquet_file_and_before_its_segment_is_deleted_shows_no_row_twice() {
    let world = World::new();
    let records: Vec<_> = (0..3).map(|row| record(start() + minutes(row), row)).collect();
    let process = world.open();
    process.log.append(&records).unwrap();
    let segment = world.segment("predictions");
    let bytes = fs::read(&segment).unwrap();
    process.log.roll().await.unwrap();
    process.end().await;
    assert!(!segment.exists() && world.rolled("predictions").len() == 1);
    fs::write(&segment, bytes).unwrap();
    // Half of a file that the crash kept from being renamed.
    let folder = world.rolled("predictions")[0].parent().unwrap().to_owned();
    fs::write(folder.join(".torn.tmp"), b"PAR1").unwrap();
    let process = world.open();
    assert_eq!(process.newest(9).await.len(), 3);
    process.log.roll().await.unwrap();
    assert_eq!(process.newest(9).await, ids(&records.iter().rev().cloned().collect::<Vec<_>>()));
    let rolled: Vec<_> =
        world.rolled("predictions").into_iter().filter(|file| file.extension().unwrap() == "parquet").collect();
    assert_eq!(rolled.len(), 1, "the same segment is rolled into the same file");
    process.end().await;
}

#[tokio::test]
async fn a_folder_is_open_once_at_a_time() {
    let world = World::new();
    let first = world.open();
    assert!(matches!(world.try_open(), Err(Error::Locked { .. })));
    first.end().await;
    world.open().end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_while_many_append_and_one_rolls() {
    let world = World::new();
    let process = world.open();
    let writers: Vec<_> = (0..4_u32)
        .map(|writer| {
            let log = process.log.clone();
            tokio::task::spawn_blocking(move || {
                for row in 0..250 {
                    log.append(&[record(start(), writer * 1_000 + row), record(start(), writer * 1_000 + 500 + row)])
                        .unwrap();
                }
            })
        })
        .collect();
    for _ in 0..5 {
        process.log.roll().await.unwrap();
        assert!(process.newest(5_000).await.len() <= 2_000);
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(process.newest(5_000).await.len(), 2_000);
    process.log.roll().await.unwrap();
    assert_eq!(process.newest(5_000).await.len(), 2_000);
    assert_eq!(process.metric("crosstie_prediction_log_records_total{kind=\"predictions\"}"), 2_000.0);
    process.end().await;
}
