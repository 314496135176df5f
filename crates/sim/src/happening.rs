//! What happens in a simulation, one event at a time.

use std::fmt;

use bytes::Bytes;

use crate::{
    link::LinkNumber,
    producer::{Answer, Upload},
};

/// Something that happens at a time.
#[derive(Clone)]
pub(crate) enum Happening {
    Tick {
        producer: usize,
    },
    Retry {
        producer: usize,
        token: u64,
    },
    ToGateway {
        producer: usize,
        life: u64,
        upload: Upload,
        answer_lost: bool,
    },
    ToProducer {
        producer: usize,
        token: u64,
        answer: Answer,
    },
    ProducerReturns {
        producer: usize,
        restarts: bool,
    },
    ZombieWrites {
        producer: usize,
    },
    GatewayWakes,
    GatewayReturns {
        life: u64,
    },
    Housekeeping,
    Dial {
        client: usize,
        attempt: u64,
    },
    Linked {
        link: LinkNumber,
    },
    Message {
        link: LinkNumber,
        bytes: Bytes,
    },
    Ready {
        link: LinkNumber,
    },
    Arrives {
        link: LinkNumber,
        bytes: Bytes,
    },
    /// The connection ended inside this frame.
    CutShort {
        link: LinkNumber,
        bytes: Bytes,
    },
    GatewayLearns {
        link: LinkNumber,
    },
    ClientLearns {
        link: LinkNumber,
    },
    ClientWakes {
        client: usize,
    },
    Looks,
    Disturbance,
    Calm,
    Quiet,
    End,
}

impl fmt::Debug for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tick { producer } => write!(f, "producer {producer} has news"),
            Self::Retry { producer, token } => write!(f, "producer {producer} asks again for {token}"),
            Self::ToGateway { producer, upload, .. } => write!(f, "from producer {producer}: {upload:?}"),
            Self::ToProducer { producer, token, answer } => {
                write!(f, "to producer {producer}: {token} {answer:?}")
            }
            Self::ProducerReturns { producer, restarts } => {
                write!(f, "producer {producer} is back, restarted: {restarts}")
            }
            Self::ZombieWrites { producer } => write!(f, "an old start of producer {producer} writes"),
            Self::GatewayWakes => f.write_str("gateway timeout"),
            Self::GatewayReturns { life } => write!(f, "gateway is back, life {life}"),
            Self::Housekeeping => f.write_str("housekeeping"),
            Self::Dial { client, attempt } => write!(f, "client {client} dials, attempt {attempt}"),
            Self::Linked { link } => write!(f, "link {link} stands"),
            Self::Message { link, bytes } => {
                write!(f, "link {link} up: {:?}", oddswire_wire::decode_client_message(bytes.clone()))
            }
            Self::Ready { link } => write!(f, "link {link} is ready"),
            Self::Arrives { link, bytes } => {
                write!(f, "link {link} down: {:?}", oddswire_wire::decode_frame(bytes.clone()))
            }
            Self::CutShort { link, bytes } => write!(f, "link {link} is cut after {} bytes", bytes.len()),
            Self::GatewayLearns { link } => write!(f, "gateway learns that link {link} is gone"),
            Self::ClientLearns { link } => write!(f, "client learns that link {link} is gone"),
            Self::ClientWakes { client } => write!(f, "client {client} timeout"),
            Self::Looks => f.write_str("users look"),
            Self::Disturbance => f.write_str("disturbance"),
            Self::Calm => f.write_str("faults end"),
            Self::Quiet => f.write_str("news end"),
            Self::End => f.write_str("end"),
        }
    }
}
