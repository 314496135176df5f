//! A naive replay: it keeps every cell in ordered maps, refuses what must never happen, and counts.

use std::collections::BTreeMap;

use oddswire_model::{
    Commit, Field, MarketId, MarketStatus, MarketUpdate, Price, PriceLadder, SelectionKey, SelectionStatus,
    SelectionUpdate, name,
};

/// Everything said so far.
#[derive(Default)]
pub(super) struct Replay {
    pub(super) markets: BTreeMap<MarketId, ReplayMarket>,
    pub(super) now_ms: u64,
    pub(super) commits: u64,
    pub(super) suspensions: u64,
    pub(super) longest_suspension_ms: u64,
    pub(super) open_in_play: usize,
    /// Per market type, for what is said while open in play.
    pub(super) tallies: BTreeMap<String, Tally>,
    /// Commits of the current second, and of the busiest one.
    second: (u64, u64),
    pub(super) busiest_second: u64,
}

/// How the messages (updates of one market) of a type look.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// How long all markets of the type were open in play.
    pub(super) open_ms: u64,
    /// Cells changed by each message.
    pub(super) changes: Vec<u64>,
    /// Changes that change nothing.
    pub(super) no_ops: u64,
    /// Changed book rungs by rank: best, 2nd and 3rd, 4th to 10th, deeper.
    pub(super) ranks: [u64; 4],
    /// New, deleted and resized book rungs.
    pub(super) kinds: [u64; 3],
    /// Cells of books, of other ladders, and one-value cells.
    pub(super) shares: [u64; 3],
}

/// A market as the updates have it.
pub(super) struct ReplayMarket {
    pub(super) status: MarketStatus,
    pub(super) since_ms: u64,
    selections: BTreeMap<SelectionKey, ReplaySelection>,
    pub(super) score: String,
    ladder: PriceLadder,
    market_type: String,
    fields: BTreeMap<Field, u64>,
}

#[derive(Default)]
struct ReplaySelection {
    fields: BTreeMap<Field, u64>,
    ladders: BTreeMap<Field, BTreeMap<Price, u64>>,
}

impl Replay {
    /// Applies a commit; panics when it breaks a rule.
    pub(super) fn apply(&mut self, commit: &Commit) {
        assert!(commit.published_ms >= self.now_ms, "time went back");
        assert!(!commit.markets.is_empty(), "an empty commit");
        if commit.published_ms / 1_000 != self.second.0 {
            self.second = (commit.published_ms / 1_000, 0);
        }
        self.now_ms = commit.published_ms;
        self.commits += 1;
        self.second.1 += 1;
        self.busiest_second = self.busiest_second.max(self.second.1);
        for update in &commit.markets {
            self.apply_market(update);
        }
    }

    fn apply_market(&mut self, update: &MarketUpdate) {
        let known = self.markets.contains_key(&update.id);
        assert_eq!(known, !update.image, "{} begins with an image and has no other", update.id);
        let market =
            self.markets.entry(update.id.clone()).or_insert_with(|| ReplayMarket::begun(update, self.now_ms));
        assert!(!market.is_over(), "{} is over and gets no update", update.id);
        let mut tally = Tally::default();
        let (before, since_ms, was_in_play) = (market.status, market.since_ms, market.is_open_in_play());
        let score = market.score.clone();
        market.apply(update, known, self.now_ms, &mut tally);
        let changes_cells = tally.no_ops < tally.shares.iter().sum();
        assert!(changes_cells || market.score != score, "an update of {} changes nothing", update.id);
        market.check(&update.id);
        if market.status != before {
            let lasted_ms = self.now_ms - since_ms;
            if before == MarketStatus::Suspended {
                self.suspensions += 1;
                self.longest_suspension_ms = self.longest_suspension_ms.max(lasted_ms);
            }
            tally.open_ms = if was_in_play { lasted_ms } else { 0 };
        }
        self.open_in_play =
            self.open_in_play + usize::from(market.is_open_in_play()) - usize::from(was_in_play);
        if known && was_in_play {
            tally.changes.push(tally.shares.iter().sum());
            self.tallies.entry(market.market_type.clone()).or_default().add(&tally);
        }
    }
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        self.open_ms += other.open_ms;
        self.no_ops += other.no_ops;
        self.changes.extend(&other.changes);
        let sum = |to: &mut [u64], from: &[u64]| to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        sum(&mut self.ranks, &other.ranks);
        sum(&mut self.kinds, &other.kinds);
        sum(&mut self.shares, &other.shares);
    }
}

impl ReplayMarket {
    fn begun(update: &MarketUpdate, now_ms: u64) -> Self {
        assert!(update.image && update.complete_definition);
        let attribute = |wanted: &str| {
            let found = update.attributes.iter().find(|(attribute, _)| **attribute == *wanted);
            found.and_then(|(_, value)| value.as_ref()?.as_text()).unwrap_or_default().to_owned()
        };
        for wanted in [
            name::FIXTURE,
            name::SPORT,
            name::COMPETITION,
            name::COMPETITION_NAME,
            name::FIXTURE_NAME,
            name::MARKET_TYPE,
            name::NAME,
            name::START_TIME,
            name::VENUE,
            name::SCORE,
        ] {
            assert!(!attribute(wanted).is_empty(), "{} lacks its {wanted}", update.id);
        }
        assert!(update.selections.iter().all(|selection| selection.attributes.len() == 2));
        Self {
            status: MarketStatus::Unknown,
            ladder: PriceLadder::DEFAULT,
            since_ms: now_ms,
            score: String::new(),
            market_type: attribute(name::MARKET_TYPE),
            fields: BTreeMap::new(),
            selections: BTreeMap::new(),
        }
    }

    fn apply(&mut self, update: &MarketUpdate, known: bool, now_ms: u64, tally: &mut Tally) {
        for &(field, value) in &update.fields {
            tally.shares[2] += 1;
            let before = self.fields.insert(field, value).unwrap_or(0);
            tally.no_ops += u64::from(before == value);
            match field {
                Field::Status => self.turn(MarketStatus::from_code(value).unwrap(), now_ms),
                Field::InPlay => assert_eq!(value, 1),
                Field::PriceLadder => self.ladder = PriceLadder::from_code(value).unwrap(),
                Field::MarketTradedVolume => assert!(value > before, "money cannot be untraded"),
                _ => panic!("{field:?} is not a field of a market"),
            }
        }
        let mut scores = update.attributes.iter().filter(|(attribute, _)| **attribute == *name::SCORE);
        if let Some((_, Some(score))) = scores.next_back() {
            self.score = score.as_text().unwrap().to_owned();
        }
        for selection in &update.selections {
            assert_eq!(self.selections.contains_key(&selection.key), known, "selections come with the image");
            self.selections.entry(selection.key).or_default().apply(selection, self.ladder, tally);
        }
    }

    fn turn(&mut self, status: MarketStatus, now_ms: u64) {
        use MarketStatus::{Closed, Open, Settled, Suspended, Unknown, Void};
        let legal = matches!(
            (self.status, status),
            (Unknown, Open)
                | (Open, Suspended | Closed)
                | (Suspended, Open | Closed | Void)
                | (Closed, Settled)
        );
        assert!(legal, "{} to {status}", self.status);
        (self.status, self.since_ms) = (status, now_ms);
    }

    /// What holds after every commit.
    fn check(&self, id: &MarketId) {
        let mut traded = 0;
        for (key, selection) in &self.selections {
            let [back, lay] = [Field::Back, Field::Lay].map(|field| selection.ladders.get(&field));
            let best_back = back.and_then(|rungs| rungs.keys().next_back());
            let best_lay = lay.and_then(|rungs| rungs.keys().next());
            if let (Some(back), Some(lay)) = (best_back, best_lay) {
                assert!(back < lay, "{id} {key} is crossed: {back} to back, {lay} to lay");
            }
            let depth = [back, lay].map(|rungs| rungs.map_or(0, BTreeMap::len));
            assert!(depth.iter().all(|&depth| depth <= 30), "{id} {key} is {depth:?} deep");
            let takes_bets = matches!(self.status, MarketStatus::Open | MarketStatus::Suspended);
            assert!(takes_bets || depth == [0, 0], "{id} {key} is {} and offers something", self.status);
            traded += selection.fields.get(&Field::TradedVolume).copied().unwrap_or(0);
        }
        assert_eq!(traded, self.fields.get(&Field::MarketTradedVolume).copied().unwrap_or(0), "{id}");
    }

    /// How many selections have a status.
    pub(super) fn count(&self, status: SelectionStatus) -> usize {
        let statuses = self.selections.values().filter_map(|s| s.fields.get(&Field::SelectionStatus));
        statuses.filter(|&&code| code == status as u64).count()
    }

    /// The score without the minute.
    pub(super) fn goals(&self) -> String {
        self.score.split(' ').next().unwrap_or_default().to_owned()
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.status, MarketStatus::Settled | MarketStatus::Void)
    }

    fn is_open_in_play(&self) -> bool {
        self.status == MarketStatus::Open && self.fields.contains_key(&Field::InPlay)
    }
}

impl ReplaySelection {
    fn apply(&mut self, update: &SelectionUpdate, ladder: PriceLadder, tally: &mut Tally) {
        for &(field, value) in &update.fields {
            let before = self.fields.insert(field, value).unwrap_or(0);
            let price = Price(u32::try_from(value).unwrap_or(u32::MAX));
            match field {
                Field::Price | Field::LastTraded => {
                    assert!(value == 0 || ladder.index(price).is_some(), "{price} beside the ladder");
                    assert!(value == 0 || price > Price::ONE);
                }
                Field::NearPrice | Field::FarPrice | Field::StartingPrice => {
                    assert!(value == 0 || price > Price::ONE);
                }
                _ => {}
            }
            tally.no_ops += u64::from(before == value);
            tally.shares[2] += 1;
        }
        for update in &update.ladders {
            let is_book = matches!(update.field, Field::Back | Field::Lay);
            let rungs = self.ladders.entry(update.field).or_default();
            if update.replace {
                tally.shares[usize::from(!is_book)] += rungs.len() as u64;
                rungs.clear();
            }
            for &(price, cents) in &update.rungs {
                assert!(price > Price::ONE && ladder.index(price).is_some(), "{price} beside the ladder");
                let rank = match update.field {
                    Field::Back => rungs.range(price..).filter(|(other, _)| **other > price).count(),
                    _ => rungs.range(..price).count(),
                };
                let before = if cents == 0 { rungs.remove(&price) } else { rungs.insert(price, cents) };
                tally.no_ops += u64::from(before.unwrap_or(0) == cents);
                tally.shares[usize::from(!is_book)] += 1;
                if is_book && !update.replace {
                    tally.ranks[[1, 3, 10].iter().filter(|&&deeper| rank >= deeper).count()] += 1;
                    tally.kinds[if before.is_none() { 0 } else { 2 - usize::from(cents == 0) }] += 1;
                }
            }
        }
    }
}
