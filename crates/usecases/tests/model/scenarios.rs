//! Scenarios to explore, each with a minimum number of states, so that a search that stops early fails.

use crate::clients::{End, Role, SPARING, Scenario};
use crate::database::{Flaw, Isolation};
use crate::explorer::run;
use chrono::TimeDelta;
use portcullis_domain::tokens::RefreshPolicy;

const OVERLAPPING: RefreshPolicy = RefreshPolicy { overlap: TimeDelta::seconds(5), ..RefreshPolicy::STRICT };
const ENDS: &[End] = &[
    End::LogOut,
    End::LogOutAll,
    End::Revoke,
    End::ChangeHere,
    End::ChangeElsewhere,
    End::Reset,
    End::EnrolElsewhere,
    End::RemoveElsewhere,
];

/// Creates a scenario with a correct database.
pub(crate) fn scenario(name: &'static str, clients: &[(Role, u8)]) -> Scenario {
    Scenario {
        name,
        isolation: Isolation::ReadCommitted,
        policy: RefreshPolicy::STRICT,
        clients: clients.to_vec(),
        faults: 1,
        waits: 1,
        orderly: true,
        flaw: Flaw::None,
    }
}

#[expect(clippy::disallowed_methods, reason = "a test reads whether it should run longer")]
fn is_long() -> bool {
    std::env::var("PORTCULLIS_TEST_LONG").is_ok_and(|value| value == "1")
}

/// Explores a scenario on both databases. Asserts the minimum number of states and the responses.
fn holds(scenario: &Scenario, least: [usize; 2], answers: &[&str]) {
    for (isolation, least) in [Isolation::ReadCommitted, Isolation::Serial].into_iter().zip(least) {
        let more = u8::from(is_long());
        let (faults, waits) = (scenario.faults + more, scenario.waits + more);
        let seen = run(&Scenario { isolation, faults, waits, ..scenario.clone() });
        assert!(seen.states >= least, "{}: {} states, of at least {least}", scenario.name, seen.states);
        for answer in answers {
            assert!(seen.answers.contains(*answer), "{}: nobody was answered {answer}", scenario.name);
        }
    }
}

#[test]
fn two_owner_processes_never_sign_each_other_out() {
    let clients = [(Role::Owner, 3), (Role::Owner, 2)];
    holds(&scenario("two processes", &clients), [45_000, 20_000], &["rotated", "retried", "raced"]);
}

#[test]
fn three_owner_processes_never_sign_each_other_out() {
    let clients = [(Role::Owner, 1); 3];
    let twice = Scenario { faults: 2, ..scenario("three processes", &clients) };
    holds(&twice, [35_000, 6_000], &["rotated", "retried", "raced"]);
}

#[test]
fn a_change_of_password_or_factors_spares_the_session_that_asks_for_it() {
    let clients = [(Role::Owner, 2), (Role::Owner, 1), (Role::Ender(SPARING), 1)];
    holds(&scenario("a change", &clients), [150_000, 40_000], &["rotated", "retried", "ended"]);
}

#[test]
fn a_thief_and_the_owner_never_both_refresh() {
    let answers = ["rotated", "retried", "raced", "refused"];
    holds(&scenario("a thief", &[(Role::Owner, 2), (Role::Thief, 2)]), [45_000, 18_000], &answers);
    holds(&scenario("a thief with a key", &[(Role::Owner, 2), (Role::KeyedThief, 2)]), [45_000, 18_000], &answers);
    let three = [(Role::Owner, 2), (Role::Owner, 1), (Role::Thief, 1)];
    let three = Scenario { faults: 0, ..scenario("a thief, two processes", &three) };
    holds(&three, [80_000, 40_000], &answers);
    let keyless = [(Role::Keyless, 2), (Role::Thief, 2)];
    holds(&scenario("a thief, an owner without keys", &keyless), [45_000, 18_000], &["rotated", "raced", "refused"]);
}

#[test]
fn tabs_of_a_browser_are_never_refused() {
    let answers = ["rotated", "retried"];
    holds(&scenario("two tabs", &[(Role::Tab, 3), (Role::Tab, 2)]), [70_000, 33_000], &answers);
    holds(&Scenario { faults: 2, ..scenario("three tabs", &[(Role::Tab, 1); 3]) }, [58_000, 9_000], &answers);
    let clients = [(Role::Tab, 2), (Role::Tab, 1), (Role::Ender(SPARING), 1)];
    holds(
        &Scenario { faults: 0, ..scenario("two tabs, a change", &clients) },
        [70_000, 30_000],
        &["rotated", "retried", "ended"],
    );
}

#[test]
fn a_thief_without_the_device_never_refreshes_with_a_browser() {
    let answers = ["rotated", "retried", "raced", "refused"];
    holds(&scenario("a tab, a thief", &[(Role::Tab, 3), (Role::Thief, 2)]), [145_000, 55_000], &answers);
    holds(&scenario("a tab, a thief with a key", &[(Role::Tab, 2), (Role::KeyedThief, 2)]), [50_000, 19_500], &answers);
    let three = [(Role::Tab, 2), (Role::Tab, 1), (Role::Thief, 1)];
    holds(&Scenario { faults: 0, ..scenario("two tabs, a thief", &three) }, [110_000, 50_000], &answers);
}

#[test]
fn an_overlap_gives_no_second_live_token() {
    let tabs = [(Role::Keyless, 2), (Role::Keyless, 1), (Role::Thief, 1)];
    let tabs = Scenario { faults: 0, policy: OVERLAPPING, ..scenario("an overlap, three clients", &tabs) };
    holds(&tabs, [120_000, 55_000], &["rotated", "overlapped", "raced", "refused"]);
    let thief = [(Role::Owner, 2), (Role::Thief, 2)];
    let thief = Scenario { policy: OVERLAPPING, ..scenario("an overlap, a thief", &thief) };
    holds(&thief, [45_000, 18_000], &["rotated", "retried", "overlapped", "refused"]);
}

#[test]
fn an_ended_session_never_refreshes() {
    let answers = ["rotated", "ended", "refused"];
    holds(&scenario("an end", &[(Role::Owner, 2), (Role::Ender(ENDS), 1)]), [33_000, 10_000], &answers);
    let enders = [(Role::Owner, 2), (Role::Ender(ENDS), 1), (Role::Ender(&[End::LogOut, End::LogOutAll]), 1)];
    holds(&Scenario { waits: 0, ..scenario("two ends", &enders) }, [100_000, 30_000], &answers);
    let tabs = [(Role::Tab, 2), (Role::Tab, 1), (Role::Ender(ENDS), 1)];
    holds(&Scenario { faults: 0, waits: 0, ..scenario("two tabs, an end", &tabs) }, [21_000, 9_500], &answers);
}

#[test]
fn owner_thief_and_session_end_leave_no_client_signed_in() {
    let clients = [(Role::Owner, 1), (Role::Thief, 1), (Role::Ender(ENDS), 1)];
    holds(&scenario("owner, thief, end", &clients), [300_000, 70_000], &["rotated", "raced", "ended", "refused"]);
}
