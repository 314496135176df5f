//! Digests: proof that both ends hold the same cells.
//!
//! A digest is the sum, over all cells of a market in a view, of a 64-bit hash of (selection, field, price, value).
//! A sum does not depend on order and can be kept up to date cell by cell: subtract the old cell, add the new one.
//! It guards against defects and lost frames, not against an adversary.
//!
//! The hash is two independent 32-bit lanes of MurmurHash3 (x86, 32 bit; A. Appleby, public domain) with different
//! seeds, so that languages without 64-bit integers compute it with 32-bit multiplications alone.

use crate::{AttributeValue, CellKey, SelectionKey, SelectionNumber};

/// Sum of the hashes of a market's cells in a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Digest {
    high: u32,
    low: u32,
}

/// Field code that stands for a selection's identity.
const IDENTITY: u32 = 0xfe;
/// Field code that stands for an attribute.
const ATTRIBUTE: u32 = 0xff;
/// Seeds of the two lanes: "odds" and "wire" in ASCII.
const SEEDS: [u32; 2] = [0x6f64_6473, 0x7769_7265];

impl Digest {
    /// The digest as one number, as it travels.
    pub fn to_u64(self) -> u64 {
        u64::from(self.high) << 32 | u64::from(self.low)
    }

    /// Back from a number.
    pub fn from_u64(value: u64) -> Self {
        Self { high: (value >> 32) as u32, low: value as u32 }
    }

    /// Adds a cell; a cell of value 0 does not exist and adds nothing.
    pub fn add_cell(&mut self, key: CellKey, value: u64) {
        if value != 0 {
            self.add(hash_cell(key, value));
        }
    }

    /// Takes a cell out again.
    pub fn remove_cell(&mut self, key: CellKey, value: u64) {
        if value != 0 {
            self.remove(hash_cell(key, value));
        }
    }

    pub(crate) fn add_selection(&mut self, number: SelectionNumber, key: SelectionKey) {
        let id = key.id.0;
        self.add(hash(&[
            u32::from(number.0) << 8 | IDENTITY,
            key.handicap.0 as u32,
            id as u32,
            (id >> 32) as u32,
        ]));
    }

    pub(crate) fn add_attribute(&mut self, owner: SelectionNumber, name: &str, value: &AttributeValue) {
        self.add(hash_attribute(owner, name, value));
    }

    pub(crate) fn remove_attribute(&mut self, owner: SelectionNumber, name: &str, value: &AttributeValue) {
        self.remove(hash_attribute(owner, name, value));
    }

    fn add(&mut self, [high, low]: [u32; 2]) {
        self.high = self.high.wrapping_add(high);
        self.low = self.low.wrapping_add(low);
    }

    fn remove(&mut self, [high, low]: [u32; 2]) {
        self.high = self.high.wrapping_sub(high);
        self.low = self.low.wrapping_sub(low);
    }
}

fn hash_cell(key: CellKey, value: u64) -> [u32; 2] {
    hash(&[
        u32::from(key.selection.0) << 8 | key.field as u32,
        key.price.0,
        value as u32,
        (value >> 32) as u32,
    ])
}

/// Words: owner and code, length in bytes, then name, a zero, a letter for the type and the value as text, padded with zeros.
fn hash_attribute(owner: SelectionNumber, name: &str, value: &AttributeValue) -> [u32; 2] {
    let mut text = Vec::with_capacity(name.len() + 2 + value.size_bytes().max(20));
    text.extend_from_slice(name.as_bytes());
    text.push(0);
    match value {
        AttributeValue::Text(value) => {
            text.push(b't');
            text.extend_from_slice(value.as_bytes());
        }
        AttributeValue::Integer(value) => {
            text.push(b'i');
            text.extend_from_slice(value.to_string().as_bytes());
        }
        AttributeValue::Boolean(value) => text.extend_from_slice(if *value { b"b1" } else { b"b0" }),
        AttributeValue::Json(value) => {
            text.push(b'j');
            text.extend_from_slice(value.as_bytes());
        }
    }
    let mut words = Vec::with_capacity(2 + text.len().div_ceil(4));
    words.push(u32::from(owner.0) << 8 | ATTRIBUTE);
    words.push(text.len() as u32);
    words.extend(text.chunks(4).map(|chunk| {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        u32::from_le_bytes(word)
    }));
    hash(&words)
}

fn hash(words: &[u32]) -> [u32; 2] {
    SEEDS.map(|seed| murmur3(seed, words))
}

/// A hash of bytes, to name them by: MurmurHash3 (x86, 32 bits) with seed 0 over little-endian words, the last one
/// filled up with zeros.
pub fn hash32(bytes: &[u8]) -> u32 {
    let words = bytes.chunks(4).map(|chunk| {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        u32::from_le_bytes(word)
    });
    murmur3(0, &words.collect::<Vec<_>>())
}

fn murmur3(seed: u32, words: &[u32]) -> u32 {
    let mut hash = seed;
    for &word in words {
        hash ^= word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
        hash = hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    hash ^= (words.len() as u32) << 2;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Field, Price};

    #[test]
    fn the_hash_is_murmur3_as_published() {
        // Reference values of MurmurHash3_x86_32: empty input with seeds 0 and 1, and "test" with seed 0x9747b28c.
        assert_eq!(murmur3(0, &[]), 0);
        assert_eq!(murmur3(1, &[]), 0x514e_28b7);
        assert_eq!(murmur3(0x9747_b28c, &[u32::from_le_bytes(*b"test")]), 0x704b_81dc);
    }

    #[test]
    fn what_is_added_can_be_taken_out_in_any_order() {
        let key = |price| CellKey::rung(SelectionNumber(3), Field::Back, Price(price));
        let mut digest = Digest::default();
        digest.add_cell(key(100), 7);
        digest.add_cell(key(200), 8);
        digest.remove_cell(key(100), 7);
        let mut other = Digest::default();
        other.add_cell(key(200), 8);
        assert_eq!(digest, other);
        assert_eq!(Digest::from_u64(digest.to_u64()), digest);
    }
}
