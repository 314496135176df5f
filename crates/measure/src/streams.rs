//! One form of the messages, as it is and through the two streaming compressors.

use std::io;

use crate::compress::{PerMessageDeflate, ZstdStream};

/// Bytes of a series of messages.
#[derive(Debug)]
pub(crate) struct Streams {
    key: &'static str,
    deflate: PerMessageDeflate,
    zstd: ZstdStream,
    bytes: u64,
    deflated: u64,
    zstd_bytes: u64,
}

impl Streams {
    pub(crate) fn new(key: &'static str) -> io::Result<Self> {
        let (deflate, zstd) = (PerMessageDeflate::default(), ZstdStream::new()?);
        Ok(Self { key, deflate, zstd, bytes: 0, deflated: 0, zstd_bytes: 0 })
    }

    pub(crate) fn message(&mut self, message: &[u8]) -> io::Result<()> {
        self.bytes += message.len() as u64;
        self.deflated += self.deflate.message(message).len() as u64;
        self.zstd_bytes += self.zstd.message(message)?;
        Ok(())
    }

    /// Keys and bytes, in the order of the table.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (String, u64)> + use<> {
        let key = self.key;
        [
            (key.to_owned(), self.bytes),
            (format!("{key}_deflate"), self.deflated),
            (format!("{key}_zstd"), self.zstd_bytes),
        ]
        .into_iter()
    }
}
