//! Tests of the sliding window.

use super::*;
use proptest::prelude::*;

const MINUTE: Duration = Duration::from_secs(60);

fn account() -> SlidingWindow {
    SlidingWindow::new(NonZeroU32::new(10).unwrap(), 15 * MINUTE).with_backoff(MINUTE)
}

fn spent(window: &SlidingWindow, now: Duration) -> WindowState {
    (0..window.limit()).fold(WindowState::default(), |tries, _| window.try_acquire(&tries, now).unwrap().0)
}

#[test]
fn ten_attempts_are_free_then_waits_double_up_to_15_minutes() {
    let (window, mut now) = (account(), Duration::from_secs(7));
    let mut tries = spent(&window, now);
    for minutes in [1, 2, 4, 8, 15, 15, 15, 15] {
        let refusal = window.try_acquire(&tries, now).unwrap_err();
        assert_eq!(refusal.retry_after, minutes * MINUTE);
        assert!(window.try_acquire(&tries, now + refusal.retry_after - Duration::from_micros(1)).is_err());
        now += refusal.retry_after;
        tries = window.try_acquire(&tries, now).unwrap().0;
    }
}

#[test]
fn a_period_of_seconds_has_waits_of_that_length() {
    let window = SlidingWindow::new(NonZeroU32::new(5).unwrap(), Duration::from_secs(6)).with_backoff(MINUTE);
    let mut now = Duration::from_secs(7);
    let mut tries = spent(&window, now);
    for _ in 0..10 {
        assert!(window.try_acquire(&tries, now + Duration::from_secs(6) - Duration::from_micros(1)).is_err());
        now += Duration::from_secs(6);
        tries = window.try_acquire(&tries, now).unwrap().0;
        assert!(window.try_acquire(&tries, now).is_err(), "one try a wait");
    }
}

#[test]
fn all_is_forgiven_a_period_after_the_wait() {
    let (window, now) = (account(), Duration::from_secs(7));
    let tries = spent(&window, now);
    let (tries, _) = window.try_acquire(&tries, now + MINUTE).unwrap();
    let over = now + MINUTE + 2 * MINUTE + 15 * MINUTE;
    assert_eq!(window.remaining(&tries, over - Duration::from_micros(1)), 0);
    assert_eq!(window.remaining(&tries, over), 10);
}

#[test]
fn each_waiter_waits_for_itself() {
    let (window, start) = (account(), Duration::from_secs(7));
    let (greedy, owner) = (Waiter::new(1), Waiter::new(2));
    let mut tries = spent(&window, start);
    assert_eq!(
        window.try_acquire_for(owner, &tries, start).unwrap_err().retry_after,
        MINUTE,
        "no waiter gets a free one"
    );
    let mut now = start;
    for minutes in [1, 2, 4, 8] {
        now += minutes * MINUTE;
        tries = window.try_acquire_for(greedy, &tries, now).unwrap().0;
        assert!(window.try_acquire_for(greedy, &tries, now).is_err());
    }
    let (after, receipt) = window.try_acquire_for(owner, &tries, now).unwrap();
    assert_eq!(window.try_acquire_for(owner, &after, now).unwrap_err().retry_after, 2 * MINUTE);
    assert_eq!(window.refund(&after, &receipt), tries, "a success leaves all as it was");
}

#[test]
fn so_many_waiters_are_told_apart_and_no_more() {
    let (window, now) = (account(), Duration::from_secs(7));
    let mut tries = spent(&window, now);
    for number in 0..250 {
        tries = window.try_acquire_for(Waiter::new(number), &tries, now + MINUTE).unwrap().0;
    }
    assert_eq!(tries.waits.len(), SlidingWindow::MAX_WAITERS);
}

#[test]
fn a_success_after_a_wait_leaves_all_as_it_was() {
    let (window, now) = (account(), Duration::from_secs(7));
    let tries = spent(&window, now);
    let (after, receipt) = window.try_acquire(&tries, now + MINUTE).unwrap();
    assert_eq!(window.refund(&after, &receipt), tries);
}

#[test]
fn a_window_that_does_not_relent_waits_for_the_oldest() {
    let mail = SlidingWindow::new(NonZeroU32::new(3).unwrap(), 60 * MINUTE);
    let (mut tries, start) = (WindowState::default(), Duration::from_secs(7));
    for minutes in [0, 10, 20] {
        tries = mail.try_acquire(&tries, start + minutes * MINUTE).unwrap().0;
    }
    let refusal = mail.try_acquire(&tries, start + 30 * MINUTE).unwrap_err();
    assert_eq!(refusal.retry_after, 30 * MINUTE);
    assert!(mail.try_acquire(&tries, start + 60 * MINUTE).is_ok());
}

#[test]
fn a_clock_that_is_set_back_locks_nobody_out() {
    let window = account();
    let tries = spent(&window, Duration::from_secs(1_000_000_000));
    assert_eq!(window.try_acquire(&tries, Duration::from_secs(7)).unwrap_err().retry_after, MINUTE);
}

#[test]
fn no_extreme_overflows() {
    let widest = SlidingWindow::new(NonZeroU32::MAX, Duration::MAX).with_backoff(Duration::MAX);
    assert_eq!(widest.limit(), SlidingWindow::MAX_LIMIT);
    let waits = Backoff { waiter: Waiter::default(), count: u32::MAX, last: Duration::MAX };
    let tries = WindowState { free: vec![Duration::MAX; 100], waits: vec![waits; 200] };
    let _ = (widest.try_acquire(&tries, Duration::MAX), widest.remaining(&tries, Duration::ZERO));
}

proptest! {
    #[test]
    fn no_period_ever_holds_more_free_tries_than_there_are(
        free in 1_u32..12, relents in any::<bool>(),
        steps in prop::collection::vec((0_u64..200, 0_u8..8), 1..300),
    ) {
        let period = Duration::from_secs(900);
        let window = SlidingWindow::new(NonZeroU32::new(free).unwrap(), period);
        let window = if relents { window.with_backoff(MINUTE) } else { window };
        let (mut now, mut tries, mut passed) = (Duration::from_secs(1), WindowState::default(), Vec::new());
        for (seconds, kind) in steps {
            now += Duration::from_secs(seconds);
            match (kind, passed.pop()) {
                (0, Some(last)) => tries = window.refund(&tries, &last),
                (_, last) => {
                    passed.extend(last);
                    if let Ok((next, receipt)) = window.try_acquire(&tries, now) {
                        tries = next;
                        passed.push(receipt);
                    }
                }
            }
        }
        let most = usize::try_from(free).unwrap();
        for (place, start) in passed.iter().enumerate() {
            let within = passed[place..].iter().filter(|t| t.at - start.at < period);
            prop_assert!(within.clone().filter(|t| t.backed_off.is_none()).count() <= most);
            // Waits of 1, 2, 4 and 8 minutes end within the period.
            let waits = if relents { 4 } else { 0 };
            prop_assert!(within.filter(|t| t.backed_off.is_some()).count() <= waits);
        }
    }

    #[test]
    fn attempts_past_the_free_ones_pass_once_per_wait_in_any_period(
        free in 1_u32..12, period in 1_u64..200, pauses in prop::collection::vec(0_u64..20, 1..120),
    ) {
        let period = Duration::from_secs(period);
        let window = SlidingWindow::new(NonZeroU32::new(free).unwrap(), period).with_backoff(MINUTE);
        let (mut now, mut tries) = (Duration::from_secs(1), WindowState::default());
        // An attacker who never stops: each pause is shorter than the time after which the window
        // resets.
        let mut passed: Vec<Duration> = Vec::new();
        for pause in pauses {
            now += Duration::from_secs(pause).min(period / 2);
            if let Ok((next, _)) = window.try_acquire(&tries, now) {
                tries = next;
                passed.push(now);
            }
        }
        let spent_at = passed.get(usize::try_from(free).unwrap() - 1);
        let within = |at: Duration| passed[..usize::try_from(free).unwrap()].iter().all(|t| at - *t < period);
        if spent_at.is_some_and(|at| within(*at)) {
            for (waited, pair) in (0..).zip(passed[usize::try_from(free).unwrap() - 1..].windows(2)) {
                prop_assert!(pair[1] - pair[0] >= window.wait(waited).unwrap());
            }
        }
    }

    #[test]
    fn a_refund_restores(taken in 0_u32..14, seconds in 0_u64..2000) {
        let (window, mut now) = (account(), Duration::from_secs(7));
        let mut tries = WindowState::default();
        for _ in 0..taken {
            now += window.try_acquire(&tries, now).map_or_else(|refusal| refusal.retry_after, |_| Duration::ZERO);
            tries = window.try_acquire(&tries, now).unwrap().0;
        }
        now += Duration::from_secs(seconds);
        if let Ok((next, receipt)) = window.try_acquire(&tries, now) {
            let restored = window.refund(&next, &receipt);
            prop_assert_eq!(window.settled(&restored, now), window.settled(&tries, now));
        }
    }
}
