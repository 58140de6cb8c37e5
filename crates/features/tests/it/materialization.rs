//! From files to the online store: what wins, what is read again, and what survives.

use database::Database;
use serde_json::json;

use crate::world::{World, hour, pushed};

const CLICKS: [&str; 1] = ["activity:clicks"];

fn rows(reports: &[features::MaterializeReport]) -> (u64, u64, usize) {
    let activity = reports.iter().find(|report| report.view == "activity").unwrap();
    (activity.rows, activity.superseded, activity.files_read)
}

database::testing::on_both! {
    async fn the_newest_row_as_known_is_served_until_it_expires(db: Database) {
        let world = World::new(db).await;
        world.items(&[("a", -1, 1.0)]);
        world.activity("1.parquet", &[
            (1, -3, Some(-3), Some(3), None),
            (1, -2, Some(5), Some(9), None),
            (1, 4, Some(4), Some(8), None),
        ]);
        assert_eq!(world.served(&CLICKS, 1, "a").await, json!([[0, "default"]]), "nothing is served before");
        let reports = world.materialize().await;
        assert_eq!(rows(&reports), (1, 0, 1));
        assert_eq!(world.served(&CLICKS, 1, "a").await, json!([[3, "materialized"]]));
        assert_eq!(world.served(&["activity:country"], 1, "a").await, json!([[null, "materialized"]]));
        world.clock.set(hour(7 * 24 - 3));
        assert_eq!(world.served(&CLICKS, 1, "a").await, json!([[3, "materialized"]]), "a week old is not too old");
        world.clock.set(hour(7 * 24 - 2));
        assert_eq!(world.served(&CLICKS, 1, "a").await, json!([[0, "default"]]));
        world.materialize().await;
        assert_eq!(world.served(&CLICKS, 1, "a").await, json!([[8, "materialized"]]), "what came later is there now");
    }

    async fn again_changes_nothing_and_reads_only_what_is_new(db: Database) {
        let world = World::new(db).await;
        world.items(&[("a", -1, 1.0)]);
        world.activity("1.parquet", &[(1, -9, Some(-9), Some(1), None), (2, -9, Some(-9), Some(2), None)]);
        world.activity("2.parquet", &[(1, -8, Some(-8), Some(3), None)]);
        assert_eq!(rows(&world.materialize().await), (2, 0, 2));
        assert_eq!(rows(&world.materialize().await), (0, 0, 0));
        world.clock.set(hour(1));
        world.activity("3.parquet", &[(2, -20, Some(0), Some(9), None), (3, -1, Some(0), Some(5), None)]);
        assert_eq!(rows(&world.materialize().await), (1, 1, 1), "late data does not replace what is newer");
        assert_eq!(world.served(&CLICKS, 2, "a").await, json!([[2, "materialized"]]));
        assert_eq!(world.served(&CLICKS, 3, "a").await, json!([[5, "materialized"]]));
        // A correction: the same event time, created later.
        world.activity("1.parquet", &[(1, -9, Some(-9), Some(1), None), (2, -9, Some(1), Some(7), None)]);
        assert_eq!(rows(&world.materialize().await).2, 3, "from the changed file on all are read");
        assert_eq!(world.served(&CLICKS, 2, "a").await, json!([[7, "materialized"]]));
        let marks = world.service.watermarks().await.unwrap();
        assert_eq!(marks.iter().find(|mark| mark.view == "activity").unwrap().at, hour(1));
    }

    async fn rows_hidden_at_the_last_watermark_are_found_in_files_that_did_not_change(db: Database) {
        let world = World::new(db).await;
        world.items(&[("a", -1, 1.0)]);
        world.activity("1.parquet", &[(1, -9, Some(-9), Some(1), None), (1, -8, Some(3), Some(2), None)]);
        world.activity("2.parquet", &[(2, -9, Some(-9), Some(1), None)]);
        world.materialize().await;
        assert_eq!(world.served(&CLICKS, 1, "a").await, json!([[1, "materialized"]]));
        world.clock.set(hour(3));
        assert_eq!(rows(&world.materialize().await).2, 2);
        assert_eq!(world.served(&CLICKS, 1, "a").await, json!([[2, "materialized"]]));
    }

    async fn a_store_that_lost_its_rows_is_filled_again(db: Database) {
        let world = World::new(db).await;
        world.items(&[("a", -1, 1.0)]);
        world.activity("1.parquet", &[(1, -9, Some(-9), Some(1), None)]);
        world.materialize().await;
        for (space, _) in world.service.store().spaces().await.unwrap() {
            world.service.store().remove(&space).await.unwrap();
        }
        assert_eq!(rows(&world.materialize().await), (1, 0, 1));
        assert_eq!(world.served(&CLICKS, 1, "a").await, json!([[1, "materialized"]]));
    }

    async fn a_part_does_not_move_the_watermark_and_the_future_is_refused(db: Database) {
        let world = World::new(db).await;
        world.items(&[("a", -1, 1.0)]);
        world.activity("1.parquet", &[(1, -9, Some(-9), Some(1), None), (2, -2, Some(-2), Some(2), None)]);
        let only = ["activity".to_owned()];
        let report = world.service.materialize(&world.definitions, Some(&only), Some(hour(-3)), hour(-1)).await.unwrap();
        assert_eq!((report.len(), report[0].rows, report[0].watermark), (1, 1, None));
        assert!(world.service.watermarks().await.unwrap().is_empty());
        let error = world.service.materialize(&world.definitions, None, None, hour(1)).await.unwrap_err();
        assert!(error.to_string().starts_with("cannot materialize until"), "{error}");
        let unknown = ["activiti".to_owned()];
        let error = world.service.materialize(&world.definitions, Some(&unknown), None, hour(0)).await.unwrap_err();
        assert_eq!(error.to_string(), "there is no feature view `activiti`; did you mean `activity`?");
    }

    async fn a_pushed_value_and_a_materialized_one_obey_one_rule(db: Database) {
        let world = World::new(db).await;
        world.items(&[("a", -1, 1.0)]);
        world.service.push(&world.definitions, "activity", &[pushed(1, -5, 50, "DE")]).await.unwrap();
        assert_eq!(world.served(&CLICKS, 1, "a").await, json!([[50, "pushed"]]));
        // The batch comes later with an older event time, and with the same one but computed before the push.
        world.activity("1.parquet", &[(1, -9, Some(-9), Some(1), None)]);
        assert_eq!(rows(&world.materialize().await), (0, 1, 1));
        world.activity("2.parquet", &[(1, -5, Some(-4), Some(4), None)]);
        world.materialize().await;
        assert_eq!(world.served(&CLICKS, 1, "a").await, json!([[50, "pushed"]]));
        // A correction that was computed after the push wins, and so does a newer event time.
        world.clock.set(hour(2));
        world.activity("3.parquet", &[(1, -5, Some(1), Some(5), None)]);
        world.materialize().await;
        assert_eq!(world.served(&CLICKS, 1, "a").await, json!([[5, "materialized"]]));
        let report = world.service.push(&world.definitions, "activity", &[pushed(1, -6, 60, "DE")]).await.unwrap();
        assert_eq!((report.rows, report.superseded), (0, 1));
        world.service.push(&world.definitions, "activity", &[pushed(1, 1, 61, "DE")]).await.unwrap();
        assert_eq!(world.served(&CLICKS, 1, "a").await, json!([[61, "pushed"]]));
    }
}
