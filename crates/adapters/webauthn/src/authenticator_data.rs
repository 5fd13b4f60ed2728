//! Authenticator data (WebAuthn §6.1).

use crate::cbor::Map;
use crate::cose::Key;
use portcullis_domain::passkeys::{Aaguid, AuthenticatorData, AuthenticatorFlags, CredentialId};

/// Attested credential data (WebAuthn §6.5.1).
pub(crate) struct Attested<'a> {
    pub(crate) aaguid: Aaguid,
    pub(crate) credential_id: CredentialId,
    /// The key as encoded.
    pub(crate) encoded: &'a [u8],
    pub(crate) key: Key,
}

/// Flag: attested credential data included (AT).
const ATTESTED: u8 = 0x40;

/// Flag: extension data included (ED).
const EXTENSIONS: u8 = 0x80;

/// Parses authenticator data. Returns `None` if it is malformed or something follows it. Ignores extensions,
/// because none is asked for that the authenticator would respond to.
pub(crate) fn parse(bytes: &[u8]) -> Option<(AuthenticatorData, Option<Attested<'_>>)> {
    let (rp_id_hash, rest) = bytes.split_first_chunk()?;
    let (&flags, rest) = rest.split_first()?;
    let (counter, rest) = rest.split_first_chunk()?;
    let (attested, rest) = if flags & ATTESTED == 0 {
        (None, rest)
    } else {
        let (attested, rest) = attested(rest)?;
        (Some(attested), rest)
    };
    let rest = if flags & EXTENSIONS == 0 { rest } else { Map::read(rest)?.1 };
    let (flags, counter) = (AuthenticatorFlags(flags), u32::from_be_bytes(*counter));
    rest.is_empty().then_some((AuthenticatorData { rp_id_hash: *rp_id_hash, flags, counter }, attested))
}

fn attested(bytes: &[u8]) -> Option<(Attested<'_>, &[u8])> {
    let (aaguid, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (id, encoded) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    let (key, rest) = Key::read(encoded)?;
    let (encoded, _) = encoded.split_at_checked(encoded.len().checked_sub(rest.len())?)?;
    let credential_id = CredentialId::new(id.to_vec())?;
    Some((Attested { aaguid: Aaguid(*aaguid), credential_id, encoded, key }, rest))
}
