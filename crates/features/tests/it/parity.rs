//! The parity gate's way: sample, ask the online rail, compute the offline one, compare.

use std::sync::Arc;

use database::Database;
use features::{
    EntityRow, Origin, SampleKind,
    parity::{Comparison, DifferenceKind, ParityReport, Segment, compare},
};

use crate::world::{World, entity, hour, pushed};

const FEATURES: [&str; 4] = ["activity:clicks", "activity:country", "items:price", "on_demand:is_evening"];

/// Asks both rails about the sample, and about `more`.
async fn judged(world: &World, more: &[EntityRow]) -> ParityReport {
    let plan = world.plan(&FEATURES);
    let samples = world.service.sample_entities(Arc::clone(&plan), 50, 7).await.unwrap();
    let mut rows: Vec<EntityRow> = samples.into_iter().map(|sample| sample.row).collect();
    rows.extend_from_slice(more);
    let at = vec![world.service.now(); rows.len()];
    let online = world.service.read_online(&plan, &rows).await.unwrap();
    let knowledge = world.service.knowledge(&plan).await.unwrap();
    let offline = world.service.offline_of(Arc::clone(&plan), rows.clone(), online.clone(), at, knowledge);
    let offline = offline.await.unwrap();
    let segment = Segment { name: "user_id".to_owned(), values: rows.iter().map(|row| row.keys[0].clone()).collect() };
    compare(&Comparison {
        plan: &plan,
        rows: &rows,
        online: &online,
        offline: &offline,
        day_before: None,
        segments: &[segment],
    })
}

fn fill(world: &World) {
    let countries = ["de", "fr", "at", "ch"];
    let rows: Vec<_> = (0..40)
        .map(|user| (user, -10 - user % 3, Some(-9), Some(user * 2), Some(countries[user as usize % 4])))
        .collect();
    world.activity("1.parquet", &rows);
    world.activity("2.parquet", &[(7, -200, Some(-199), Some(1), Some("de")), (99, -8, Some(-8), None, None)]);
    world.items(&[("a", -300, 2.5), ("b", -10, 0.1 + 0.2)]);
}

database::testing::on_both! {
    async fn clean_rails_agree_on_samples_and_edges(db: Database) {
        let world = World::new(db).await;
        fill(&world);
        world.materialize().await;
        let report = judged(&world, &[]).await;
        assert!(report.holds(), "{report:#?}");
        assert!(report.counts.compared > 150 && report.counts.ahead == 0, "{:?}", report.counts);
        world.clock.set(hour(6 * 24));
        let report = judged(&world, &[]).await;
        assert!(report.holds(), "values of different ages expire on both rails alike: {report:#?}");
    }

    async fn samples_hold_the_edges_and_repeat(db: Database) {
        let world = World::new(db).await;
        fill(&world);
        world.materialize().await;
        world.service.push(&world.definitions, "activity", &[pushed(3, -1, 1, "DE")]).await.unwrap();
        let plan = world.plan(&FEATURES);
        let samples = world.service.sample_entities(Arc::clone(&plan), 20, 7).await.unwrap();
        let again = world.service.sample_entities(Arc::clone(&plan), 20, 7).await.unwrap();
        assert_eq!(samples, again);
        let of = |kind| samples.iter().filter(|sample| sample.kind == kind).collect::<Vec<_>>();
        assert_eq!(of(SampleKind::Random).len(), 20);
        assert_eq!(of(SampleKind::Pushed)[0].row.keys[0], types::Value::Int64(3));
        assert_eq!(of(SampleKind::Null)[0].row.keys[0], types::Value::Int64(99));
        assert_eq!(of(SampleKind::NeverSeen).len(), 2);
        assert!(samples.iter().all(|sample| !sample.row.keys.iter().any(types::Value::is_null)));
    }

    async fn lower_cased_countries_from_a_producer_are_caught_and_named(db: Database) {
        let world = World::new(db).await;
        fill(&world);
        world.materialize().await;
        let rows: Vec<_> = (0..12).map(|user| {
            let country = ["de", "fr", "at", "ch"][user as usize % 4];
            pushed(user, -10 - user % 3, user * 2, country)
        }).collect();
        world.service.push(&world.definitions, "activity", &rows).await.unwrap();
        let report = judged(&world, &[]).await;
        assert!(!report.holds());
        let country = &report.by_feature["activity:country"];
        assert!(country.counts.mismatches >= 12, "{:?}", country.counts);
        assert_eq!(report.by_feature["activity:clicks"].counts.differences(), 0, "the clicks are the same");
        let diagnosis = report.diagnosis.as_ref().unwrap();
        assert_eq!(diagnosis.text, "lower(offline) = online in 100.0 % of the differing rows");
        let first = &report.first_differences[0];
        assert_eq!((first.feature.as_str(), first.kind), ("activity:country", DifferenceKind::Mismatch));
        assert_eq!((first.online.origin, first.offline.origin), (Origin::Pushed, Origin::Offline));
        assert_eq!(first.offline.file.as_deref(), Some("data/activity/1.parquet"));
        assert!(first.entity.starts_with("user_id="), "{}", first.entity);
        let by_user = &report.by_segment["user_id"];
        assert!(by_user["3"].mismatches > 0 && by_user["30"].mismatches == 0, "{by_user:?}");
    }

    async fn what_offline_has_not_seen_yet_is_ahead_and_never_equal(db: Database) {
        let world = World::new(db).await;
        fill(&world);
        world.materialize().await;
        // The same values as the newest offline row, of a later event time.
        world.service.push(&world.definitions, "activity", &[pushed(1, -1, 2, "FR")]).await.unwrap();
        let plan = world.plan(&FEATURES);
        let report = judged(&world, &[entity(&plan, 1, "a")]).await;
        assert!(report.holds(), "{report:#?}");
        let clicks = report.by_feature["activity:clicks"].counts;
        assert!(clicks.ahead >= 1, "{clicks:?}");
        assert_eq!(report.by_feature["on_demand:is_evening"].counts.ahead, 0, "it reads nothing that was pushed");
        // The row lands, and is another one.
        world.activity("3.parquet", &[(1, -1, Some(0), Some(3), Some("fr"))]);
        let report = judged(&world, &[entity(&plan, 1, "a")]).await;
        assert_eq!(report.by_feature["activity:clicks"].counts.ahead, 0);
        assert!(report.by_feature["activity:clicks"].counts.mismatches >= 1);
        assert_eq!(report.by_feature["activity:country"].counts.differences(), 0);
    }

    async fn a_definition_that_was_never_materialized_knows_nothing(db: Database) {
        let world = World::new(db).await;
        fill(&world);
        let plan = world.plan(&["activity:country"]);
        let row = entity(&plan, 1, "a");
        let knowledge = world.service.knowledge(&plan).await.unwrap();
        let offline = world.service.as_known_at(Arc::clone(&plan), vec![row], vec![hour(0)], knowledge).await.unwrap();
        assert!(offline[0].row.cells[0].value.is_null());
    }
}
