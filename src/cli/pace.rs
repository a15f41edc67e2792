//! How fast something goes on, and how long it takes yet, in words.

use std::time::{Duration, Instant};

/// How often a plain line is written where there is no terminal.
pub const PLAIN_LINES: Duration = Duration::from_secs(10);

/// How far something is of which a part may have been done before.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    began: Instant,
    done_before: u64,
    said: Instant,
}

impl Pace {
    /// It begins now, with so much done.
    pub fn begin(done_before: u64) -> Self {
        let now = Instant::now();
        Self { began: now, done_before, said: now }
    }

    /// Whether a plain line is due, which is then taken to be written.
    pub fn is_due(&mut self) -> bool {
        let is_due = self.said.elapsed() >= PLAIN_LINES;
        if is_due {
            self.said = Instant::now();
        }
        is_due
    }

    /// The pace and the time left, such as `31 planets/min, 0:58 left`; nothing while nobody can tell.
    pub fn words(&self, done: u64, total: u64, unit: &str) -> Option<String> {
        words(self.began.elapsed(), done.saturating_sub(self.done_before), total.saturating_sub(done), unit)
    }
}

fn words(taken: Duration, made: u64, left: u64, unit: &str) -> Option<String> {
    if made == 0 || taken.is_zero() || unit.is_empty() {
        return None;
    }
    let rate = made as f64 / taken.as_secs_f64();
    let left = Duration::try_from_secs_f64(left as f64 / rate).unwrap_or(Duration::MAX);
    Some(format!("{:.0} {unit}/min, {} left", rate * 60.0, clock(left)))
}

/// A time as hours, minutes and seconds.
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_that_of_what_was_made_since_it_began() {
        assert_eq!(words(Duration::from_secs(58), 30, 30, "planets").as_deref(), Some("31 planets/min, 0:58 left"));
        assert_eq!(words(Duration::from_secs(5), 0, 30, "planets"), None);
        assert_eq!(words(Duration::ZERO, 3, 30, "planets"), None);
        assert_eq!(words(Duration::from_secs(5), 1, 2, ""), None, "what is counted has no name");
    }

    #[test]
    fn times_are_hours_minutes_and_seconds() {
        assert_eq!(
            [0, 61, 3600, 360_061].map(|s| clock(Duration::from_secs(s))),
            ["0:00", "1:01", "1:00:00", "100:01:01"]
        );
    }
}
