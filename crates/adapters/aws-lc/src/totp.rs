//! TOTP codes with HMAC-SHA-1.

use aws_lc_rs::hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY};
use portcullis_domain::mfa::{TimeStep, TotpCode, TotpSecret};
use portcullis_ports::TotpGenerator;

/// HOTP with HMAC-SHA-1 (RFC 4226 §5.3). Collisions of SHA-1 do not weaken HMAC (RFC 4226 appendix B), and some
/// apps support no other hash.
///
/// ```
/// use portcullis_aws_lc::HmacTotp;
/// use portcullis_domain::mfa::{TimeStep, TotpSecret};
/// use portcullis_ports::TotpGenerator;
/// let secret = TotpSecret::from_random(*b"12345678901234567890");
/// assert_eq!(HmacTotp.code(&secret, TimeStep::new(1)).expose(), "287082");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct HmacTotp;

impl TotpGenerator for HmacTotp {
    fn code(&self, secret: &TotpSecret, step: TimeStep) -> TotpCode {
        let key = hmac::Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.expose());
        let mac = hmac::sign(&key, &step.get().to_be_bytes());
        let mac = mac.as_ref();
        // Dynamic truncation: the low four bits of the last byte say where to read 31 bits.
        let offset = usize::from(mac.last().copied().unwrap_or_default() & 0xf);
        let word = mac.get(offset..).and_then(<[u8]>::first_chunk).copied().map(u32::from_be_bytes);
        TotpCode::new(word.unwrap_or_default() & 0x7fff_ffff)
    }
}
