//! Commits as they travel, and commits as the store takes them.
//!
//! Only what cannot be said in the model's words is refused here: unknown field numbers, columns that do not
//! match, ids that are none. Whether the values make sense is the store's question.

use std::{fmt, sync::Arc};

use oddswire_model::{
    AttributeValue, Commit, Field, Handicap, IdError, LadderUpdate, MarketId, MarketUpdate, Price,
    SelectionId, SelectionKey, SelectionUpdate,
};
use oddswire_store::MAX_MARKETS_PER_COMMIT;

use crate::proto;

/// A commit that does not make sense, with the market and the field at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvertError {
    /// The market as the producer named it, shortened and without control characters; empty when none is at fault.
    pub market: String,
    /// The field, in words.
    pub field: String,
    /// What is wrong with it.
    pub reason: ConvertReason,
}

/// What is wrong with a commit as it travelled. The producer is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConvertReason {
    /// Sequences count from 1; a commit numbered 0 would read as seen before.
    #[error("a sequence is 1 or more")]
    SequenceZero,
    /// More markets than a store takes; said before they are converted, because it costs nothing.
    #[error("{0} markets are too many for one commit; the limit is {MAX_MARKETS_PER_COMMIT}, split it")]
    TooManyMarkets(usize),
    /// The id is none.
    #[error(transparent)]
    MarketId(#[from] IdError),
    /// A field number of a later version, or none at all.
    #[error("{0} is not the number of a field that this version knows")]
    UnknownField(u32),
    /// A handicap that has no opposite.
    #[error("a handicap of {0} thousandths is out of range")]
    HandicapOutOfRange(i32),
    /// The two columns of a ladder do not pair up.
    #[error("{prices} prices stand beside {volumes} volumes; both columns need one entry for each rung")]
    ColumnsDiffer {
        /// Length of the column of prices.
        prices: usize,
        /// Length of the column of volumes.
        volumes: usize,
    },
}

impl ConvertError {
    pub(crate) fn new(market: &str, field: impl Into<String>, reason: impl Into<ConvertReason>) -> Self {
        // Enough of any id that is one; an id of 4 MB must not come back in full.
        let market = market.chars().take(MarketId::MAX_BYTES).flat_map(char::escape_debug).collect();
        Self { market, field: field.into(), reason: reason.into() }
    }
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.market.is_empty() {
            write!(f, "market {}, ", self.market)?;
        }
        write!(f, "{}: {}", self.field, self.reason)
    }
}

impl std::error::Error for ConvertError {}

impl TryFrom<proto::Commit> for Commit {
    type Error = ConvertError;

    fn try_from(commit: proto::Commit) -> Result<Self, ConvertError> {
        if commit.markets.len() > MAX_MARKETS_PER_COMMIT {
            return Err(ConvertError::new(
                "",
                "markets",
                ConvertReason::TooManyMarkets(commit.markets.len()),
            ));
        }
        let markets = commit.markets.into_iter().map(market_update).collect::<Result<_, _>>()?;
        Ok(Self { published_ms: commit.published_ms, markets })
    }
}

impl From<&Commit> for proto::Commit {
    /// The sequence is left 0, for the producer to set.
    fn from(commit: &Commit) -> Self {
        let markets = commit.markets.iter().map(|update| proto::MarketUpdate {
            market: update.id.as_str().to_owned(),
            image: update.image,
            complete_definition: update.complete_definition,
            fields: update.fields.iter().map(field_to_proto).collect(),
            attributes: update.attributes.iter().map(attribute_to_proto).collect(),
            selections: update.selections.iter().map(selection_to_proto).collect(),
        });
        Self { sequence: 0, published_ms: commit.published_ms, markets: markets.collect() }
    }
}

fn market_update(update: proto::MarketUpdate) -> Result<MarketUpdate, ConvertError> {
    let market = &update.market;
    let id = MarketId::new(market).map_err(|reason| ConvertError::new(market, "market", reason))?;
    Ok(MarketUpdate {
        id,
        image: update.image,
        complete_definition: update.complete_definition,
        fields: fields(market, update.fields)?,
        attributes: attributes(update.attributes),
        selections: update
            .selections
            .into_iter()
            .map(|selection| selection_update(market, selection))
            .collect::<Result<_, _>>()?,
    })
}

fn selection_update(market: &str, update: proto::SelectionUpdate) -> Result<SelectionUpdate, ConvertError> {
    if update.handicap == i32::MIN {
        let reason = ConvertReason::HandicapOutOfRange(update.handicap);
        return Err(ConvertError::new(market, "handicap", reason));
    }
    let ladders = update.ladders.into_iter().map(|ladder| ladder_update(market, ladder));
    Ok(SelectionUpdate {
        key: SelectionKey { id: SelectionId(update.id), handicap: Handicap(update.handicap) },
        fields: fields(market, update.fields)?,
        attributes: attributes(update.attributes),
        ladders: ladders.collect::<Result<_, _>>()?,
    })
}

fn ladder_update(market: &str, update: proto::LadderUpdate) -> Result<LadderUpdate, ConvertError> {
    let field = known_field(market, update.field)?;
    if update.prices.len() != update.volumes.len() {
        let (prices, volumes) = (update.prices.len(), update.volumes.len());
        let reason = ConvertReason::ColumnsDiffer { prices, volumes };
        return Err(ConvertError::new(market, format!("{field:?}"), reason));
    }
    let rungs = update.prices.into_iter().map(Price).zip(update.volumes).collect();
    Ok(LadderUpdate { field, replace: update.replace, rungs })
}

fn fields(market: &str, fields: Vec<proto::FieldValue>) -> Result<Vec<(Field, u64)>, ConvertError> {
    fields.into_iter().map(|given| Ok((known_field(market, given.field)?, given.value))).collect()
}

fn known_field(market: &str, number: u32) -> Result<Field, ConvertError> {
    let known = u8::try_from(number).ok().and_then(Field::from_code);
    known.ok_or_else(|| {
        ConvertError::new(market, format!("field {number}"), ConvertReason::UnknownField(number))
    })
}

fn attributes(attributes: Vec<proto::Attribute>) -> Vec<(Arc<str>, Option<AttributeValue>)> {
    use proto::attribute::Value;
    let value = |value| match value {
        Value::Text(text) => AttributeValue::Text(text.into()),
        Value::Integer(number) => AttributeValue::Integer(number),
        Value::Boolean(yes) => AttributeValue::Boolean(yes),
        Value::Json(json) => AttributeValue::Json(json.into()),
    };
    attributes.into_iter().map(|given| (given.name.into(), given.value.map(value))).collect()
}

fn selection_to_proto(update: &SelectionUpdate) -> proto::SelectionUpdate {
    let ladders = update.ladders.iter().map(|ladder| proto::LadderUpdate {
        field: ladder.field as u32,
        replace: ladder.replace,
        prices: ladder.rungs.iter().map(|(price, _)| price.0).collect(),
        volumes: ladder.rungs.iter().map(|&(_, volume)| volume).collect(),
    });
    proto::SelectionUpdate {
        id: update.key.id.0,
        handicap: update.key.handicap.0,
        fields: update.fields.iter().map(field_to_proto).collect(),
        attributes: update.attributes.iter().map(attribute_to_proto).collect(),
        ladders: ladders.collect(),
    }
}

fn field_to_proto(&(field, value): &(Field, u64)) -> proto::FieldValue {
    proto::FieldValue { field: field as u32, value }
}

fn attribute_to_proto((name, value): &(Arc<str>, Option<AttributeValue>)) -> proto::Attribute {
    use proto::attribute::Value;
    let value = value.as_ref().map(|value| match value {
        AttributeValue::Text(text) => Value::Text(text.as_ref().to_owned()),
        AttributeValue::Integer(number) => Value::Integer(*number),
        AttributeValue::Boolean(yes) => Value::Boolean(*yes),
        AttributeValue::Json(json) => Value::Json(json.as_ref().to_owned()),
    });
    proto::Attribute { name: name.as_ref().to_owned(), value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_market(update: proto::MarketUpdate) -> Result<Commit, ConvertError> {
        proto::Commit { sequence: 1, published_ms: 5, markets: vec![update] }.try_into()
    }

    fn one_selection(selection: proto::SelectionUpdate) -> Result<Commit, ConvertError> {
        one_market(proto::MarketUpdate {
            market: "1.1".into(),
            selections: vec![selection],
            ..Default::default()
        })
    }

    #[test]
    fn a_commit_survives_the_journey_there_and_back() {
        let mut update = MarketUpdate::new(MarketId::new("1.1").unwrap());
        update.image = true;
        update.complete_definition = true;
        update.fields = Field::MARKET.iter().map(|&field| (field, 1)).collect();
        update.attributes = vec![
            ("name".into(), Some(AttributeValue::Text("Märkt".into()))),
            ("order".into(), Some(AttributeValue::Integer(-3))),
            ("bsp".into(), Some(AttributeValue::Boolean(false))),
            ("rule".into(), Some(AttributeValue::Json("[1,2]".into()))),
            ("gone".into(), None),
        ];
        let mut selection =
            SelectionUpdate::new(SelectionKey { id: SelectionId(u64::MAX), handicap: Handicap(-250) });
        selection.fields = Field::SELECTION.iter().map(|&field| (field, u64::MAX)).collect();
        selection.attributes = vec![("name".into(), Some(AttributeValue::Text("Red".into())))];
        selection.ladders = Field::LADDERS
            .iter()
            .map(|&field| LadderUpdate {
                field,
                replace: true,
                rungs: vec![(Price(20_000), 5), (Price(1), 0)],
            })
            .collect();
        update.selections.push(selection);
        let commit = Commit { published_ms: 9, markets: vec![update] };
        assert_eq!(Commit::try_from(proto::Commit::from(&commit)), Ok(commit));
    }

    #[test]
    fn columns_of_different_length_name_the_ladder() {
        let ladder = proto::LadderUpdate { field: 32, replace: false, prices: vec![1, 2], volumes: vec![1] };
        let error = one_selection(proto::SelectionUpdate { ladders: vec![ladder], ..Default::default() })
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "market 1.1, Back: 2 prices stand beside 1 volumes; both columns need one entry for each rung"
        );
    }

    #[test]
    fn unknown_fields_are_refused_wherever_they_stand() {
        for number in [5, 15, 24, 39, 255, 256, 288, u32::MAX] {
            let field = proto::FieldValue { field: number, value: 1 };
            let ladder = proto::LadderUpdate { field: number, ..Default::default() };
            let expected =
                ConvertError::new("1.1", format!("field {number}"), ConvertReason::UnknownField(number));
            let market =
                proto::MarketUpdate { market: "1.1".into(), fields: vec![field], ..Default::default() };
            let selection = proto::SelectionUpdate { fields: vec![field], ..Default::default() };
            let rungs = proto::SelectionUpdate { ladders: vec![ladder], ..Default::default() };
            assert_eq!(one_market(market), Err(expected.clone()));
            assert_eq!(one_selection(selection), Err(expected.clone()));
            assert_eq!(one_selection(rungs), Err(expected));
        }
    }

    #[test]
    fn a_bad_market_id_comes_back_short_and_printable() {
        let long = "\n".repeat(1_000_000);
        let error = one_market(proto::MarketUpdate { market: long, ..Default::default() }).unwrap_err();
        assert_eq!(error.reason, ConvertReason::MarketId(IdError::TooLong(1_000_000)));
        assert_eq!(error.market, "\\n".repeat(64));
    }

    #[test]
    fn handicaps_and_numbers_of_markets_have_limits() {
        let handicap = |handicap| proto::SelectionUpdate { handicap, ..Default::default() };
        assert_eq!(one_selection(handicap(i32::MIN)).unwrap_err().field, "handicap");
        assert!(one_selection(handicap(i32::MIN + 1)).is_ok());
        let market = proto::MarketUpdate { market: "1.1".into(), ..Default::default() };
        let commit =
            |count| proto::Commit { sequence: 1, published_ms: 0, markets: vec![market.clone(); count] };
        assert!(Commit::try_from(commit(MAX_MARKETS_PER_COMMIT)).is_ok());
        let error = Commit::try_from(commit(MAX_MARKETS_PER_COMMIT + 1)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "markets: 2049 markets are too many for one commit; the limit is 2048, split it"
        );
    }
}
