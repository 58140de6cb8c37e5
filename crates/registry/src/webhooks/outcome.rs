//! What follows from an attempt: MLflow's policy of retries, as a decision.

use std::time::Duration;

use super::sender::{Failure, Response};

/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The longest wait that a receiver may ask for.
const LONGEST_REQUESTED_WAIT: Duration = Duration::from_secs(3_600);

/// What follows from an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// The receiver has it.
    Delivered,
    /// It is tried again after a while.
    Again { after: Duration, why: String },
    /// It is given up.
    GivenUp { why: String },
}

/// Decides what follows from attempt number `attempt`, counted from 1, if there may be `retries` after the first.
///
/// What may pass is tried again: no connection, no answer, 429, 500, 502, 503 and 504. Everything else that is no success
/// is final, since the same message would get the same answer. The first retry follows at once; the waits before the
/// others double from two seconds on, with up to a second more, so that messages that failed together do not come
/// together again. A receiver that says when it wants to be asked is asked then.
pub(super) fn after(outcome: &Result<Response, Failure>, attempt: u32, retries: u32) -> Next {
    let (why, wanted) = match outcome {
        Ok(response) if (200..300).contains(&response.status) => return Next::Delivered,
        Ok(response) if matches!(response.status, 429 | 500 | 502 | 503 | 504) => {
            (format!("it answered {}", response.status), response.retry_after)
        }
        Ok(response) => return Next::GivenUp { why: format!("it answered {}", response.status) },
        Err(Failure::Failed(why)) => (why.clone(), None),
        Err(Failure::Refused(why)) => return Next::GivenUp { why: why.clone() },
    };
    if attempt > retries {
        return Next::GivenUp { why };
    }
    let after = match wanted {
        Some(wanted) => wanted.min(LONGEST_REQUESTED_WAIT),
        None if attempt <= 1 => Duration::ZERO,
        None => {
            let doubled = Duration::from_secs(2_u64.saturating_pow(attempt - 1)).min(LONGEST_WAIT);
            doubled + Duration::from_secs_f64(fastrand::f64())
        }
    };
    Next::Again { after, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16) -> Result<Response, Failure> {
        Ok(Response { status, retry_after: None, body: String::new() })
    }

    #[test]
    fn what_may_pass_is_tried_again_and_nothing_else_is() {
        for status in [200, 201, 204] {
            assert_eq!(after(&answer(status), 1, 3), Next::Delivered);
        }
        for status in [301, 307, 400, 401, 404, 410, 501, 505] {
            assert!(matches!(after(&answer(status), 1, 3), Next::GivenUp { .. }), "{status}");
        }
        for status in [429, 500, 502, 503, 504] {
            assert!(matches!(after(&answer(status), 1, 3), Next::Again { .. }), "{status}");
        }
        let refused = Err(Failure::Refused("no".to_owned()));
        assert_eq!(after(&refused, 1, 3), Next::GivenUp { why: "no".to_owned() });
    }

    #[test]
    fn there_are_as_many_retries_as_are_set_with_waits_that_double() {
        let away: Result<Response, Failure> = Err(Failure::Failed("away".to_owned()));
        let waits: Vec<_> = (1..=9)
            .map_while(|attempt| match after(&away, attempt, 8) {
                Next::Again { after, .. } => Some(after.as_secs()),
                Next::Delivered | Next::GivenUp { .. } => None,
            })
            .collect();
        assert_eq!(waits, [0, 2, 4, 8, 16, 32, 60, 60]);
        assert!(matches!(after(&away, 1, 0), Next::GivenUp { .. }));
    }

    #[test]
    fn a_receiver_may_say_when_but_not_that_it_is_next_year() {
        for (wanted, waited) in [(2, 2), (600, 600), (u64::MAX, 3_600)] {
            let retry_after = Some(Duration::from_secs(wanted));
            let outcome = Ok(Response { status: 429, retry_after, body: String::new() });
            let after = after(&outcome, 1, 3);
            assert_eq!(after, Next::Again { after: Duration::from_secs(waited), why: "it answered 429".to_owned() });
        }
    }
}
