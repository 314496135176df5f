//! The WebSocket reader is fed arbitrary bytes, whole and cut anywhere: both must say the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use oddswire_gateway::websocket::{Event, Reader, ReaderError};

fn read_all(reader: &mut Reader, mut input: &[u8], events: &mut Vec<Event>) -> Result<(), ReaderError> {
    while let Some(event) = reader.read(&mut input)? {
        events.push(event);
    }
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let Some((&cut, bytes)) = data.split_first() else { return };
    let (mut whole, mut parts) = (Vec::new(), Vec::new());
    let whole_ended = read_all(&mut Reader::default(), bytes, &mut whole);
    let mut reader = Reader::default();
    let parts_ended = bytes
        .chunks(usize::from(cut % 16) + 1)
        .try_for_each(|chunk| read_all(&mut reader, chunk, &mut parts));
    assert_eq!(whole, parts);
    assert_eq!(whole_ended.is_err(), parts_ended.is_err());
});
