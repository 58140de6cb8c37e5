//! What a process remembers of shadows.

use serving::{ShadowSink as _, Shadowed};

use super::{
    plans::{World, editor, operator, ranker},
    *,
};
use crate::adapters::shadows::Comparisons;

#[tokio::test]
async fn what_a_shadow_showed_is_forgotten_once_its_release_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new(dir.path()).await;
    world.version("ranker", 1, false).await;
    world.declare().await;
    let releases = world.services.releases.clone();
    let release = releases.create(&editor(), &ranker(1), Vec::new()).await.unwrap().id;
    let definitions = Arc::new(VersionDefinitions::new(Arc::clone(&world.services.projects.projects)));
    let (log, name) = (world.services.log.clone(), "a gateway".to_owned());
    let comparisons = Comparisons::start(log, definitions, releases.clone(), name, &world.tasks);
    let failed = || Shadowed {
        release: release.to_string(),
        primary: ranker(2),
        shadow: ranker(1),
        at: types::Timestamp::from_micros(0),
        primary_rows: Vec::new(),
        primary_latency: Duration::from_millis(1),
        outcome: Err("no memory".to_owned()),
    };
    comparisons.record(failed());
    assert_eq!(comparisons.forget(Duration::ZERO).await, 1, "it may go on");
    comparisons.record(failed());
    releases.abort(&operator(), release, None).await.unwrap();
    assert_eq!(comparisons.forget(Duration::from_secs(60)).await, 1, "a copy may be on its way");
    assert_eq!(comparisons.forget(Duration::ZERO).await, 0);
    assert_eq!(releases.rollout(release).await.unwrap().shadow.unwrap().errors, 2, "the record has it");
    world.tasks.shutdown(Duration::from_secs(10)).await;
}
