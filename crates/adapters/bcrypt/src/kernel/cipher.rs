//! Blowfish with bcrypt's expensive key schedule, for `N` keys at once, one per lane.
//!
//! Every table lookup depends on the one before it, which leaves most of a core idle. The steps of `N`
//! hashes are independent, so the core can interleave them.

use super::tables::{BOXES, SUBKEYS};
use zeroize::Zeroize;

const ROUNDS: usize = 16;

/// One word per lane.
pub(super) type Words<const N: usize> = [u32; N];

/// One block per lane, as two halves.
#[derive(Clone, Copy)]
pub(super) struct Blocks<const N: usize> {
    pub(super) left: Words<N>,
    pub(super) right: Words<N>,
}

/// State of `N` ciphers, wiped when dropped.
pub(super) struct Ciphers<const N: usize> {
    /// The four tables of a lane are adjacent, so that one register addresses them all.
    boxes: [[[u32; 256]; 4]; N],
    subkeys: [Words<N>; 18],
    /// Always [`ROUNDS`], but not a constant to the compiler. See [`rounds`](Self::rounds).
    rounds: usize,
}

impl<const N: usize> Blocks<N> {
    pub(super) const ZERO: Self = Self { left: [0; N], right: [0; N] };
}

impl<const N: usize> Ciphers<N> {
    /// Creates the state before any key is mixed in.
    pub(super) fn new() -> Self {
        Self { boxes: [BOXES; N], subkeys: SUBKEYS.map(|word| [word; N]), rounds: ROUNDS }
    }

    /// Mixes in keys: `ExpandKey` with a zero salt.
    #[inline(never)]
    pub(super) fn expand(&mut self, keys: &[Words<N>; 18]) {
        self.refill(keys, |_| ());
    }

    /// Mixes in keys and salts: `ExpandKey`.
    pub(super) fn expand_salted(&mut self, keys: &[Words<N>; 18], salts: &[Words<N>; 4]) {
        let mut halves = salts.as_chunks().0.iter().cycle();
        self.refill(keys, |blocks| {
            if let Some([left, right]) = halves.next() {
                xor(&mut blocks.left, left);
                xor(&mut blocks.right, right);
            }
        });
    }

    /// Replaces every word of the state by encrypting with the current state.
    #[inline(always)]
    fn refill(&mut self, keys: &[Words<N>; 18], mut stir: impl FnMut(&mut Blocks<N>)) {
        for (subkey, key) in self.subkeys.iter_mut().zip(keys) {
            xor(subkey, key);
        }
        let mut blocks = Blocks::ZERO;
        for pair in 0..9 {
            stir(&mut blocks);
            self.encrypt(&mut blocks);
            if let Some([left, right]) = self.subkeys.as_chunks_mut().0.get_mut(pair) {
                (*left, *right) = (blocks.left, blocks.right);
            }
        }
        for number in 0..4 {
            for pair in 0..128 {
                stir(&mut blocks);
                self.encrypt(&mut blocks);
                self.store(number, pair, &blocks);
            }
        }
    }

    /// Returns the number of rounds. With a single lane, it is hidden from the compiler, which would
    /// unroll the rounds and move the subkeys onto the critical path. That costs 5 %, as in the crate
    /// `bcrypt`. With more lanes, registers matter more than the critical path, so the rounds may be
    /// unrolled.
    #[inline(always)]
    fn rounds(&self) -> usize {
        if N == 1 { self.rounds } else { ROUNDS }
    }

    #[inline(always)]
    fn store(&mut self, number: usize, pair: usize, blocks: &Blocks<N>) {
        for (boxes, (left, right)) in self.boxes.iter_mut().zip(blocks.left.iter().zip(&blocks.right)) {
            if let Some(words) = boxes.get_mut(number).and_then(|words| words.as_chunks_mut().0.get_mut(pair)) {
                *words = [*left, *right];
            }
        }
    }

    /// Encrypts one block per lane.
    ///
    /// Each round already mixes in the subkey of the next round, so only the table lookups are on the
    /// critical path.
    #[inline(always)]
    pub(super) fn encrypt(&self, blocks: &mut Blocks<N>) {
        let [first, second, rounds @ ..] = &self.subkeys;
        let Blocks { mut left, mut right } = *blocks;
        xor(&mut left, first);
        xor(&mut right, second);
        for subkey in rounds.iter().take(self.rounds()) {
            for (half, (boxes, from)) in right.iter_mut().zip(self.boxes.iter().zip(&left)) {
                *half ^= substitute(boxes, *from);
            }
            xor(&mut left, subkey);
            (left, right) = (right, left);
        }
        *blocks = Blocks { left: right, right: left };
    }
}

impl<const N: usize> Drop for Ciphers<N> {
    fn drop(&mut self) {
        self.boxes.zeroize();
        self.subkeys.zeroize();
    }
}

#[inline(always)]
fn xor<const N: usize>(words: &mut Words<N>, with: &Words<N>) {
    for (word, with) in words.iter_mut().zip(with) {
        *word ^= with;
    }
}

/// The function F of Blowfish: combines one entry of each S-box.
#[inline(always)]
fn substitute([first, second, third, fourth]: &[[u32; 256]; 4], word: u32) -> u32 {
    let [d, c, b, a] = word.to_le_bytes();
    (at(first, a).wrapping_add(at(second, b)) ^ at(third, c)).wrapping_add(at(fourth, d))
}

/// Reads a word. An eight-bit index is always within a table of 256, so the compiler omits the bounds
/// check.
#[inline(always)]
fn at(words: &[u32; 256], index: u8) -> u32 {
    words.get(usize::from(index)).copied().unwrap_or_default()
}
