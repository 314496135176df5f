//! A gateway is fed arbitrary client messages. It must not panic, and what it says stays bounded.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use oddswire_fanout::{ConnectionId, Delivery, Fanout, FanoutConfig, LocalShard};
use oddswire_model::{Commit, Epoch, Field, MarketId, MarketUpdate};
use oddswire_store::Store;
use oddswire_wire::limits::FRAME_BYTES_MAX;

fuzz_target!(|data: &[u8]| {
    let mut store = Store::new(Epoch(1));
    let mut update = MarketUpdate::new(MarketId::new("1.1").unwrap());
    update.fields.push((Field::Status, 1));
    store.commit(&Commit { published_ms: 1, markets: vec![update] }).unwrap();
    let mut fanout = Fanout::new(FanoutConfig::default());
    let (id, mut shard) = (ConnectionId(0), LocalShard::default());
    shard.join(id);
    fanout.connect(0, id);
    let mut rest = data;
    let mut now_ms = 0;
    while rest.len() >= 2 {
        let length = usize::from(rest[0]).min(rest.len() - 2);
        now_ms += u64::from(rest[1]);
        fanout.handle_message(now_ms, &store, id, Bytes::copy_from_slice(&rest[2..2 + length]));
        rest = &rest[2 + length..];
        fanout.handle_timeout(now_ms, &store);
        while let Some(delivery) = shard.poll(now_ms, &mut fanout, &store) {
            if let Delivery::Frames { frames, .. } = delivery {
                assert!(frames.iter().all(|frame| frame.len() <= FRAME_BYTES_MAX));
                shard.ready(id);
            }
        }
    }
});
