//! Verdict on a presented refresh token: a pure function, so that tests can try every interleaving
//! without a database.

use super::{IdempotencyKeyDigest, Jti, RefreshState, RefreshToken, SpendRecord};
use crate::registration::UserId;
use crate::sessions::{EventKind, SessionState};
use chrono::{DateTime, TimeDelta, Utc};

/// Facts that the verdict depends on, in addition to the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshContext {
    /// Current time, in UTC.
    pub now: DateTime<Utc>,
    /// Digest of the `Idempotency-Key`, if the client sent one.
    pub key: Option<IdempotencyKeyDigest>,
    /// True if the token's account may sign in. Tokens of an inactive account are never exchanged.
    pub account_active: bool,
    /// Session of the token; `None` for an adopted token, whose exchange begins its session.
    pub session: Option<TokenSession>,
    /// True if the successor of the token is still live.
    pub successor_unspent: bool,
    /// Live token at the end of the token family, if the client may get it for any spent token: its key is
    /// its device's, and every exchange from the presented token on had the same key.
    pub newest: Option<Jti>,
    /// Time since the token was spent, by a clock shared by all replicas, if there is one. Replicas'
    /// own clocks may differ.
    pub spent_age: Option<TimeDelta>,
}

/// Session of a presented token: [`SessionPolicy::token_session`](crate::sessions::SessionPolicy::token_session).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenSession {
    /// Account of the session. The session of another account counts as ended.
    pub user_id: UserId,
    /// State.
    pub state: SessionState,
}

impl RefreshContext {
    /// Returns the state of the session, as far as this token may rely on it.
    fn session_state(&self, token: &RefreshToken) -> SessionState {
        match self.session {
            _ if !self.account_active => SessionState::Ended,
            Some(session) if session.user_id != token.user_id => SessionState::Ended,
            Some(session) => session.state,
            None => SessionState::Active,
        }
    }
}

/// Verdict on a presented refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Live token: spend it and issue its successor.
    Rotated,
    /// Retry of an exchange with the same key: return the pair of this token, the newest one, again.
    Retried(Jti),
    /// Repeated exchange within the overlap: return the same token pair again.
    Overlapped(Jti),
    /// Spent within the grace period, probably by a concurrent request: refuse, change nothing.
    Raced,
    /// Spent longer ago than the grace period: refuse, and end the session.
    Theft,
    /// Revoked, its account is inactive, or the session has ended: refuse, change nothing.
    Ended,
    /// The token or its session has expired: refuse, change nothing.
    Expired,
}

impl Verdict {
    /// Returns the name used in the log and in session timelines.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        EventKind::from(self).as_str()
    }
}

/// Policy for presented tokens that are already spent (RFC 9700 §4.14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshPolicy {
    /// Time after a rotation during which the spent token still gets the same token pair, even without
    /// an `Idempotency-Key`.
    pub overlap: TimeDelta,
    /// Time after a rotation during which the spent token counts as a race, not a theft.
    pub grace: TimeDelta,
}

impl RefreshPolicy {
    /// No overlap and a grace period of 10 seconds.
    pub const STRICT: Self = Self { overlap: TimeDelta::zero(), grace: TimeDelta::seconds(10) };

    /// Returns the verdict on a presented token. If the clock moved back since the rotation, the
    /// elapsed time counts as zero.
    ///
    /// ```
    /// use chrono::{DateTime, TimeDelta};
    /// use portcullis_domain::{registration::UserId, sessions::*, tokens::*};
    /// let now = DateTime::UNIX_EPOCH;
    /// let (first, second) = (Jti::from_random([1; 16]), Jti::from_random([2; 16]));
    /// let key = Some(IdempotencyKeyDigest([9; 32]));
    /// let token = RefreshToken::new(first, UserId::new(1), now, TimeDelta::days(7))
    ///     .spend(SpendRecord { at: now, key, successor: second })?;
    /// let later = now + TimeDelta::hours(1);
    /// let session = Session::begin(SessionId::from_random([3; 16]), UserId::new(1), now);
    /// let session = Some(SessionPolicy::default().token_session(&session, later));
    /// let mut presented = RefreshContext {
    ///     now: later, key, account_active: true, session, successor_unspent: true, newest: None, spent_age: None,
    /// };
    /// // The response was lost, and the client retries with its key: it gets the same pair.
    /// assert_eq!(RefreshPolicy::STRICT.judge(&token, &presented), Verdict::Retried(second));
    /// // Presented again an hour later, without the key: theft.
    /// presented.key = None;
    /// assert_eq!(RefreshPolicy::STRICT.judge(&token, &presented), Verdict::Theft);
    /// # Ok::<(), SpendError>(())
    /// ```
    #[must_use]
    pub fn judge(&self, token: &RefreshToken, presented: &RefreshContext) -> Verdict {
        match (&token.state, presented.session_state(token)) {
            (RefreshState::Revoked, _) | (_, SessionState::Ended) => Verdict::Ended,
            (_, SessionState::Expired) => Verdict::Expired,
            (RefreshState::Live, SessionState::Active) if token.expires_at <= presented.now => Verdict::Expired,
            (RefreshState::Live, SessionState::Active) => Verdict::Rotated,
            (RefreshState::Spent(spend_record), SessionState::Active) => self.judge_spent(spend_record, presented),
        }
    }

    fn judge_spent(&self, spend_record: &SpendRecord, presented: &RefreshContext) -> Verdict {
        let own = || presented.now.signed_duration_since(spend_record.at);
        let age = presented.spent_age.unwrap_or_else(own).max(TimeDelta::zero());
        let same_key = spend_record.key.is_some() && spend_record.key == presented.key;
        if same_key && presented.successor_unspent {
            Verdict::Retried(spend_record.successor)
        } else if let (true, Some(newest)) = (same_key, presented.newest) {
            Verdict::Retried(newest)
        } else if age < self.overlap && presented.successor_unspent {
            Verdict::Overlapped(spend_record.successor)
        } else if age <= self.grace {
            Verdict::Raced
        } else {
            Verdict::Theft
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registration::UserId;
    use proptest::prelude::*;

    const KEY: Option<IdempotencyKeyDigest> = Some(IdempotencyKeyDigest([1; 32]));
    const OTHER: Option<IdempotencyKeyDigest> = Some(IdempotencyKeyDigest([2; 32]));

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn successor() -> Jti {
        Jti::from_random([2; 16])
    }

    fn live() -> RefreshToken {
        RefreshToken::new(Jti::from_random([1; 16]), UserId::new(1), at(0), TimeDelta::seconds(100))
    }

    fn spent(key: Option<IdempotencyKeyDigest>) -> RefreshToken {
        live().spend(SpendRecord { at: at(50), key, successor: successor() }).unwrap()
    }

    fn presented(seconds: i64, key: Option<IdempotencyKeyDigest>) -> RefreshContext {
        let (now, session) = (at(seconds), session_of(1, SessionState::Active));
        RefreshContext {
            now,
            key,
            account_active: true,
            session,
            successor_unspent: true,
            newest: None,
            spent_age: None,
        }
    }

    fn session_of(user_id: i64, state: SessionState) -> Option<TokenSession> {
        Some(TokenSession { user_id: UserId::new(user_id), state })
    }

    fn strict(token: &RefreshToken, presented: &RefreshContext) -> Verdict {
        RefreshPolicy::STRICT.judge(token, presented)
    }

    #[test]
    fn a_live_token_rotates_until_it_expires() {
        assert_eq!(strict(&live(), &presented(99, None)), Verdict::Rotated);
        assert_eq!(strict(&live(), &presented(100, None)), Verdict::Expired);
    }

    #[test]
    fn spent_token_is_a_race_within_the_grace_and_a_theft_after_it() {
        assert_eq!(strict(&spent(None), &presented(50, None)), Verdict::Raced);
        assert_eq!(strict(&spent(None), &presented(60, None)), Verdict::Raced);
        assert_eq!(strict(&spent(None), &presented(61, None)), Verdict::Theft);
        assert_eq!(strict(&spent(None), &presented(40, None)), Verdict::Raced, "a clock that went back");
    }

    #[test]
    fn a_clock_that_all_share_outweighs_ones_own() {
        let aged =
            |seconds, age| RefreshContext { spent_age: Some(TimeDelta::seconds(age)), ..presented(seconds, None) };
        assert_eq!(strict(&spent(None), &aged(9999, 10)), Verdict::Raced);
        assert_eq!(strict(&spent(None), &aged(50, 11)), Verdict::Theft);
        assert_eq!(strict(&spent(None), &aged(50, -1)), Verdict::Raced);
    }

    #[test]
    fn its_own_key_gets_the_same_pair_however_late() {
        assert_eq!(strict(&spent(KEY), &presented(9999, KEY)), Verdict::Retried(successor()));
        assert_eq!(strict(&spent(KEY), &presented(55, OTHER)), Verdict::Raced);
        assert_eq!(strict(&spent(KEY), &presented(61, OTHER)), Verdict::Theft);
        assert_eq!(strict(&spent(None), &presented(61, KEY)), Verdict::Theft, "no key is no key");
        let used = RefreshContext { successor_unspent: false, ..presented(61, KEY) };
        assert_eq!(strict(&spent(KEY), &used), Verdict::Theft, "the successor was used");
    }

    #[test]
    fn a_device_gets_the_newest_pair_for_any_of_its_spent_tokens() {
        let newest = Jti::from_random([3; 16]);
        let overtaken = |key| RefreshContext { successor_unspent: false, newest: Some(newest), ..presented(9999, key) };
        assert_eq!(strict(&spent(KEY), &overtaken(KEY)), Verdict::Retried(newest));
        assert_eq!(strict(&spent(KEY), &overtaken(OTHER)), Verdict::Theft, "another device");
        assert_eq!(strict(&spent(None), &overtaken(None)), Verdict::Theft, "no key is no device");
        let ended = RefreshContext { session: session_of(1, SessionState::Ended), ..overtaken(KEY) };
        assert_eq!(strict(&spent(KEY), &ended), Verdict::Ended);
    }

    #[test]
    fn an_overlap_hands_out_the_same_pair_to_anybody() {
        let policy = RefreshPolicy { overlap: TimeDelta::seconds(5), ..RefreshPolicy::STRICT };
        assert_eq!(policy.judge(&spent(None), &presented(54, None)), Verdict::Overlapped(successor()));
        assert_eq!(policy.judge(&spent(None), &presented(55, None)), Verdict::Raced);
    }

    #[test]
    fn an_ended_session_outweighs_all() {
        for token in [live(), spent(KEY), live().revoke()] {
            let ended = RefreshContext { session: session_of(1, SessionState::Ended), ..presented(50, KEY) };
            assert_eq!(strict(&token, &ended), Verdict::Ended);
            let old = RefreshContext { session: session_of(1, SessionState::Expired), ..presented(50, KEY) };
            let expected = if token.state == RefreshState::Revoked { Verdict::Ended } else { Verdict::Expired };
            assert_eq!(strict(&token, &old), expected);
        }
        assert_eq!(strict(&live().revoke(), &presented(50, None)), Verdict::Ended);
    }

    #[test]
    fn nothing_is_issued_for_an_inactive_account_or_to_the_session_of_another() {
        for token in [live(), spent(KEY), spent(None)] {
            let inactive = RefreshContext { account_active: false, ..presented(50, KEY) };
            assert_eq!(strict(&token, &inactive), Verdict::Ended);
            let unadopted = RefreshContext { session: None, ..inactive };
            assert_eq!(strict(&token, &unadopted), Verdict::Ended);
            let foreign = RefreshContext { session: session_of(2, SessionState::Active), ..presented(50, KEY) };
            assert_eq!(strict(&token, &foreign), Verdict::Ended);
        }
        assert_eq!(strict(&live(), &RefreshContext { session: None, ..presented(50, None) }), Verdict::Rotated);
    }

    proptest! {
        #[test]
        fn only_a_live_token_of_an_active_session_rotates(
            spent_at in proptest::option::of(0_i64..100), now in 0_i64..200, key: bool, spent_key: bool, ended: bool, unspent: bool,
            overlap in 0_i64..20, grace in 0_i64..20,
        ) {
            let key_if = |yes: bool| if yes { KEY } else { None };
            let token = match spent_at {
                Some(s) => live().spend(SpendRecord { at: at(s), key: key_if(spent_key), successor: successor() }).unwrap(),
                None => live(),
            };
            let session = session_of(1, if ended { SessionState::Ended } else { SessionState::Active });
            let presented = RefreshContext { session, successor_unspent: unspent, ..presented(now, key_if(key)) };
            let policy = RefreshPolicy { overlap: TimeDelta::seconds(overlap), grace: TimeDelta::seconds(grace) };
            let verdict = policy.judge(&token, &presented);
            prop_assert_eq!(verdict == Verdict::Rotated, spent_at.is_none() && !ended && now < 100);
            if matches!(verdict, Verdict::Retried(_) | Verdict::Overlapped(_)) {
                prop_assert!(unspent && !ended && spent_at.is_some());
            }
        }
    }
}
