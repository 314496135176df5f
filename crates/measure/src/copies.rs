//! Many markets on one connection, built from a recording of one.
//!
//! No public recording holds 200 busy markets. So one market is replicated: copy k of n plays the same stretch of the
//! recording, beginning k/n of the stretch later. Each copy has an id of its own and an encoder of Oddswire's carries
//! nothing from market to market, so copies do not help each other; a compressor with a window over the whole
//! connection would find every copy in it, which is why none is compared here.

use std::collections::HashMap;

use oddswire_model::{
    AttributeValue, Commit, Epoch, Field, FieldKind, LadderUpdate, Market, MarketId, MarketUpdate,
    SelectionUpdate, View,
};
use oddswire_store::Store;

use crate::Recording;

/// Commits that all copies play together.
const COMMITS_TOTAL: usize = 40_000;
/// Longest id that leaves room for the number of the copy.
const ID_BYTES: usize = MarketId::MAX_BYTES - 8;

/// Copies of a market: the state at which each begins, and what then happens to them in order of time.
#[derive(Debug)]
pub(crate) struct Copies {
    pub(crate) initial: Vec<Commit>,
    pub(crate) commits: Vec<Commit>,
}

impl Copies {
    /// `count` copies of the market with the most messages, in the stretch where it is busiest.
    ///
    /// `None` when the recording is too short to be shifted.
    pub(crate) fn new(recording: &Recording, count: usize) -> Option<Self> {
        let updates = busiest_market(recording);
        let wanted = (2 * COMMITS_TOTAL / count).max(16).min(updates.len());
        if wanted < 16 {
            return None;
        }
        let span = |first: usize| updates[first + wanted - 1].0 - updates[first].0;
        let first = (0..=updates.len() - wanted).min_by_key(|&first| span(first))?;
        let stretch = &updates[first..first + wanted];
        let start_ms = stretch[0].0;
        // A copy plays half of the stretch, from wherever it begins in the first half.
        let half_ms = (span(first) / 2).max(1);

        let mut store = Store::new(Epoch(1));
        let mut applied = 0;
        let mut initial = Vec::new();
        let mut commits = Vec::new();
        for copy in 0..count {
            let from_ms = start_ms + half_ms * copy as u64 / count as u64;
            while updates.get(applied).is_some_and(|(at_ms, _)| *at_ms < from_ms.max(start_ms + 1)) {
                let (published_ms, update) = &updates[applied];
                store.commit(&Commit { published_ms: *published_ms, markets: vec![update.clone()] }).ok()?;
                applied += 1;
            }
            let id = copy_id(updates[0].1.id.as_str(), copy)?;
            let image = image(store.markets().next()?, id.clone());
            initial.push(Commit { published_ms: start_ms, markets: vec![image] });
            let played = updates[applied..].iter().take_while(|(at_ms, _)| *at_ms < from_ms + half_ms);
            commits.extend(played.map(|(at_ms, update)| {
                let update = MarketUpdate { id: id.clone(), ..update.clone() };
                Commit { published_ms: start_ms + at_ms.saturating_sub(from_ms), markets: vec![update] }
            }));
        }
        commits.sort_by_key(|commit| commit.published_ms);
        Some(Self { initial, commits })
    }
}

/// What happens to the market with the most messages, at times that do not go back.
fn busiest_market(recording: &Recording) -> Vec<(u64, MarketUpdate)> {
    let mut updates: HashMap<&MarketId, Vec<(u64, MarketUpdate)>> = HashMap::new();
    let mut now_ms = 0;
    for (_, commit) in recording.commits() {
        now_ms = commit.published_ms.max(now_ms);
        for update in &commit.markets {
            updates.entry(&update.id).or_default().push((now_ms, update.clone()));
        }
    }
    let busiest = updates.into_values().max_by(|a, b| a.len().cmp(&b.len()).then(b[0].1.id.cmp(&a[0].1.id)));
    busiest.unwrap_or_default()
}

fn copy_id(id: &str, copy: usize) -> Option<MarketId> {
    let end = (0..=ID_BYTES.min(id.len())).rev().find(|&end| id.is_char_boundary(end))?;
    MarketId::new(&format!("{}~{copy}", &id[..end])).ok()
}

/// A market as the producer would say it when it says everything.
fn image(market: &Market, id: MarketId) -> MarketUpdate {
    let mut update = MarketUpdate::new(id);
    update.image = true;
    let all =
        |attributes: &oddswire_model::Attributes| -> Vec<(std::sync::Arc<str>, Option<AttributeValue>)> {
            attributes.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect()
        };
    update.attributes = all(market.attributes());
    for selection in market.selections() {
        let mut told = SelectionUpdate::new(selection.key());
        told.attributes = all(selection.attributes());
        update.selections.push(told);
    }
    market.visit_cells(View::FULL, |key, value| match key.field.kind() {
        // Only the server holds markets.
        FieldKind::Market if key.field == Field::Held => {}
        FieldKind::Market => update.fields.push((key.field, value)),
        FieldKind::Selection => {
            update.selections[usize::from(key.selection.0)].fields.push((key.field, value));
        }
        FieldKind::Ladder => {
            let ladders = &mut update.selections[usize::from(key.selection.0)].ladders;
            if ladders.last().is_none_or(|ladder| ladder.field != key.field) {
                ladders.push(LadderUpdate { field: key.field, replace: true, rungs: Vec::new() });
            }
            let ladder = ladders.last_mut().expect("one was just pushed");
            ladder.rungs.push((key.price, value));
        }
    });
    update
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn recording(messages: u64) -> Recording {
        let message = |at: u64| {
            let (price, size) = (2 + at % 7, at % 5 * 10);
            format!(
                r#"{{"op":"mcm","pt":{},"mc":[{{"id":"1.1","rc":[{{"id":7,"ltp":{price},"atb":[[{price},{size}]]}}]}}]}}"#,
                1_000 + at * 100
            )
        };
        let text: String = (0..messages).map(message).collect();
        Recording::parse("r", text.into_bytes()).unwrap()
    }

    #[test]
    fn an_image_makes_the_same_market() {
        let recording = recording(40);
        let mut store = Store::new(Epoch(1));
        for (_, commit) in recording.commits() {
            store.commit(commit).unwrap();
        }
        let market = store.markets().next().unwrap();
        let mut again = Store::new(Epoch(1));
        let markets = vec![image(market, market.id().clone())];
        again.commit(&Commit { published_ms: 5, markets }).unwrap();
        assert!(again.markets().next().unwrap().shows_same(market, View::FULL));
    }

    #[test]
    fn copies_play_the_same_stretch_shifted_in_time() {
        let copies = Copies::new(&recording(400), 20).unwrap();
        assert_eq!(copies.initial.len(), 20);
        let per_copy = copies.commits.len() / 20;
        assert!((190..=201).contains(&per_copy), "{per_copy}");
        assert!(copies.commits.is_sorted_by_key(|commit| commit.published_ms));
        // Were they not shifted, all copies would say the same at the same time.
        let middle_ms = copies.commits[copies.commits.len() / 2].published_ms;
        let around = copies.commits.iter().filter(|commit| commit.published_ms.abs_diff(middle_ms) < 100);
        let said: BTreeSet<_> = around.map(|commit| format!("{:?}", commit.markets[0].selections)).collect();
        assert!(said.len() > 4, "{said:?}");
        assert!(Copies::new(&recording(10), 20).is_none(), "too short to be shifted");
    }
}
