//! Training sets, and that serving agrees with them.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Float64Type, Int64Type};
use database::Database;
use features::{Knowledge, TrainingOptions};

use crate::world::{World, entity, hour, refs, times};

fn labels(rows: &[(i64, &str, i64)]) -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("clicked", Arc::new((0..rows.len() as i64).collect::<Int64Array>())),
        ("user_id", Arc::new(rows.iter().map(|row| Some(row.0)).collect::<Int64Array>())),
        ("item_id", Arc::new(rows.iter().map(|row| Some(row.1)).collect::<StringArray>())),
        ("event_timestamp", times(rows.iter().map(|row| Some(hour(row.2).as_micros())))),
        ("hour_of_day", Arc::new(rows.iter().map(|_| Some(20)).collect::<Int64Array>())),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

const ALL: [&str; 6] = [
    "activity:country",
    "items:price",
    "request:hour_of_day",
    "on_demand:is_evening",
    "activity:clicks",
    "on_demand:spend",
];

fn fill(world: &World) {
    world.activity("2.parquet", &[(1, -5, Some(-4), Some(7), Some("de")), (2, -30, Some(-29), None, None)]);
    world.activity("1.parquet", &[(1, -48, Some(-47), Some(3), Some("fr")), (1, -200, None, Some(1), Some("at"))]);
    world.items(&[("a", -300, 2.5), ("b", -10, 4.0)]);
}

async fn joined(
    world: &World,
    labels: RecordBatch,
    references: &[&str],
    options: TrainingOptions,
) -> Result<RecordBatch, String> {
    let joined = world.service.training_set(Arc::clone(&world.definitions), labels, refs(references), options).await;
    joined.map_err(|error| error.to_string())
}

database::testing::on_both! {
    async fn every_label_row_comes_back_once_with_what_was_known(db: Database) {
        let world = World::new(db).await;
        fill(&world);
        let labels = labels(&[(1, "a", 0), (1, "b", -5), (9, "a", 0), (1, "z", -40), (2, "a", 0), (1, "a", 200)]);
        let set = joined(&world, labels.clone(), &ALL, TrainingOptions::default()).await.unwrap();
        let names: Vec<String> = set.schema().fields().iter().map(|field| field.name().clone()).collect();
        let expected = ["clicked", "user_id", "item_id", "event_timestamp", "hour_of_day", "country", "price", "is_evening", "clicks", "spend"];
        assert_eq!(names, expected);
        assert_eq!(&set.columns()[..5], labels.columns());
        let column = |name: &str| set.column_by_name(name).unwrap();
        // At -5 the row of -5 had not been created; after a week it has expired.
        assert_eq!(column("clicks").as_primitive::<Int64Type>().values(), &[7, 3, 0, 3, 0, 0]);
        let countries: Vec<Option<&str>> = column("country").as_string::<i32>().iter().collect();
        assert_eq!(countries, [Some("DE"), Some("FR"), None, Some("FR"), None, None]);
        let prices: Vec<Option<f64>> = column("price").as_primitive::<Float64Type>().iter().collect();
        assert_eq!(prices, [Some(2.5), Some(4.0), Some(2.5), None, Some(2.5), Some(2.5)]);
        let spend: Vec<Option<f64>> = column("spend").as_primitive::<Float64Type>().iter().collect();
        assert_eq!(spend, [Some(17.5), Some(12.0), Some(0.0), None, Some(0.0), Some(0.0)]);
        assert_eq!(column("is_evening").as_primitive::<Int64Type>().values(), &[1; 6]);

        let leaking = TrainingOptions { as_known: false, ..TrainingOptions::default() };
        let set = joined(&world, labels, &["activity:clicks"], leaking).await.unwrap();
        assert_eq!(set.column_by_name("clicks").unwrap().as_primitive::<Int64Type>().value(1), 7);
    }

    async fn serving_answers_what_training_would(db: Database) {
        let world = World::new(db).await;
        fill(&world);
        world.materialize().await;
        let plan = world.plan(&ALL);
        let asked = [(1, "a"), (1, "b"), (2, "a"), (9, "b"), (9, "z")];
        let rows: Vec<_> = asked.iter().map(|(user, item)| entity(&plan, *user, item)).collect();
        let online = world.service.read_online(&plan, &rows).await.unwrap();
        let at = vec![world.service.now(); rows.len()];
        let known = Knowledge::from(world.service.now());
        let offline = world.service.as_known_at(Arc::clone(&plan), rows, at, known).await.unwrap();
        let labels = labels(&asked.map(|(user, item)| (user, item, 0)));
        let set = joined(&world, labels, &ALL, TrainingOptions::default()).await.unwrap();
        for (number, (online, offline)) in online.iter().zip(&offline).enumerate() {
            assert_eq!(online.refusal, offline.row.refusal);
            for (feature, planned) in plan.features().iter().enumerate() {
                let (served, recomputed) = (&online.cells[feature], &offline.row.cells[feature]);
                assert!(served.value.same(&recomputed.value), "row {number} {}: {served:?} {recomputed:?}", planned.reference);
                let trained = set.column_by_name(planned.name()).unwrap();
                if online.refusal.is_none() {
                    assert_eq!(trained.is_null(number), served.value.is_null(), "row {number} {}", planned.reference);
                }
            }
        }
        let refusal = online[4].refusal.as_ref().unwrap();
        assert_eq!(refusal.message, "`items:price` has no value for item_id=\"z\", and no default is declared");
        assert_eq!(offline[0].row.cells[0].file.as_deref(), Some("data/activity/2.parquet"));
        assert!(world.path().join("online.redb").exists());
    }

    async fn labels_that_do_not_fit_are_refused_by_name(db: Database) {
        let world = World::new(db).await;
        fill(&world);
        let good = labels(&[(1, "a", 0)]);
        let without = |name: &str| {
            let keep: Vec<usize> = (0..good.num_columns()).filter(|column| good.schema().field(*column).name() != name).collect();
            good.project(&keep).unwrap()
        };
        let named = |column: &str| TrainingOptions { event_timestamp: column.to_owned(), ..TrainingOptions::default() };
        let plain = TrainingOptions::default;
        let text: ArrayRef = Arc::new(StringArray::from(vec!["1"]));
        let of_text = RecordBatch::try_from_iter([("user_id", text), ("event_timestamp", good.column(3).clone())]).unwrap();
        let null = RecordBatch::try_from_iter([("user_id", good.column(1).clone()), ("event_timestamp", times([None].into_iter()))]).unwrap();
        let with_clicks = RecordBatch::try_from_iter([("user_id", good.column(1).clone()), ("event_timestamp", good.column(3).clone()), ("clicks", good.column(1).clone())]).unwrap();
        for (labels, references, options, expected) in [
            (without("user_id"), vec!["activity:clicks"], plain(), "the label rows has no column `user_id`"),
            (without("hour_of_day"), vec!["on_demand:is_evening"], plain(), "the label rows has no column `hour_of_day`"),
            (good.clone(), vec!["activity:clicks"], named("event_timestmp"), "no column `event_timestmp`; did you mean `event_timestamp`?"),
            (good.clone(), vec!["activity:clicks"], named("clicked"), "column `clicked` of the label rows: Int64 is not a timestamp"),
            (of_text, vec!["activity:clicks"], plain(), "key type mismatch: `user_id` is Utf8 in the label rows but int64 is needed"),
            (null, vec!["activity:clicks"], plain(), "null label timestamp: row 0 of `event_timestamp` has no time"),
            (with_clicks, vec!["activity:clicks"], plain(), "the label rows already have a column `clicks`"),
            (good.clone(), vec!["activity:click"], plain(), "there is no feature `activity:click`; did you mean `activity:clicks`?"),
            (good.clone(), vec!["activty:clicks"], plain(), "there is no feature view `activty`; did you mean `activity`?"),
            (good.clone(), vec!["activity:clicks", "activity:clicks"], plain(), "would both be the input `clicks`"),
        ] {
            let error = joined(&world, labels, &references, options).await.unwrap_err();
            assert!(error.contains(expected), "{expected}: {error}");
        }
        let empty = joined(&world, good.slice(0, 0), &ALL, plain()).await.unwrap();
        assert_eq!((empty.num_rows(), empty.num_columns()), (0, 10));
    }
}
