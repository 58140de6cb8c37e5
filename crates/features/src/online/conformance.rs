//! What every [`OnlineStore`] must do, as one suite that each implementation runs.

use std::sync::Arc;

use types::{Digest, Timestamp, Value, ValueType};

use super::{EntityKey, Layout, OnlineStore, Rank, Read, Space, StoredRow};

fn space(name: &str, definition: &str) -> Space {
    Space { view: name.to_owned(), digest: Digest::of(definition) }
}

fn key(id: i64) -> EntityKey {
    EntityKey::encode(&[Value::Int64(id)]).expect("an integer is a key")
}

fn layout() -> Layout {
    Layout::new([ValueType::String])
}

fn row(event: i64, created: Option<i64>, pushed: bool, text: &str) -> StoredRow {
    let rank = Rank { event_time: Timestamp::from_micros(event), created: created.map(Timestamp::from_micros) };
    layout().encode(rank, pushed, &[Value::String(text.to_owned())])
}

async fn text(store: &dyn OnlineStore, space: &Space, id: i64) -> Option<String> {
    let read = Read { space: Arc::new(space.clone()), keys: vec![key(id)] };
    let answer = store.get_many(&[read]).await.expect("the store answers");
    match answer[0][0].as_ref().map(|row| layout().decode(row, 0)) {
        Some(Value::String(text)) => Some(text),
        _nothing => None,
    }
}

async fn put(store: &dyn OnlineStore, space: &Space, id: i64, row: StoredRow) -> (u64, u64) {
    let written = store.put_if_newer(space, vec![(key(id), row)]).await.expect("the store takes rows");
    (written.stored, written.superseded)
}

/// Runs the whole suite against an empty store.
///
/// # Panics
/// When the store breaks the contract.
pub async fn run(store: &dyn OnlineStore) {
    newest_stays_in_whichever_order(store).await;
    batches_and_requests_keep_their_order(store).await;
    spaces_are_apart_and_can_be_removed(store).await;
    pushed_keys_are_found_newest_first(store).await;
}

async fn newest_stays_in_whichever_order(store: &dyn OnlineStore) {
    let of = space("newest", "a");
    assert_eq!(text(store, &of, 1).await, None, "nothing is there before it is put");
    assert_eq!(put(store, &of, 1, row(10, None, false, "first")).await, (1, 0));
    assert_eq!(put(store, &of, 1, row(9, Some(99), true, "older event")).await, (0, 1));
    assert_eq!(text(store, &of, 1).await.as_deref(), Some("first"), "event time comes first");
    assert_eq!(put(store, &of, 1, row(10, Some(5), true, "created")).await, (1, 0));
    assert_eq!(put(store, &of, 1, row(10, None, false, "null created")).await, (0, 1));
    assert_eq!(put(store, &of, 1, row(10, Some(4), false, "older created")).await, (0, 1));
    assert_eq!(text(store, &of, 1).await.as_deref(), Some("created"), "null is the lowest created time");
    assert_eq!(put(store, &of, 1, row(10, Some(5), false, "put last")).await, (1, 0));
    assert_eq!(put(store, &of, 1, row(10, Some(5), false, "put last")).await, (1, 0), "again is the same");
    assert_eq!(text(store, &of, 1).await.as_deref(), Some("put last"), "at equal rank the last one stays");
    put(store, &of, 1, row(-3, None, false, "before 1970")).await;
    assert_eq!(text(store, &of, 1).await.as_deref(), Some("put last"), "times before 1970 are old");
}

async fn batches_and_requests_keep_their_order(store: &dyn OnlineStore) {
    let of = space("batch", "a");
    let rows = vec![
        (key(1), row(2, None, false, "newer")),
        (key(1), row(1, None, false, "older")),
        (key(2), row(1, None, false, "two")),
    ];
    let written = store.put_if_newer(&of, rows).await.expect("the store takes rows");
    assert_eq!((written.stored, written.superseded), (2, 1));
    let of = Arc::new(of);
    let nothing = Arc::new(space("never written", "a"));
    let reads = [
        Read { space: nothing, keys: vec![key(1)] },
        Read { space: Arc::clone(&of), keys: vec![key(2), key(3), key(1), key(2)] },
    ];
    let answer = store.get_many(&reads).await.expect("the store answers");
    assert_eq!(answer[0], [None], "a space that nothing was put to is empty");
    let found: Vec<Option<Value>> =
        answer[1].iter().map(|row| row.as_ref().map(|row| layout().decode(row, 0))).collect();
    let value = |text: &str| Some(Value::String(text.to_owned()));
    assert_eq!(found, [value("two"), None, value("newer"), value("two")]);
}

async fn spaces_are_apart_and_can_be_removed(store: &dyn OnlineStore) {
    let (stable, canary) = (space("definitions", "stable"), space("definitions", "canary"));
    put(store, &stable, 1, row(1, None, false, "stable")).await;
    put(store, &canary, 1, row(9, None, false, "canary")).await;
    assert_eq!(text(store, &stable, 1).await.as_deref(), Some("stable"));
    let spaces = store.spaces().await.expect("the store answers");
    assert!(spaces.contains(&(canary.clone(), 1)), "{spaces:?}");
    assert_eq!(store.remove(&canary).await.expect("the store removes"), 1);
    assert_eq!(store.remove(&canary).await.expect("the store removes"), 0, "again is the same");
    assert_eq!(text(store, &canary, 1).await, None);
    assert_eq!(text(store, &stable, 1).await.as_deref(), Some("stable"), "the other definition stays");
}

async fn pushed_keys_are_found_newest_first(store: &dyn OnlineStore) {
    let of = space("pushed", "a");
    put(store, &of, 1, row(1, Some(1), true, "")).await;
    put(store, &of, 2, row(1, Some(3), true, "")).await;
    put(store, &of, 3, row(1, Some(2), true, "")).await;
    put(store, &of, 4, row(1, Some(9), false, "materialized")).await;
    put(store, &of, 1, row(2, Some(4), false, "materialized over it")).await;
    let pushed = store.recently_pushed(&of, 2).await.expect("the store answers");
    assert_eq!(pushed, [key(2), key(3)]);
}
