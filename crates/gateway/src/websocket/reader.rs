//! What a client sends.

use std::mem;

use bytes::{Bytes, BytesMut};

use super::{
    CloseCode, ReaderError,
    header::{FrameHeader, HeaderBuffer, Opcode},
    message::{Message, append_unmasked},
};

/// Longest payload of a frame. A message may be one frame, so both limits are the same.
pub const FRAME_BYTES_MAX: usize = MESSAGE_BYTES_MAX;
/// Longest message: what the wire format allows a client, whose longest word is a subscribe to 32 topics.
pub const MESSAGE_BYTES_MAX: usize = oddswire_wire::limits::CLIENT_MESSAGE_BYTES_MAX;
/// Most frames of one message. A message of 4 KiB need not be cut at all; eight leave room for a client or a proxy that
/// cuts it anyway, and without a limit a client could send frames for ever that never become a message.
pub const FRAGMENTS_MAX: u32 = 8;

/// How much a client may send at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReaderLimits {
    /// Longest payload of a frame.
    pub frame_bytes: usize,
    /// Longest message.
    pub message_bytes: usize,
    /// Most frames of one message.
    pub fragments: u32,
    /// Whether fragments before the last may be empty. RFC 6455 allows them and its conformance tests send them, but
    /// they carry nothing, so whoever sends them to us means harm.
    pub empty_fragments: bool,
}

impl Default for ReaderLimits {
    fn default() -> Self {
        Self {
            frame_bytes: FRAME_BYTES_MAX,
            message_bytes: MESSAGE_BYTES_MAX,
            fragments: FRAGMENTS_MAX,
            empty_fragments: false,
        }
    }
}

/// Which messages are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Accept {
    /// Binary messages; text is refused.
    #[default]
    BinaryOnly,
    /// Both.
    TextAndBinary,
}

/// Something that a client said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A whole binary message.
    Binary(Bytes),
    /// A whole text message. Never with [`Accept::BinaryOnly`].
    Text(String),
    /// To be answered by a pong with the same payload.
    Ping(Bytes),
    /// The answer to a ping, or a sign of life.
    Pong(Bytes),
    /// The last word of the client, to be answered by a close with the same code.
    Close {
        /// Why, if it was said.
        code: Option<CloseCode>,
        /// For people to read; may be empty.
        reason: String,
    },
}

/// Reads the frames of one client. It owns no heap between messages.
#[derive(Debug, Clone, Default)]
pub struct Reader {
    accept: Accept,
    limits: ReaderLimits,
    header: HeaderBuffer,
    /// The frame whose payload is arriving.
    frame: Option<Frame>,
    /// The message whose frames are arriving.
    message: Message,
    /// The payload of a control frame that is arriving, maybe between the frames of a message.
    control: BytesMut,
    /// The client has closed or broken the rules, and nothing that it sends after that counts.
    finished: bool,
}

#[derive(Debug, Clone)]
struct Frame {
    opcode: Opcode,
    last: bool,
    /// How much of the payload has not arrived.
    missing: u64,
    /// Turned to fit the next byte.
    mask: [u8; 4],
}

impl Reader {
    /// A reader for a connection whose handshake is done.
    pub fn new(accept: Accept, limits: ReaderLimits) -> Self {
        Self { accept, limits, ..Self::default() }
    }

    /// Whether it keeps nothing: a new reader would do as well from here on.
    pub fn is_between_messages(&self) -> bool {
        !self.finished && self.header.is_empty() && self.frame.is_none() && !self.message.is_begun()
    }

    /// Takes bytes from the input until there is an event, or until the input is empty (`None`).
    ///
    /// To be called until it gives `None`. After a close and after an error it throws the input away.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Event>, ReaderError> {
        if self.finished {
            *input = &[];
            return Ok(None);
        }
        let event = self.read_frames(input);
        if matches!(event, Err(_) | Ok(Some(Event::Close { .. }))) {
            *self = Self { finished: true, ..Self::new(self.accept, self.limits) };
        }
        event
    }

    fn read_frames(&mut self, input: &mut &[u8]) -> Result<Option<Event>, ReaderError> {
        loop {
            let mut frame = match self.frame.take() {
                Some(frame) => frame,
                None => match self.header.take(input)? {
                    Some(header) => self.begin_frame(header)?,
                    None => return Ok(None),
                },
            };
            self.read_payload(&mut frame, input)?;
            if frame.missing > 0 {
                self.frame = Some(frame);
                return Ok(None);
            }
            if let Some(event) = self.end_frame(&frame)? {
                return Ok(Some(event));
            }
        }
    }

    /// Refuses by its header what is not going to be taken, before anything of it is kept.
    fn begin_frame(&mut self, header: FrameHeader) -> Result<Frame, ReaderError> {
        match header.opcode {
            Opcode::Close | Opcode::Ping | Opcode::Pong => {}
            Opcode::Continuation => self.message.proceed()?,
            Opcode::Binary => self.message.begin(false)?,
            Opcode::Text => {
                self.message.begin(true)?;
                if self.accept == Accept::BinaryOnly {
                    return Err(ReaderError::TextRefused);
                }
            }
        }
        if !header.opcode.is_control() {
            self.message.add_frame(&header, &self.limits)?;
        }
        let FrameHeader { opcode, last, length, mask } = header;
        Ok(Frame { opcode, last, missing: length, mask })
    }

    fn read_payload(&mut self, frame: &mut Frame, input: &mut &[u8]) -> Result<(), ReaderError> {
        let count = frame.missing.min(input.len() as u64);
        let (piece, rest) = input.split_at(count as usize);
        *input = rest;
        frame.missing -= count;
        if frame.opcode.is_control() {
            append_unmasked(&mut self.control, piece, &mut frame.mask);
            return Ok(());
        }
        append_unmasked(&mut self.message.payload, piece, &mut frame.mask);
        self.message.check_text()
    }

    fn end_frame(&mut self, frame: &Frame) -> Result<Option<Event>, ReaderError> {
        Ok(match frame.opcode {
            Opcode::Ping => Some(Event::Ping(mem::take(&mut self.control).freeze())),
            Opcode::Pong => Some(Event::Pong(mem::take(&mut self.control).freeze())),
            Opcode::Close => Some(read_close(&self.control)?),
            _ if frame.last => Some(mem::take(&mut self.message).finish()?),
            _ => None,
        })
    }
}

fn read_close(payload: &[u8]) -> Result<Event, ReaderError> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return match payload {
            [] => Ok(Event::Close { code: None, reason: String::new() }),
            _ => Err(ReaderError::HalfCloseCode),
        };
    };
    let code = CloseCode(u16::from_be_bytes(*code));
    if !code.is_for_clients() {
        return Err(ReaderError::InvalidCloseCode(code));
    }
    let reason = str::from_utf8(reason).map_err(|_| ReaderError::InvalidUtf8)?.to_owned();
    Ok(Event::Close { code: Some(code), reason })
}

#[cfg(test)]
mod tests;
