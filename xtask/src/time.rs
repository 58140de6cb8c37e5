//! Real time, which the product takes from `runtime::Clock` and a tool may take from the machine.

use std::fmt;
use std::time::{Duration, Instant};

/// Measures how long something took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "a tool that measures real builds has no clock to pause")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Waits between two looks at a process that is not ours.
#[expect(clippy::disallowed_methods, reason = "xtask has no async runtime; it polls child processes")]
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// A duration as people say it: `340 ms`, `2.4 s`, `3 min 05 s`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spoken(pub(crate) Duration);

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        if seconds < 1.0 {
            write!(f, "{:.0} ms", seconds * 1000.0)
        } else if seconds < 60.0 {
            write!(f, "{seconds:.1} s")
        } else {
            write!(f, "{} min {:02} s", self.0.as_secs() / 60, self.0.as_secs() % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        let spoken = |millis| Spoken(Duration::from_millis(millis)).to_string();
        assert_eq!(spoken(340), "340 ms");
        assert_eq!(spoken(2_400), "2.4 s");
        assert_eq!(spoken(185_000), "3 min 05 s");
    }
}
