//! A client session that holds a real market is fed arbitrary frames. It must not panic, hang or grow without bound,
//! and what it holds must stay a market.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use oddswire_fanout::{ConnectionId, Delivery, Fanout, FanoutConfig, LocalShard};
use oddswire_model::{Commit, Epoch, Field, Handicap, LadderUpdate, MarketId, MarketUpdate, Price, SelectionId, SelectionKey, SelectionUpdate, View};
use oddswire_session::{ClientConfig, ClientSession, SubscriptionRequest};
use oddswire_store::Store;

fn session() -> ClientSession {
    let mut store = Store::new(Epoch(1));
    let mut update = MarketUpdate::new(MarketId::new("1.1").unwrap());
    update.fields.push((Field::Status, 1));
    update.fields.push((Field::PriceLadder, 1));
    for id in 1..4 {
        let mut selection = SelectionUpdate::new(SelectionKey { id: SelectionId(id), handicap: Handicap::NONE });
        let rungs = (0..5).map(|rung| (Price(20_000 + rung * 200), 100 + u64::from(rung))).collect();
        selection.ladders.push(LadderUpdate { field: Field::Back, replace: true, rungs });
        update.selections.push(selection);
    }
    store.commit(&Commit { published_ms: 1_700_000_000_000, markets: vec![update] }).unwrap();
    let mut fanout = Fanout::new(FanoutConfig::default());
    let mut client = ClientSession::new(ClientConfig::default());
    client.subscribe(1, SubscriptionRequest { topics: vec!["all".parse().unwrap()], view: View::FULL, rate_ms: 0 });
    let (id, mut shard) = (ConnectionId(0), LocalShard::default());
    shard.join(id);
    fanout.connect(0, id);
    client.connected(0);
    while let Some(message) = client.poll_transmit() {
        fanout.handle_message(0, &store, id, message);
        while let Some(delivery) = shard.poll(0, &mut fanout, &store) {
            let Delivery::Frames { frames, .. } = delivery else { continue };
            for frame in frames {
                client.handle_frame(0, frame).unwrap();
            }
            shard.ready(id);
        }
    }
    assert!(client.is_synced());
    client
}

fuzz_target!(|data: &[u8]| {
    let mut client = session();
    // Frames are length-prefixed by two bytes, so that one input is a conversation.
    let mut rest = data;
    while rest.len() >= 2 {
        let length = usize::from(u16::from_le_bytes([rest[0], rest[1]])).min(rest.len() - 2);
        let frame = Bytes::copy_from_slice(&rest[2..2 + length]);
        rest = &rest[2 + length..];
        if client.handle_frame(1, frame).is_err() {
            client.disconnected();
            client.connected(2);
        }
        while client.poll_transmit().is_some() {}
        while client.poll_event().is_some() {}
    }
    for reading in client.markets(3) {
        // Reading everything must be possible whatever came.
        let _ = (reading.status(), reading.market.digest(View::PRICES), reading.market.cells(View::FULL).len());
    }
});
