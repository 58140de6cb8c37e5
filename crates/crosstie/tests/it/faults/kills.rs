//! `up` killed in each state of a rollout, twenty times in all, while it answers.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    history::{Record, unexplained},
    report,
    scorer::{Mode, Scorer},
    traffic::Traffic,
    world::{MODEL, World, until},
};

/// Short enough to cut off a person's decision before, in or just after its transaction.
const HALFWAY: Duration = Duration::from_millis(4);
/// Answers that are looked at once all is over.
const AFTERWARDS: usize = 50;

/// When a process is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// Its gates are being asked.
    Gating,
    /// A signature is missing.
    AwaitingApproval,
    /// Step so and so has begun: 0 shadows, 1 and 3 set weights, 2 and 4 hold them. A weight settles within moments, so
    /// that the hold may have begun, too; what was met is told.
    Step(u64),
    /// The last look before all traffic, or just after it.
    Promoting,
    /// It is stable.
    Done,
    /// The canary fails, and nobody decided anything yet.
    Failing,
    /// It was just decided that it goes back by itself.
    GoneBack,
    /// A person sends it back at that moment.
    SentBack,
}

/// Where a rollout ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Stable,
    BackByItself,
    BackByPerson,
}

/// What is summed up.
#[derive(Debug, Default)]
struct Counts {
    /// How often a rollout was killed where.
    kills: BTreeMap<String, usize>,
    answers: usize,
    cut_off: u64,
    failures: usize,
    outcomes: usize,
    decisions: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_survives_twenty_kills_in_all_of_its_states_and_nobody_is_answered_off_the_record() {
    use Moment::{AwaitingApproval, Done, Failing, Gating, GoneBack, Promoting, SentBack, Step};
    let (held, weighed, failed, recalled) = tokio::join!(
        Story::play(&[Gating, AwaitingApproval, Step(0), Step(2), Step(4)], End::Stable),
        Story::play(&[Step(1), Step(3), Step(4), Promoting, Done], End::Stable),
        Story::play(&[Gating, Step(0), Step(2), Failing, GoneBack], End::BackByItself),
        Story::play(&[AwaitingApproval, Step(1), Step(2), SentBack, GoneBack], End::BackByPerson),
    );
    let all = [held, weighed, failed, recalled];
    let sum = |of: fn(&Counts) -> usize| all.iter().map(of).sum::<usize>();
    let mut kills = BTreeMap::<_, usize>::new();
    for (state, count) in all.iter().flat_map(|counts| &counts.kills) {
        *kills.entry(state.as_str()).or_default() += count;
    }
    assert_eq!(kills.values().sum::<usize>(), 20);
    report(&format!(
        "20 kills in 4 rollouts under traffic, {kills:?}: {} answers, all of versions on record; {} requests cut off by kills, {} \
         failed in the canary; {} acknowledged outcomes and {} decisions, none lost",
        sum(|counts| counts.answers),
        all.iter().map(|counts| counts.cut_off).sum::<u64>(),
        sum(|counts| counts.failures),
        sum(|counts| counts.outcomes),
        sum(|counts| counts.decisions),
    ));
}

/// One rollout of version 2 beside version 1.
struct Story {
    world: World,
    scorer: Scorer,
    traffic: Traffic,
    release: u64,
    is_approved: bool,
    kills: BTreeMap<String, usize>,
}

impl Story {
    async fn play(moments: &[Moment], end: End) -> Counts {
        let (scorer, world) = (Scorer::start().await, World::start("version: 1\n").await);
        world.first_version(&scorer).await;
        let traffic = Traffic::start(world.target());
        world.version(&scorer, 2).await;
        // Gates pass too fast to be met; a server that says nothing keeps them busy.
        scorer.set(2, matches!(moments[0], Moment::Gating).then_some(Mode::Silent));
        let release = world.create(2).await;
        let mut story = Self { world, scorer, traffic, release, is_approved: false, kills: BTreeMap::new() };
        for moment in moments {
            let before = story.reach(*moment).await;
            story.kill_at(*moment, &before).await;
        }
        story.finish(end).await;
        story.look_back(end).await
    }

    /// Helps the rollout on until it is there; answers it as it is then.
    async fn reach(&mut self, moment: Moment) -> Value {
        let signs = !matches!(moment, Moment::Gating | Moment::AwaitingApproval);
        if signs && !self.is_approved {
            self.world.release_when("through its gates", |release| release["stage"] == "awaiting_approval").await;
            self.world.approve(self.release).await;
            self.is_approved = true;
        }
        if matches!(moment, Moment::Failing) {
            self.scorer.set(2, Some(Mode::Failing));
            until("a failure of the canary", async || {
                if self.traffic.seen().failures.is_empty() { Err(json!(0)) } else { Ok(()) }
            })
            .await;
        }
        self.world.release_when(&format!("{moment:?}"), |release| is_at(moment, release)).await
    }

    async fn kill_at(&mut self, moment: Moment, before: &Value) {
        if matches!(moment, Moment::SentBack) {
            let path = format!("/crosstie/v1/models/{MODEL}/rollback");
            // Whether it was decided, the record will say.
            timeout(HALFWAY, self.world.ask(Method::POST, &path, json!({ "reason": "I said so" }))).await.ok();
        }
        self.world.kill();
        *self.kills.entry(state_of(before)).or_default() += 1;
        if matches!(moment, Moment::Gating) {
            self.scorer.set(2, None);
        }
        self.traffic.redirect(None);
        self.world.start_again().await;
        self.traffic.redirect(Some(self.world.target()));
        let after = self.world.release().await;
        assert_eq!(after["id"], self.release);
        let sequence = |release: &Value| release["sequence"].as_i64().unwrap();
        assert!(sequence(&after) >= sequence(before), "{moment:?}: {before:#} became {after:#}");
        assert_eq!(after["waivers"], before["waivers"], "{moment:?}");
        assert_eq!(after["approvals"], before["approvals"], "{moment:?}");
    }

    async fn finish(&mut self, end: End) {
        if end == End::BackByPerson && self.world.release().await["stage"] == "rolling_out" {
            let path = format!("/crosstie/v1/models/{MODEL}/rollback");
            self.world.post(&path, json!({ "reason": "I said so" })).await;
        }
        let over = self.world.release_when("over", is_over).await;
        let reason = over["reason"].as_str().unwrap_or_default();
        match end {
            End::Stable => assert_eq!(over["stage"], "done", "{over:#}"),
            End::BackByItself => assert!(reason.starts_with("rolled back by itself: the canary fails"), "{over:#}"),
            End::BackByPerson => assert!(reason.ends_with("I said so"), "{over:#}"),
        }
        let traffic = self.world.get("/crosstie/v1/traffic").await;
        let stable = &traffic["assignments"][0]["stable"]["version"];
        assert_eq!(stable, if end == End::Stable { 2 } else { 1 });
        // The gateways that were killed count as live for some seconds.
        let path = format!("/crosstie/v1/releases/{}", self.release);
        until("followed by every gateway", async || {
            let rollout = self.world.get(&path).await["rollout"].take();
            if rollout["settled_at"].is_null() { Err(rollout["acknowledgements"].clone()) } else { Ok(()) }
        })
        .await;
        let after = self.traffic.answers(AFTERWARDS).await;
        assert!(after.iter().all(|answer| *stable == answer.version), "{after:?}");
    }

    /// Holds everything that was answered and acknowledged against the record.
    async fn look_back(self, end: End) -> Counts {
        self.traffic.redirect(None);
        let record = Record::open(&self.world.database()).await;
        let (decisions, audit) = (record.decisions().await, record.audit().await);
        record.assert_complete().await;
        record.assert_epochs_only_grow().await;
        let outcomes = self.traffic.seen().outcomes.clone();
        for prediction in &outcomes {
            let found = self.world.get(&format!("/crosstie/v1/predictions/{prediction}")).await;
            assert_eq!(found["outcomes"][0]["event"], "click", "{prediction}: {found}");
        }
        let seen = self.traffic.seen();
        assert_eq!(unexplained(&seen.answers, &decisions).first(), None, "{decisions:#?}");
        let is_canary = |failure: &String| failure.contains("ranker/2");
        let stranger = seen.failures.iter().find(|failure| end != End::BackByItself || !is_canary(failure));
        assert_eq!(stranger, None, "{end:?}");
        Counts {
            kills: self.kills,
            answers: seen.answers.len(),
            cut_off: seen.cut_off,
            failures: seen.failures.len(),
            outcomes: outcomes.len(),
            decisions: audit.len(),
        }
    }
}

fn is_over(release: &Value) -> bool {
    !matches!(release["stage"].as_str(), Some("gating" | "awaiting_approval" | "rolling_out"))
}

/// The state of a release in words.
fn state_of(release: &Value) -> String {
    let [stage, leg] = [&release["stage"], &release["progress"]["leg"]].map(|word| word.as_str().unwrap());
    match stage {
        "rolling_out" => format!("step {} {leg}", release["step"]),
        stage => stage.to_owned(),
    }
}

fn is_at(moment: Moment, release: &Value) -> bool {
    let (stage, step) = (release["stage"].as_str().unwrap(), release["step"].as_u64().unwrap());
    let leg = release["progress"]["leg"].as_str().unwrap();
    match moment {
        Moment::Gating => stage == "gating",
        Moment::AwaitingApproval => stage == "awaiting_approval",
        Moment::Step(wanted) => stage == "done" || (stage == "rolling_out" && step >= wanted && leg != "starting"),
        Moment::Promoting => stage == "done" || leg == "promoting",
        Moment::Done => stage == "done",
        Moment::Failing => stage == "rolling_out" || stage == "rolled_back",
        Moment::SentBack => stage == "rolling_out",
        Moment::GoneBack => stage == "rolled_back" || step >= 3,
    }
}
