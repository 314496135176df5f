//! Messages of the Exchange Stream, as far as they matter here.
//!
//! Unknown fields are ignored and null stands for "not there" everywhere, because recordings come from many
//! libraries and some write every field they know.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};

use super::number::{Number, boolean, text, unsigned};

/// One message of a recording.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Message {
    /// Whether the operation is `mcm`, a change of markets; nothing else is of interest.
    #[serde(rename = "op", deserialize_with = "is_market_change")]
    pub is_market_change: bool,
    /// When the venue published it, milliseconds since 1970 in UTC.
    #[serde(rename = "pt", deserialize_with = "unsigned")]
    pub published_ms: Option<u64>,
    /// What changed; the same market may stand here several times.
    #[serde(rename = "mc", deserialize_with = "list")]
    pub markets: Vec<MarketChange>,
}

/// What a message says about one market.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct MarketChange {
    /// The market.
    #[serde(deserialize_with = "text")]
    pub id: Option<String>,
    /// Forget all prices: the message holds all there are.
    #[serde(rename = "img", deserialize_with = "boolean")]
    pub image: bool,
    /// The whole definition of the market.
    #[serde(rename = "marketDefinition")]
    pub definition: Option<serde_json::Map<String, serde_json::Value>>,
    /// What changed about runners; the same runner may stand here several times.
    #[serde(rename = "rc", deserialize_with = "list")]
    pub runners: Vec<RunnerChange>,
    /// Amount traded in the market.
    #[serde(rename = "tv")]
    pub traded_volume: Option<Number>,
}

/// What a message says about one runner.
///
/// An empty list says nothing: it stands where a change lies deeper than the levels that were asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct RunnerChange {
    /// The selection.
    #[serde(deserialize_with = "unsigned")]
    pub id: Option<u64>,
    /// Its handicap.
    #[serde(rename = "hc")]
    pub handicap: Option<Number>,
    /// Available to back, full depth.
    #[serde(rename = "atb", deserialize_with = "list")]
    pub back: Vec<PriceSize>,
    /// Available to lay, full depth.
    #[serde(rename = "atl", deserialize_with = "list")]
    pub lay: Vec<PriceSize>,
    /// Best levels available to back.
    #[serde(rename = "batb", deserialize_with = "list")]
    pub best_back: Vec<LevelPriceSize>,
    /// Best levels available to lay.
    #[serde(rename = "batl", deserialize_with = "list")]
    pub best_lay: Vec<LevelPriceSize>,
    /// Best levels to back as displayed, virtual bets included.
    #[serde(rename = "bdatb", deserialize_with = "list")]
    pub display_back: Vec<LevelPriceSize>,
    /// Best levels to lay as displayed, virtual bets included.
    #[serde(rename = "bdatl", deserialize_with = "list")]
    pub display_lay: Vec<LevelPriceSize>,
    /// Traded per price.
    #[serde(rename = "trd", deserialize_with = "list")]
    pub traded: Vec<PriceSize>,
    /// Starting-price back bets.
    #[serde(rename = "spb", deserialize_with = "list")]
    pub sp_back: Vec<PriceSize>,
    /// Starting-price lay bets.
    #[serde(rename = "spl", deserialize_with = "list")]
    pub sp_lay: Vec<PriceSize>,
    /// Last price traded.
    #[serde(rename = "ltp")]
    pub last_traded: Option<Number>,
    /// Amount traded.
    #[serde(rename = "tv")]
    pub traded_volume: Option<Number>,
    /// Projected starting price, near.
    #[serde(rename = "spn")]
    pub near_price: Option<Number>,
    /// Projected starting price, far.
    #[serde(rename = "spf")]
    pub far_price: Option<Number>,
}

/// Numbers side by side; NaN where one is missing or unreadable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row<const N: usize>(pub [f64; N]);

/// `[price, size]`.
pub type PriceSize = Row<2>;
/// `[level, price, size]`.
pub type LevelPriceSize = Row<3>;

impl<'de, const N: usize> Deserialize<'de> for Row<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RowVisitor<const N: usize>;

        impl<'de, const N: usize> Visitor<'de> for RowVisitor<N> {
            type Value = Row<N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of {N} numbers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Row<N>, A::Error> {
                let mut row = [f64::NAN; N];
                for slot in &mut row {
                    let Some(number) = values.next_element::<Number>()? else { return Ok(Row(row)) };
                    *slot = number.to_f64();
                }
                while values.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Row(row))
            }
        }

        deserializer.deserialize_seq(RowVisitor)
    }
}

/// Reads a list; null is an empty one, and so is null within it.
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct ListVisitor<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list or null")
        }

        fn visit_unit<E>(self) -> Result<Vec<T>, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(value) = values.next_element::<Option<T>>()? {
                list.extend(value);
            }
            Ok(list)
        }
    }

    deserializer.deserialize_any(ListVisitor(PhantomData))
}

fn is_market_change<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(text(deserializer)?.is_some_and(|operation| operation == "mcm"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(json: &str) -> Message {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn nulls_stand_for_nothing_everywhere() {
        let nothing = message(r#"{"op":null,"pt":null,"mc":null,"clk":null}"#);
        assert!(!nothing.is_market_change && nothing.published_ms.is_none() && nothing.markets.is_empty());
        let market = &message(
            r#"{"op":"mcm","pt":5,"mc":[null,{"id":null,"img":null,"marketDefinition":null,"tv":null,
                "rc":[null,{"id":null,"hc":null,"atb":null,"batb":[null,[0,null,2]],"ltp":null,"x":{}}]}]}"#,
        )
        .markets[0];
        assert!(market.id.is_none() && !market.image && market.definition.is_none());
        let [runner] = &market.runners[..] else { panic!("one runner") };
        assert!(runner.id.is_none() && runner.back.is_empty() && runner.last_traded.is_none());
        let [Row([level, price, size])] = runner.best_back[..] else { panic!("one level") };
        assert!(level == 0.0 && price.is_nan() && size == 2.0);
    }

    #[test]
    fn rows_may_be_short_long_or_hold_texts() {
        let change: RunnerChange =
            serde_json::from_str(r#"{"atb":[[1.5],[1.6,2,"x"],["1.7","NaN"],[]]}"#).unwrap();
        let rows: Vec<_> = change.back.iter().map(|Row([price, size])| (*price, size.is_nan())).collect();
        assert_eq!(rows[..3], [(1.5, true), (1.6, false), (1.7, true)]);
        assert!(rows[3].0.is_nan());
    }
}
