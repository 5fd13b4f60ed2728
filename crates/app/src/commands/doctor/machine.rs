//! Checks the machine: its clock, its descriptors, its cores, its TLS library.

use super::Finding;
use crate::system;
use crate::wire;
use chrono::Datelike;
use portcullis_ports::Clock;

/// Plausible years: the program is not older, and later ones mean a wrong clock.
const PLAUSIBLE_YEARS: std::ops::RangeInclusive<i32> = 2026..=2100;
/// Number of file descriptors below which connections are soon refused.
const MIN_FDS: u64 = 10_000;

/// Runs all checks of the machine.
pub(super) fn examine(clock: &dyn Clock) -> Vec<Finding> {
    vec![year(clock.now().year()), descriptors(system::fd_limit()), cores(wire::cores().get()), tls()]
}

fn year(year: i32) -> Finding {
    if PLAUSIBLE_YEARS.contains(&year) {
        return Finding::ok("clock", format!("the year is {year}"));
    }
    let advice = "set the clock: tokens and sessions expire by it";
    Finding::error("clock", format!("the year is {year}"), advice)
}

fn descriptors(allowed: u64) -> Finding {
    const CHECK: &str = "descriptors";
    let what = match allowed {
        u64::MAX => "the number of open files is unlimited".to_owned(),
        allowed => format!("up to {allowed} files can be open"),
    };
    let advice = "raise the hard limit of open files (ulimit -Hn, LimitNOFILE): each connection takes one";
    match allowed {
        ..system::MIN_FDS => Finding::error(CHECK, what, advice),
        system::MIN_FDS..MIN_FDS => Finding::warning(CHECK, what, advice),
        _ => Finding::ok(CHECK, what),
    }
}

fn cores(cores: usize) -> Finding {
    Finding::ok("cores", format!("{cores} available, each with a hash thread"))
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
