//! What a payload costs on the line: WebSocket, TLS and TCP/IP around it.
//!
//! Counted for one message that is sent alone and at once, as a live feed sends it: nothing shares its record or its
//! segment. Acknowledgements, handshakes and Ethernet are left out; they are the same for every encoding.

/// Largest payload whose length a WebSocket header of 2 bytes holds (RFC 6455, section 5.2).
const WEBSOCKET_SHORT_MAX: u64 = 125;
/// Largest payload whose length a header of 4 bytes holds.
const WEBSOCKET_MEDIUM_MAX: u64 = 65_535;
/// TLS 1.3 record: header 5, content type 1, authentication tag 16 (RFC 8446, section 5.2; all its usual ciphers).
pub const TLS_RECORD_BYTES: u64 = 5 + 1 + 16;
/// Most payload of one TLS record.
const TLS_RECORD_PAYLOAD_MAX: u64 = 16_384;
/// IPv4 header 20, TCP header 20, timestamps option 12 (RFC 7323, padded).
pub const SEGMENT_HEADER_BYTES: u64 = 20 + 20 + 12;
/// Most payload of one TCP segment: Ethernet's 1,500 less IPv4's and TCP's 40 is 1,460, less the timestamps' 12.
pub const SEGMENT_PAYLOAD_MAX: u64 = 1_460 - 12;

/// Header of a WebSocket message from server to client, which has no mask.
pub fn websocket_header(payload: u64) -> u64 {
    match payload {
        payload if payload <= WEBSOCKET_SHORT_MAX => 2,
        payload if payload <= WEBSOCKET_MEDIUM_MAX => 4,
        _ => 10,
    }
}

/// Bytes on the line for one message: payload, WebSocket header, TLS 1.3 records, TCP/IPv4 headers.
pub fn on_line(payload: u64) -> u64 {
    let message = payload + websocket_header(payload);
    let records = message.div_ceil(TLS_RECORD_PAYLOAD_MAX);
    let stream = message + records * TLS_RECORD_BYTES;
    stream + stream.div_ceil(SEGMENT_PAYLOAD_MAX) * SEGMENT_HEADER_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_counted_at_their_limits() {
        for (payload, header) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            assert_eq!(websocket_header(payload), header);
        }
        assert_eq!(on_line(20), 20 + 2 + 22 + 52);
        // 1,448 - 22 - 4: the largest message of one segment.
        assert_eq!(on_line(1_422), 1_448 + 52);
        assert_eq!(on_line(1_423), 1_449 + 2 * 52);
        // Two records, and 16,384 + 16 + 2 * 22 bytes in 12 segments.
        assert_eq!(on_line(16_396), 16_444 + 12 * 52);
    }
}
