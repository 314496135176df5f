//! Every recording, adapted and committed to a store, is what an independent reducer makes of its JSON.

mod oracle;
mod support;

use oddswire_feeds::betfair::Recording;
use oddswire_model::{Epoch, View};
use oddswire_store::Store;
use oddswire_wire::json;

/// The state is compared after every so many messages, and at the end.
const MESSAGES_BETWEEN_CHECKS: usize = 997;

fn check(store: &Store, oracle: &oracle::Oracle, at: &str) {
    assert_eq!(store.len(), oracle.markets().len(), "{at}");
    for (id, expected) in oracle.markets() {
        let market =
            store.markets().find(|market| market.id().as_str() == id).expect("the store has every market");
        for view in [View::FULL, View::best(3), "best2-prices".parse().expect("a view"), View::PRICES] {
            let expected = expected.to_json_view(support::oracle_view(view));
            let found = json::market(store.epoch(), market, view);
            if let Some(difference) = support::disagreement(&expected, found) {
                panic!("{at}, market {id} in {view}: {difference}");
            }
        }
    }
}

#[test]
fn the_store_holds_what_the_oracle_says_of_every_recording() {
    for path in support::recordings() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut store = Store::new(Epoch(1));
        let mut oracle = oracle::Oracle::new();
        let mut commits = Recording::open(&path).expect("a recording").commits();
        let messages = oracle::Recording::open(&path).expect("a recording");
        let mut count = 0;
        for message in messages.messages() {
            oracle.apply(&message);
            // Heartbeats carry no markets and make no commit.
            if message["mc"].as_array().is_none_or(Vec::is_empty) {
                continue;
            }
            let commit = commits.next().expect("as many commits as messages").expect("a readable message");
            store.commit(&commit).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
            count += 1;
            if count % MESSAGES_BETWEEN_CHECKS == 0 {
                check(&store, &oracle, &format!("{name} after {count} messages"));
            }
        }
        assert!(commits.next().is_none(), "{name}");
        check(&store, &oracle, &name);
        println!("{name}: {count} messages, {} markets, revision {}", store.len(), store.revision());
    }
}
