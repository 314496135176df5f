use super::*;
use crate::websocket::{binary_header, writer::CONTROL_PAYLOAD_MAX};

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const BINARY: u8 = 0x82;
const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const MORE_BINARY: u8 = 0x02;
const MORE_TEXT: u8 = 0x01;
const MORE: u8 = 0x00;
const LAST: u8 = 0x80;

/// A masked frame as a client writes it, right or wrong.
fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = client_header(first, payload.len());
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

fn client_header(first: u8, payload_len: usize) -> Vec<u8> {
    let (header, header_len) = binary_header(payload_len);
    [&[first, header[1] | 0x80], &header[2..header_len], &MASK].concat()
}

type Outcome = (Vec<Event>, Option<ReaderError>);

/// Reads one piece of input after the other, and checks that each is used up.
fn read_pieces<'a>(mut reader: Reader, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut events = Vec::new();
    for mut piece in pieces {
        loop {
            match reader.read(&mut piece) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => return (events, Some(error)),
            }
        }
        assert!(piece.is_empty(), "`None` means that the input is used up");
    }
    (events, None)
}

fn read(bytes: &[u8]) -> Outcome {
    read_pieces(Reader::default(), [bytes])
}

fn conformance_reader() -> Reader {
    let mebibytes_16 = 16 * 1024 * 1024;
    Reader::new(
        Accept::TextAndBinary,
        ReaderLimits {
            frame_bytes: mebibytes_16,
            message_bytes: mebibytes_16,
            fragments: u32::MAX,
            empty_fragments: true,
        },
    )
}

fn read_text(bytes: &[u8]) -> Outcome {
    read_pieces(conformance_reader(), [bytes])
}

fn binary(payload: &[u8]) -> Event {
    Event::Binary(Bytes::copy_from_slice(payload))
}

fn ping(payload: &'static str) -> Event {
    Event::Ping(payload.into())
}

/// RFC 6455, section 5.7, those that a client may send.
#[test]
fn the_examples_of_the_standard() {
    let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(read_text(&hello), (vec![Event::Text("Hello".into())], None));
    let pong = [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(read(&pong), (vec![Event::Pong("Hello".into())], None));
    let unmasked = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
    assert_eq!(read_text(&unmasked), (vec![], Some(ReaderError::Unmasked)));
}

/// RFC 6455, section 5.7: "Hel" and "lo", masked with zeros.
#[test]
fn the_fragmented_example_of_the_standard() {
    let fragments = [0x01, 0x83, 0, 0, 0, 0, 0x48, 0x65, 0x6c, 0x80, 0x82, 0, 0, 0, 0, 0x6c, 0x6f];
    assert_eq!(read_text(&fragments), (vec![Event::Text("Hello".into())], None));
}

#[test]
fn control_frames_come_between_fragments() {
    let bytes = [
        client_frame(MORE_BINARY, b"one "),
        client_frame(PING, b"a"),
        client_frame(MORE, b"two "),
        client_frame(PING, b""),
        client_frame(PONG, b"b"),
        client_frame(LAST, b"three"),
        client_frame(BINARY, b""),
        client_frame(CLOSE, b""),
    ];
    let close = Event::Close { code: None, reason: String::new() };
    let events =
        vec![ping("a"), ping(""), Event::Pong("b".into()), binary(b"one two three"), binary(b""), close];
    assert_eq!(read(&bytes.concat()), (events, None));
}

#[test]
fn a_frame_of_the_longest_length_and_one_past_it() {
    let longest = vec![5; FRAME_BYTES_MAX];
    assert_eq!(read(&client_frame(BINARY, &longest)), (vec![binary(&longest)], None));
    let error = ReaderError::LongFrame { length: FRAME_BYTES_MAX as u64 + 1, limit: FRAME_BYTES_MAX };
    assert_eq!(error.close_code(), CloseCode::TOO_BIG);
    assert_eq!(read(&client_header(BINARY, FRAME_BYTES_MAX + 1)), (vec![], Some(error)));
}

#[test]
fn a_message_of_the_longest_length_and_one_past_it() {
    let first = client_frame(MORE_BINARY, &[1; 1_000]);
    let longest = [vec![1; 1_000], vec![2; MESSAGE_BYTES_MAX - 1_000]].concat();
    let bytes = [first.clone(), client_frame(LAST, &longest[1_000..])].concat();
    assert_eq!(read(&bytes), (vec![binary(&longest)], None));
    let bytes = [first, client_header(LAST, MESSAGE_BYTES_MAX - 999)].concat();
    let error = ReaderError::LongMessage { length: MESSAGE_BYTES_MAX as u64 + 1, limit: MESSAGE_BYTES_MAX };
    assert_eq!(error.close_code(), CloseCode::TOO_BIG);
    assert_eq!(read(&bytes), (vec![], Some(error)));
}

#[test]
fn the_most_fragments_and_one_past_them() {
    let mut bytes = client_frame(MORE_BINARY, b"f");
    for _ in 2..FRAGMENTS_MAX {
        bytes.extend(client_frame(MORE, b"f"));
    }
    let most = [bytes.clone(), client_frame(LAST, b"f")].concat();
    let twice = [most.clone(), most].concat();
    assert_eq!(read(&twice), (vec![binary(b"ffffffff"), binary(b"ffffffff")], None), "counted by message");
    let past = [bytes, client_frame(MORE, b"f"), client_header(LAST, 1)].concat();
    let error = ReaderError::TooManyFragments { limit: FRAGMENTS_MAX };
    assert_eq!(error.close_code(), CloseCode::TOO_BIG);
    assert_eq!(read(&past), (vec![], Some(error)));
}

#[test]
fn an_empty_fragment_is_taken_only_as_the_last_one() {
    let last = [client_frame(MORE_BINARY, b"x"), client_frame(LAST, b"")].concat();
    assert_eq!(read(&last), (vec![binary(b"x")], None));
    let first = [client_frame(MORE_BINARY, b""), client_frame(LAST, b"x")].concat();
    assert_eq!(read(&first), (vec![], Some(ReaderError::EmptyFragment)));
    let middle = [client_frame(MORE_BINARY, b"x"), client_frame(MORE, b"")].concat();
    assert_eq!(read(&middle), (vec![], Some(ReaderError::EmptyFragment)));
    assert_eq!(ReaderError::EmptyFragment.close_code(), CloseCode::PROTOCOL_ERROR);
    let allowed = [client_frame(MORE_TEXT, b""), client_frame(MORE, b""), client_frame(LAST, b"")].concat();
    assert_eq!(read_text(&allowed), (vec![Event::Text(String::new())], None));
}

#[test]
fn a_control_frame_of_the_longest_length_and_one_past_it() {
    let longest = [9; CONTROL_PAYLOAD_MAX];
    let events = vec![Event::Ping(Bytes::copy_from_slice(&longest))];
    assert_eq!(read(&client_frame(PING, &longest)), (events, None));
    let past = client_header(PING, CONTROL_PAYLOAD_MAX + 1);
    assert_eq!(read(&past), (vec![], Some(ReaderError::LongControl)));
    assert_eq!(ReaderError::LongControl.close_code(), CloseCode::PROTOCOL_ERROR);
}

#[test]
fn what_is_announced_is_not_allocated() {
    let mut reader = conformance_reader();
    assert_eq!(reader.read(&mut client_header(BINARY, 16 * 1024 * 1024).as_slice()), Ok(None));
    assert_eq!(reader.message.payload.capacity(), 0);
    let mut huge: &[u8] = &[BINARY, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    let error = ReaderError::LongFrame { length: (1 << 63) - 1, limit: FRAME_BYTES_MAX };
    assert_eq!(Reader::default().read(&mut huge), Err(error));
}

#[test]
fn nothing_is_kept_between_messages() {
    let mut reader = Reader::default();
    for frame in [client_frame(BINARY, &[1; 4_000]), client_frame(PING, &[2; 100])] {
        assert!(matches!(reader.read(&mut frame.as_slice()), Ok(Some(_))));
        assert_eq!(reader.message.payload.capacity() + reader.control.capacity(), 0);
    }
}

#[test]
fn messages_are_begun_and_continued_in_order() {
    for first in [MORE, LAST] {
        let bytes = [client_frame(BINARY, b"x"), client_header(first, 1)].concat();
        assert_eq!(read(&bytes), (vec![binary(b"x")], Some(ReaderError::NothingToContinue)));
    }
    for first in [MORE_BINARY, BINARY, MORE_TEXT, TEXT] {
        let bytes = [client_frame(MORE_BINARY, b"x"), client_header(first, 1)].concat();
        assert_eq!(read(&bytes), (vec![], Some(ReaderError::UnfinishedMessage)));
    }
    assert_eq!(ReaderError::NothingToContinue.close_code(), CloseCode::PROTOCOL_ERROR);
    assert_eq!(ReaderError::UnfinishedMessage.close_code(), CloseCode::PROTOCOL_ERROR);
}

#[test]
fn text_is_refused_by_its_header_where_it_is_not_taken() {
    for first in [TEXT, MORE_TEXT] {
        assert_eq!(read(&client_header(first, 5)), (vec![], Some(ReaderError::TextRefused)));
    }
    assert_eq!(ReaderError::TextRefused.close_code(), CloseCode::UNSUPPORTED);
}

#[test]
fn text_may_be_cut_within_a_character() {
    let text = "κόσμε 🏇".as_bytes();
    for cut in 1..text.len() {
        let bytes = [client_frame(MORE_TEXT, &text[..cut]), client_frame(LAST, &text[cut..])].concat();
        assert_eq!(read_text(&bytes), (vec![Event::Text("κόσμε 🏇".into())], None), "cut at {cut}");
    }
}

#[test]
fn wrong_text_is_refused_before_its_frame_is_complete() {
    let frame = client_frame(MORE_TEXT, b"caf\xe9 au lait");
    let header_len = frame.len() - 12;
    assert_eq!(read_text(&frame[..header_len + 4]), (vec![], None), "may yet become a character");
    assert_eq!(read_text(&frame[..header_len + 5]), (vec![], Some(ReaderError::InvalidUtf8)));
    let unfinished = client_frame(TEXT, "é".as_bytes().split_last().unwrap().1);
    assert_eq!(read_text(&unfinished), (vec![], Some(ReaderError::InvalidUtf8)));
    assert_eq!(ReaderError::InvalidUtf8.close_code(), CloseCode::INVALID_PAYLOAD);
    let frame = client_frame(BINARY, b"caf\xe9");
    assert_eq!(read_text(&frame), (vec![binary(b"caf\xe9")], None), "binary may be anything");
}

#[test]
fn a_close_says_why() {
    let close = |code, reason: &str| Event::Close { code: Some(CloseCode(code)), reason: reason.into() };
    assert_eq!(read(&client_frame(CLOSE, b"\x03\xe8")), (vec![close(1000, "")], None));
    assert_eq!(read(&client_frame(CLOSE, b"\x13\x87bye \xe2\x9c\x93")), (vec![close(4999, "bye ✓")], None));
    let longest = [b"\x03\xe9".as_slice(), &[b'r'; CONTROL_PAYLOAD_MAX - 2]].concat();
    assert_eq!(read(&client_frame(CLOSE, &longest)), (vec![close(1001, &"r".repeat(123))], None));
}

#[test]
fn a_close_that_is_wrong_is_refused() {
    assert_eq!(read(&client_frame(CLOSE, b"\x03")), (vec![], Some(ReaderError::HalfCloseCode)));
    assert_eq!(ReaderError::HalfCloseCode.close_code(), CloseCode::PROTOCOL_ERROR);
    assert_eq!(read(&client_frame(CLOSE, b"\x03\xe8\xff")), (vec![], Some(ReaderError::InvalidUtf8)));
    for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, u16::MAX] {
        let error = ReaderError::InvalidCloseCode(CloseCode(code));
        assert_eq!(error.close_code(), CloseCode::PROTOCOL_ERROR);
        assert_eq!(read(&client_frame(CLOSE, &code.to_be_bytes())), (vec![], Some(error)));
    }
}

#[test]
fn nothing_counts_after_a_close_or_an_error() {
    let ping_after = client_frame(PING, b"late");
    for end in [client_frame(CLOSE, b""), vec![BINARY, 0]] {
        let mut reader = Reader::default();
        let bytes = [end, ping_after.clone()].concat();
        let mut input = bytes.as_slice();
        assert!(!matches!(reader.read(&mut input), Ok(None)));
        assert_eq!(reader.read(&mut input), Ok(None));
        assert!(input.is_empty());
        assert_eq!(reader.read(&mut ping_after.as_slice()), Ok(None));
    }
}

/// The generator of Knuth's MMIX, a linear congruential one; its upper bits are good enough for tests.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Frames that are right by themselves and often in their order, one byte of which may be wrong.
    fn frames(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut begun = false;
        for _ in 0..1 + self.below(12) {
            let (payload_len, text) =
                (self.one_of(&[0, 1, 3, 4, 5, 125, 126, 300, 4_096]), self.one_of(&["x", "é", "🏇"]));
            let mut payload = text.repeat(payload_len / text.len()).into_bytes();
            let first = match (self.below(20), begun) {
                (0, _) => CLOSE,
                (1..5, _) => self.one_of(&[PING, PONG]),
                (5..10, true) => LAST,
                (_, true) => MORE,
                (5..10, false) => self.one_of(&[BINARY, TEXT]),
                (_, false) => self.one_of(&[MORE_BINARY, MORE_TEXT]),
            };
            match first {
                CLOSE => payload = b"\x03\xe8bye".to_vec(),
                PING | PONG => payload.truncate(CONTROL_PAYLOAD_MAX),
                _ => begun = first & LAST == 0,
            }
            bytes.extend(client_frame(first, &payload));
        }
        if self.below(2) == 0 {
            let index = self.below(bytes.len());
            bytes[index] ^= 1 << self.below(8);
        }
        bytes
    }
}

#[test]
fn the_cuts_of_the_network_make_no_difference() {
    let (mut events, mut errors) = (0, 0);
    for seed in 0..2_000 {
        let mut random = Random(seed);
        let bytes = random.frames();
        for reader in [Reader::default(), conformance_reader()] {
            let whole = read_pieces(reader.clone(), [bytes.as_slice()]);
            assert_eq!(read_pieces(reader.clone(), bytes.chunks(1)), whole, "seed {seed}, byte by byte");
            for _ in 0..4 {
                let mut rest = bytes.as_slice();
                let mut pieces = Vec::new();
                while !rest.is_empty() {
                    let longest = random.one_of(&[3, 20, 1_000]);
                    let (piece, after) = rest.split_at(random.below(longest).min(rest.len()));
                    pieces.push(piece);
                    rest = after;
                }
                assert_eq!(read_pieces(reader.clone(), pieces), whole, "seed {seed}, in pieces");
            }
            events += whole.0.len();
            errors += usize::from(whole.1.is_some());
        }
    }
    assert!(events > 2_000 && errors > 500, "the frames are no use: {events} events, {errors} errors");
}
