//! State machine compared with a model that keeps a log, for any sequence of calls, outcomes and times.

use portcullis_resilience::breaker::{Machine, Outcome, Ticket};
use portcullis_resilience::{BreakerSettings, State};
use proptest::prelude::*;
use std::time::Duration;

#[derive(Debug, Clone, Copy)]
enum Step {
    Forward(u64),
    Back(u64),
    Admit,
    Settle(prop::sample::Index, Outcome),
}

/// State, and the events since it was entered.
struct Model {
    settings: BreakerSettings,
    state: State,
    since: Duration,
    admitted: usize,
    settled: Vec<Outcome>,
    era: usize,
}

impl Model {
    fn new(settings: BreakerSettings) -> Self {
        Self { settings, state: State::Closed, since: Duration::ZERO, admitted: 0, settled: Vec::new(), era: 0 }
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.settled.iter().filter(|o| **o == outcome).count()
    }

    fn enter(&mut self, state: State, now: Duration) {
        *self = Self { state, since: now, era: self.era + 1, ..Self::new(self.settings) };
    }

    fn admits(&mut self, now: Duration) -> bool {
        if self.state == State::Open && now >= self.since + self.settings.recovery_timeout() {
            self.enter(State::HalfOpen, now);
        }
        let taken = self.admitted - self.count(Outcome::Neutral);
        let admits = match self.state {
            State::Closed => true,
            State::Open => false,
            State::HalfOpen => taken < self.settings.half_open_max_calls() as usize,
        };
        self.admitted += usize::from(admits);
        admits
    }

    fn settle(&mut self, era: usize, outcome: Outcome, now: Duration) {
        if era != self.era {
            return;
        }
        self.settled.push(outcome);
        let told = self.settled.iter().filter(|o| **o != Outcome::Neutral);
        let failures_in_a_row = told.rev().take_while(|o| **o == Outcome::Failure).count();
        match self.state {
            State::Closed if failures_in_a_row == self.settings.failure_threshold() as usize => {
                self.enter(State::Open, now);
            }
            State::HalfOpen if failures_in_a_row > 0 => self.enter(State::Open, now),
            State::HalfOpen if self.count(Outcome::Success) == self.settings.half_open_max_calls() as usize => {
                self.enter(State::Closed, now);
            }
            State::Closed | State::HalfOpen | State::Open => {}
        }
    }
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![3 => Just(Outcome::Success), 4 => Just(Outcome::Failure), 1 => Just(Outcome::Neutral)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0_u64..40).prop_map(Step::Forward),
        1 => (0_u64..10).prop_map(Step::Back),
        5 => Just(Step::Admit),
        5 => (any::<prop::sample::Index>(), outcome()).prop_map(|(index, outcome)| Step::Settle(index, outcome)),
    ]
}

fn settings() -> impl Strategy<Value = BreakerSettings> {
    (1_u32..5, 1_u64..40, 1_u32..4).prop_map(|(failures, timeout, probes)| {
        BreakerSettings::default()
            .with_failure_threshold(failures)
            .with_recovery_timeout(Duration::from_millis(timeout))
            .with_half_open_max_calls(probes)
    })
}

/// Runs the steps on both and compares them after each. Returns the machine, the unsettled tickets and
/// the time.
fn run(settings: BreakerSettings, steps: &[Step]) -> Result<(Machine, Vec<Ticket>, Duration), TestCaseError> {
    let (mut machine, mut model) = (Machine::new(settings), Model::new(settings));
    let mut tickets: Vec<(Ticket, usize)> = Vec::new();
    let mut now = Duration::ZERO;
    for step in steps {
        match *step {
            Step::Forward(ms) => now += Duration::from_millis(ms),
            Step::Back(ms) => now = now.saturating_sub(Duration::from_millis(ms)),
            Step::Admit => {
                let admission = machine.admit(now);
                prop_assert_eq!(admission.is_ok(), model.admits(now));
                match admission {
                    Ok(ticket) => tickets.push((ticket, model.era)),
                    Err(open) => prop_assert!(open.retry_after > Duration::ZERO),
                }
            }
            Step::Settle(index, outcome) if !tickets.is_empty() => {
                let (ticket, era) = tickets.swap_remove(index.index(tickets.len()));
                machine.settle(ticket, outcome, now);
                model.settle(era, outcome, now);
            }
            Step::Settle(..) => {}
        }
        let snapshot = machine.snapshot(now);
        prop_assert_eq!(snapshot.state, model.state);
        prop_assert!(snapshot.probes <= settings.half_open_max_calls());
        prop_assert_eq!(snapshot.state == State::HalfOpen || snapshot.probes == 0, true);
        prop_assert!(snapshot.consecutive_failures < settings.failure_threshold());
        prop_assert!(snapshot.state == State::Open || snapshot.retry_after.is_zero());
    }
    Ok((machine, tickets.into_iter().map(|(ticket, _)| ticket).collect(), now))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn it_does_as_the_model(settings in settings(), steps in prop::collection::vec(step(), 0..120)) {
        run(settings, &steps)?;
    }

    #[test]
    fn it_closes_once_all_is_well(settings in settings(), steps in prop::collection::vec(step(), 0..60), last in outcome()) {
        let (mut machine, tickets, now) = run(settings, &steps)?;
        for ticket in tickets {
            machine.settle(ticket, last, now);
        }
        let later = now + Duration::from_secs(1);
        for _ in 0..settings.half_open_max_calls() {
            let ticket = machine.admit(later);
            prop_assert!(ticket.is_ok(), "no place is lost");
            machine.settle(ticket.unwrap(), Outcome::Success, later);
        }
        prop_assert_eq!(machine.state(), State::Closed);
    }
}

#[test]
fn a_late_result_changes_nothing() {
    let mut machine = Machine::new(BreakerSettings::default().with_failure_threshold(1));
    let [failing, late_failure, late_success] = [(); 3].map(|()| machine.admit(Duration::ZERO).unwrap());
    machine.settle(failing, Outcome::Failure, Duration::ZERO);
    machine.settle(late_success, Outcome::Success, Duration::from_secs(1));
    assert_eq!(machine.state(), State::Open, "a success from before the outage");

    let probe = machine.admit(Duration::from_secs(30)).unwrap();
    machine.settle(late_failure, Outcome::Failure, Duration::from_secs(31));
    assert_eq!(machine.state(), State::HalfOpen, "a failure from before the outage");
    machine.settle(probe, Outcome::Success, Duration::from_secs(32));
    let snapshot = machine.snapshot(Duration::from_secs(32));
    assert_eq!((snapshot.state, snapshot.consecutive_failures), (State::Closed, 0));
    assert_eq!((snapshot.totals.successes, snapshot.totals.failures), (2, 2), "though it is counted");
}

#[test]
fn a_neutral_probe_gives_its_place_back() {
    let mut machine = Machine::new(BreakerSettings::default().with_failure_threshold(1));
    let failing = machine.admit(Duration::ZERO).unwrap();
    machine.settle(failing, Outcome::Failure, Duration::ZERO);
    let later = Duration::from_secs(30);
    let probe = machine.admit(later).unwrap();
    let refused = machine.admit(later).unwrap_err();
    assert_eq!(refused.retry_after, Duration::from_secs(1));
    machine.settle(probe, Outcome::Neutral, later);
    assert_eq!(machine.state(), State::HalfOpen);
    assert!(machine.admit(later).is_ok());
}

#[test]
fn a_probe_without_a_response_has_failed_once_its_time_is_over() {
    let at = Duration::from_secs;
    let settings = BreakerSettings::default().with_failure_threshold(1).with_call_timeout(at(10));
    let mut machine = Machine::new(settings);
    let ticket = machine.admit(at(0)).unwrap();
    machine.settle(ticket, Outcome::Failure, at(0));
    let stuck = machine.admit(at(30)).unwrap();
    assert_eq!(machine.snapshot(at(39)).state, State::HalfOpen, "it may still come back");
    assert_eq!(machine.snapshot(at(40)).state, State::Open);
    let probe = machine.admit(at(70)).unwrap();
    machine.settle(stuck, Outcome::Success, at(71));
    assert_eq!(machine.state(), State::HalfOpen, "its late outcome is ignored");
    machine.settle(probe, Outcome::Success, at(72));
    assert_eq!(machine.state(), State::Closed);
}

#[test]
fn calls_without_a_response_open_the_circuit_and_count_once() {
    let at = Duration::from_secs;
    let mut machine = Machine::new(BreakerSettings::default().with_failure_threshold(2).with_call_timeout(at(10)));
    let [first, second] = [0, 1].map(|second| machine.admit(at(second)).unwrap());
    let state = |machine: &mut Machine, now| {
        let snapshot = machine.snapshot(at(now));
        (snapshot.state, snapshot.consecutive_failures, snapshot.running)
    };
    assert_eq!(state(&mut machine, 9), (State::Closed, 0, 2));
    assert_eq!(state(&mut machine, 10), (State::Closed, 1, 1));
    machine.settle(first, Outcome::Success, at(10));
    assert_eq!(state(&mut machine, 10), (State::Closed, 1, 1), "its time was over");
    assert_eq!(machine.admit(at(11)).unwrap_err().retry_after, at(30), "the second has failed, too");
    machine.settle(second, Outcome::Failure, at(12));
    let totals = machine.snapshot(at(12)).totals;
    assert_eq!((totals.successes, totals.failures, totals.opened), (0, 2, 1));
}

#[test]
fn a_trip_opens_for_what_is_left_and_never_for_less_than_before() {
    let at = Duration::from_secs;
    let mut machine = Machine::new(BreakerSettings::default());
    let before = machine.admit(at(0)).unwrap();
    machine.trip(at(7), at(1));
    assert_eq!(machine.admit(at(2)).unwrap_err().retry_after, at(6));
    machine.trip(at(1), at(3));
    assert_eq!(machine.snapshot(at(3)).retry_after, at(5), "the longer of the two");
    machine.trip(Duration::MAX, at(3));
    assert_eq!(machine.snapshot(at(3)).retry_after, at(30), "never longer than the recovery time");
    machine.settle(before, Outcome::Success, at(4));
    assert_eq!(machine.state(), State::Open, "what was admitted before bears on nothing");
    assert!(!machine.is_due(at(32)) && machine.is_due(at(33)));
}

#[test]
fn reset_closes_the_circuit_and_ignores_earlier_probes() {
    let at = Duration::from_secs;
    let mut machine = Machine::new(BreakerSettings::default().with_failure_threshold(1));
    machine.trip(Duration::ZERO, at(0));
    let probe = machine.admit(at(0)).unwrap();
    machine.reset();
    machine.settle(probe, Outcome::Failure, at(1));
    assert_eq!(machine.state(), State::Closed);
}
