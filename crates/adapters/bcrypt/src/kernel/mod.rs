//! bcrypt for several keys at once on one thread. Bit-identical to the crate `bcrypt`, with less time
//! per hash.

mod cipher;
#[cfg(test)]
mod pi_tests;
mod tables;

use crate::cost::Cost;
use cipher::{Blocks, Ciphers, Words};
use zeroize::{Zeroize, Zeroizing};

/// Output of bcrypt, wiped when dropped.
pub type Output = Zeroizing<[u8; 24]>;

/// Input of one hash.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// Salt.
    pub salt: &'a [u8; 16],
    /// Key: a password and its terminating NUL. Only the first 72 bytes count. An empty key counts as a
    /// single NUL.
    pub key: &'a [u8],
}

/// "OrpheanBeholderScryDoubt", the text that bcrypt encrypts.
const TEXT: [[u32; 2]; 3] = [[0x4f72_7068, 0x6561_6e42], [0x6568_6f6c, 0x6465_7253], [0x6372_7944, 0x6f75_6274]];

/// Maximum number of hashes computed together. With more, a core runs out of registers.
pub const MAX_LANES: usize = 6;

/// Computes hashes of one cost on the calling thread, in batches of up to [`MAX_LANES`]. All hashes of
/// a batch finish at the same time.
///
/// ```
/// use portcullis_bcrypt::{Cost, kernel::{Input, together}};
/// let cost = Cost::new(4).ok_or("4 to 31")?;
/// let outputs = together(cost, &[Input { salt: &[1; 16], key: b"a\0" }, Input { salt: &[2; 16], key: b"b\0" }]);
/// assert_eq!(outputs.len(), 2);
/// assert_ne!(outputs[0], outputs[1]);
/// # Ok::<(), &str>(())
/// ```
#[must_use]
pub fn together(cost: Cost, inputs: &[Input<'_>]) -> Vec<Output> {
    let mut outputs = Vec::with_capacity(inputs.len());
    for inputs in inputs.chunks(MAX_LANES) {
        match *inputs {
            [a] => outputs.extend(in_lanes(cost, &[a])),
            [a, b] => outputs.extend(in_lanes(cost, &[a, b])),
            [a, b, c] => outputs.extend(in_lanes(cost, &[a, b, c])),
            [a, b, c, d] => outputs.extend(in_lanes(cost, &[a, b, c, d])),
            [a, b, c, d, e] => outputs.extend(in_lanes(cost, &[a, b, c, d, e])),
            [a, b, c, d, e, f] => outputs.extend(in_lanes(cost, &[a, b, c, d, e, f])),
            _ => {}
        }
    }
    outputs
}

fn in_lanes<const N: usize>(cost: Cost, inputs: &[Input<'_>; N]) -> [Output; N] {
    let keys = Zeroizing::new(schedule(inputs, |input| input.key));
    let salts = schedule(inputs, |input| input.salt);
    let mut ciphers = Ciphers::new();
    ciphers.expand_salted(&keys, &schedule(inputs, |input| input.salt));
    for _ in 0..1_u32 << cost.get() {
        ciphers.expand(&keys);
        ciphers.expand(&salts);
    }
    outputs(&ciphers)
}

/// Repeats the bytes and packs them into words until all words are filled.
fn schedule<'a, const N: usize, const W: usize>(
    inputs: &[Input<'a>; N],
    bytes: impl Fn(&Input<'a>) -> &'a [u8],
) -> [Words<N>; W] {
    let mut words = [[0; N]; W];
    for (lane, input) in inputs.iter().enumerate() {
        let mut bytes = bytes(input).iter().cycle();
        for word in words.iter_mut().filter_map(|words| words.get_mut(lane)) {
            for byte in bytes.by_ref().take(4) {
                *word = *word << 8 | u32::from(*byte);
            }
        }
    }
    words
}

fn outputs<const N: usize>(ciphers: &Ciphers<N>) -> [Output; N] {
    let mut outputs = [const { [0; 24] }; N].map(Zeroizing::new);
    for (number, [left, right]) in TEXT.into_iter().enumerate() {
        let mut blocks = Blocks { left: [left; N], right: [right; N] };
        for _ in 0..64 {
            ciphers.encrypt(&mut blocks);
        }
        for (output, halves) in outputs.iter_mut().zip(blocks.left.iter().zip(&blocks.right)) {
            if let Some(bytes) = output.as_chunks_mut().0.get_mut(number) {
                *bytes = block_bytes(*halves.0, *halves.1);
            }
        }
        blocks.left.zeroize();
        blocks.right.zeroize();
    }
    outputs
}

fn block_bytes(left: u32, right: u32) -> [u8; 8] {
    ((u64::from(left) << 32) | u64::from(right)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn by_the_crate(cost: Cost, input: &Input<'_>) -> [u8; 24] {
        let key = if input.key.is_empty() { b"\0" } else { input.key };
        bcrypt::bcrypt(cost.get(), *input.salt, &key[..key.len().min(72)])
    }

    /// Computes the inputs with every number of lanes and compares the results with the crate `bcrypt`.
    fn assert_like_the_crate(cost: u32, inputs: &[Input<'_>]) {
        let cost = Cost::new(cost).unwrap();
        let expected: Vec<_> = inputs.iter().map(|input| by_the_crate(cost, input)).collect();
        for lanes in 1..=MAX_LANES {
            for (inputs, expected) in inputs.chunks(lanes).zip(expected.chunks(lanes)) {
                let outputs: Vec<_> = together(cost, inputs).iter().map(|output| **output).collect();
                assert_eq!(outputs, expected, "{:?}", inputs.iter().map(|input| input.key).collect::<Vec<_>>());
            }
        }
    }

    /// Keys of every length from 0 to 79: without NULs, with some, and with only NULs.
    fn keys() -> Vec<Vec<u8>> {
        let byte = |at: usize| u8::try_from(at * 167 % 256).unwrap();
        let makes: [&dyn Fn(usize) -> u8; 4] =
            [&|at| byte(at) | 1, &|at| if at % 3 == 0 { 0 } else { byte(at) | 0x80 }, &|_| 0, &|_| 0xff];
        (0..80).flat_map(|length| makes.map(|make| (0..length).map(make).collect())).collect()
    }

    #[test]
    fn every_length_gives_what_the_crate_gives() {
        let keys = keys();
        let salts: Vec<_> = (0..keys.len()).map(|number| [u8::try_from(number % 251).unwrap(); 16]).collect();
        let inputs: Vec<_> = keys.iter().zip(&salts).map(|(key, salt)| Input { salt, key }).collect();
        assert_like_the_crate(4, &inputs);
    }

    #[test]
    fn published_vectors() {
        // Test vectors with costs 6 and 8 from jBCrypt (TestBCrypt.java), as bytes.
        let a = Input {
            salt: &[0xa3, 0x61, 0x2d, 0x8c, 0x9a, 0x37, 0xda, 0xc2, 0xf9, 0x9d, 0x94, 0xda, 0x3, 0xbd, 0x45, 0x21],
            key: b"a\0",
        };
        let empty = Input {
            salt: &[0x14, 0x4b, 0x3d, 0x69, 0x1a, 0x7b, 0x4e, 0xcf, 0x39, 0xcf, 0x73, 0x5c, 0x7f, 0xa7, 0xa7, 0x9c],
            key: b"\0",
        };
        let outputs = together(Cost::new(6).unwrap(), &[a, empty]);
        assert_eq!(outputs[0][..8], [0xe6, 0xd5, 0x38, 0x31, 0xf8, 0x20, 0x60, 0xdc]);
        assert_eq!(outputs[1][..8], [0x55, 0x7e, 0x94, 0xf3, 0x4b, 0xf2, 0x86, 0xe8]);
        let alphabet = Input {
            salt: &[0x71, 0x5b, 0x96, 0xca, 0xed, 0x2a, 0xc9, 0x2c, 0x35, 0x4e, 0xd1, 0x6c, 0x1e, 0x19, 0xe3, 0x8a],
            key: b"abcdefghijklmnopqrstuvwxyz\0",
        };
        let outputs = together(Cost::new(8).unwrap(), &[alphabet; 7]);
        assert_eq!(outputs.len(), 7);
        assert!(outputs.iter().all(|output| output[..8] == [0x98, 0xbf, 0x9f, 0xfc, 0x1f, 0x5b, 0xe4, 0x85]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn any_keys_give_what_the_crate_gives(
            cost in 4_u32..=6,
            lanes: [([u8; 16], Vec<u8>); 6],
        ) {
            let inputs = lanes.each_ref().map(|(salt, key)| Input { salt, key });
            assert_like_the_crate(cost, &inputs);
        }
    }
}
