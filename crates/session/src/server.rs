//! The gateway's end of a conversation.

use bytes::Bytes;
use oddswire_model::{Cursor, Epoch, MarketNumber, Revision, Topic, View};
use oddswire_wire::{
    DICTIONARY_ID,
    compact::ModelId,
    decode_client_message,
    limits::{
        AGENT_BYTES_MAX, REPORTS_BURST, REPORTS_PER_MINUTE, RESYNC_MARKETS_MAX, TOKEN_BYTES_MAX, TOPICS_MAX,
    },
    piece::Encoding,
    proto::{self, ErrorCode, client_message::Message},
    view_from_proto,
};

use crate::{rate_limit::RateLimit, telemetry::Telemetry};

/// Messages a client may send per second in the long run; a client has little to say.
pub(crate) const MESSAGES_PER_SECOND: u32 = 20;
/// Messages a client may send at once: all subscriptions of a busy screen on reconnect.
pub(crate) const MESSAGES_BURST: u32 = 50;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// The session begins.
    Hello {
        /// Name of the client software.
        agent: String,
        /// Its token, empty if none.
        token: String,
        /// The encoding that it likes best of those that this version knows.
        encoding: Encoding,
        /// Models of the compact encoding that it has.
        models: Vec<ModelId>,
        /// It can read fields that are compressed with this version's dictionary.
        has_dictionary: bool,
    },
    /// Interest in markets.
    Subscribe(Subscribe),
    /// No more interest.
    Unsubscribe {
        /// The client's name for the subscription.
        subscription: u32,
    },
    /// "Send these again."
    Resync {
        /// The markets.
        markets: Vec<MarketNumber>,
        /// Everything since this revision, because frames were lost.
        since: Option<Revision>,
        /// Why.
        reason: proto::ResyncReason,
    },
    /// What the client has seen since its last report.
    Telemetry(Box<Telemetry>),
}

/// A subscribe whose topics and view have been understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscribe {
    /// The client's name for it.
    pub subscription: u32,
    /// The topics.
    pub topics: Vec<Topic>,
    /// The view.
    pub view: View,
    /// The rate asked for.
    pub rate_ms: u32,
    /// What the client holds already.
    pub cursor: Option<Cursor>,
}

/// What a client did wrong. The peer is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SessionError {
    /// The code that the client is told.
    pub code: ErrorCode,
    /// A sentence that says what to do.
    pub message: String,
    /// The subscription it is about, 0 when it is about none.
    pub subscription: u32,
    /// Whether the session ends.
    pub fatal: bool,
}

impl SessionError {
    fn fatal(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), subscription: 0, fatal: true }
    }

    fn of_subscription(code: ErrorCode, subscription: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), subscription, fatal: false }
    }
}

/// The state of one conversation at the gateway.
#[derive(Debug, Clone)]
pub struct ServerSession {
    greeted: bool,
    limit: RateLimit,
    reports: RateLimit,
}

impl Default for ServerSession {
    fn default() -> Self {
        Self {
            greeted: false,
            limit: RateLimit::new(MESSAGES_PER_SECOND, MESSAGES_BURST),
            reports: RateLimit::per_minute(REPORTS_PER_MINUTE, REPORTS_BURST),
        }
    }
}

impl ServerSession {
    /// Whether the client has said hello.
    pub fn is_greeted(&self) -> bool {
        self.greeted
    }

    /// Reads one message. `None` for a kind that a later version added; it is passed over.
    ///
    /// # Errors
    /// What the client did wrong; the error says whether the session ends.
    pub fn handle(&mut self, now_ms: u64, message: Bytes) -> Result<Option<Request>, SessionError> {
        if !self.limit.take(now_ms) {
            let message =
                format!("more than {MESSAGES_PER_SECOND} messages a second; send fewer, subscribe by topic");
            return Err(SessionError::fatal(ErrorCode::RateLimited, message));
        }
        let message = decode_client_message(message).map_err(|error| {
            SessionError::fatal(ErrorCode::Malformed, format!("not a ClientMessage: {error}"))
        })?;
        let Some(message) = message else { return Ok(None) };
        match message {
            Message::Hello(hello) => self.hello(hello).map(Some),
            _ if !self.greeted => Err(SessionError::fatal(
                ErrorCode::HelloExpected,
                "the first message of a session is a hello",
            )),
            Message::Subscribe(subscribe) => self::subscribe(subscribe).map(Some),
            Message::Unsubscribe(proto::Unsubscribe { subscription }) => {
                Ok(Some(Request::Unsubscribe { subscription }))
            }
            Message::Resync(resync) => {
                if resync.markets.len() > RESYNC_MARKETS_MAX {
                    let message = format!(
                        "a resync names at most {RESYNC_MARKETS_MAX} markets; subscribe again instead"
                    );
                    return Err(SessionError::fatal(ErrorCode::TooLarge, message));
                }
                let reason = resync.reason();
                Ok(Some(Request::Resync {
                    since: resync.since.map(Revision),
                    markets: resync.markets.into_iter().map(MarketNumber).collect(),
                    reason,
                }))
            }
            Message::Telemetry(report) => self.telemetry(now_ms, &report).map(Some),
        }
    }

    /// A report that cannot be counted costs the client its report, and not its prices.
    fn telemetry(&mut self, now_ms: u64, report: &proto::Telemetry) -> Result<Request, SessionError> {
        let refused = |message| SessionError::of_subscription(ErrorCode::TelemetryRefused, 0, message);
        if !self.reports.take(now_ms) {
            let message = format!("more than {REPORTS_PER_MINUTE} reports a minute; report every 30 s");
            return Err(refused(message));
        }
        let telemetry = Telemetry::try_from(report).map_err(|error| refused(error.to_string()))?;
        Ok(Request::Telemetry(Box::new(telemetry)))
    }

    fn hello(&mut self, hello: proto::Hello) -> Result<Request, SessionError> {
        if self.greeted {
            return Err(SessionError::fatal(ErrorCode::HelloRepeated, "a session has one hello"));
        }
        if hello.agent.len() > AGENT_BYTES_MAX || hello.token.len() > TOKEN_BYTES_MAX {
            let message =
                format!("agent takes at most {AGENT_BYTES_MAX} bytes, token at most {TOKEN_BYTES_MAX}");
            return Err(SessionError::fatal(ErrorCode::TooLarge, message));
        }
        self.greeted = true;
        let encoding = hello.encodings().find_map(|encoding| match encoding {
            proto::Encoding::Plain => Some(Encoding::Plain),
            proto::Encoding::Compact => Some(Encoding::Compact),
            proto::Encoding::Unspecified => None,
        });
        Ok(Request::Hello {
            encoding: encoding.unwrap_or_default(),
            has_dictionary: hello.dictionaries.contains(&DICTIONARY_ID),
            models: hello.models.into_iter().map(ModelId).collect(),
            agent: hello.agent,
            token: hello.token,
        })
    }
}

fn subscribe(subscribe: proto::Subscribe) -> Result<Request, SessionError> {
    let id = subscribe.subscription;
    if id == 0 {
        return Err(SessionError::fatal(ErrorCode::Malformed, "subscriptions are numbered from 1"));
    }
    if subscribe.topics.is_empty() || subscribe.topics.len() > TOPICS_MAX {
        let message = format!("a subscription names 1 to {TOPICS_MAX} topics");
        return Err(SessionError::of_subscription(ErrorCode::BadTopic, id, message));
    }
    let mut topics = subscribe
        .topics
        .iter()
        .map(|topic| topic.parse())
        .collect::<Result<Vec<Topic>, _>>()
        .map_err(|error| SessionError::of_subscription(ErrorCode::BadTopic, id, error.to_string()))?;
    topics.sort();
    topics.dedup();
    let view = view_from_proto(subscribe.view.as_ref())
        .map_err(|error| SessionError::of_subscription(ErrorCode::BadView, id, error.to_string()))?;
    let cursor = subscribe
        .cursor
        .map(|cursor| Cursor { epoch: Epoch(cursor.epoch), revision: Revision(cursor.revision) });
    Ok(Request::Subscribe(Subscribe { subscription: id, topics, view, rate_ms: subscribe.rate_ms, cursor }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use oddswire_wire::encode_client_message;

    fn hello() -> Bytes {
        encode_client_message(Message::Hello(proto::Hello { agent: "test".into(), ..Default::default() }))
    }

    #[test]
    fn hello_comes_first_and_once() {
        let mut session = ServerSession::default();
        let early = encode_client_message(Message::Unsubscribe(proto::Unsubscribe { subscription: 1 }));
        assert_eq!(session.handle(0, early).unwrap_err().code, ErrorCode::HelloExpected);
        assert!(matches!(session.handle(0, hello()), Ok(Some(Request::Hello { .. }))));
        assert_eq!(session.handle(0, hello()).unwrap_err().code, ErrorCode::HelloRepeated);
    }

    #[test]
    fn a_bad_topic_does_not_end_the_session() {
        let mut session = ServerSession::default();
        session.handle(0, hello()).unwrap();
        let message =
            proto::Subscribe { subscription: 7, topics: vec!["nation/GB".into()], ..Default::default() };
        let error = session.handle(0, encode_client_message(Message::Subscribe(message))).unwrap_err();
        assert_eq!((error.code, error.subscription, error.fatal), (ErrorCode::BadTopic, 7, false));
    }

    #[test]
    fn messages_are_limited_at_the_burst_and_one_past_it() {
        let mut session = ServerSession::default();
        session.handle(0, hello()).unwrap();
        let unknown = Bytes::from_static(&[0x6a, 0x00]);
        for _ in 1..MESSAGES_BURST {
            assert_eq!(
                session.handle(0, unknown.clone()),
                Ok(None),
                "a later version's message is passed over"
            );
        }
        assert_eq!(session.handle(0, unknown).unwrap_err().code, ErrorCode::RateLimited);
    }

    #[test]
    fn reports_are_limited_and_a_refused_one_does_not_end_the_session() {
        let mut session = ServerSession::default();
        session.handle(0, hello()).unwrap();
        let report =
            |gaps| encode_client_message(Message::Telemetry(proto::Telemetry { gaps, ..Default::default() }));
        for _ in 0..REPORTS_BURST {
            let Ok(Some(Request::Telemetry(telemetry))) = session.handle(0, report(2)) else {
                panic!("a report is taken")
            };
            assert_eq!(telemetry.gaps, 2);
        }
        let error = session.handle(9_999, report(2)).unwrap_err();
        assert_eq!((error.code, error.subscription, error.fatal), (ErrorCode::TelemetryRefused, 0, false));
        assert!(matches!(session.handle(10_000, report(2)), Ok(Some(Request::Telemetry(_)))), "six a minute");
        let error = session.handle(20_000, report(65_536)).unwrap_err();
        assert_eq!((error.code, error.fatal), (ErrorCode::TelemetryRefused, false));
    }

    #[test]
    fn malformed_messages_end_the_session() {
        let mut session = ServerSession::default();
        let error = session.handle(0, Bytes::from_static(&[0x0a, 0xff])).unwrap_err();
        assert!(error.fatal && error.code == ErrorCode::Malformed);
    }
}
