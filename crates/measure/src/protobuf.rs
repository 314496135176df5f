//! Protobuf as somebody would write it in an afternoon: texts for ids, doubles for numbers, a message for everything.

use oddswire_delta::MarketDelta;
use oddswire_model::{
    AttributeValue, Field, FieldKind, Handicap, Market, MarketStatus, SelectionNumber, SelectionStatus,
};
use prost::Message;

use crate::history::{Part, parts};

#[derive(Clone, PartialEq, Message)]
struct MarketChangeMessage {
    #[prost(int64, tag = "1")]
    publish_time: i64,
    #[prost(message, repeated, tag = "2")]
    markets: Vec<MarketChange>,
}

#[derive(Clone, PartialEq, Message)]
struct MarketChange {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(message, repeated, tag = "2")]
    definition: Vec<Attribute>,
    #[prost(string, optional, tag = "3")]
    status: Option<String>,
    #[prost(bool, optional, tag = "4")]
    in_play: Option<bool>,
    #[prost(double, optional, tag = "5")]
    traded_volume: Option<f64>,
    #[prost(message, repeated, tag = "6")]
    runners: Vec<RunnerChange>,
    #[prost(int64, optional, tag = "7")]
    price_ladder: Option<i64>,
    #[prost(bool, optional, tag = "8")]
    held: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
struct RunnerChange {
    #[prost(int64, tag = "1")]
    id: i64,
    #[prost(double, tag = "2")]
    handicap: f64,
    #[prost(message, repeated, tag = "3")]
    back: Vec<PriceSize>,
    #[prost(message, repeated, tag = "4")]
    lay: Vec<PriceSize>,
    #[prost(message, repeated, tag = "5")]
    traded: Vec<PriceSize>,
    #[prost(double, optional, tag = "6")]
    last_traded: Option<f64>,
    #[prost(double, optional, tag = "7")]
    traded_volume: Option<f64>,
    #[prost(double, optional, tag = "8")]
    price: Option<f64>,
    #[prost(double, optional, tag = "9")]
    near_price: Option<f64>,
    #[prost(double, optional, tag = "10")]
    far_price: Option<f64>,
    #[prost(double, optional, tag = "11")]
    starting_price: Option<f64>,
    #[prost(double, optional, tag = "12")]
    adjustment_factor: Option<f64>,
    #[prost(string, optional, tag = "13")]
    status: Option<String>,
    #[prost(message, repeated, tag = "14")]
    display_back: Vec<PriceSize>,
    #[prost(message, repeated, tag = "15")]
    display_lay: Vec<PriceSize>,
    #[prost(message, repeated, tag = "16")]
    sp_back: Vec<PriceSize>,
    #[prost(message, repeated, tag = "17")]
    sp_lay: Vec<PriceSize>,
    #[prost(message, repeated, tag = "18")]
    definition: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
struct PriceSize {
    #[prost(double, tag = "1")]
    price: f64,
    #[prost(double, tag = "2")]
    size: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

/// A message of net changes.
#[derive(Debug, Default)]
pub(crate) struct NaiveProtobuf {
    message: MarketChangeMessage,
    bytes: Vec<u8>,
}

impl NaiveProtobuf {
    pub(crate) fn begin(&mut self, published_ms: u64) {
        self.message.publish_time = published_ms as i64;
        self.message.markets.clear();
    }

    pub(crate) fn market(&mut self, change: &MarketDelta, market: &Market) {
        let mut message = MarketChange { id: market.id().as_str().to_owned(), ..MarketChange::default() };
        for part in parts(change) {
            if part.owner == SelectionNumber::MARKET {
                market_part(&mut message, &part);
            } else if let Some(selection) = market.selection(part.owner) {
                let key = selection.key();
                let handicap = if key.handicap == Handicap::NONE { 0.0 } else { key.handicap.to_decimal() };
                let mut runner = RunnerChange { id: key.id.0 as i64, handicap, ..RunnerChange::default() };
                runner_part(&mut runner, &part);
                message.runners.push(runner);
            }
        }
        self.message.markets.push(message);
    }

    pub(crate) fn finish(&mut self) -> &[u8] {
        self.bytes.clear();
        self.message.encode_raw(&mut self.bytes);
        &self.bytes
    }
}

fn market_part(message: &mut MarketChange, part: &Part<'_>) {
    message.definition = definition(part);
    for cell in part.cells {
        match cell.key.field {
            Field::Status => {
                let status = MarketStatus::from_code(cell.value).unwrap_or(MarketStatus::Suspended);
                message.status = Some(status.as_str().to_owned());
            }
            Field::InPlay => message.in_play = Some(cell.value != 0),
            Field::Held => message.held = Some(cell.value != 0),
            Field::MarketTradedVolume => message.traded_volume = Some(amount(cell.value)),
            _ => message.price_ladder = Some(cell.value as i64),
        }
    }
}

fn runner_part(runner: &mut RunnerChange, part: &Part<'_>) {
    runner.definition = definition(part);
    for cell in part.cells {
        let field = cell.key.field;
        if field.kind() == FieldKind::Ladder {
            let ladder = match field {
                Field::Back => &mut runner.back,
                Field::Lay => &mut runner.lay,
                Field::Traded => &mut runner.traded,
                Field::SpBack => &mut runner.sp_back,
                Field::SpLay => &mut runner.sp_lay,
                Field::DisplayBack => &mut runner.display_back,
                _ => &mut runner.display_lay,
            };
            ladder.push(PriceSize { price: cell.key.price.to_decimal(), size: amount(cell.value) });
            continue;
        }
        let value = Some(cell.value as f64 / 10_000.0);
        match field {
            Field::SelectionStatus => {
                let status = SelectionStatus::from_code(cell.value).unwrap_or(SelectionStatus::Suspended);
                runner.status = Some(status.as_str().to_owned());
            }
            Field::Price => runner.price = value,
            Field::LastTraded => runner.last_traded = value,
            Field::TradedVolume => runner.traded_volume = Some(amount(cell.value)),
            Field::NearPrice => runner.near_price = value,
            Field::FarPrice => runner.far_price = value,
            Field::StartingPrice => runner.starting_price = value,
            _ => runner.adjustment_factor = value,
        }
    }
}

fn definition(part: &Part<'_>) -> Vec<Attribute> {
    let text = |value: Option<&AttributeValue>| match value {
        None => String::new(),
        Some(AttributeValue::Text(text) | AttributeValue::Json(text)) => text.as_ref().to_owned(),
        Some(AttributeValue::Integer(number)) => number.to_string(),
        Some(AttributeValue::Boolean(yes)) => yes.to_string(),
    };
    let attributes = part.attributes.iter();
    attributes.map(|(name, value)| Attribute { name: (*name).to_owned(), value: text(*value) }).collect()
}

fn amount(cents: u64) -> f64 {
    cents as f64 / 100.0
}

#[cfg(test)]
mod tests {
    use oddswire_feeds::simulator::{Simulator, SimulatorConfig};

    use super::*;
    use crate::history::{History, changed_values};

    #[test]
    fn every_changed_value_is_in_the_message() {
        let (mut history, mut naive) = (History::new(), NaiveProtobuf::default());
        for commit in Simulator::new(SimulatorConfig::small(5)).take(2_000) {
            naive.begin(commit.published_ms);
            let mut expected = 0;
            for (change, market) in history.commit(&commit).unwrap() {
                naive.market(change, market);
                expected += changed_values(change);
            }
            let message = MarketChangeMessage::decode(naive.finish()).unwrap();
            let mut found = 0;
            for market in &message.markets {
                let set = [market.status.is_some(), market.in_play.is_some(), market.traded_volume.is_some()];
                let set = set.into_iter().chain([market.price_ladder.is_some(), market.held.is_some()]);
                found += set.filter(|is_set| *is_set).count() + market.definition.len();
                for runner in &market.runners {
                    let prices = [runner.last_traded, runner.traded_volume, runner.price, runner.near_price];
                    let more = [runner.far_price, runner.starting_price, runner.adjustment_factor];
                    found += prices.iter().chain(&more).flatten().count();
                    found += usize::from(runner.status.is_some()) + runner.definition.len();
                    let ladders =
                        [&runner.back, &runner.lay, &runner.traded, &runner.sp_back, &runner.sp_lay];
                    let ladders = ladders.into_iter().chain([&runner.display_back, &runner.display_lay]);
                    found += ladders.map(Vec::len).sum::<usize>();
                }
            }
            assert_eq!(found as u64, expected);
        }
    }
}
