//! Variable-length integers: seven bits a byte, lowest first, as in protobuf.

/// Why bytes are not a list of integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VarintError {
    /// The bytes end inside an integer.
    #[error("the bytes end inside an integer")]
    Truncated,
    /// More than 64 bits, or more bytes than needed.
    #[error("an integer is longer than it needs to be")]
    Overlong,
}

/// Appends an integer.
pub fn write(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many bytes [`write`] takes for a value.
#[inline]
pub(crate) fn length(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Appends a signed integer; small magnitudes of either sign stay short.
pub fn write_signed(out: &mut Vec<u8>, value: i64) {
    write(out, zigzag(value));
}

/// Signed to unsigned: 0, -1, 1, -2, ... become 0, 1, 2, 3, ...
pub fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

/// Back from [`zigzag`].
pub fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Reads integers off the front of a byte string.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of all of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next integer.
    ///
    /// # Errors
    /// When the bytes end inside it, or it is written longer than it needs to be.
    pub fn read(&mut self) -> Result<u64, VarintError> {
        let mut value = 0u64;
        for (at, &byte) in self.bytes.iter().enumerate() {
            if at == 9 && byte > 1 {
                return Err(VarintError::Overlong);
            }
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                if byte == 0 && at > 0 {
                    return Err(VarintError::Overlong);
                }
                self.bytes = &self.bytes[at + 1..];
                return Ok(value);
            }
        }
        Err(VarintError::Truncated)
    }

    /// The next signed integer.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn read_signed(&mut self) -> Result<i64, VarintError> {
        self.read().map(unzigzag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_round_trip() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            write(&mut bytes, value);
            assert_eq!(Reader::new(&bytes).read(), Ok(value));
            for cut in 0..bytes.len() {
                assert_eq!(Reader::new(&bytes[..cut]).read(), Err(VarintError::Truncated));
            }
        }
        for value in [0, 1, -1, i64::MAX, i64::MIN] {
            assert_eq!(unzigzag(zigzag(value)), value);
        }
    }

    #[test]
    fn overlong_integers_are_refused() {
        assert_eq!(Reader::new(&[0x80, 0x00]).read(), Err(VarintError::Overlong));
        assert_eq!(Reader::new(&[0xff; 11]).read(), Err(VarintError::Overlong));
        let mut two_to_the_64 = [0x80; 10];
        two_to_the_64[9] = 2;
        assert_eq!(Reader::new(&two_to_the_64).read(), Err(VarintError::Overlong));
    }
}
