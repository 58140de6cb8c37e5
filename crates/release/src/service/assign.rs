//! What serves, as it follows from a decision.

use types::Percent;

use crate::{Assignment, Canary, Release, machine::Effect, model_file::Step};

/// The assignment in which the release's version can be loaded, and has no traffic.
pub(crate) fn admitted(latest: Option<Assignment>, release: &Release) -> Assignment {
    let mut assignment = following(latest, release);
    assignment.candidates.push(release.pinned());
    assignment
}

/// The assignment that follows from an effect. The release takes over the weight that it has then.
pub(crate) fn assigned(latest: Option<Assignment>, release: &mut Release, effect: Effect) -> Assignment {
    let mut assignment = following(latest, release);
    if effect == Effect::Judge {
        assignment.slow_after = release.progress.slow_after;
        return assignment;
    }
    assignment.candidates.retain(|candidate| candidate.release != release.id);
    if assignment.canary.as_ref().is_some_and(|canary| canary.pinned.release == release.id) {
        assignment.canary = None;
    }
    assignment.shadow = assignment.shadow.filter(|shadow| shadow.release != release.id);
    assignment.slow_after = None;
    match effect {
        Effect::Judge => {}
        Effect::Withdraw => release.weight = Percent::NONE,
        Effect::Route { step } => {
            assignment.slow_after = release.progress.slow_after;
            match declared(release, step).cloned() {
                Some(Step::Shadow(_)) => assignment.shadow = Some(release.pinned()),
                Some(Step::SetWeight(weight)) => {
                    release.weight = weight;
                    assignment.canary = Some(Canary { pinned: release.pinned(), weight });
                }
                Some(Step::Pause(_)) | None => {}
            }
        }
        Effect::Promote => {
            release.weight = Percent::ALL;
            release.step = u32::try_from(release.model_file.rollout.steps.len().saturating_sub(1)).unwrap_or(0);
            assignment.previous = assignment.stable.take();
            release.previous = assignment.previous.as_ref().map(|previous| previous.version);
            assignment.stable = Some(release.pinned());
        }
    }
    assignment
}

/// What serves by the last decision, as the next one by `release`. The revision is given when it is written.
pub(crate) fn following(latest: Option<Assignment>, release: &Release) -> Assignment {
    let model = release.version.model.clone();
    let (revision, sequence) = (0, release.sequence);
    match latest {
        Some(latest) => Assignment { revision, sequence, release: release.id, ..latest },
        None => Assignment {
            model,
            revision,
            release: release.id,
            sequence,
            stable: None,
            canary: None,
            shadow: None,
            slow_after: None,
            previous: None,
            candidates: Vec::new(),
        },
    }
}

fn declared(release: &Release, step: u32) -> Option<&Step> {
    release.model_file.rollout.steps.get(usize::try_from(step).unwrap_or(usize::MAX))
}
