//! Random bytes.

/// Provides random bytes from the operating system's random source.
///
/// ```
/// use portcullis_ports::{Entropy, EntropyExt};
/// struct Fixed(u8);
/// impl Entropy for Fixed {
///     fn fill(&self, bytes: &mut [u8]) { bytes.fill(self.0) }
/// }
/// assert_eq!(Fixed(7).array::<4>(), [7; 4]);
/// ```
pub trait Entropy: Send + Sync {
    /// Fills `bytes` with cryptographically secure random bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// Array form of [`Entropy::fill`].
pub trait EntropyExt {
    /// Returns `N` random bytes.
    fn array<const N: usize>(&self) -> [u8; N];
}

impl<E: Entropy + ?Sized> EntropyExt for E {
    fn array<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}
