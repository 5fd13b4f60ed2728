//! CBOR reader (RFC 8949) with limits.

use ciborium::Value;
use ciborium::de::from_reader_with_recursion_limit;

/// Maximum nesting. CTAP allows authenticators 4 levels; the attestation object is one more.
const MAX_DEPTH: usize = 16;

/// Maximum number of entries of a map. A public key has 5.
const MAX_ENTRIES: usize = 16;

/// Map whose keys occur once.
pub(crate) struct Map(Vec<(Value, Value)>);

impl Map {
    /// Reads the map at the front of `bytes`. Returns it and the bytes that follow, or `None` if it is
    /// malformed, has duplicate keys, or exceeds a limit.
    pub(crate) fn read(mut bytes: &[u8]) -> Option<(Self, &[u8])> {
        let value: Value = from_reader_with_recursion_limit(&mut bytes, MAX_DEPTH).ok()?;
        let entries = value.into_map().ok().filter(|entries| entries.len() <= MAX_ENTRIES)?;
        let mut keys = entries.iter().map(|(key, _)| key).enumerate();
        let is_unique = keys.all(|(index, key)| !entries.iter().take(index).any(|(earlier, _)| earlier == key));
        is_unique.then_some((Self(entries), bytes))
    }

    /// Returns the value of a key.
    pub(crate) fn get(&self, key: impl Into<Value>) -> Option<&Value> {
        let key = key.into();
        self.0.iter().find_map(|(found, value)| (*found == key).then_some(value))
    }

    /// Returns the value of a numeric key if it is an integer of 64 bits.
    pub(crate) fn integer(&self, key: i64) -> Option<i64> {
        self.get(key)?.as_integer()?.try_into().ok()
    }

    /// Returns the value of a numeric key if it is a byte string.
    pub(crate) fn bytes(&self, key: i64) -> Option<&[u8]> {
        self.get(key)?.as_bytes().map(Vec::as_slice)
    }
}
