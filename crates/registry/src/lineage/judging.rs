//! Which runs are being judged now. Each by one task at a time, so that an older judgement never comes after a newer one;
//! what changed while it judged makes it judge once more.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// The most runs at once: more wait for an artifact store that does not answer.
const MOST: usize = 1_000;

/// The runs that are being judged.
#[derive(Debug, Clone, Default)]
pub(crate) struct Judging(Arc<Mutex<HashMap<String, Judgement>>>);

#[derive(Debug)]
struct Judgement {
    /// Whether something changed since the run was read.
    again: bool,
    /// Closed once the last judgement is written.
    over: watch::Receiver<()>,
}

/// How a run comes to be judged.
#[derive(Debug)]
pub(super) enum Turn {
    /// By whoever asked, who drops the sender when that is done.
    Mine(watch::Sender<()>, watch::Receiver<()>),
    /// By whoever is judging it, once more.
    Theirs(watch::Receiver<()>),
    /// Not now: too many others are.
    None,
}

impl Judging {
    /// Asks for a judgement of what is there now.
    pub(super) fn begin(&self, run: &str) -> Turn {
        let mut runs = self.runs();
        if let Some(judgement) = runs.get_mut(run) {
            judgement.again = true;
            return Turn::Theirs(judgement.over.clone());
        }
        if runs.len() >= MOST {
            return Turn::None;
        }
        let (sender, over) = watch::channel(());
        runs.insert(run.to_owned(), Judgement { again: false, over: over.clone() });
        Turn::Mine(sender, over)
    }

    /// After a judgement: whether another one is asked for. If not, the run's turn is over.
    pub(super) fn again(&self, run: &str) -> bool {
        let mut runs = self.runs();
        let again = runs.get_mut(run).is_some_and(|judgement| std::mem::take(&mut judgement.again));
        if !again {
            runs.remove(run);
        }
        again
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<String, Judgement>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_during_a_judgement_makes_one_more_whatever_else_changes() {
        let judging = Judging::default();
        let Turn::Mine(sender, _) = judging.begin("a") else { panic!("nobody judges it yet") };
        let (Turn::Theirs(waits), Turn::Theirs(_)) = (judging.begin("a"), judging.begin("a")) else {
            panic!("it is being judged")
        };
        assert!(matches!(judging.begin("b"), Turn::Mine(..)), "another run");
        assert!(judging.again("a") && !judging.again("a"));
        assert!(waits.has_changed().is_ok());
        drop(sender);
        assert!(waits.has_changed().is_err(), "whoever waits is told by the end");
        assert!(matches!(judging.begin("a"), Turn::Mine(..)));
    }

    #[test]
    fn a_store_that_hangs_does_not_gather_runs_without_end() {
        let judging = Judging::default();
        for run in 0..MOST {
            assert!(matches!(judging.begin(&run.to_string()), Turn::Mine(..)));
        }
        assert!(matches!(judging.begin("one more"), Turn::None));
        assert!(matches!(judging.begin("1"), Turn::Theirs(_)));
        judging.again("2");
        assert!(matches!(judging.begin("one more"), Turn::Mine(..)));
    }
}
