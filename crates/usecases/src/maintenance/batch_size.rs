//! Steps of work on many rows, and the number of rows that a writing step of a purge may delete.

use std::time::Duration;

/// Minimum and initial number of rows per step; [`MAX_ROWS`] is the maximum. The minimum keeps a purge
/// fast enough: a round trip to a remote database may exceed the target time, while a busy service
/// adds thousands of rows per second.
const MIN_ROWS: u32 = 50;
const MAX_ROWS: u32 = 1000;
/// Target time of a step. Concurrent writers wait until a step ends.
const TARGET_TIME: Duration = Duration::from_millis(1);
/// If commits are slow, a step may take this many times the shortest commit so far. Fewer rows per
/// step would mean more commits and hardly shorter waits.
const MAX_COMMITS_PER_STEP: u32 = 2;

/// Progress of a purge or of another change of many rows, after one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchStep {
    /// Number of rows deleted or changed so far.
    pub rows: u64,
    /// Duration of the step. For a writing step, excludes the wait for other writers.
    pub took: Duration,
}

/// Durations within a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepTiming {
    pub(crate) deleting: Duration,
    pub(crate) committing: Duration,
}

impl StepTiming {
    pub(crate) fn whole(self) -> Duration {
        self.deleting.saturating_add(self.committing)
    }
}

/// Adaptive batch size: the number of rows that can be deleted in the target time, found by doubling
/// and halving.
#[derive(Debug)]
pub(crate) struct BatchSize {
    rows: u32,
    shortest_commit: Duration,
}

impl Default for BatchSize {
    fn default() -> Self {
        Self { rows: MIN_ROWS, shortest_commit: Duration::MAX }
    }
}

impl BatchSize {
    /// Returns the number of rows that the next step may delete.
    pub(crate) fn rows(&self) -> u32 {
        self.rows
    }

    /// Adapts the size to the time of a step.
    pub(crate) fn record(&mut self, deleted: u64, times: StepTiming) {
        self.shortest_commit = self.shortest_commit.min(times.committing);
        let aim = TARGET_TIME.max(self.shortest_commit.saturating_mul(MAX_COMMITS_PER_STEP));
        let budget = aim.saturating_sub(self.shortest_commit);
        let spent = times.whole().saturating_sub(self.shortest_commit);
        if spent > budget {
            self.rows = (self.rows / 2).max(MIN_ROWS);
        } else if spent < budget / 2 && deleted >= u64::from(self.rows) {
            // A step that found fewer rows says nothing about larger ones.
            self.rows = self.rows.saturating_mul(2).min(MAX_ROWS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs 60 steps and returns the rows of the last step and the longest time.
    fn settled(commit: Duration, row: Duration) -> (u32, Duration) {
        let (mut pace, mut longest) = (BatchSize::default(), Duration::ZERO);
        for _ in 0..60 {
            let times = StepTiming { deleting: row * pace.rows(), committing: commit };
            longest = longest.max(times.whole());
            pace.record(u64::from(pace.rows()), times);
        }
        (pace.rows(), longest)
    }

    #[test]
    fn a_step_takes_the_time_that_is_aimed_at_or_twice_a_commit() {
        let (ms, us) = (Duration::from_millis, Duration::from_micros);
        for (commit, row, rows, longest) in [
            (us(300), us(1), 400, us(700)),
            (us(300), us(10), 50, us(800)),
            // Slow rows: the minimum.
            (us(300), us(1000), 50, us(50_300)),
            // Slow commits: fewer rows would not be faster.
            (ms(1), us(10), 50, us(1500)),
            (ms(30), us(20), 800, ms(46)),
            (ms(200), us(100), 1000, ms(300)),
            (ms(30), us(1000), 50, ms(80)),
        ] {
            assert_eq!(settled(commit, row), (rows, longest), "{commit:?}, {row:?}");
        }
    }

    #[test]
    fn steps_shrink_where_rows_become_slow() {
        let mut pace = BatchSize::default();
        let mut step = |deleting: Duration| {
            let times = StepTiming { deleting, committing: Duration::from_millis(1) };
            pace.record(u64::from(pace.rows()), times);
            pace.rows()
        };
        assert_eq!([(); 6].map(|()| step(Duration::from_micros(100))), [100, 200, 400, 800, 1000, 1000]);
        assert_eq!([(); 6].map(|()| step(Duration::from_millis(50))), [500, 250, 125, 62, 50, 50]);
    }

    #[test]
    fn a_step_that_found_few_rows_tells_nothing_about_more() {
        let mut pace = BatchSize::default();
        pace.record(u64::from(MIN_ROWS) - 1, StepTiming { deleting: Duration::ZERO, committing: Duration::ZERO });
        assert_eq!(pace.rows(), MIN_ROWS);
    }
}
