//! Messages of a client in words.

use bytes::Bytes;
use oddswire_model::{Epoch, Revision};
use oddswire_session::Telemetry;
use oddswire_wire::{
    decode_client_message,
    proto::{self, client_message::Message},
    view_from_proto,
};

use super::{Report, fields};
use crate::command::changes::printable;

/// Reads a message.
pub(super) fn read(message: &Bytes) -> Report {
    let mut report = Report::default();
    if let (_, Some(problem)) = fields::split(message) {
        report.problem(problem.at, &problem.why);
        return report;
    }
    let bytes = message.len();
    match decode_client_message(message.clone()) {
        Ok(Some(message)) => tell(message, bytes, &mut report),
        Ok(None) => report.part("nothing", bytes, "that this version knows"),
        Err(error) => report.problem(0, &error.to_string()),
    }
    report
}

fn tell(message: Message, bytes: usize, report: &mut Report) {
    match message {
        Message::Hello(hello) => {
            let token = match hello.token.len() {
                0 => String::new(),
                // Captures are handed around; tokens must not be.
                length => format!(", a token of {length} bytes"),
            };
            report.part("hello", bytes, &format!("agent {}{token}", printable(&hello.agent)));
            for encoding in hello.encodings() {
                report.detail(&format!("encoding {}", encoding.as_str_name()));
            }
        }
        Message::Subscribe(subscribe) => {
            let view = match view_from_proto(subscribe.view.as_ref()) {
                Ok(view) => view.to_string(),
                Err(problem) => format!("no view ({problem})"),
            };
            let says = format!(
                "number {}, view {view}, rate {} ms{}",
                subscribe.subscription,
                subscribe.rate_ms,
                cursor(subscribe.cursor.as_ref())
            );
            report.part("subscribe", bytes, &says);
            for topic in &subscribe.topics {
                report.detail(&format!("topic {}", printable(topic)));
            }
        }
        Message::Unsubscribe(unsubscribe) => {
            report.part("unsubscribe", bytes, &format!("number {}", unsubscribe.subscription));
        }
        Message::Resync(resync) => {
            let since =
                resync.since.map_or(String::new(), |since| format!(", everything since {}", Revision(since)));
            let says = format!("{}{since}", resync.reason().as_str_name());
            report.part("resync", bytes, &says);
            if !resync.markets.is_empty() {
                report.detail(&format!("markets {:?}", resync.markets));
            }
        }
        Message::Telemetry(telemetry) => match Telemetry::try_from(&telemetry) {
            Ok(seen) => {
                report.part("telemetry", bytes, &format!("{} connections", seen.connections));
                report.detail(&format!("{seen:?}"));
            }
            Err(problem) => report.part("telemetry", bytes, &format!("refused: {problem}")),
        },
    }
}

fn cursor(cursor: Option<&proto::Cursor>) -> String {
    cursor.map_or(String::new(), |cursor| {
        format!(", resume from {} of epoch {}", Revision(cursor.revision), Epoch(cursor.epoch))
    })
}

#[cfg(test)]
mod tests {
    use oddswire_wire::encode_client_message;

    use super::*;

    #[test]
    fn a_token_is_not_shown() {
        let hello =
            proto::Hello { agent: "web/1".to_owned(), token: "secret".to_owned(), ..Default::default() };
        let report = read(&encode_client_message(Message::Hello(hello)));
        let text = report.lines.join("\n");
        assert!(text.contains("agent web/1, a token of 6 bytes"), "{text}");
        assert!(!text.contains("secret"));
    }

    #[test]
    fn a_resume_is_told() {
        let subscribe = proto::Subscribe {
            subscription: 3,
            topics: vec!["sport/1".to_owned()],
            view: Some(proto::View { depth: proto::Depth::Best.into(), best: 3, volumes: true }),
            rate_ms: 100,
            cursor: Some(proto::Cursor { epoch: 10, revision: 41 }),
        };
        let text = read(&encode_client_message(Message::Subscribe(subscribe))).lines.join("\n");
        assert!(
            text.contains("number 3, view best3, rate 100 ms, resume from r41 of epoch 000000000000000a")
        );
        assert!(text.contains("topic sport/1"));
    }
}
