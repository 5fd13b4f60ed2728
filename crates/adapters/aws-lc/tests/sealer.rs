//! The promises of `Sealer`, and that no error or `Debug` output has a secret in it.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use portcullis_aws_lc::AesGcmSealer;
use portcullis_ports::{SealError, Sealer};

const CONTEXT: &[u8] = b"totp_factors/secret/1";

fn sealer(current: &str, previous: &[&str]) -> AesGcmSealer {
    AesGcmSealer::new(current, previous.iter().copied()).unwrap()
}

#[test]
fn a_value_opens_in_its_context_only() {
    let sealer = sealer("one", &[]);
    for plain in [&b""[..], b"marker", &[7; 1000]] {
        let sealed = sealer.seal(CONTEXT, plain).unwrap();
        assert_eq!(sealed.len(), 1 + 8 + 12 + plain.len() + 16);
        let opened = sealer.open(CONTEXT, &sealed).unwrap();
        assert!(*opened.plain == plain && opened.is_current);
        for other in [&b""[..], b"totp_factors/secret/2", b"totp_factors/secret/10"] {
            assert_eq!(sealer.open(other, &sealed).err(), Some(SealError::Damaged));
        }
    }
}

#[test]
fn equal_values_have_different_ciphertexts() {
    let sealer = sealer("one", &[]);
    let [a, b] = [(); 2].map(|()| sealer.seal(CONTEXT, b"plain").unwrap());
    assert_eq!(a[..9], b[..9]);
    assert!(a[9..21] != b[9..21] && a[21..] != b[21..]);
}

#[test]
fn every_changed_or_missing_byte_is_refused() {
    let sealer = sealer("one", &["two"]);
    let sealed = sealer.seal(CONTEXT, b"plain").unwrap();
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut changed = sealed.clone();
            changed[at] ^= 1 << bit;
            let error = if (1..9).contains(&at) { SealError::UnknownKey } else { SealError::Damaged };
            assert_eq!(sealer.open(CONTEXT, &changed).err(), Some(error), "byte {at}");
        }
        assert_eq!(sealer.open(CONTEXT, &sealed[..at]).err(), Some(SealError::Damaged), "{at} bytes");
    }
    assert_eq!(sealer.open(CONTEXT, &[&*sealed, &[0]].concat()).err(), Some(SealError::Damaged));
}

#[test]
fn earlier_keys_open_and_are_not_current() {
    let old = sealer("one", &[]);
    let sealed = old.seal(CONTEXT, b"plain").unwrap();
    let new = sealer("two", &["zero", "one"]);
    let opened = new.open(CONTEXT, &sealed).unwrap();
    assert!(*opened.plain == b"plain" && !opened.is_current);
    assert_eq!(new.open(b"other", &sealed).err(), Some(SealError::Damaged));
    let resealed = new.seal(CONTEXT, &opened.plain).unwrap();
    assert!(new.open(CONTEXT, &resealed).unwrap().is_current);
    assert_eq!(old.open(CONTEXT, &resealed).err(), Some(SealError::UnknownKey));
    // A key that is listed twice is current.
    assert!(sealer("one", &["one"]).open(CONTEXT, &sealed).unwrap().is_current);
}

/// Keys, layout and cipher are those of another implementation (Python's `hmac` and `cryptography`), so
/// stored values stay readable.
#[test]
fn a_value_of_another_implementation_opens() {
    let sealed = [
        1, 178, 93, 248, 111, 207, 113, 255, 173, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 250, 185, 79, 225, 133, 22,
        204, 216, 186, 26, 186, 26, 100, 159, 109, 47, 151, 199, 9, 130, 65,
    ];
    assert_eq!(*sealer("one", &[]).open(CONTEXT, &sealed).unwrap().plain, b"plain");
}

#[test]
fn no_output_shows_a_secret() {
    let sealer = sealer("marker", &["marker too"]);
    let opened = sealer.open(CONTEXT, &sealer.seal(CONTEXT, b"marker").unwrap()).unwrap();
    let unknown = SealError::UnknownKey;
    let shown = format!("{sealer:?} {opened:?} {unknown:?} {unknown} {0:?} {0}", SealError::Damaged);
    assert!(!shown.contains("marker") && !shown.contains("109, 97"), "{shown}");
}
