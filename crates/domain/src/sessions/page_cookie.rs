//! Cookie of the account pages, which names the session of a browser. Code that has the secret key signs and
//! verifies it.

use super::SessionId;
use crate::registration::UserId;
use hex::FromHex;

/// Content of the cookie: the account and its session. It says nothing about whether the session is active.
///
/// ```
/// use portcullis_domain::{registration::UserId, sessions::{PageCookie, SessionId}};
/// let cookie = PageCookie { user_id: UserId::new(7), session_id: SessionId::from_random([1; 16]) };
/// assert_eq!(PageCookie::decode(&cookie.encode(&[9; 32])), Some((cookie, [9; 32])));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageCookie {
    /// Account.
    pub user_id: UserId,
    /// Session of the account.
    pub session_id: SessionId,
}

impl PageCookie {
    /// Returns the cookie value with a signature: `1.<account>.<session>.<signature>`.
    #[must_use]
    pub fn encode(&self, signature: &[u8; 32]) -> String {
        format!("1.{}.{}.{}", self.user_id.get(), self.session_id, hex::encode(signature))
    }

    /// Parses a cookie value into its content and signature. Returns `None` if it is malformed. Verify the
    /// signature before you trust the content.
    #[must_use]
    pub fn decode(value: &str) -> Option<(Self, [u8; 32])> {
        let mut parts = value.split('.');
        let (Some("1"), Some(user_id), Some(session_id), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        let cookie = Self { user_id: UserId::new(user_id.parse().ok()?), session_id: SessionId::parse(session_id)? };
        let signature = FromHex::from_hex(signature).ok()?;
        // Accept only the canonical spelling of a cookie.
        (cookie.encode(&signature) == value).then_some((cookie, signature))
    }

    /// Returns the bytes to sign.
    #[must_use]
    pub fn signing_input(&self) -> Vec<u8> {
        format!("page-session/1/{}/{}", self.user_id.get(), self.session_id).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn other_text_is_no_cookie() {
        let cookie = PageCookie { user_id: UserId::new(7), session_id: SessionId::from_random([1; 16]) };
        let good = cookie.encode(&[2; 32]);
        let (cut, longer, upper) = (&good[..good.len() - 1], format!("{good}0"), good.replace("02", "0A"));
        let (plus, version) = (good.replacen(".7.", ".+7.", 1), good.replacen("1.", "2.", 1));
        for bad in ["", "1", "1...", cut, &longer, &upper, &plus, &version, &format!("{good}.")] {
            assert_eq!(PageCookie::decode(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9a-f.+é-]{0,110}") {
            if let Some((cookie, signature)) = PageCookie::decode(&text) {
                prop_assert_eq!(cookie.encode(&signature), text);
            }
        }
    }
}
