//! Where the bytes of a recording come from: a file, unpacked on the way.

use std::{
    fs::File,
    io::{self, Chain, Cursor, Read},
    path::Path,
};

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;

use super::RecordingError;

/// A file as a stream of plain text.
pub(super) struct Source {
    unpacked: Unpacked,
    total_bytes: u64,
}

enum Unpacked {
    Plain(Packed),
    Bzip2(MultiBzDecoder<Packed>),
    Gzip(MultiGzDecoder<Packed>),
}

/// The file as it lies on disk, with a count of what was taken from it.
struct Packed {
    bytes: Chain<Cursor<Vec<u8>>, Box<dyn Read + Send>>,
    taken: u64,
}

/// Enough of a file to tell its packing; a tar archive has its mark at 257.
const HEAD_BYTES: u64 = 262;

/// Packings that people have recordings in. They are refused by name, because "line 1 is not JSON" would not
/// help anybody.
const UNSUPPORTED: [(usize, &[u8], &str); 4] = [
    (0, b"PK\x03\x04", "zip"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (0, b"\xfd7zXZ\x00", "xz"),
    (257, b"ustar", "tar"),
];

impl Source {
    /// Opens a file. The first bytes decide how it is unpacked, because names are often wrong.
    pub(super) fn open(path: &Path) -> Result<Self, RecordingError> {
        let open_error = |cause| RecordingError::Open { path: path.to_owned(), cause };
        let file = File::open(path).map_err(open_error)?;
        let metadata = file.metadata().map_err(open_error)?;
        if metadata.is_dir() {
            return Err(open_error(io::ErrorKind::IsADirectory.into()));
        }
        Self::new(path, file, metadata.len())
    }

    /// Wraps any bytes; `path` names them in errors.
    pub(super) fn new(
        path: &Path,
        mut bytes: impl Read + Send + 'static,
        total_bytes: u64,
    ) -> Result<Self, RecordingError> {
        let mut head = Vec::new();
        bytes
            .by_ref()
            .take(HEAD_BYTES)
            .read_to_end(&mut head)
            .map_err(|cause| RecordingError::Open { path: path.to_owned(), cause })?;
        for (at, mark, format) in UNSUPPORTED {
            if head.get(at..).is_some_and(|rest| rest.starts_with(mark)) {
                return Err(RecordingError::Format { path: path.to_owned(), format });
            }
        }
        let is_bzip2 = head.starts_with(b"BZh");
        let is_gzip = head.starts_with(&[0x1f, 0x8b]);
        let bytes: Box<dyn Read + Send> = Box::new(bytes);
        let packed = Packed { bytes: Cursor::new(head).chain(bytes), taken: 0 };
        let unpacked = if is_bzip2 {
            Unpacked::Bzip2(MultiBzDecoder::new(packed))
        } else if is_gzip {
            Unpacked::Gzip(MultiGzDecoder::new(packed))
        } else {
            Unpacked::Plain(packed)
        };
        Ok(Self { unpacked, total_bytes })
    }

    /// Bytes taken from the file so far, as packed.
    pub(super) fn bytes_read(&self) -> u64 {
        match &self.unpacked {
            Unpacked::Plain(packed) => packed.taken,
            Unpacked::Bzip2(decoder) => decoder.get_ref().taken,
            Unpacked::Gzip(decoder) => decoder.get_ref().taken,
        }
    }

    /// Size of the file, as packed.
    pub(super) fn total_bytes(&self) -> u64 {
        self.total_bytes
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.unpacked {
            Unpacked::Plain(packed) => packed.read(buffer),
            Unpacked::Bzip2(decoder) => decoder.read(buffer),
            Unpacked::Gzip(decoder) => decoder.read(buffer),
        }
    }
}

impl Read for Packed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        self.taken += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn bzip2(text: &[u8]) -> Vec<u8> {
        let mut packer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
        packer.write_all(text).unwrap();
        packer.finish().unwrap()
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(text).unwrap();
        packer.finish().unwrap()
    }

    fn unpack(packed: Vec<u8>) -> Vec<u8> {
        let total = packed.len() as u64;
        let mut source = Source::new(Path::new("named.txt"), Cursor::new(packed), total).unwrap();
        let mut text = Vec::new();
        source.read_to_end(&mut text).unwrap();
        assert_eq!((source.bytes_read(), source.total_bytes()), (total, total));
        text
    }

    #[test]
    fn the_first_bytes_decide_how_a_file_is_unpacked() {
        assert_eq!(unpack(b"{}\n".to_vec()), b"{}\n");
        assert_eq!(unpack([bzip2(b"{}\n"), bzip2(b"{\"op\":1}")].concat()), b"{}\n{\"op\":1}");
        assert_eq!(unpack([gzip(b"{}\n"), gzip(b"{\"op\":1}")].concat()), b"{}\n{\"op\":1}");
        assert_eq!(unpack(Vec::new()), b"");
    }

    #[test]
    fn packings_that_cannot_be_read_are_named() {
        let mut tar = vec![b'x'; 300];
        tar[257..262].copy_from_slice(b"ustar");
        for (bytes, format) in [(b"PK\x03\x04...".to_vec(), "zip"), (tar, "tar")] {
            let error = Source::new(Path::new("a.data"), Cursor::new(bytes), 0).err().unwrap().to_string();
            assert!(error.contains(format) && error.contains("a.data"), "{error}");
        }
    }

    #[test]
    fn a_missing_file_and_a_directory_are_named() {
        for path in ["does/not/exist.bz2", env!("CARGO_MANIFEST_DIR")] {
            let error = Source::open(Path::new(path)).err().unwrap().to_string();
            assert!(error.contains(path) && error.contains("check"), "{error}");
        }
    }
}
