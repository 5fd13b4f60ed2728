//! Public keys: which are valid ones of their algorithm.

use super::*;
use ciborium::Value as Cbor;
use portcullis_testkit::authenticator::SoftwareKey;
use std::sync::LazyLock;

/// Registers a key, and returns its algorithm and whether it is valid. `None` if it is malformed.
fn judged(entries: Vec<(Cbor, Cbor)>) -> Option<(i64, bool)> {
    let mut encoded = Vec::new();
    ciborium::into_writer(&Cbor::Map(entries), &mut encoded).unwrap();
    let mut passkey = SoftwarePasskey::new(Algorithm::Es256, ORIGIN);
    let json = passkey.register_with(&creation(), |ceremony| ceremony.public_key = encoded).to_string();
    WebauthnVerifier.registration(&json).ok().map(|new| (new.algorithm, new.key_is_valid))
}

fn entries(algorithm: Algorithm) -> Vec<(Cbor, Cbor)> {
    static KEYS: LazyLock<[Vec<u8>; 3]> = LazyLock::new(|| Algorithm::ALL.map(|of| SoftwareKey::generate(of).cose()));
    let index = Algorithm::ALL.iter().position(|of| *of == algorithm).unwrap();
    ciborium::from_reader::<Cbor, _>(KEYS[index].as_slice()).unwrap().into_map().unwrap()
}

/// Returns the key with another value for a label.
fn with(algorithm: Algorithm, label: i64, value: impl Into<Cbor>) -> Vec<(Cbor, Cbor)> {
    let mut entries = entries(algorithm);
    entries.retain(|(key, _)| *key != label.into());
    entries.push((label.into(), value.into()));
    entries
}

#[test]
fn keys_of_all_algorithms_are_valid() {
    for algorithm in Algorithm::ALL {
        assert_eq!(judged(entries(algorithm)), Some((algorithm.cose().into(), true)));
    }
}

#[test]
fn keys_that_break_a_rule_of_their_type_are_invalid() {
    use Algorithm::{EdDsa, Es256, Rs256};
    let bytes = |length: usize, last: u8| [vec![0xff; length - 1], vec![last]].concat();
    let compressed = Cbor::Bool(true);
    for (algorithm, label, value) in [
        (Es256, 1, Cbor::from(1)),
        (Es256, 1, Cbor::from(3)),
        (Es256, 1, Cbor::from("EC2")),
        (Es256, -1, Cbor::from(2)),
        (Es256, -1, Cbor::from("P-256")),
        (Es256, -2, Cbor::from(vec![0; 32])),
        (Es256, -2, Cbor::from(vec![0xff; 32])),
        (Es256, -2, Cbor::from(vec![1; 31])),
        (Es256, -2, Cbor::from(vec![1; 33])),
        (Es256, -3, Cbor::from(vec![0; 32])),
        (Es256, -3, compressed),
        (EdDsa, 1, Cbor::from(2)),
        (EdDsa, -1, Cbor::from(7)),
        (EdDsa, -2, Cbor::from(vec![1; 31])),
        (EdDsa, -2, Cbor::from(vec![1; 57])),
        (EdDsa, -2, Cbor::from("x")),
        (Rs256, 1, Cbor::from(2)),
        (Rs256, -1, Cbor::from(bytes(255, 0xff))),
        (Rs256, -1, Cbor::from(bytes(256, 0xfe))),
        (Rs256, -1, Cbor::from([vec![0x7f], bytes(255, 0xff)].concat())),
        (Rs256, -1, Cbor::from([vec![0], bytes(256, 0xff)].concat())),
        (Rs256, -1, Cbor::from([vec![1], bytes(1024, 0xff)].concat())),
        (Rs256, -1, Cbor::Bytes(vec![])),
        (Rs256, -2, Cbor::Bytes(vec![])),
        (Rs256, -2, Cbor::from(vec![1])),
        (Rs256, -2, Cbor::from(vec![2])),
        (Rs256, -2, Cbor::from(vec![0, 1, 0, 1])),
        (Rs256, -2, Cbor::from(vec![1, 0, 0, 0, 1])),
        (Rs256, -2, Cbor::from(65_537)),
    ] {
        let key = judged(with(algorithm, label, value.clone()));
        assert_eq!(key, Some((algorithm.cose().into(), false)), "{algorithm:?} {label} {value:?}");
    }
    for valid in [bytes(256, 0xff), bytes(1024, 0xff), [vec![1], bytes(256, 0xff)].concat()] {
        assert_eq!(judged(with(Rs256, -1, valid)), Some((-257, true)));
    }
}

#[test]
fn algorithms_are_those_of_the_key() {
    for (number, algorithm) in [(-8, Algorithm::Es256), (-7, Algorithm::Rs256), (-257, Algorithm::EdDsa)] {
        assert_eq!(judged(with(algorithm, 3, number)), Some((number, false)));
    }
    for unsupported in [-35, -36, -37, -65_535, 0, i64::MIN, i64::MAX] {
        assert_eq!(judged(with(Algorithm::Es256, 3, unsupported)), Some((unsupported, false)));
    }
    for bad in [Cbor::from("ES256"), Cbor::Null, Cbor::from(u64::MAX), Cbor::from(vec![1])] {
        assert_eq!(judged(with(Algorithm::Es256, 3, bad.clone())), None, "{bad:?}");
    }
}

#[test]
fn duplicate_labels_and_large_keys_are_malformed() {
    let mut twice = entries(Algorithm::Es256);
    twice.push(twice[1].clone());
    assert_eq!(judged(twice), None);
    let mut large = entries(Algorithm::Es256);
    large.push((2.into(), vec![0; 2048].into()));
    assert_eq!(judged(large), None);
    let mut many = entries(Algorithm::Es256);
    many.extend((100..112).map(|label| (label.into(), Cbor::Null)));
    assert_eq!(judged(many), None);
    let mut more = entries(Algorithm::Es256);
    more.push((2.into(), b"kid".to_vec().into()));
    assert_eq!(judged(more), Some((-7, true)), "other parameters are ignored");
}
