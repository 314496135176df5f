//! Topics: named sets of markets, so that new markets arrive without a new request.

use std::{fmt, str::FromStr, sync::Arc};

/// A named set of markets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Every market of the feed: `all`.
    All,
    /// One market: `market/1.23`.
    Market(Arc<str>),
    /// The markets of one fixture: `fixture/30388764`.
    Fixture(Arc<str>),
    /// The markets of one competition: `competition/10932509`.
    Competition(Arc<str>),
    /// The markets of one sport: `sport/7`.
    Sport(Arc<str>),
    /// The markets of one type: `type/MATCH_ODDS`.
    Type(Arc<str>),
}

/// Why a text is not a topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// Not one of the forms.
    #[error("`{0}` is not a topic; use all, market/ID, fixture/ID, competition/ID, sport/ID or type/NAME")]
    Form(String),
    /// Longer than [`Topic::MAX_BYTES`].
    #[error("a topic of {0} bytes is too long; the limit is {max}", max = Topic::MAX_BYTES)]
    TooLong(usize),
}

impl Topic {
    /// Longest topic in bytes: the longest market id and the longest prefix, rounded up.
    pub const MAX_BYTES: usize = 80;
}

impl FromStr for Topic {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        if text.len() > Self::MAX_BYTES {
            return Err(TopicError::TooLong(text.len()));
        }
        if text == "all" {
            return Ok(Self::All);
        }
        let form = || TopicError::Form(text.escape_debug().to_string());
        let (kind, id) = text.split_once('/').ok_or_else(form)?;
        if id.is_empty() || id.chars().any(char::is_control) {
            return Err(form());
        }
        Ok(match kind {
            "market" => Self::Market(id.into()),
            "fixture" => Self::Fixture(id.into()),
            "competition" => Self::Competition(id.into()),
            "sport" => Self::Sport(id.into()),
            "type" => Self::Type(id.into()),
            _ => return Err(form()),
        })
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Market(id) => write!(f, "market/{id}"),
            Self::Fixture(id) => write!(f, "fixture/{id}"),
            Self::Competition(id) => write!(f, "competition/{id}"),
            Self::Sport(id) => write!(f, "sport/{id}"),
            Self::Type(id) => write!(f, "type/{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_round_trip_and_other_texts_are_refused() {
        for text in ["all", "market/1.23", "fixture/3", "competition/9", "sport/7", "type/MATCH_ODDS"] {
            assert_eq!(text.parse::<Topic>().unwrap().to_string(), text);
        }
        for text in ["", "al", "market/", "nation/GB", "market/a\nb"] {
            assert!(matches!(text.parse::<Topic>(), Err(TopicError::Form(_))), "{text}");
        }
        assert!(matches!("x".repeat(81).parse::<Topic>(), Err(TopicError::TooLong(81))));
    }
}
