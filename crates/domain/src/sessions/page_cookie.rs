//! Cookie of the account pages, which names the session of a browser. Code that has the secret key signs and
//! verifies it.

use super::SessionId;
use crate::registration::UserId;
use chrono::{DateTime, TimeDelta, Utc};
use hex::FromHex;

/// Fraction of the idle limit after which a cookie is renewed: a seventh, a day of a week.
const RENEWALS: i32 = 7;

/// Content of the cookie: the account and its session. It says nothing about whether the session is active.
///
/// ```
/// use chrono::{DateTime, TimeDelta};
/// use portcullis_domain::{registration::UserId, sessions::{PageCookie, SessionId}};
/// let (user_id, session_id, issued_at) = (UserId::new(7), SessionId::from_random([1; 16]), DateTime::UNIX_EPOCH);
/// let cookie = PageCookie { user_id, session_id, issued_at, forget: false };
/// assert_eq!(PageCookie::decode(&cookie.encode(&[9; 32])), Some((cookie, [9; 32])));
///
/// let (week, day) = (TimeDelta::days(7), TimeDelta::days(1));
/// assert!(cookie.is_due(week, issued_at + day) && !cookie.is_idle(week, issued_at + day));
/// assert!(cookie.is_idle(week, issued_at + week));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageCookie {
    /// Account.
    pub user_id: UserId,
    /// Session of the account.
    pub session_id: SessionId,
    /// Time when this value of the cookie was created, in UTC. Encoded in whole seconds.
    pub issued_at: DateTime<Utc>,
    /// `true` if the browser must forget the cookie when it closes.
    pub forget: bool,
}

impl PageCookie {
    /// Returns the cookie value with a signature: `1.<account>.<session>.<Unix time>.<1 to forget>.<signature>`.
    #[must_use]
    pub fn encode(&self, signature: &[u8; 32]) -> String {
        format!("1.{}.{}", self.content('.'), hex::encode(signature))
    }

    fn content(&self, separator: char) -> String {
        let Self { user_id, session_id, issued_at, forget } = self;
        let (user_id, issued_at, forget) = (user_id.get(), issued_at.timestamp(), u8::from(*forget));
        format!("{user_id}{separator}{session_id}{separator}{issued_at}{separator}{forget}")
    }

    /// Returns whether the cookie was not renewed for `limit`, so its session was not used for about as long.
    #[must_use]
    pub fn is_idle(&self, limit: TimeDelta, now: DateTime<Utc>) -> bool {
        now - self.issued_at >= limit
    }

    /// Returns whether a use of the cookie must renew it. Most uses need not.
    #[must_use]
    pub fn is_due(&self, limit: TimeDelta, now: DateTime<Utc>) -> bool {
        now - self.issued_at >= limit / RENEWALS
    }

    /// Parses a cookie value into its content and signature. Returns `None` if it is malformed. Verify the
    /// signature before you trust the content.
    #[must_use]
    pub fn decode(value: &str) -> Option<(Self, [u8; 32])> {
        let mut parts = value.split('.');
        let Some("1") = parts.next() else { return None };
        let cookie = Self {
            user_id: UserId::new(parts.next()?.parse().ok()?),
            session_id: SessionId::parse(parts.next()?)?,
            issued_at: DateTime::from_timestamp(parts.next()?.parse().ok()?, 0)?,
            forget: parts.next()? == "1",
        };
        let signature = FromHex::from_hex(parts.next()?).ok()?;
        // Accept only the canonical spelling of a cookie.
        (cookie.encode(&signature) == value).then_some((cookie, signature))
    }

    /// Returns the bytes to sign.
    #[must_use]
    pub fn signing_input(&self) -> Vec<u8> {
        format!("page-session/1/{}", self.content('/')).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn other_text_is_no_cookie() {
        let (user_id, session_id) = (UserId::new(7), SessionId::from_random([1; 16]));
        let cookie = PageCookie { user_id, session_id, issued_at: DateTime::UNIX_EPOCH, forget: true };
        let good = cookie.encode(&[2; 32]);
        let (cut, longer, upper) = (&good[..good.len() - 1], format!("{good}0"), good.replace("02", "0A"));
        let (plus, version) = (good.replacen(".7.", ".+7.", 1), good.replacen("1.", "2.", 1));
        let (forgotten, late) = (good.replacen(".0.1.", ".0.2.", 1), good.replacen(".0.1.", ".99999999999999.1.", 1));
        for bad in ["", "1", "1.....", cut, &longer, &upper, &plus, &version, &forgotten, &late, &format!("{good}.")] {
            assert_eq!(PageCookie::decode(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9a-f.+é-]{0,125}") {
            if let Some((cookie, signature)) = PageCookie::decode(&text) {
                prop_assert_eq!(cookie.encode(&signature), text);
            }
        }
    }
}
