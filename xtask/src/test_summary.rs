//! Counts tests in the output of cargo and libtest. The lines of both arrive in the order in which they
//! were written.

/// Path segments that mark a test as running on a database, with the name of the database. A segment is
/// the file, a module, or the test's own name.
const DATABASES: [(&str, &str); 2] = [("sqlite", "SQLite"), ("postgres", "PostgreSQL")];

/// Number of tests that passed and failed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
}

/// Counts of the lines read so far.
#[derive(Debug, Default)]
pub(crate) struct TestSummary {
    /// File of the running tests; part of their path.
    file: String,
    /// From libtest's summary lines, since the output of a child process can tear the line of one test.
    pub(crate) all: Count,
    databases: [Count; 2],
    /// Path of each failed test, with its file.
    failed: Vec<String>,
}

impl TestSummary {
    /// Reads one line.
    pub(crate) fn read(&mut self, line: &str) {
        if let Some(file) = line.trim_start().strip_prefix("Running ") {
            file.split(" (").next().unwrap_or(file).clone_into(&mut self.file);
        } else if line.trim_start().starts_with("Doc-tests ") {
            self.file.clear();
        } else if let Some(result) = line.strip_prefix("test result: ") {
            self.all.passed += number_before(result, "passed;");
            self.all.failed += number_before(result, "failed;");
        } else if let Some((name, verdict)) = line.strip_prefix("test ").and_then(|test| test.rsplit_once(" ... ")) {
            self.test(name, verdict);
        }
    }

    fn test(&mut self, name: &str, verdict: &str) {
        if verdict.starts_with("FAILED") {
            self.failed.push(format!("{} {name}", self.file).trim_start().to_owned());
        }
        let file = self.file.split(['/', '.', ' ']);
        let parts: Vec<&str> = file.chain(name.split("::").flat_map(|part| part.split(' '))).collect();
        for ((word, _), count) in DATABASES.iter().zip(&mut self.databases) {
            if parts.contains(word) {
                count.passed += usize::from(verdict.starts_with("ok"));
                count.failed += usize::from(verdict.starts_with("FAILED"));
            }
        }
    }

    /// Formats the number of tests that ran on each database.
    pub(crate) fn by_database(&self) -> String {
        let told = DATABASES.iter().zip(&self.databases).map(|((_, name), count)| match count.failed {
            0 => format!("{} on {name}", count.passed),
            failed => format!("{} on {name} ({failed} of them failed)", count.passed + failed),
        });
        format!("tests that ran on a database: {}", told.collect::<Vec<_>>().join(", "))
    }

    /// Formats one line for each failed test. A test whose line was torn is missing.
    pub(crate) fn failures(&self) -> String {
        self.failed.iter().map(|test| format!("failed: {test}\n")).collect()
    }
}

fn number_before(line: &str, word: &str) -> usize {
    let words: Vec<&str> = line.split_whitespace().collect();
    let pair = words.windows(2).find(|pair| pair.last() == Some(&word));
    pair.and_then(|pair| pair.first()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "\
     Running unittests src/lib.rs (target/debug/deps/portcullis_diesel-1f)
running 4 tests
test sqlite::one_token_has_one_winner ... ok
test postgres::one_token_has_one_winner ... FAILED
test rows::a_row_that_breaks_an_invariant_is_reported - should panic ... ok
test config::a_postgres_url_is_read ... ok
test postgres::slow has been running for over 60 seconds
test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
     Running tests/postgres.rs (target/debug/deps/postgres-2e)
test register ... ok
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
   Doc-tests portcullis_domain
test crates/domain/src/lib.rs - (line 6) ... ok
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
";

    #[test]
    fn tests_are_counted_in_all_and_by_database() {
        let mut tally = TestSummary::default();
        LINES.lines().for_each(|line| tally.read(line));
        assert_eq!(tally.all, Count { passed: 5, failed: 1 });
        assert_eq!(tally.databases, [Count { passed: 1, failed: 0 }, Count { passed: 1, failed: 1 }]);
        let told = "tests that ran on a database: 1 on SQLite, 2 on PostgreSQL (1 of them failed)";
        assert_eq!(tally.by_database(), told);
        assert_eq!(tally.failures(), "failed: unittests src/lib.rs postgres::one_token_has_one_winner\n");
    }
}
