//! Encryption of secrets at rest.

use std::fmt;
use zeroize::Zeroizing;

/// Encrypts stored secrets and binds each to its row.
///
/// `context` names the place of a value, such as its table, column and public id. A value opens only with
/// the context it was sealed with, so it does not open in another row.
///
/// ```
/// use portcullis_ports::{SealError, Sealer};
/// fn reseal(sealer: &dyn Sealer, context: &[u8], stored: &[u8]) -> Result<Option<Vec<u8>>, SealError> {
///     let opened = sealer.open(context, stored)?;
///     if opened.is_current { Ok(None) } else { sealer.seal(context, &opened.plain).map(Some) }
/// }
/// ```
pub trait Sealer: Send + Sync {
    /// Encrypts a value with the current key. The result differs each time.
    ///
    /// # Errors
    /// Returns [`SealError::Failed`] if the library cannot encrypt.
    fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError>;

    /// Decrypts a value with the key that sealed it, the current one or an earlier one.
    ///
    /// # Errors
    /// Returns [`SealError::UnknownKey`] if no configured key sealed the value, and
    /// [`SealError::Damaged`] if it was changed or belongs to another context.
    fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Opened, SealError>;
}

/// Decrypted value. Redacted in `Debug` and wiped when dropped.
pub struct Opened {
    /// The value.
    pub plain: Zeroizing<Vec<u8>>,
    /// True if the current key sealed the value. Otherwise it should be sealed again.
    pub is_current: bool,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("is_current", &self.is_current).finish_non_exhaustive()
    }
}

/// Reason why a value cannot be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// No configured key sealed the value.
    #[error("no configured key opens the value")]
    UnknownKey,
    /// The value was changed, cut off, or sealed for another context.
    #[error("the value is damaged or belongs to another row")]
    Damaged,
    /// The library could not encrypt.
    #[error("the value cannot be encrypted")]
    Failed,
}
