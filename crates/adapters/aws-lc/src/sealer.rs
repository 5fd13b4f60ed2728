//! Encryption of stored secrets with AES-256-GCM (NIST SP 800-38D).

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use portcullis_ports::{Opened, SealError, Sealer};
use std::fmt;
use zeroize::Zeroizing;

/// First byte of every value.
const VERSION: u8 = 1;
/// Salt of all keys, so that they differ from other keys derived from the same text.
const PURPOSE: &[u8] = b"portcullis encryption";
const KEY_BYTES: usize = 32;
const KEY_ID_BYTES: usize = 8;
const TAG_BYTES: usize = 16;

/// Encrypts with AES-256-GCM under a key derived from a text (HKDF-SHA-256, RFC 5869), and decrypts also
/// with earlier ones. A value is the version, 8 bytes that identify the key, a random nonce of 12 bytes,
/// and the ciphertext with its tag. The context is authenticated (AAD) and not stored.
///
/// Random nonces allow 2^32 values under one key (SP 800-38D §8.3).
///
/// ```
/// use portcullis_aws_lc::AesGcmSealer;
/// use portcullis_ports::{SealError, Sealer};
/// let old = AesGcmSealer::new("first", [])?;
/// let sealed = old.seal(b"table/column/1", b"plain")?;
/// let new = AesGcmSealer::new("second", ["first"])?;
/// let opened = new.open(b"table/column/1", &sealed)?;
/// assert!(*opened.plain == b"plain" && !opened.is_current);
/// assert_eq!(new.open(b"table/column/2", &sealed).err(), Some(SealError::Damaged));
/// # Ok::<(), SealError>(())
/// ```
pub struct AesGcmSealer {
    current: Key,
    previous: Vec<Key>,
}

/// Key with the id that its values state.
struct Key {
    id: [u8; KEY_ID_BYTES],
    cipher: RandomizedNonceKey,
}

impl AesGcmSealer {
    /// Derives the keys from texts: `current` seals, all open.
    ///
    /// # Errors
    /// Returns [`SealError::Failed`] if the library cannot derive a key.
    pub fn new<'a>(current: &str, previous: impl IntoIterator<Item = &'a str>) -> Result<Self, SealError> {
        let keys = || {
            let previous = previous.into_iter().map(Key::derive).collect::<Result<_, _>>()?;
            Ok(Self { current: Key::derive(current)?, previous })
        };
        keys().map_err(|Unspecified| SealError::Failed)
    }
}

impl Key {
    fn derive(text: &str) -> Result<Self, Unspecified> {
        let secret = Salt::new(HKDF_SHA256, PURPOSE).extract(text.as_bytes());
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, &*expand::<KEY_BYTES>(&secret, b"key")?)?;
        Ok(Self { id: *expand(&secret, b"key id")?, cipher })
    }

    fn open(&self, context: &[u8], nonce: &[u8; NONCE_LEN], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
        let mut plain = Zeroizing::new(sealed.to_vec());
        let length = self.cipher.open_in_place(Nonce::from(nonce), Aad::from(context), &mut plain)?.len();
        plain.truncate(length);
        Ok(plain)
    }
}

/// Length of derived bytes, for the library.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand<const N: usize>(secret: &Prk, purpose: &[u8]) -> Result<Zeroizing<[u8; N]>, Unspecified> {
    let mut bytes = Zeroizing::new([0; N]);
    secret.expand(&[purpose], Length(N))?.fill(&mut *bytes)?;
    Ok(bytes)
}

impl Sealer for AesGcmSealer {
    fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let Key { id, cipher } = &self.current;
        // With room for the tag, appending it does not reallocate and leave a copy of the plaintext.
        let mut sealed = Vec::with_capacity(plain.len() + TAG_BYTES);
        sealed.extend_from_slice(plain);
        let nonce = cipher.seal_in_place_append_tag(Aad::from(context), &mut sealed);
        let nonce = nonce.map_err(|Unspecified| SealError::Failed)?;
        Ok([&[VERSION], id.as_slice(), nonce.as_ref(), &sealed].concat())
    }

    fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Opened, SealError> {
        let (id, nonce, sealed) = parts(sealed).ok_or(SealError::Damaged)?;
        let mut keys = std::iter::once(&self.current).chain(&self.previous);
        let key = keys.find(|key| key.id == *id).ok_or(SealError::UnknownKey)?;
        let plain = key.open(context, nonce, sealed).map_err(|Unspecified| SealError::Damaged)?;
        Ok(Opened { plain, is_current: key.id == self.current.id })
    }
}

/// Splits a value into the key's id, the nonce and the ciphertext.
fn parts(sealed: &[u8]) -> Option<(&[u8; KEY_ID_BYTES], &[u8; NONCE_LEN], &[u8])> {
    let (id, rest) = sealed.strip_prefix(&[VERSION])?.split_first_chunk()?;
    let (nonce, rest) = rest.split_first_chunk()?;
    Some((id, nonce, rest))
}

/// Hides the keys.
impl fmt::Debug for AesGcmSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AesGcmSealer")
    }
}
