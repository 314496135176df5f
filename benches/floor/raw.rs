//! The floor: one thread, ready bytes, one write per connection and round. With own sets the bytes are gathered: the
//! connection's bits AND the bits of what changed, into one buffer.

use std::{
    io::{ErrorKind, Write},
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use mio::{Events, Interest as Readiness, Poll, Token, net::TcpStream};

use crate::{
    Interest,
    machine::thread_time,
    markets::{MARKETS, own_set},
    reader::Readers,
};

/// Bits of the markets.
type Bits = [u64; MARKETS.div_ceil(64)];

pub(crate) struct Raw {
    listener: TcpListener,
    poll: Poll,
    connections: Vec<(TcpStream, Bits)>,
    interest: Interest,
    scratch: Vec<u8>,
}

impl Raw {
    pub(crate) fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let poll = Poll::new().expect("a poll");
        Self { listener, poll, connections: Vec::new(), interest: Interest::Shared, scratch: Vec::new() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("an address")
    }

    pub(crate) fn accept(&mut self, connections: usize, interest: Interest) {
        self.interest = interest;
        for connection in 0..connections {
            let (stream, _) = self.listener.accept().expect("a connection");
            stream.set_nonblocking(true).expect("a socket that does not block");
            stream.set_nodelay(true).expect("no delay");
            let mut stream = TcpStream::from_std(stream);
            let readiness = Readiness::READABLE | Readiness::WRITABLE;
            self.poll.registry().register(&mut stream, Token(connection), readiness).expect("a place");
            let mut bits = Bits::default();
            if let Interest::Own(own) = interest {
                own_set(connection, own, MARKETS).for_each(|market| bits[market / 64] |= 1 << (market % 64));
            }
            self.connections.push((stream, bits));
        }
    }

    /// Writes pieces of these lengths to every connection that follows them; returns the processor time it took.
    pub(crate) fn round(&mut self, pieces: &[(usize, usize)], readers: &mut Readers) -> Duration {
        let mut buffer = Vec::new();
        let mut places = vec![(0, 0); MARKETS];
        let mut dirty = Bits::default();
        for &(market, length) in pieces {
            places[market] = (buffer.len(), length);
            buffer.resize(buffer.len() + length, market as u8);
            dirty[market / 64] |= 1 << (market % 64);
        }
        // A WebSocket header and a head, as a real frame has.
        let head = [0x82, 126, 0, 0, 0x30, 0x80, 0x80, 0x68, 0x10];
        let mut events = Events::with_capacity(1_024);
        let mut sent = 0;
        let began = thread_time();
        self.poll.poll(&mut events, Some(Duration::ZERO)).expect("readiness");
        if self.interest == Interest::Shared {
            self.scratch.clear();
            self.scratch.extend_from_slice(&head);
            self.scratch.extend_from_slice(&buffer);
        }
        for (stream, bits) in &mut self.connections {
            if self.interest != Interest::Shared {
                self.scratch.clear();
                self.scratch.extend_from_slice(&head);
                for (word, (follows, dirty)) in bits.iter().zip(&dirty).enumerate() {
                    let mut due = follows & dirty;
                    while due != 0 {
                        let (start, length) = places[word * 64 + due.trailing_zeros() as usize];
                        self.scratch.extend_from_slice(&buffer[start..start + length]);
                        due &= due - 1;
                    }
                }
            }
            match stream.write(&self.scratch) {
                Ok(count) => {
                    assert_eq!(count, self.scratch.len(), "the readers keep up");
                    sent += count as u64;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("the readers keep up"),
                Err(error) => panic!("{error}"),
            }
        }
        let spent = thread_time() - began;
        readers.wait_for(sent);
        spent
    }
}
