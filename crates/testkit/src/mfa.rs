//! Sealer and TOTP codes without cryptography.

use portcullis_domain::mfa::{TimeStep, TotpCode, TotpSecret};
use portcullis_ports::{Opened, SealError, Sealer, TotpGenerator};

/// Stores a value readably behind its context.
#[derive(Debug, Clone, Copy)]
pub struct PlainSealer;

impl Sealer for PlainSealer {
    fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        Ok([context, b":", plain].concat())
    }

    fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Opened, SealError> {
        let plain = sealed.strip_prefix(context).and_then(|rest| rest.strip_prefix(b":"));
        let plain = plain.ok_or(SealError::Damaged)?.to_vec().into();
        Ok(Opened { plain, is_current: true })
    }
}

/// Codes that differ for nearby steps and for secrets with different sums.
#[derive(Debug, Clone, Copy)]
pub struct PlainTotp;

impl TotpGenerator for PlainTotp {
    fn code(&self, secret: &TotpSecret, step: TimeStep) -> TotpCode {
        let sum: u32 = secret.expose().iter().copied().map(u32::from).sum();
        TotpCode::new(u32::try_from(step.get().rem_euclid(900_000)).unwrap_or_default() + sum)
    }
}
