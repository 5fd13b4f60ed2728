//! Checks the machine: its clock, its descriptors, its cores, its TLS library.

use super::Finding;
use crate::system;
use crate::wire;
use chrono::Datelike;
use portcullis_ports::Clock;

/// Before this there was no such program, and so far ahead there will be none.
const PLAUSIBLE_YEARS: std::ops::RangeInclusive<i32> = 2026..=2100;
/// Descriptors below which connections are soon refused.
const MIN_FDS: u64 = 10_000;

/// Everything about it.
pub(super) fn examine(clock: &dyn Clock) -> Vec<Finding> {
    vec![year(clock.now().year()), descriptors(system::fd_limit()), cores(wire::cores().get()), tls()]
}

fn year(year: i32) -> Finding {
    if PLAUSIBLE_YEARS.contains(&year) {
        return Finding::ok("clock", format!("the year is {year}"));
    }
    let advice = "set the clock: tokens and sessions end by it";
    Finding::error("clock", format!("the year is {year}"), advice)
}

fn descriptors(allowed: u64) -> Finding {
    const CHECK: &str = "descriptors";
    let what = match allowed {
        u64::MAX => "any number of files may be open".to_owned(),
        allowed => format!("{allowed} files may be open"),
    };
    let advice = "raise the hard limit of open files (ulimit -Hn, LimitNOFILE): each connection takes one";
    match allowed {
        ..system::MIN_FDS => Finding::error(CHECK, what, advice),
        system::MIN_FDS..MIN_FDS => Finding::warning(CHECK, what, advice),
        _ => Finding::ok(CHECK, what),
    }
}

fn cores(cores: usize) -> Finding {
    Finding::ok("cores", format!("{cores} may be used, each with a thread for hashes"))
}

fn tls() -> Finding {
    Finding::ok("tls", format!("PostgreSQL and SMTP connections use {}", portcullis_lettre::tls_library()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::Level;

    #[test]
    fn a_clock_that_was_never_set_and_a_low_limit_are_found() {
        assert_eq!(
            [1970, 2026, 2100, 2101].map(|told| year(told).level),
            [Level::Error, Level::Ok, Level::Ok, Level::Error]
        );
        let levels = [63, 64, 9_999, 10_000, u64::MAX].map(|allowed| descriptors(allowed).level);
        assert_eq!(levels, [Level::Error, Level::Warning, Level::Warning, Level::Ok, Level::Ok]);
    }
}
