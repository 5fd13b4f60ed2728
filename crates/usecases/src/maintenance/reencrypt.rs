//! Encrypts stored secrets again with the current key, so that earlier keys can be removed.

use super::BatchStep;
use crate::failure::DependencyError;
use portcullis_domain::mfa::{FactorId, SealedSecret, sealing_context};
use portcullis_ports::{Clock, Opened, RowCursor, Sealer, Store, StoreError, StoreExt};
use std::sync::Arc;
use std::time::Duration;

/// Maximum number of secrets per step. They are written in one transaction.
const PAGE_ROWS: u32 = 100;

/// Numbers of stored secrets by the key that opens them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SecretCounts {
    /// Secrets of the current key.
    pub current: u64,
    /// Secrets of an earlier key.
    pub earlier: u64,
    /// Secrets that no key opens: their key is missing, or the row is damaged.
    pub closed: u64,
}

/// Encrypts the secrets of authenticator apps with the current key.
pub struct Reencrypt {
    /// Store of the secrets.
    pub store: Arc<dyn Store>,
    /// Encrypts and decrypts.
    pub sealer: Arc<dyn Sealer>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

/// A page of secrets. Those of an earlier key are decrypted.
struct Page {
    last: RowCursor,
    earlier: Vec<(FactorId, SealedSecret, Opened)>,
}

impl Reencrypt {
    /// Encrypts all secrets of earlier keys again, and returns the counts from before. Secrets that no key
    /// opens stay as they are. Calls `on_step` after each step with its progress. `on_step` may block, and
    /// returns whether to continue. After an error, encrypted secrets stay encrypted with the current key.
    pub fn run(&self, on_step: &mut dyn FnMut(BatchStep) -> bool) -> Result<SecretCounts, DependencyError> {
        let (mut counts, mut after) = (SecretCounts::default(), RowCursor::FIRST);
        while let Some(page) = self.page(after, &mut counts)? {
            let took = self.reseal(&page.earlier)?;
            if !on_step(BatchStep { rows: counts.earlier, took }) {
                break;
            }
            after = page.last;
        }
        Ok(counts)
    }

    /// Counts the secrets without changing any. Calls `on_page` after each page, which returns whether to
    /// continue.
    pub fn count(&self, on_page: &mut dyn FnMut() -> bool) -> Result<SecretCounts, DependencyError> {
        let (mut counts, mut after) = (SecretCounts::default(), RowCursor::FIRST);
        while let Some(page) = self.page(after, &mut counts)? {
            if !on_page() {
                break;
            }
            after = page.last;
        }
        Ok(counts)
    }

    /// Reads and counts a page of secrets. Returns `None` after the last one.
    fn page(&self, after: RowCursor, counts: &mut SecretCounts) -> Result<Option<Page>, StoreError> {
        let rows = self.store.read(|tx| tx.factors().sealed_secrets(after, PAGE_ROWS))?;
        let Some(&(last, ..)) = rows.last() else { return Ok(None) };
        let mut page = Page { last, earlier: Vec::new() };
        for (_, id, sealed) in rows {
            let count = match self.sealer.open(&sealing_context(&id), sealed.as_bytes()) {
                Ok(opened) if opened.is_current => &mut counts.current,
                Ok(opened) => {
                    page.earlier.push((id, sealed, opened));
                    &mut counts.earlier
                }
                Err(_) => &mut counts.closed,
            };
            *count = count.saturating_add(1);
        }
        Ok(Some(page))
    }

    /// Encrypts secrets with the current key. Skips rows that were removed or encrypted again since they were
    /// read. Returns the duration of the transaction.
    fn reseal(&self, secrets: &[(FactorId, SealedSecret, Opened)]) -> Result<Duration, DependencyError> {
        if secrets.is_empty() {
            return Ok(Duration::ZERO);
        }
        let mut resealed = Vec::with_capacity(secrets.len());
        for (id, old, opened) in secrets {
            let new = self.sealer.seal(&sealing_context(id), &opened.plain)?;
            resealed.push((id, old, SealedSecret::new(new)));
        }
        let begun = self.store.write(|tx| {
            let begun = self.clock.monotonic();
            for (id, old, new) in &resealed {
                tx.factors().reseal(id, old, new)?;
            }
            Ok::<_, StoreError>(begun)
        })?;
        Ok(self.clock.monotonic().saturating_sub(begun))
    }
}
