//! General compressors, as a connection or an archive would use them.

use std::io::{self, Write};

use zlib_rs::{Deflate, DeflateFlush};
use zstd::stream::raw::{Encoder as ZstdEncoder, InBuffer, Operation, OutBuffer};

/// Bytes that a sync flush ends with and that permessage-deflate does not send (RFC 7692, section 7.2.1).
const DEFLATE_TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// Servers deflate at zlib's default level, 6. Level 7 of zlib-rs is the nearest that is not longer: 2 % shorter on the
/// recordings, while its level 6 is 3 % longer.
const DEFLATE_LEVEL: i32 = 7;
/// Largest window, 32 KiB, which every peer offers.
const DEFLATE_WINDOW_BITS: u8 = 15;
/// zstd's default level.
const ZSTD_LEVEL: i32 = 3;
/// Bytes handed to a compressor at a time, so that progress can be told.
const CHUNK_BYTES: usize = 64 * 1024;

/// permessage-deflate at its best: one stream per connection, flushed after every message.
pub(crate) struct PerMessageDeflate {
    stream: Deflate,
    buffer: Vec<u8>,
}

impl Default for PerMessageDeflate {
    fn default() -> Self {
        Self { stream: Deflate::new(DEFLATE_LEVEL, false, DEFLATE_WINDOW_BITS), buffer: vec![0; CHUNK_BYTES] }
    }
}

impl PerMessageDeflate {
    /// Takes a message, which is not empty; returns what is sent for it.
    pub(crate) fn message(&mut self, message: &[u8]) -> &[u8] {
        let (mut taken, mut sent) = (0, 0);
        loop {
            let before = (self.stream.total_in(), self.stream.total_out());
            self.stream
                .compress(&message[taken..], &mut self.buffer[sent..], DeflateFlush::SyncFlush)
                .expect("deflating into memory does not fail");
            taken += (self.stream.total_in() - before.0) as usize;
            sent += (self.stream.total_out() - before.1) as usize;
            // The flush is complete once the compressor leaves room in the buffer.
            if taken == message.len() && sent < self.buffer.len() {
                break;
            }
            self.buffer.resize(2 * self.buffer.len(), 0);
        }
        let end = sent - DEFLATE_TAIL.len();
        debug_assert_eq!(self.buffer[end..sent], DEFLATE_TAIL);
        &self.buffer[..end]
    }
}

impl std::fmt::Debug for PerMessageDeflate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PerMessageDeflate").finish_non_exhaustive()
    }
}

/// One zstd frame per connection, flushed after every message.
pub(crate) struct ZstdStream {
    encoder: ZstdEncoder<'static>,
    buffer: Vec<u8>,
}

impl ZstdStream {
    /// A stream before its first message.
    ///
    /// # Errors
    /// When there is no memory.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { encoder: ZstdEncoder::new(ZSTD_LEVEL)?, buffer: vec![0; CHUNK_BYTES] })
    }

    /// Takes a message; returns how many bytes are sent for it.
    ///
    /// # Errors
    /// When there is no memory.
    pub(crate) fn message(&mut self, message: &[u8]) -> io::Result<u64> {
        let mut sent = 0;
        let mut input = InBuffer::around(message);
        while input.pos() < message.len() {
            let mut output = OutBuffer::around(&mut self.buffer[..]);
            self.encoder.run(&mut input, &mut output)?;
            sent += output.pos() as u64;
        }
        loop {
            let mut output = OutBuffer::around(&mut self.buffer[..]);
            let left = self.encoder.flush(&mut output)?;
            sent += output.pos() as u64;
            if left == 0 {
                return Ok(sent);
            }
        }
    }
}

impl std::fmt::Debug for ZstdStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ZstdStream").finish_non_exhaustive()
    }
}

/// Bytes of a zstd frame of `after` for a receiver who holds `before` ("patch from"), without checksum and sizes.
///
/// # Errors
/// When there is no memory.
pub(crate) fn zstd_patch(before: &[u8], after: &[u8]) -> io::Result<u64> {
    let mut encoder = zstd::Encoder::with_ref_prefix(Count(0), ZSTD_LEVEL, before)?;
    encoder.include_checksum(false)?;
    encoder.include_contentsize(false)?;
    encoder.write_all(after)?;
    Ok(encoder.finish()?.0)
}

/// `bzip2 -9` of a whole file.
///
/// # Errors
/// When there is no memory.
pub(crate) fn bzip2(text: &[u8], tick: &dyn Fn(usize)) -> io::Result<u64> {
    let mut encoder = bzip2::write::BzEncoder::new(Count(0), bzip2::Compression::best());
    write_in_chunks(text, &mut encoder, tick)?;
    Ok(encoder.finish()?.0)
}

/// Bytes that `xz -9` makes of a text; `tick` is told how many went in.
///
/// # Errors
/// When there is no memory: xz -9 takes 674 MiB.
pub fn xz(text: &[u8], tick: &dyn Fn(usize)) -> io::Result<u64> {
    let mut encoder = liblzma::write::XzEncoder::new(Count(0), 9);
    write_in_chunks(text, &mut encoder, tick)?;
    Ok(encoder.finish()?.0)
}

/// `zstd -19` of a whole file.
///
/// # Errors
/// When there is no memory.
pub(crate) fn zstd19(text: &[u8], tick: &dyn Fn(usize)) -> io::Result<u64> {
    let mut encoder = zstd::Encoder::new(Count(0), 19)?;
    encoder.set_pledged_src_size(Some(text.len() as u64))?;
    write_in_chunks(text, &mut encoder, tick)?;
    Ok(encoder.finish()?.0)
}

fn write_in_chunks(text: &[u8], out: &mut impl Write, tick: &dyn Fn(usize)) -> io::Result<()> {
    for chunk in text.chunks(CHUNK_BYTES) {
        out.write_all(chunk)?;
        tick(chunk.len());
    }
    Ok(())
}

/// Counts what is written to it.
struct Count(u64);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Decompress, FlushDecompress};

    use super::*;

    fn messages() -> Vec<Vec<u8>> {
        let mut messages: Vec<_> = (0..50u32)
            .map(|at| format!("{{\"op\":\"mcm\",\"pt\":{}}}", at * at * 977).into_bytes())
            .collect();
        // Noise that does not compress, and more of it than any buffer holds at first.
        let noise =
            |seed: u64| (seed..seed + 300_000).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8);
        messages.insert(3, noise(1).collect());
        messages
    }

    #[test]
    fn a_receiver_inflates_every_message_at_once() {
        let (mut deflate, mut inflate) = (PerMessageDeflate::default(), Decompress::new(false));
        for message in messages() {
            let mut sent = deflate.message(&message).to_vec();
            sent.extend(DEFLATE_TAIL);
            let mut out = Vec::with_capacity(message.len() + 64);
            inflate.decompress_vec(&sent, &mut out, FlushDecompress::Sync).unwrap();
            assert_eq!(out, message);
        }
    }

    #[test]
    fn a_stream_that_is_flushed_is_as_long_as_its_messages_say() {
        let mut stream = ZstdStream::new().unwrap();
        let sent: u64 = messages().iter().map(|message| stream.message(message).unwrap()).sum();
        let mut whole = zstd::Encoder::new(Vec::new(), ZSTD_LEVEL).unwrap();
        for message in messages() {
            whole.write_all(&message).unwrap();
            whole.flush().unwrap();
        }
        assert_eq!(sent, whole.get_ref().len() as u64);
    }

    #[test]
    fn archives_are_as_long_as_counted_and_a_patch_of_the_same_is_tiny() {
        let text = messages().concat();
        let ticked = std::cell::Cell::new(0);
        let tick = |bytes| ticked.set(ticked.get() + bytes);
        let whole = zstd::bulk::compress(&text, 19).unwrap().len() as u64;
        assert!(zstd19(&text, &tick).unwrap().abs_diff(whole) < 16);
        assert_eq!(ticked.get(), text.len());
        assert!(xz(&text, &tick).unwrap() < text.len() as u64);
        assert!(bzip2(&text, &tick).unwrap() > 1_000);
        assert!(zstd_patch(&text, &text).unwrap() < 64);
    }
}
