//! Models and the coder, written here a second time from the clauses alone, tables included: they are read from the page.

use std::{fs, path::Path};

use bytes::Bytes;
use oddswire_wire::compact::Model;
use serde_json::{Value, json};

use super::Case;

/// Parts of a context together.
const SCALE: u64 = 4096;
/// A tiny table for the cases that are about the coder alone: three contexts.
const TABLES: [&[u32]; 3] = [&[4095, 4096], &[1, 2, 4096], &[1366, 2731, 4096]];

pub(crate) fn cases() -> Vec<Case> {
    let shipped = Model::shipped();
    let mut cases = vec![model(
        "shipped",
        "The shipped model. Its bytes are a file of the source; what `ends` says of the first context of every table.",
        shipped.bytes(),
    )];
    for (name, about, bytes) in [
        ("cut", "A model that is a byte short.", shipped.bytes().slice(..shipped.bytes().len() - 1)),
        ("later-layout", "The first byte names a layout of a later version.", {
            let mut bytes = shipped.bytes().to_vec();
            bytes[0] = 3;
            bytes.into()
        }),
        ("code-too-large", "Code 64.", {
            let mut bytes = shipped.bytes().to_vec();
            bytes[9] = 64;
            bytes.into()
        }),
    ] {
        cases.push(model(name, about, bytes));
    }
    cases.push(codes());

    let all: Vec<Read> = vec![
        Read::Symbol(0, 0),
        Read::Bits(2, 3),
        Read::Symbol(1, 2),
        Read::Symbol(1, 0),
        Read::Bits(12, 4095),
        Read::Symbol(2, 1),
        Read::Bits(30, 0x2345_6789),
        Read::Symbol(0, 1),
        Read::Bits(53, (1 << 53) - 2),
        Read::Symbol(2, 2),
        Read::Symbol(2, 0),
        Read::Bits(6, 33),
    ];
    cases.push(coder(
        "coder/symbols",
        "Symbols of three contexts, likely and unlikely ones, between raw bits.",
        &all,
    ));
    cases.push(coder(
        "coder/nothing",
        "Symbols 0 and raw zeros at the end cost nothing: no bytes at all.",
        &[Read::Symbol(1, 0), Read::Symbol(0, 0), Read::Bits(5, 0)],
    ));
    cases.push(coder(
        "coder/renormalized",
        "More than the state holds: bytes that did not fit stand behind it.",
        &(0..40).map(|at| Read::Symbol(2, at % 3)).collect::<Vec<_>>(),
    ));
    let (_, bytes) = written(&all);
    for (name, about, bytes) in [
        ("coder-bytes-left", "A byte more than the symbols take.", [&bytes[..], &[1]].concat()),
        ("coder-state-left", "The first byte is a greater one: the state does not end at 0.", {
            let mut bytes = bytes.clone();
            bytes[0] += 1;
            bytes
        }),
        (
            "coder-cut",
            "A byte is missing. Reading goes on with what is there; the end tells.",
            bytes[1..].to_vec(),
        ),
    ] {
        let input = coder_input(about, &all);
        let case = Case::played(&format!("invalid/{name}"), input, vec![("coded".to_owned(), bytes.into())]);
        assert_eq!(case.expected["error"], "CODER", "{name}");
        cases.push(case);
    }
    cases
}

/// The bytes of a model, from a file of the source or from a line.
fn model(name: &str, about: &str, bytes: Bytes) -> Case {
    let mut input = json!({ "about": about, "clauses": ["COMPACT-3", "COMPACT-4"], "kind": "model" });
    let mut frames = Vec::new();
    if bytes == Model::shipped().bytes() {
        input["file"] = SHIPPED_FILE.into();
    } else {
        frames.push(("the model".to_owned(), bytes.clone()));
    }
    let area = if name == "shipped" { "model/shipped".to_owned() } else { format!("invalid/model-{name}") };
    let case = Case::played(&area, input, frames);
    assert_eq!(case.expected.get("error").is_some(), Model::from_bytes(bytes).is_err(), "{name}");
    case
}

/// Where the shipped model stands, from the root of the repository.
const SHIPPED_FILE: &str = "crates/wire/src/compact/shipped.model";

/// How codes become parts, context by context.
fn codes() -> Case {
    let contexts = json!([
        [5, 5, 5],
        [0, 0],
        [63, 0],
        [0, 63],
        [0, 1, 2, 3, 4, 5, 6, 7],
        [63, 63, 0, 62],
        [40, 10, 40, 10, 63, 1, 33, 34, 35, 36, 20, 19, 18, 17, 16, 0],
    ]);
    let input = json!({
        "about": "Codes of some contexts, and where the parts of their symbols end.",
        "clauses": ["COMPACT-3"], "kind": "codes", "contexts": contexts,
    });
    Case::played("model/codes", input, Vec::new())
}

pub(super) fn play_codes(input: &Value) -> Value {
    let contexts = input["contexts"].as_array().expect("contexts").iter();
    let ends = contexts.map(|codes| {
        let codes: Vec<u8> = codes
            .as_array()
            .expect("codes")
            .iter()
            .map(|code| code.as_u64().expect("a code") as u8)
            .collect();
        json!(ends_of(&codes))
    });
    json!({ "ends": ends.collect::<Vec<_>>() })
}

pub(super) fn play_model(input: &Value, frames: &[Bytes]) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let bytes = match input["file"].as_str() {
        Some(file) => fs::read(root.join(file)).expect("the model's file").into(),
        None => frames[0].clone(),
    };
    let Some(ends) = ends_of_model(&bytes) else {
        assert!(Model::from_bytes(bytes).is_err());
        return json!({ "error": "MODEL" });
    };
    let id = Model::from_bytes(bytes.clone()).expect("a model").id().0;
    assert_eq!(id, oddswire_model::hash32(&bytes));
    let (mut at, mut first) = (0, serde_json::Map::new());
    for (name, contexts, symbols) in tables() {
        first.insert(name, json!(ends[at..at + symbols]));
        at += contexts * symbols;
    }
    json!({ "id": format!("{id:08x}"), "ends": first })
}

/// Name, contexts and symbols of every table, as docs/protocol.md lists them.
fn tables() -> Vec<(String, usize, usize)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/protocol.md");
    let text = fs::read_to_string(path).expect("the protocol");
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        let name = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
        let (contexts, symbols) = cells.next()?.split_once(" x ")?;
        Some((name.to_owned(), contexts.parse().ok()?, symbols.parse().ok()?))
    });
    rows.collect()
}

/// Where the parts of all symbols of a model end, table by table; `None` when the bytes are no model.
pub(super) fn ends_of_model(bytes: &[u8]) -> Option<Vec<u32>> {
    let tables = tables();
    let shares: usize = tables.iter().map(|(_, contexts, symbols)| contexts * symbols).sum();
    if bytes.first() != Some(&2) || bytes.len() != 1 + shares || bytes[1..].iter().any(|&code| code > 63) {
        return None;
    }
    let (mut ends, mut rest) = (Vec::new(), &bytes[1..]);
    for (_, contexts, symbols) in tables {
        for _ in 0..contexts {
            let (codes, behind) = rest.split_at(symbols);
            ends.extend(ends_of(codes));
            rest = behind;
        }
    }
    Some(ends)
}

fn ends_of(codes: &[u8]) -> Vec<u32> {
    let weight = |code: u8| (4 + u64::from(code % 4)) * 2u64.pow(u32::from(code / 4));
    let sum: u64 = codes.iter().map(|&code| weight(code)).sum();
    let mut parts: Vec<u64> =
        codes.iter().map(|&code| 1 + weight(code) * (SCALE - codes.len() as u64) / sum).collect();
    let greatest = codes.iter().max().expect("a context has symbols");
    let at = codes.iter().position(|code| code == greatest).expect("it is one of them");
    parts[at] += SCALE - parts.iter().sum::<u64>();
    parts
        .iter()
        .scan(0, |end, part| {
            *end += *part as u32;
            Some(*end)
        })
        .collect()
}

/// Something that is read: a symbol of a table, or raw bits; and what it is.
#[derive(Clone, Copy)]
enum Read {
    Symbol(usize, usize),
    Bits(u32, u64),
}

fn coder(path: &str, about: &str, reads: &[Read]) -> Case {
    let (values, bytes) = written(reads);
    let case = Case::played(path, coder_input(about, reads), vec![("coded".to_owned(), bytes.into())]);
    assert_eq!(case.expected, json!({ "values": values }), "{path}");
    case
}

fn coder_input(about: &str, reads: &[Read]) -> Value {
    let reads = reads.iter().map(|read| match read {
        Read::Symbol(table, _) => json!({ "ends": TABLES[*table] }),
        Read::Bits(bits, _) => json!({ "bits": bits }),
    });
    json!({ "about": about, "clauses": ["COMPACT-5"], "kind": "coder", "reads": reads.collect::<Vec<_>>() })
}

/// Codes the last one first, with a state that begins at 0.
fn written(reads: &[Read]) -> (Vec<String>, Vec<u8>) {
    let (mut state, mut reversed) = (0u64, Vec::new());
    let mut step = |start: u64, part: u64, bits: u32| {
        while state >= part << (31 - bits) {
            reversed.push(state as u8);
            state >>= 8;
        }
        state = ((state / part) << bits) + start + state % part;
    };
    for read in reads.iter().rev() {
        match *read {
            Read::Symbol(table, symbol) => {
                let ends = TABLES[table];
                let start = if symbol == 0 { 0 } else { u64::from(ends[symbol - 1]) };
                step(start, u64::from(ends[symbol]) - start, 12);
            }
            // The lowest twelve bits are read last, so they are written first; the first group is what is left over.
            Read::Bits(bits, value) => {
                let first = if bits > 12 { 12 } else { bits };
                let mut groups = vec![(first, bits - first)];
                while let Some(&(_, below)) = groups.last().filter(|group| group.1 > 0) {
                    let some = below.min(12);
                    groups.push((some, below - some));
                }
                for (some, below) in groups.into_iter().rev() {
                    step(value >> below & ((1 << some) - 1), 1, some);
                }
            }
        }
    }
    let mut bytes: Vec<u8> = state.to_be_bytes().into_iter().skip_while(|&byte| byte == 0).collect();
    bytes.extend(reversed.iter().rev());
    let values = reads.iter().map(|read| match read {
        Read::Symbol(_, symbol) => symbol.to_string(),
        Read::Bits(_, value) => value.to_string(),
    });
    (values.collect(), bytes)
}

pub(super) fn play_coder(input: &Value, bytes: &[u8]) -> Value {
    let mut reader = Reader::new(bytes);
    let reads = input["reads"].as_array().expect("reads").iter();
    let values: Vec<String> = reads
        .map(|read| match read["ends"].as_array() {
            Some(ends) => {
                let ends: Vec<u32> = ends.iter().map(|end| end.as_u64().expect("an end") as u32).collect();
                reader.symbol(&ends).to_string()
            }
            None => reader.raw(read["bits"].as_u64().expect("a number of bits") as u32).to_string(),
        })
        .collect();
    if reader.is_at_end() {
        json!({ "values": values })
    } else {
        json!({ "values": values, "error": "CODER" })
    }
}

/// Reads symbols as [COMPACT-5] says.
pub(super) struct Reader<'a> {
    state: u64,
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut reader = Self { state: 0, bytes };
        reader.fill();
        reader
    }

    fn fill(&mut self) {
        while self.state < 1 << 23 && !self.bytes.is_empty() {
            self.state = self.state * 256 + u64::from(self.bytes[0]);
            self.bytes = &self.bytes[1..];
        }
    }

    pub(super) fn symbol(&mut self, ends: &[u32]) -> usize {
        let slot = (self.state % SCALE) as u32;
        let symbol = ends.iter().position(|&end| slot < end).expect("the last end is 4096");
        let start = if symbol == 0 { 0 } else { ends[symbol - 1] };
        self.state = u64::from(ends[symbol] - start) * (self.state / SCALE) + u64::from(slot - start);
        self.fill();
        symbol
    }

    pub(super) fn raw(&mut self, mut bits: u32) -> u64 {
        let mut value = 0;
        while bits > 0 {
            let some = bits.min(12);
            value = (value << some) | (self.state % (1 << some));
            self.state >>= some;
            self.fill();
            bits -= some;
        }
        value
    }

    fn is_at_end(&self) -> bool {
        self.state == 0 && self.bytes.is_empty()
    }
}

/// Where in the ends of a model a context of a table begins, and how many symbols it has.
pub(super) fn context(table: &str, context: usize) -> std::ops::Range<usize> {
    let mut at = 0;
    for (name, contexts, symbols) in tables() {
        if name == table {
            let start = at + context * symbols;
            return start..start + symbols;
        }
        at += contexts * symbols;
    }
    panic!("the protocol lists no table {table}")
}

/// The head of a lead, read with nothing but the clauses: step is one, sequence, whether the market is the only one.
pub(super) fn lead_starts(bytes: &[u8]) -> (bool, u64) {
    let ends = ends_of_model(&Model::shipped().bytes()).expect("the shipped model is one");
    let mut reader = Reader::new(bytes);
    let is_one = reader.symbol(&ends[context("ONE_STEP", 0)]) == 1;
    (is_one, if is_one { reader.raw(2) } else { 0 })
}

/// Bytes of a model whose shares differ from the shipped one's.
pub(super) fn another_model() -> Bytes {
    let mut bytes = Model::shipped().bytes().to_vec();
    for code in &mut bytes[1..] {
        *code = (*code).saturating_sub(*code % 3);
    }
    bytes.into()
}
