//! What producers may send, and what reads accept beside keys.

use database::Database;
use features::PushRow;
use serde_json::{Value as Json, json};
use types::Value;

use crate::world::{World, entity, hour, pushed};

fn parse(world: &World, row: &Json) -> Result<PushRow, String> {
    let view = world.definitions.view("activity").unwrap();
    PushRow::from_json(view, 0, row.as_object().unwrap()).map_err(|error| error.to_string())
}

database::testing::on_both! {
    async fn rows_are_typed_and_whole_or_refused_by_name(db: Database) {
        let world = World::new(db).await;
        let good = json!({"user_id": 1, "clicks": 3, "country": null, "event_timestamp": "2026-11-19T00:00:00Z"});
        let with = |name: &str, value: Json| {
            let mut row = good.clone();
            row[name] = value;
            row
        };
        let cases = [
            (with("user_id", json!("1")), "row 0 pushed to `activity`: `user_id` is int64, and \"1\" is not"),
            (with("clicks", json!(1.5)), "`clicks` is int64, and 1.5 is not"),
            (with("click", json!(1)), "there is no `click`; did you mean `clicks`?"),
            (with("event_timestamp", json!("yesterday")), "`event_timestamp` is \"yesterday\", not a time"),
            (with("event_timestamp", json!(null)), "not a time"),
        ];
        for (row, expected) in cases {
            let error = parse(&world, &row).unwrap_err();
            assert!(error.contains(expected), "{expected}: {error}");
        }
        let mut partial = good.clone();
        partial.as_object_mut().unwrap().remove("country");
        let mut keyless = with("user_id", json!(null));
        keyless["country"] = json!("DE");
        for (row, expected) in [
            (partial, "`country` is missing; a push is a whole row"),
            (keyless, "the key `user_id` is int64, and null is not"),
            (with("event_timestamp", json!("2026-11-20T00:05:01Z")), "is in the future"),
        ] {
            let row = parse(&world, &row).unwrap();
            let rows = [pushed(5, -1, 1, "DE"), row];
            let error = world.service.push(&world.definitions, "activity", &rows).await.unwrap_err().to_string();
            assert!(error.contains("row 1") && error.contains(expected), "{expected}: {error}");
        }
        assert_eq!(world.served(&["activity:clicks"], 5, "a").await, json!([[0, "default"]]), "all rows or none");

        let named = json!({"user_id": 1, "clicks": 3, "country": null, "event_time": "2026-11-19T00:00:00Z", "created_at": "2026-11-19T01:00:00Z"});
        let row = parse(&world, &named).unwrap();
        assert_eq!((row.event_time, row.created), (hour(-24), Some(hour(-23))), "the source's own names do as well");
        world.service.push(&world.definitions, "activity", &[row]).await.unwrap();
        assert_eq!(world.served(&["activity:clicks"], 1, "a").await, json!([[3, "pushed"]]));
    }

    async fn overrides_win_and_rows_that_do_not_fit_are_refused(db: Database) {
        let world = World::new(db).await;
        world.service.push(&world.definitions, "activity", &[pushed(1, -1, 3, "DE")]).await.unwrap();
        let plan = world.plan(&["activity:clicks", "on_demand:spend", "on_demand:is_evening"]);
        let mut row = entity(&plan, 1, "a");
        row.overrides = vec![("price".to_owned(), Value::Float64(2.0))];
        let mut all = entity(&plan, 1, "a");
        all.keys = vec![Value::Null; all.keys.len()];
        all.overrides = vec![("clicks".to_owned(), Value::Int64(1)), ("spend".to_owned(), Value::Float64(-1.0))];
        all.overrides.push(("price".to_owned(), Value::Float64(0.0)));
        let mut silent = row.clone();
        silent.request = vec![Value::Null];
        let answered = world.service.read_online(&plan, &[row.clone(), all, silent]).await.unwrap();
        let shown: Vec<Vec<Json>> = answered
            .iter()
            .map(|row| row.cells.iter().map(|cell| json!([cell.value.to_json(), cell.origin])).collect())
            .collect();
        assert_eq!(shown[0], [json!([3, "pushed"]), json!([6.0, "on_demand"]), json!([1, "on_demand"])]);
        assert_eq!(shown[1], [json!([1, "override"]), json!([-1.0, "override"]), json!([1, "on_demand"])]);
        assert_eq!(answered[1].refusal, None);
        assert_eq!(answered[2].refusal.as_ref().unwrap().message, "the request value `hour_of_day` is missing");

        let wrong = |change: &dyn Fn(&mut features::EntityRow)| {
            let mut wrong = row.clone();
            change(&mut wrong);
            wrong
        };
        for (row, expected) in [
            (wrong(&|row| row.request = vec![Value::Float64(1.0)]), "`hour_of_day` is int64, not float64"),
            (wrong(&|row| row.overrides[0].0 = "prize".to_owned()), "there is no feature `prize`; did you mean `price`?"),
            (wrong(&|row| row.overrides[0].1 = Value::Int64(1)), "`price` is float64, not int64"),
            (wrong(&|row| row.keys.truncate(0)), "0 keys and 1 request values, where the plan has"),
        ] {
            let error = world.service.read_online(&plan, &[row]).await.unwrap_err().to_string();
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }
}
