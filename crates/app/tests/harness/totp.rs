//! Authenticator app (RFC 4226, RFC 6238), written independently of the service's.

use super::timing::unix_now;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// Seconds of a time step.
pub(crate) const STEP: i64 = 30;
const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// App that was given one secret.
#[derive(Debug, Clone)]
pub(crate) struct Authenticator {
    pub(crate) secret: Vec<u8>,
}

impl Authenticator {
    /// Reads a secret in base32 (RFC 4648 §6), unpadded, as an app does: without spaces.
    pub(crate) fn of(secret: &str) -> Self {
        let digit = |symbol| ALPHABET.find(symbol).unwrap_or_else(|| panic!("not base32: {secret}"));
        let bits: String =
            secret.chars().filter(|symbol| *symbol != ' ').map(|symbol| format!("{:05b}", digit(symbol))).collect();
        let byte = |bits: &[u8]| u8::from_str_radix(std::str::from_utf8(bits).unwrap(), 2).unwrap();
        Self { secret: bits.as_bytes().chunks_exact(8).map(byte).collect() }
    }

    /// Returns the code at a time, in seconds since 1970.
    pub(crate) fn at(&self, second: i64) -> String {
        let mut mac = Hmac::<Sha1>::new_from_slice(&self.secret).unwrap();
        mac.update(&second.div_euclid(STEP).to_be_bytes());
        let digest = mac.finalize().into_bytes();
        let offset = usize::from(digest[19] & 15);
        let number = u32::from_be_bytes(digest[offset..offset + 4].try_into().unwrap());
        format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
    }

    /// Returns the code that it shows now.
    pub(crate) fn code(&self) -> String {
        self.at(unix_now())
    }

    /// Returns six digits that are no code of the minutes around a time.
    pub(crate) fn wrong_at(&self, second: i64) -> String {
        let near: Vec<_> = (-4..=4).map(|steps| self.at(second + steps * STEP)).collect();
        (0..).map(|number| format!("{number:06}")).find(|code| !near.contains(code)).unwrap()
    }

    pub(crate) fn wrong(&self) -> String {
        self.wrong_at(unix_now())
    }
}
