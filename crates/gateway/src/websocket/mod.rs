//! The server's end of WebSocket (RFC 6455), without I/O.
//!
//! [`accept`] answers the opening handshake. [`Reader`] takes what the client sends, in whatever pieces the network
//! cuts it, and gives whole messages. [`binary_frame`] makes a frame with its header, once, to be shared by every
//! connection that gets it: frames of a server are not masked, so nothing in them depends on the connection. That is
//! why this is written here and not taken from a crate; the crates measured keep 4 to 130 KiB for each connection, and
//! none limits empty fragments. [`Reader`] owns no heap between messages.
//!
//! What this module deliberately does not know:
//!  * sockets and tasks. Who calls it reads and writes, and closes the connection after an error;
//!  * time and rates. A half-sent frame and a flood of pings are stopped by deadlines and token buckets outside;
//!  * origins and tokens. A handshake that is right by RFC 6455 may still be refused for who sent it;
//!  * compression. No extension is ever negotiated, so the three reserved bits are always zero;
//!  * the client's end. It never masks.
//!
//! ```
//! use oddswire_gateway::websocket::{Event, Reader, binary_frame};
//!
//! // "Hello" in one masked binary frame, and a frame that has not arrived yet.
//! let mut input: &[u8] = &[0x82, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58, 0x82];
//! let mut reader = Reader::default();
//! assert_eq!(reader.read(&mut input), Ok(Some(Event::Binary("Hello".into()))));
//! assert_eq!(reader.read(&mut input), Ok(None));
//! assert_eq!(binary_frame(b"Hello"), b"\x82\x05Hello".as_slice());
//! ```

mod close_code;
mod error;
mod handshake;
mod header;
mod message;
mod reader;
mod writer;

pub use close_code::CloseCode;
pub use error::ReaderError;
pub use handshake::{HandshakeError, accept};
pub use reader::{Accept, Event, FRAGMENTS_MAX, FRAME_BYTES_MAX, MESSAGE_BYTES_MAX, Reader, ReaderLimits};
pub use writer::{
    CONTROL_PAYLOAD_MAX, HEADER_BYTES_MAX, binary_frame, binary_header, close_frame, ping_frame, pong_frame,
    text_frame,
};
