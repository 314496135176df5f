//! Definitions of many markets, compressed together: they repeat each other more than anything else on the wire.
//!
//! zstd (RFC 8878) with a dictionary that both ends have. docs/protocol.md, clauses [ZSTD-1] to [ZSTD-3].

use std::{cell::RefCell, collections::VecDeque, sync::LazyLock};

use bytes::Bytes;
use zstd::bulk::{Compressor, Decompressor};

use crate::{
    frame::FrameError,
    limits::FRAME_BYTES_MAX,
    varint::{self, Reader},
};

/// Compression level: the next ones take several times longer for a few percent.
const LEVEL: i32 = 6;
/// Definitions that are shorter together are sent as they are: a single update is smaller without a zstd frame.
const DEFINITIONS_MIN: usize = 256;
/// Key of `ServerFrame.definitions`.
const DEFINITIONS_KEY: u64 = 9 << 3 | 2;
/// Key of `ServerFrame.compressed`, two bytes.
const COMPRESSED_KEY: u64 = 23 << 3 | 2;

/// Frames whose definitions are remembered together with what they were compressed to.
const REMEMBERED: usize = 16;
/// Longer definitions of one frame are not remembered: 16 x 128 KiB are 2 MiB, and as much again compressed at worst.
const REMEMBERED_BYTES_MAX: usize = 128 * 1024;

/// Words that definitions of betting markets are made of: what is most frequent stands last, where it is nearest.
const DICTIONARY: &[u8] = include_bytes!("definitions.dictionary");

/// Name of the dictionary: a hash of what is in it.
pub static DICTIONARY_ID: LazyLock<u32> = LazyLock::new(|| oddswire_model::hash32(DICTIONARY));

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> =
        RefCell::new(Compressor::with_dictionary(LEVEL, DICTIONARY).ok());
    /// Definitions change rarely, and everybody who comes needs them: compressing them takes a hundred times longer than
    /// finding them here.
    static COMPRESSED: RefCell<VecDeque<(Vec<u8>, Option<Bytes>)>> = const { RefCell::new(VecDeque::new()) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> =
        RefCell::new(Decompressor::with_dictionary(DICTIONARY).ok());
}

/// The fields of a frame with its definitions compressed, or as they are when that is not shorter.
///
/// Only for receivers whose hello names the dictionary [`static@DICTIONARY_ID`].
pub fn compress_definitions(frame: Bytes) -> Bytes {
    let (mut definitions, mut others) = (Vec::new(), Vec::new());
    let mut reader = Reader::new(&frame);
    while !reader.is_empty() {
        let rest = reader.rest();
        let Some(key) = skip(&mut reader) else { return frame };
        let field = &rest[..rest.len() - reader.rest().len()];
        if key == DEFINITIONS_KEY { &mut definitions } else { &mut others }.extend_from_slice(field);
    }
    if definitions.len() < DEFINITIONS_MIN {
        return frame;
    }
    let Some(compressed) = compress(definitions) else { return frame };
    let mut out = Vec::with_capacity(others.len() + compressed.len() + 8);
    varint::write(&mut out, COMPRESSED_KEY);
    varint::write(&mut out, compressed.len() as u64);
    out.extend_from_slice(&compressed);
    out.extend_from_slice(&others);
    out.into()
}

/// Compresses definitions, unless that makes them no shorter.
fn compress(definitions: Vec<u8>) -> Option<Bytes> {
    COMPRESSED.with_borrow_mut(|remembered| {
        if let Some((_, compressed)) = remembered.iter().find(|(known, _)| *known == definitions) {
            return compressed.clone();
        }
        let compressed =
            COMPRESSOR.with_borrow_mut(|compressor| compressor.as_mut()?.compress(&definitions).ok());
        let compressed = compressed.filter(|compressed| compressed.len() + 8 < definitions.len());
        let compressed = compressed.map(Bytes::from);
        if definitions.len() <= REMEMBERED_BYTES_MAX {
            remembered.truncate(REMEMBERED - 1);
            remembered.push_front((definitions, compressed.clone()));
        }
        compressed
    })
}

/// Passes over a field; its key.
fn skip(reader: &mut Reader<'_>) -> Option<u64> {
    let key = reader.read().ok()?;
    match key & 7 {
        0 => {
            reader.read().ok()?;
        }
        // Eight bytes and four, which may be a lead's.
        1 | 5 => {
            let rest = reader.rest().get(if key & 7 == 1 { 8 } else { 4 }..)?;
            *reader = Reader::new(rest);
        }
        2 => {
            let length = usize::try_from(reader.read().ok()?).ok()?;
            let rest = reader.rest().get(length..)?;
            *reader = Reader::new(rest);
        }
        _ => return None,
    }
    Some(key)
}

/// The fields that were compressed. Memory is bounded by [`FRAME_BYTES_MAX`].
pub(crate) fn decompress(compressed: &[u8]) -> Result<Vec<u8>, FrameError> {
    let whole = DECOMPRESSOR
        .with_borrow_mut(|decompressor| decompressor.as_mut()?.decompress(compressed, FRAME_BYTES_MAX).ok());
    whole.ok_or_else(|| {
        FrameError::Malformed(
            "compressed fields are damaged, too long, or need another dictionary".to_owned(),
        )
    })
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::{FrameBuilder, decode_frame, proto};

    fn frame(markets: u32) -> proto::ServerFrame {
        let attribute = |name: &str, text: String| proto::Attribute {
            name: name.to_owned(),
            value: Some(proto::attribute::Value::Text(text)),
            ..Default::default()
        };
        let definitions = (0..markets).map(|market| proto::Definition {
            market,
            id: format!("1.{market}"),
            attributes: vec![
                attribute("venue", "Ayr".to_owned()),
                attribute("title", format!("Race {market}")),
            ],
            ..Default::default()
        });
        proto::ServerFrame { definitions: definitions.collect(), advance: Some(7), ..Default::default() }
    }

    #[test]
    fn many_definitions_get_shorter_and_read_the_same() {
        let whole = frame(50);
        let bytes = Bytes::from(whole.encode_to_vec());
        let short = compress_definitions(bytes.clone());
        assert!(short.len() * 3 < bytes.len(), "{} of {}", short.len(), bytes.len());
        let read = decode_frame(short).unwrap();
        assert_eq!((read.definitions, read.advance), (whole.definitions, whole.advance));
    }

    #[test]
    fn few_definitions_and_other_bytes_stay_as_they_are() {
        let one = Bytes::from(frame(1).encode_to_vec());
        assert_eq!(compress_definitions(one.clone()), one);
        let noise = Bytes::from_static(&[0xff; 300]);
        assert_eq!(compress_definitions(noise.clone()), noise);
    }

    #[test]
    fn damaged_and_bottomless_fields_are_refused() {
        let compressed_frame = |content: &[u8]| {
            let mut frame = FrameBuilder::new();
            let mut field = Vec::new();
            varint::write(&mut field, COMPRESSED_KEY);
            varint::write(&mut field, content.len() as u64);
            field.extend_from_slice(content);
            frame.pieces(&field);
            decode_frame(frame.finish())
        };
        assert!(matches!(compressed_frame(b"no zstd"), Err(FrameError::Malformed(_))));
        let zeros = vec![0; FRAME_BYTES_MAX + 1];
        let bomb = Compressor::with_dictionary(1, DICTIONARY).unwrap().compress(&zeros).unwrap();
        assert!(bomb.len() < 1_000);
        assert!(matches!(compressed_frame(&bomb), Err(FrameError::Malformed(_))));
        // Compressed fields may not hold others.
        let inner = compress_definitions(frame(50).encode_to_vec().into());
        let nested = Compressor::with_dictionary(1, DICTIONARY).unwrap().compress(&inner).unwrap();
        assert!(matches!(compressed_frame(&nested), Err(FrameError::Malformed(_))));
    }
}
