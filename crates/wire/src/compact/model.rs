//! Models: the probabilities that both ends must share.

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;

use super::{
    layout::{CONTEXTS, LAYOUT, SCALE, SCALE_BITS, SHARES},
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
    tables: Arc<Tables>,
}

/// For each symbol where its part of [`SCALE`] starts, times 2^16, and its size.
pub(super) type Parts = [u32; SHARES];
/// For each context and each 2^[`HINT_BITS`] slots of [`SCALE`] the symbol in whose part the first of them is.
pub(super) type Hints = [[u8; HINTS]; CONTEXTS];
/// See [`Hints`].
pub(super) const HINT_BITS: u32 = 8;
const HINTS: usize = 1 << (SCALE_BITS - HINT_BITS);

struct Tables {
    parts: Parts,
    hints: Hints,
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
        let mut tables = Box::new(Tables { parts: [0; SHARES], hints: [[0; HINTS]; CONTEXTS] });
        let (mut at, mut met) = (0, 0);
        for &(_, contexts, symbols) in LAYOUT {
            for _ in 0..contexts {
                let parts = &mut tables.parts[at..at + symbols];
                set_parts(&bytes[1 + at..1 + at + symbols], parts);
                for (slots, hint) in tables.hints[met].iter_mut().enumerate() {
                    let is_before = |&&part: &&u32| (part >> 16) as usize <= slots << HINT_BITS;
                    *hint = (parts.iter().take_while(is_before).count() - 1) as u8;
                }
                at += symbols;
                met += 1;
            }
        }
        Ok(Self { id: ModelId(oddswire_model::hash32(&bytes)), bytes, tables: tables.into() })
    }

    /// Its name.
    pub fn id(&self) -> ModelId {
        self.id
    }

    /// Its bytes, for a receiver who lacks it.
    pub fn bytes(&self) -> Bytes {
        self.bytes.clone()
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.tables.parts
    }

    pub(super) fn hints(&self) -> &Hints {
        &self.tables.hints
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
fn set_parts(codes: &[u8], parts: &mut [u32]) {
    let sum: u64 = codes.iter().map(|&code| weight(code)).sum();
    let room = u64::from(SCALE) - codes.len() as u64;
    for (part, &code) in parts.iter_mut().zip(codes) {
        *part = (1 + weight(code) * room / sum) as u32;
    }
    let rest = SCALE - parts.iter().sum::<u32>();
    let mut greatest = 0;
    for (at, &code) in codes.iter().enumerate() {
        if code > codes[greatest] {
            greatest = at;
        }
    }
    parts[greatest] += rest;
    let mut start = 0;
    for part in parts {
        let size = *part;
        *part |= start << 16;
        start += size;
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
                    for _ in 0..symbols {
                        let share = f64::from(model.parts()[at] & 0xffff) / f64::from(SCALE);
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
                let mut end = 0;
                for part in &model.parts()[at..at + symbols] {
                    assert!(part >> 16 == end && part & 0xffff > 0, "{name}");
                    end += part & 0xffff;
                }
                assert_eq!(end, SCALE, "{name}");
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
        let mut parts = [0; 3];
        set_parts(&[5, 5, 5], &mut parts);
        assert_eq!(parts, [1366, 1366 << 16 | 1365, 2731 << 16 | 1365]);
    }
}
