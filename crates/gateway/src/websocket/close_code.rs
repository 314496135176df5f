//! Why a connection ends.

use std::fmt;

/// The code of a close frame (RFC 6455, section 7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// The purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// This end is going down or away.
    pub const GOING_AWAY: Self = Self(1001);
    /// The other end broke the rules of the framing.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// The other end sent a kind of message that this end does not take.
    pub const UNSUPPORTED: Self = Self(1003);
    /// Text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// The other end broke a rule that has no code of its own.
    pub const POLICY: Self = Self(1008);
    /// A message too big to take.
    pub const TOO_BIG: Self = Self(1009);
    /// This end failed for a reason of its own.
    pub const INTERNAL: Self = Self(1011);
    /// The server restarts: come back after a random delay. Registered with IANA after RFC 6455.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// The server is overloaded: come back later. Registered with IANA after RFC 6455.
    pub const TRY_AGAIN_LATER: Self = Self(1013);

    /// Whether a client may send this code.
    ///
    /// 1004 to 1006 and 1015 never stand in a frame, 1012 to 1014 are said by servers and proxies only, and the rest
    /// below 3000 is reserved for later versions of the protocol. 3000 to 4999 belong to libraries and applications.
    pub fn is_for_clients(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1011 | 3000..=4999)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_of_codes_at_its_edges() {
        for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
            assert!(CloseCode(code).is_for_clients(), "{code}");
        }
        for code in [0, 999, 1004, 1005, 1006, 1012, 1013, 1014, 1015, 1016, 1100, 2000, 2999, 5000, u16::MAX]
        {
            assert!(!CloseCode(code).is_for_clients(), "{code}");
        }
    }
}
