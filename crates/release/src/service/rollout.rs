//! What gateways tell, and how rollouts go.

use types::Duration;

use super::{Service, look::judgement};
use crate::{
    ArmWindow, Assignment, Error, GatewayReport, Hold, Kind, Release, ReleaseId, RolloutReport, Stage, StepProgress,
    StepReport,
    machine::{self, Leg, Policy},
    repo::{self, gateways, rollouts, traffic, windows},
    shadow,
};

/// How long a gateway that is not heard any more is still shown.
pub(crate) const SHOWN: Duration = Duration::from_secs(86_400);

impl Service {
    /// Takes in what a gateway serves, in place of what it said before. Wakes the controller if that is something else.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn acknowledge(&self, report: &GatewayReport) -> Result<(), Error> {
        let (desk, report) = (self.inner.desk.clone(), report.clone());
        let is_news = self
            .inner
            .database
            .write(async move |tx| {
                let now = desk.now(tx).await?;
                gateways::put(tx, &report, now).await
            })
            .await?;
        if is_news {
            self.inner.signal.notify();
        }
        Ok(())
    }

    /// Takes in what `gateway` counted. A window that came before is left as it is, so the same call may be made again.
    ///
    /// # Errors
    /// When the database cannot be written; then none is taken.
    pub async fn count(&self, gateway: &str, counted: Vec<ArmWindow>) -> Result<(), Error> {
        if counted.is_empty() {
            return Ok(());
        }
        let gateway = gateway.to_owned();
        self.inner
            .database
            .write(async move |tx| {
                tx.lock(repo::WINDOW_LOCK).await?;
                windows::add(tx, &gateway, &counted).await
            })
            .await
    }

    /// Takes in all that `gateway` compared so far in the shadow of a release, in place of what it said before.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn shadowed(&self, gateway: &str, release: ReleaseId, summary: &shadow::Summary) -> Result<(), Error> {
        let (gateway, summary) = (gateway.to_owned(), summary.clone());
        self.inner.database.write(async move |tx| gateways::put_shadow(tx, release, &gateway, &summary).await).await
    }

    /// How the rollout of a release goes, or went.
    ///
    /// # Errors
    /// When there is no such release.
    pub async fn rollout(&self, id: ReleaseId) -> Result<RolloutReport, Error> {
        let desk = self.inner.desk.clone();
        self.inner
            .database
            .read(async move |tx| {
                let release = repo::load(tx, id).await?;
                let now = desk.now(tx).await?;
                let model = &release.version.model;
                let latest = traffic::latest(tx, model).await?;
                let decided = traffic::of_release(tx, id).await?;
                let stable = if release.stage.is_over() {
                    release.previous.or_else(|| stable_beside(&release, &decided))
                } else {
                    latest.and_then(|latest| latest.stable).map(|stable| stable.version)
                };
                let tally = rollouts::tally(tx, id).await?;
                let revision = decided.last().map(|last| last.revision);
                let settled_at = match revision {
                    Some(revision) => traffic::settled_at(tx, revision).await?,
                    None => None,
                };
                let heard = gateways::heard(tx, now - SHOWN).await?;
                let shadow = gateways::shadow(tx, id).await?;
                let policy = release.policy(stable.is_some());
                let is_judged = release.kind == Kind::Release && policy.has_stable && is_gradual(&release);
                Ok(RolloutReport {
                    release: id,
                    version: release.version.clone(),
                    stable,
                    steps: steps(&release),
                    hold: hold(&release, &policy, is_judged && tally.analysis.is_promotable(&release.limits())),
                    shares: tally.shares(),
                    points: rollouts::points(tx, id).await?,
                    analysis: is_judged.then(|| judgement(&release, &tally)),
                    explanation: shadow.as_ref().map(shadow::Summary::explanation).unwrap_or_default(),
                    shadow,
                    revision,
                    settled_at,
                    acknowledgements: gateways::acknowledgements(&heard, model, now),
                })
            })
            .await
    }
}

/// What was stable beside the release's version while that was on its way.
fn stable_beside(release: &Release, decided: &[Assignment]) -> Option<u32> {
    let mut stable = decided.iter().rev().filter_map(|assignment| assignment.stable.as_ref());
    stable.find(|stable| stable.release != release.id).map(|stable| stable.version)
}

fn is_gradual(release: &Release) -> bool {
    release.model_file.rollout.is_gradual()
}

fn steps(release: &Release) -> Vec<StepReport> {
    let is_skipped = !release.notes.is_empty();
    let began = release.step_entered_at.is_some() && release.progress.leg != Leg::Starting;
    let progress = |step: u32| {
        if release.stage == Stage::Done {
            if is_skipped && step < release.step { StepProgress::Skipped } else { StepProgress::Done }
        } else if !began || step > release.step {
            StepProgress::Ahead
        } else if step < release.step {
            StepProgress::Done
        } else {
            StepProgress::Current
        }
    };
    let declared = &release.model_file.rollout.steps;
    (0..)
        .zip(declared)
        .map(|(step, declared)| StepReport { step, declared: declared.clone(), progress: progress(step) })
        .collect()
}

/// The hold that is on.
fn hold(release: &Release, policy: &Policy, promotable: bool) -> Option<Hold> {
    let progress = &release.progress;
    if release.stage != Stage::RollingOut || progress.leg == Leg::Starting {
        return None;
    }
    let asked = machine::asked(policy, release.step);
    let next = usize::try_from(release.step).ok().and_then(|step| policy.steps.get(step + 1));
    let is_last = next.is_none_or(|next| *next == crate::model_file::Step::SetWeight(types::Percent::ALL));
    let begun = progress.leg != Leg::Settling;
    let mut waits_for = Vec::new();
    if release.paused && progress.overdue.is_none() {
        waits_for.push("somebody to resume it".to_owned());
    }
    if progress.overdue.is_some() {
        waits_for.push("a person: it took longer than declared".to_owned());
    }
    if !begun {
        waits_for.push("every live gateway to serve this step".to_owned());
    }
    if progress.held < asked.duration {
        waits_for.push(format!("time: {} of {}", progress.held.approximate(), asked.duration));
    }
    if begun && progress.requests_held() < asked.min_requests {
        waits_for.push(format!("requests: {} of {}", progress.requests_held(), asked.min_requests));
    }
    if is_last && !promotable {
        waits_for.push("the analysis: the bound on its excess error rate is not low enough yet".to_owned());
    }
    Some(Hold {
        begun,
        held: progress.held,
        duration: asked.duration,
        requests: if begun { progress.requests_held() } else { 0 },
        min_requests: asked.min_requests,
        max: asked.max,
        overdue: progress.overdue.is_some(),
        waits_for,
    })
}
