//! Models: the probabilities that both ends must share.

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;

use super::{
    layout::{LAYOUT, SCALE, SHARES, Table},
    trainer,
};

/// First byte of a model: the layout of its tables.
const LAYOUT_VERSION: u8 = 2;
/// Codes are below this; a code takes six bits.
pub(super) const CODES: u8 = 64;
/// Length of a model's bytes.
const MODEL_BYTES: usize = 1 + SHARES;

/// Names a model by what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ModelId(pub u32);

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// Why bytes are no model. The bytes are at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// Of a later version of this software, or no model at all.
    #[error("the model has layout {0}; this version reads layout {LAYOUT_VERSION}")]
    Layout(u8),
    /// Cut, or too long.
    #[error("a model takes {MODEL_BYTES} bytes, not {0}")]
    Length(usize),
    /// A share beyond what six bits can say.
    #[error("byte {0} of the model is above 63")]
    Code(usize),
}

/// Static probabilities for every decision of the compact encoding, trained on recorded markets.
///
/// In its bytes every share is a code of six bits on a logarithmic scale, so that a model is small and both ends
/// work out the same probabilities without fractions: docs/protocol.md, clause [COMPACT-3].
#[derive(Clone)]
pub struct Model {
    id: ModelId,
    bytes: Bytes,
    /// Where each symbol's part of [`SCALE`] ends.
    ends: Arc<[u16; SHARES]>,
}

impl Model {
    /// The model that comes with this version.
    pub fn shipped() -> Self {
        static SHIPPED: LazyLock<Model> = LazyLock::new(|| {
            Model::from_bytes(Bytes::from_static(include_bytes!("shipped.model")))
                .expect("the shipped model is checked by a test")
        });
        SHIPPED.clone()
    }

    /// Reads a model.
    ///
    /// # Errors
    /// When the bytes are none.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, ModelError> {
        match bytes.first() {
            Some(&LAYOUT_VERSION) => {}
            other => return Err(ModelError::Layout(other.copied().unwrap_or(0))),
        }
        if bytes.len() != MODEL_BYTES {
            return Err(ModelError::Length(bytes.len()));
        }
        if let Some(at) = bytes[1..].iter().position(|&code| code >= CODES) {
            return Err(ModelError::Code(at + 1));
        }
        let mut ends = Vec::with_capacity(SHARES);
        for &(_, contexts, symbols) in LAYOUT {
            for _ in 0..contexts {
                let at = 1 + ends.len();
                push_ends(&bytes[at..at + symbols], &mut ends);
            }
        }
        let ends: Box<[u16; SHARES]> =
            ends.into_boxed_slice().try_into().unwrap_or_else(|_| unreachable!("the layout fills it"));
        Ok(Self { id: ModelId(oddswire_model::hash32(&bytes)), bytes, ends: ends.into() })
    }

    /// Its name.
    pub fn id(&self) -> ModelId {
        self.id
    }

    /// Its bytes, for a receiver who lacks it.
    pub fn bytes(&self) -> Bytes {
        self.bytes.clone()
    }

    /// Where the symbols' parts end in a context of a table.
    #[inline]
    pub(crate) fn ends<const N: usize>(&self, table: Table<N>, context: usize) -> &[u16; N] {
        debug_assert!(context < table.contexts, "context {context} of {}", table.contexts);
        let at = table.at + context * N;
        self.ends[at..].first_chunk().expect("contexts are within their table")
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Model({})", self.id)
    }
}

/// Weight of a code: four steps per factor of two.
pub(super) fn weight(code: u8) -> u64 {
    (4 + u64::from(code & 3)) << (code >> 2)
}

/// Turns a context's codes into parts of [`SCALE`]: every part is at least one, and what rounding leaves over or takes
/// too much goes to the greatest, the first of them if there are several.
fn push_ends(codes: &[u8], ends: &mut Vec<u16>) {
    let sum: u64 = codes.iter().map(|&code| weight(code)).sum();
    let room = u64::from(SCALE) - codes.len() as u64;
    let parts: Vec<u64> = codes.iter().map(|&code| 1 + weight(code) * room / sum).collect();
    let rest = u64::from(SCALE) - parts.iter().sum::<u64>();
    let mut greatest = 0;
    for (at, &code) in codes.iter().enumerate() {
        if code > codes[greatest] {
            greatest = at;
        }
    }
    let mut end = 0;
    for (at, part) in parts.iter().enumerate() {
        end += part + if at == greatest { rest } else { 0 };
        ends.push(end as u16);
    }
}

/// How often each symbol was seen: what a model is made from.
#[derive(Debug, Clone)]
pub struct Counts {
    counts: Vec<f64>,
    /// Raw bits that followed a symbol, by the symbol's table.
    raw_bits: Vec<f64>,
}

impl Default for Counts {
    fn default() -> Self {
        Self { counts: vec![0.0; SHARES], raw_bits: vec![0.0; LAYOUT.len()] }
    }
}

/// What the symbols of one table cost.
#[derive(Debug, Clone, Copy)]
pub struct TableCost {
    /// The table's name.
    pub table: &'static str,
    /// How many symbols were coded.
    pub symbols: f64,
    /// Bits that they take.
    pub bits: f64,
    /// Raw bits that follow them.
    pub raw_bits: f64,
}

impl Counts {
    /// Notes the symbol whose share stands at `at`, and the raw bits that followed it.
    pub(crate) fn note(&mut self, at: usize, raw_bits: u32) {
        self.counts[at] += 1.0;
        if raw_bits > 0 {
            let mut end = 0;
            let table = LAYOUT.iter().position(|&(_, contexts, symbols)| {
                end += contexts * symbols;
                at < end
            });
            if let Some(table) = table {
                self.raw_bits[table] += f64::from(raw_bits);
            }
        }
    }

    /// Adds other counts, each times a weight.
    pub fn add(&mut self, other: &Self, weight: f64) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more * weight;
        }
        for (bits, more) in self.raw_bits.iter_mut().zip(&other.raw_bits) {
            *bits += more * weight;
        }
    }

    /// All symbols counted.
    pub fn total(&self) -> f64 {
        self.counts.iter().sum()
    }

    /// What was counted costs with a model, table by table.
    pub fn costs(&self, model: &Model) -> Vec<TableCost> {
        let mut at = 0;
        let tables = LAYOUT.iter().zip(&self.raw_bits);
        tables
            .map(|(&(table, contexts, symbols), &raw_bits)| {
                let mut cost = TableCost { table, symbols: 0.0, bits: 0.0, raw_bits };
                for _ in 0..contexts {
                    let mut start = 0;
                    for _ in 0..symbols {
                        let share = f64::from(model.ends[at] - start) / f64::from(SCALE);
                        start = model.ends[at];
                        cost.symbols += self.counts[at];
                        cost.bits -= self.counts[at] * share.log2();
                        at += 1;
                    }
                }
                cost
            })
            .collect()
    }

    /// A model that costs what was counted few bits and takes little room. Symbols never seen keep a small share.
    pub fn model(&self) -> Model {
        let mut bytes = vec![LAYOUT_VERSION];
        bytes.extend(trainer::codes(&self.counts));
        Model::from_bytes(bytes.into()).expect("a model is made in its own layout")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_model_is_one_and_its_parts_fill_the_scale() {
        let model = Model::shipped();
        let mut at = 0;
        for &(name, contexts, symbols) in LAYOUT {
            for _ in 0..contexts {
                let ends = &model.ends[at..at + symbols];
                assert!(ends[0] > 0 && ends.is_sorted_by(|a, b| a < b), "{name}");
                assert_eq!(u32::from(ends[symbols - 1]), SCALE, "{name}");
                at += symbols;
            }
        }
    }

    #[test]
    fn bytes_that_are_no_model_are_refused() {
        let good = Model::shipped().bytes();
        assert_eq!(Model::from_bytes(good.clone()).unwrap().id(), Model::shipped().id());
        assert_eq!(Model::from_bytes(Bytes::new()).unwrap_err(), ModelError::Layout(0));
        assert_eq!(Model::from_bytes(good.slice(..9)).unwrap_err(), ModelError::Length(9));
        let mut wrong = good.to_vec();
        wrong[7] = 64;
        assert_eq!(Model::from_bytes(wrong.into()).unwrap_err(), ModelError::Code(7));
    }

    #[test]
    fn parts_of_equal_codes_are_equal_but_for_the_first() {
        let mut ends = Vec::new();
        push_ends(&[5, 5, 5], &mut ends);
        assert_eq!(ends, [1366, 2731, 4096]);
    }
}
