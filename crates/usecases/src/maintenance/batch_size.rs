//! How many rows a writing step of a purge may delete. What is deleted, and when, is left to the
//! purge.

use std::time::Duration;

/// Rows of a step: at first and at least, and at most. Where a database is a network away, the way
/// there takes longer than a step should: a busy service makes thousands of rows a second.
const MIN_ROWS: u32 = 50;
const MAX_ROWS: u32 = 1000;
/// How long a step should take: whoever writes beside it waits as long.
const TARGET_TIME: Duration = Duration::from_millis(1);
/// Where a commit alone takes long, a step may take this many times as long as the shortest
/// commit so far: with fewer rows everybody would wait for more commits, and hardly less for each.
const MAX_COMMITS_PER_STEP: u32 = 2;

/// What a step spent its time on.
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

/// The number of rows that takes the time that is aimed at, found by doubling and halving.
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
    /// Rows that the next step may delete.
    pub(crate) fn rows(&self) -> u32 {
        self.rows
    }

    /// Takes into account how long so many rows took.
    pub(crate) fn record(&mut self, deleted: u64, times: StepTiming) {
        self.shortest_commit = self.shortest_commit.min(times.committing);
        let aim = TARGET_TIME.max(self.shortest_commit.saturating_mul(MAX_COMMITS_PER_STEP));
        let budget = aim.saturating_sub(self.shortest_commit);
        let spent = times.whole().saturating_sub(self.shortest_commit);
        if spent > budget {
            self.rows = (self.rows / 2).max(MIN_ROWS);
        } else if spent < budget / 2 && deleted >= u64::from(self.rows) {
            // Of a step that found fewer rows nothing is known about more.
            self.rows = self.rows.saturating_mul(2).min(MAX_ROWS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of sixty steps on a disk that takes so long: the rows of the last, and the longest time.
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
            // Slow rows: as few as there may be.
            (us(300), us(1000), 50, us(50_300)),
            // Slow commits: fewer rows would make it no quicker.
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
