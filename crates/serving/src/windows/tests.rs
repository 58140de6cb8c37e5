//! Windows by themselves, under a clock that is set by hand and time that is paused.

use runtime::testing::ManualClock;

use super::*;

/// The first second of a span.
const START: i64 = 1_000_000;

struct World {
    clock: ManualClock,
    metrics: Metrics,
    windows: Windows,
    watched: Arc<Watched>,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::new(at(START));
        let metrics = Metrics::new(&[crate::METRICS]).unwrap();
        let windows = Windows::new(Arc::new(clock.clone()), &metrics);
        Self { clock, metrics, windows, watched: watched(1) }
    }

    fn count(&self, arm: Arm, user: &str, ending: Ending) {
        self.windows.count(&self.watched, arm, 2, &RouteKey::Entity(user.to_owned()), ending);
    }

    fn go_to(&self, second: i64) {
        self.clock.set(at(second));
    }

    /// What is due, each as second, requests, entities, errors and slow.
    fn due(&self) -> Vec<(i64, u64, u64, u64, u64)> {
        let Some((last, windows)) = self.windows.due(usize::MAX) else { return Vec::new() };
        self.windows.reported(last);
        windows.iter().map(|w| (w.second, w.requests, w.entities, w.errors, w.slow)).collect()
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(second * 1_000)
}

fn watched(revision: i64) -> Arc<Watched> {
    let model = ModelName::parse("ranker").unwrap();
    Arc::new(Watched { model, release: "7".to_owned(), revision, slow_after: Some(Duration::from_millis(10)) })
}

const FAST: Ending = Ending::Answered(Duration::from_millis(10));
const LATE: Ending = Ending::Answered(Duration::from_millis(11));

#[tokio::test(start_paused = true)]
async fn an_entity_is_one_event_in_a_span_and_another_in_the_next() {
    let world = World::new();
    for ending in [FAST, Ending::Failed, Ending::Failed, LATE] {
        world.count(Arm::Canary, "7", ending);
    }
    world.count(Arm::Canary, "8", FAST);
    world.go_to(START + 9);
    world.count(Arm::Canary, "7", LATE);
    world.count(Arm::Canary, "8", Ending::Abandoned);
    world.go_to(START + 10);
    world.count(Arm::Canary, "7", Ending::Failed);
    world.go_to(START + 11);
    let expected = [(START, 5, 2, 1, 1), (START + 9, 2, 0, 0, 1), (START + 10, 1, 1, 1, 0)];
    assert_eq!(world.due(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_window_tells_all_that_was_counted() {
    let world = World::new();
    for ending in [LATE, FAST, FAST, Ending::Failed] {
        world.windows.count(&world.watched, Arm::Stable, 2, &RouteKey::Request(uuid::Uuid::now_v7()), ending);
    }
    world.count(Arm::Canary, "7", FAST);
    world.go_to(START + 1);
    let (_, windows) = world.windows.due(1).unwrap();
    let bucket = |ending: Ending| match ending {
        Ending::Answered(latency) => latency::bucket_of(latency),
        Ending::Failed | Ending::Abandoned => unreachable!("these are not answers"),
    };
    let expected = ArmWindow {
        model: world.watched.model.clone(),
        release: "7".to_owned(),
        revision: 1,
        second: START,
        arm: Arm::Stable,
        version: 2,
        requests: 4,
        entities: 4,
        errors: 1,
        slow: 1,
        failed_requests: 1,
        latency: vec![(bucket(FAST), 2), (bucket(LATE), 1)],
    };
    assert_eq!(windows, [expected], "one at a time was asked for, and the oldest comes first");
}

#[tokio::test(start_paused = true)]
async fn revisions_are_counted_apart_within_a_second() {
    let world = World::new();
    world.count(Arm::Canary, "7", FAST);
    world.windows.count(&watched(2), Arm::Canary, 2, &RouteKey::Entity("7".to_owned()), FAST);
    world.go_to(START + 1);
    let revisions: Vec<_> = world.windows.due(9).unwrap().1.iter().map(|w| (w.revision, w.entities)).collect();
    assert_eq!(revisions, [(1, 1), (2, 1)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_slow_may_be_told_within_a_second() {
    let mut world = World::new();
    world.watched = Arc::new(Watched { slow_after: None, ..(*watched(1)).clone() });
    world.count(Arm::Canary, "7", LATE);
    world.watched = watched(1);
    world.count(Arm::Canary, "8", LATE);
    world.go_to(START + 1);
    assert_eq!(world.due(), [(START, 2, 2, 0, 1)], "it stays one window");
}

#[tokio::test(start_paused = true)]
async fn a_second_that_was_reported_never_comes_back_whatever_the_clock_does() {
    let world = World::new();
    world.count(Arm::Stable, "7", FAST);
    world.go_to(START + 1);
    assert_eq!(world.due().len(), 1);
    world.go_to(START - 3_600);
    world.count(Arm::Stable, "7", FAST);
    assert!(world.due().is_empty(), "the second is not over");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(world.due(), [(START + 1, 1, 0, 0, 0)], "time goes on though the clock was set back");
    world.go_to(START + 3_600);
    world.count(Arm::Stable, "7", FAST);
    world.go_to(START + 3_601);
    assert_eq!(world.due(), [(START + 3_600, 1, 1, 0, 0)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_closed_before_its_time_gets_no_more() {
    let world = World::new();
    world.count(Arm::Stable, "7", FAST);
    world.windows.close();
    world.count(Arm::Stable, "8", FAST);
    assert_eq!(world.due(), [(START, 1, 1, 0, 0)]);
    world.go_to(START + 2);
    assert_eq!(world.due(), [(START + 1, 1, 1, 0, 0)]);
}

#[tokio::test(start_paused = true)]
async fn windows_that_nobody_takes_are_dropped_after_ten_minutes_and_counted() {
    let world = World::new();
    for second in 0..700 {
        world.count(Arm::Stable, "7", FAST);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(world.windows.due(1).unwrap().1[0].second, START + (second - 600).max(0));
    }
    assert_eq!(world.due().len(), 601);
    assert!(world.metrics.render().contains("crosstie_arm_windows_dropped_total 99"), "{}", world.metrics.render());
}

#[tokio::test(start_paused = true)]
async fn keys_beyond_the_bound_add_no_events() {
    let world = World::new();
    for user in 0..KEYS + 10 {
        world.count(Arm::Canary, &user.to_string(), Ending::Failed);
    }
    world.count(Arm::Canary, "0", Ending::Abandoned);
    world.go_to(START + 1);
    let keys = KEYS as u64;
    assert_eq!(world.due(), [(START, keys + 11, keys, keys, 1)]);
}
