//! CBOR encoder (RFC 8949), canonical for what authenticators write.

pub(super) fn integer(value: i64) -> Vec<u8> {
    if value < 0 { head(1, value.unsigned_abs() - 1) } else { head(0, value.unsigned_abs()) }
}

pub(super) fn bytes(bytes: &[u8]) -> Vec<u8> {
    [head(2, length(bytes)), bytes.to_vec()].concat()
}

pub(super) fn text(text: &str) -> Vec<u8> {
    [head(3, length(text.as_bytes())), text.as_bytes().to_vec()].concat()
}

pub(super) fn map(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut map = head(5, length(entries));
    entries.iter().for_each(|(key, value)| map.extend([key.as_slice(), value].concat()));
    map
}

fn length<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

/// Returns the first bytes of an item: its major type and its value or length (below 2³²).
fn head(major: u8, value: u64) -> Vec<u8> {
    let major = major << 5;
    let [_, _, _, _, rest @ ..] = value.to_be_bytes();
    let [.., high, low] = rest;
    match value {
        0..24 => vec![major | low],
        24..0x100 => vec![major | 24, low],
        0x100..0x1_0000 => vec![major | 25, high, low],
        _ => [vec![major | 26], rest.to_vec()].concat(),
    }
}
