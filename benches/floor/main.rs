//! What a delivered update costs, against the least that any server could spend: a bare loop of writes.
//!
//!     cargo bench --bench floor                      # 5,000 connections
//!     cargo bench --bench floor -- 1000              # another number of them
//!
//! One process serves, pinned to the first processor; a second one reads, pinned to the last. Rounds of the bare loop and
//! of the gateway alternate, so both meet the same machine. The figure is processor time of the server's threads (user
//! and kernel) per delivered message or update, from the thread clocks; what is compared is the ratio.

mod gateway;
mod machine;
mod markets;
mod raw;
mod reader;

use std::time::Duration;

use gateway::Gateway;
use machine::{pin, resident_kb};
use markets::MARKETS;
use raw::Raw;
use reader::Readers;

const CONNECTIONS: usize = 5_000;
/// Rounds of each kind that are measured; medians are printed.
const ROUNDS: usize = 40;
/// Rounds before, which warm everything up.
const WARM_UP: usize = 5;
/// Markets of an own set.
const OWN_MARKETS: usize = 20;

/// What connections follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    /// All of them the same: everything.
    Shared,
    /// Each its own markets, so many of them.
    Own(usize),
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.first().is_some_and(|first| first == "read") {
        return reader::run(&arguments[1..]);
    }
    if let [first, own, connections] = &arguments[..]
        && first == "memory"
    {
        let number = |text: &String| text.parse().expect("a number");
        return memory(number(own), number(connections));
    }
    let connections = arguments.first().and_then(|count| count.parse().ok()).unwrap_or(CONNECTIONS);
    // Each in a process of its own, because memory that one has given back would be what the next one takes.
    for own in [0, 200] {
        let program = std::env::current_exe().expect("this program");
        let arguments = ["memory".to_owned(), own.to_string(), connections.to_string()];
        let status = std::process::Command::new(program).args(arguments).status().expect("another process");
        assert!(status.success(), "memory of own sets of {own}");
    }
    pin(machine::SERVER);
    compare("shared topic, one market changes", connections, Interest::Shared, 1);
    compare("shared topic, all 200 markets change", connections, Interest::Shared, MARKETS);
    compare(
        "own sets of 20 of 200, all 200 markets change",
        connections,
        Interest::Own(OWN_MARKETS),
        MARKETS,
    );
}

/// Alternates rounds of the bare loop and of the gateway.
fn compare(what: &str, connections: usize, interest: Interest, changing: usize) {
    let mut gateway = Gateway::start(MARKETS);
    let mut raw = Raw::listen();
    let mut readers = Readers::start(gateway.address(), raw.address(), 0..connections, interest, MARKETS);
    raw.accept(connections, interest);
    gateway.wait_for(connections, &mut readers);
    let (mut ours, mut floor, mut engine) = (Vec::new(), Vec::new(), Vec::new());
    let mut payload = 0;
    for round in 0..WARM_UP + ROUNDS {
        let spent = gateway.round(changing, &mut readers);
        // The same bytes, as pieces of the same lengths.
        let bare = raw.round(&gateway.pieces(changing), &mut readers);
        payload = spent.bytes / connections as u64;
        if round >= WARM_UP {
            ours.push((spent.engine + spent.shards).as_secs_f64());
            engine.push(spent.engine.as_secs_f64());
            floor.push(bare.as_secs_f64());
        }
    }
    gateway.check();
    let followed = match interest {
        Interest::Shared => changing,
        Interest::Own(own) => own.min(changing),
    };
    let deliveries = connections as f64;
    let us = |seconds: f64| seconds * 1e6 / deliveries;
    let (ours, floor, engine) = (median(&mut ours), median(&mut floor), median(&mut engine));
    println!(
        "{what}, {connections} connections, {payload} bytes each: floor {:.2} us per message, gateway {:.2} us \
         (engine {:.2}), {:.2}x; per update {:.3} us and {:.3} us",
        us(floor),
        us(ours),
        us(engine),
        ours / floor,
        us(floor) / followed as f64,
        us(ours) / followed as f64,
    );
}

/// What a connection costs in memory, idle and with a reader that takes nothing. `own`: 0 for a shared topic.
fn memory(own: usize, connections: usize) {
    let (what, interest, markets) = match own {
        0 => (format!("shared topic of {MARKETS} markets"), Interest::Shared, MARKETS),
        own => (format!("own sets of {own} of {} markets", MARKETS * 2), Interest::Own(own), MARKETS * 2),
    };
    let mut gateway = Gateway::start(markets);
    // Memory that only the first connections need is not a cost of each.
    let mut first = Readers::start(gateway.address(), gateway.address(), 0..200, interest, markets);
    gateway.wait_for(200, &mut first);
    let before = resident_kb();
    // Nobody follows the same set as another, so nobody's catch-up is kept for another.
    let others = 200..200 + connections;
    let mut readers = Readers::start(gateway.address(), gateway.address(), others, interest, markets);
    gateway.wait_for(connections + 200, &mut readers);
    gateway.settle(Duration::from_secs(2));
    let idle = resident_kb();
    readers.stall();
    // What the kernels of both ends take is some dozens of flushes.
    while gateway.behind() < connections {
        gateway.commit(markets);
        gateway.settle(Duration::from_millis(2));
    }
    gateway.settle(Duration::from_secs(1));
    let stuck = resident_kb();
    let per = |kb: u64| (kb as f64 - before as f64) / connections as f64;
    println!(
        "{what}, {connections} connections: {:.2} KB each idle; {:.2} KB each when {} of them take nothing",
        per(idle),
        per(stuck),
        gateway.behind(),
    );
    drop((readers, first));
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
