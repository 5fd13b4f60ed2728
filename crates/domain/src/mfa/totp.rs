//! Time-based one-time passwords (RFC 6238, RFC 4226): six digits, SHA-1, 30 seconds. Decides which time steps
//! are accepted; `TotpGenerator` in ports computes the code of a step.

use crate::registration::EmailAddress;
use chrono::{DateTime, Utc};
use data_encoding::BASE32_NOPAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt;
use zeroize::Zeroizing;

/// Length of a time step in seconds, which the URI states.
const STEP_SECONDS: i64 = 30;
/// Number of codes: 10 to the power of the digits that the URI states.
const CODES: u32 = 1_000_000;
/// The unreserved characters of RFC 3986 §2.3, and `@`, which may be in a path and in a query.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// Secret shared with an authenticator app: 160 bits, as RFC 4226 §4 recommends. Redacted in `Debug` and
/// wiped when dropped.
///
/// ```
/// use portcullis_domain::mfa::TotpSecret;
/// let secret = TotpSecret::from_random(*b"12345678901234567890");
/// assert_eq!(secret.to_base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
/// assert_eq!(TotpSecret::from_bytes(secret.expose()).map(|read| *read.expose()), Some(*secret.expose()));
/// assert!(TotpSecret::from_bytes(b"too short").is_none());
/// assert_eq!(format!("{secret:?}"), "TotpSecret(…)");
/// ```
pub struct TotpSecret(Zeroizing<[u8; 20]>);

impl TotpSecret {
    /// Creates a secret from 20 random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 20]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Creates a secret from its bytes. Returns `None` unless there are 20.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_random)
    }

    /// Returns the bytes, to compute codes and to be sealed.
    #[must_use]
    pub fn expose(&self) -> &[u8; 20] {
        &self.0
    }

    /// Returns the secret as 32 characters of base32 (RFC 4648 §6), to be typed into an app.
    #[must_use]
    pub fn to_base32(&self) -> String {
        BASE32_NOPAD.encode(self.expose())
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(…)")
    }
}

/// Time step: the number of whole 30-second periods since the Unix epoch (RFC 6238 §4.2).
///
/// ```
/// use chrono::DateTime;
/// use portcullis_domain::mfa::TimeStep;
/// let at = |seconds| DateTime::from_timestamp(seconds, 0).map(TimeStep::at);
/// assert_eq!(at(59), Some(TimeStep::new(1)));
/// assert_eq!(at(60), Some(TimeStep::new(2)));
/// assert_eq!(at(-1), Some(TimeStep::new(-1)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeStep(i64);

impl TimeStep {
    /// Creates a step from its number.
    #[must_use]
    pub const fn new(step: i64) -> Self {
        Self(step)
    }

    /// Returns the step that contains a moment.
    #[must_use]
    pub fn at(now: DateTime<Utc>) -> Self {
        Self(now.timestamp().div_euclid(STEP_SECONDS))
    }

    /// Returns the number, for storage and for the MAC.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

/// Code of six digits. Redacted in `Debug`.
///
/// ```
/// use portcullis_domain::mfa::TotpCode;
/// assert_eq!(TotpCode::parse(" 005 924 "), Some(TotpCode::new(5924)));
/// assert_eq!(TotpCode::new(1_000_005_924).expose(), "005924");
/// for other in ["", "5924", "0059241", "+05924", "00592４", "005\u{a0}924", "005-924"] {
///     assert_eq!(TotpCode::parse(other), None);
/// }
/// assert_eq!(format!("{:?}", TotpCode::new(5924)), "TotpCode(…)");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TotpCode(u32);

impl TotpCode {
    /// Creates a code from the last six digits of a number (RFC 4226 §5.3).
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number % CODES)
    }

    /// Parses six ASCII digits. Ignores ASCII spaces, with which apps group them. Returns `None` for any
    /// other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Zeroizing<String> = Zeroizing::new(text.chars().filter(|&c| c != ' ').collect());
        let six = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
        if six { digits.parse().ok().map(Self) } else { None }
    }

    /// Returns the six digits.
    #[must_use]
    pub fn expose(self) -> String {
        format!("{:06}", self.0)
    }
}

impl fmt::Debug for TotpCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpCode(…)")
    }
}

/// Finds the time step that a code belongs to: the current one or its neighbor on either side (RFC 6238
/// §5.2), and only one after `last`, so that no step is accepted twice. Returns `None` if the code
/// belongs to none of them.
///
/// ```
/// use chrono::DateTime;
/// use portcullis_domain::mfa::{TimeStep, TotpCode, matching_step};
/// let now = DateTime::from_timestamp(300, 0).ok_or("a time")?; // step 10
/// // Instead of a MAC: the code of a step is its number.
/// let code_of = |step: TimeStep| TotpCode::new(u32::try_from(step.get()).unwrap_or_default());
/// let matching =
///     |code, last: Option<i64>| matching_step(TotpCode::new(code), now, last.map(TimeStep::new), code_of);
/// assert_eq!(matching(9, None), Some(TimeStep::new(9)));
/// assert_eq!(matching(11, Some(10)), Some(TimeStep::new(11)));
/// assert_eq!(matching(10, Some(10)), None); // used
/// assert_eq!(matching(8, None), None); // expired
/// # Ok::<(), &str>(())
/// ```
#[must_use]
pub fn matching_step(
    code: TotpCode,
    now: DateTime<Utc>,
    last: Option<TimeStep>,
    code_of: impl Fn(TimeStep) -> TotpCode,
) -> Option<TimeStep> {
    let TimeStep(current) = TimeStep::at(now);
    let mut steps = [current - 1, current, current + 1].into_iter().map(TimeStep);
    steps.find(|&step| last.is_none_or(|last| step > last) && code_of(step) == code)
}

/// Returns the URI that authenticator apps read from a QR code (the "Key URI Format").
///
/// A colon separates the product from the account. Apps refuse a further one, so colons of the product are
/// removed.
///
/// ```
/// use portcullis_domain::mfa::{TotpSecret, otpauth_uri};
/// use portcullis_domain::registration::EmailAddress;
/// let secret = TotpSecret::from_random(*b"12345678901234567890");
/// let uri = otpauth_uri("ACME: & Söhne", &EmailAddress::parse("ada+1@example.org")?, &secret);
/// assert_eq!(
///     uri,
///     "otpauth://totp/ACME%20%26%20S%C3%B6hne:ada%2B1@example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
///      &issuer=ACME%20%26%20S%C3%B6hne&algorithm=SHA1&digits=6&period=30"
/// );
/// # Ok::<(), portcullis_domain::registration::EmailError>(())
/// ```
#[must_use]
pub fn otpauth_uri(product: &str, email: &EmailAddress, secret: &TotpSecret) -> String {
    let product = product.replace(':', "");
    let issuer = utf8_percent_encode(&product, ESCAPED);
    let (account, secret) = (utf8_percent_encode(email.original(), ESCAPED), secret.to_base32());
    format!("otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period=30")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn only_unused_steps_beside_now_are_accepted(
            now in -1_000_000_i64..10_000_000_000,
            code in -3_i64..=3,
            last in proptest::option::of(-3_i64..=3),
        ) {
            let moment = DateTime::from_timestamp(now, 0).unwrap();
            let current = TimeStep::at(moment).get();
            prop_assert!((current * 30..current * 30 + 30).contains(&now));
            // Differs for all steps nearby.
            let code_of = |step: TimeStep| TotpCode::new(u32::try_from(step.get().rem_euclid(1000)).unwrap());
            let step = TimeStep::new(current + code);
            let matched = matching_step(code_of(step), moment, last.map(|last| TimeStep::new(current + last)), code_of);
            let accepted = code.abs() <= 1 && last.is_none_or(|last| code > last);
            prop_assert_eq!(matched, accepted.then_some(step));
        }

        #[test]
        fn a_code_has_six_digits_and_any_spaces(number in any::<u32>(), spaces in proptest::collection::vec(0_usize..3, 6)) {
            let code = TotpCode::new(number);
            let digits = code.expose();
            prop_assert_eq!(digits.len(), 6);
            let spaced: String = digits.chars().zip(spaces).map(|(digit, n)| format!("{}{digit}", " ".repeat(n))).collect();
            prop_assert_eq!(TotpCode::parse(&spaced), Some(code));
        }
    }

    #[test]
    fn equal_codes_of_two_steps_use_the_earlier_one() {
        let now = DateTime::UNIX_EPOCH;
        let same = |_| TotpCode::new(7);
        assert_eq!(matching_step(TotpCode::new(7), now, None, same), Some(TimeStep::new(-1)));
        assert_eq!(matching_step(TotpCode::new(7), now, Some(TimeStep::new(0)), same), Some(TimeStep::new(1)));
    }
}
