//! A resume moves only the cells that changed: recorded and simulated markets, cut for 1 s to 1 h of market time.

mod world;

use std::path::PathBuf;

use oddswire_model::{CellChange, Commit, Revision, View};
use world::World;

/// How long the line is cut, in seconds of market time.
const CUTS_S: [u64; 5] = [1, 10, 60, 600, 3_600];

/// Replays commits, cuts a receiver in the middle for a time, and compares what the resume costs with a snapshot.
fn cut_and_resume(name: &str, commits: &[Commit], view: View) {
    let first_ms = commits[0].published_ms;
    let last_ms = commits[commits.len() - 1].published_ms;
    for cut_s in CUTS_S {
        if (last_ms - first_ms) / 1_000 <= cut_s {
            continue;
        }
        // The cut ends late in the recording, where most of them are busiest.
        let end_ms = commits[commits.len() - 1 - commits.len() / 20].published_ms;
        let start_ms = end_ms.saturating_sub(cut_s * 1_000).max(first_ms);
        let mut world = World::new();
        let apply = |world: &mut World, commit: &Commit| {
            let committed = world.store.commit(commit).unwrap();
            world.fanout.handle_commit(world.now_ms, &world.store, &committed);
        };
        let before = commits.partition_point(|commit| commit.published_ms <= start_ms);
        let after = commits.partition_point(|commit| commit.published_ms <= end_ms);
        for commit in &commits[..before] {
            apply(&mut world, commit);
        }
        let id = world.follow("all", view, 0);
        world.wait(50);
        let client = world.cut(id);
        let cursor = client.cursor().unwrap().revision;
        for commit in &commits[before..after] {
            apply(&mut world, commit);
        }
        world.wait(50);

        world.bytes = 0;
        let fresh = world.follow("all", view, 0);
        let snapshot_bytes = world.bytes;
        let snapshot_cells = world.clients[&fresh].stats().cells;
        world.bytes = 0;
        let cells_before = client.stats().cells;
        let id = world.connect(client);
        let resume_bytes = world.bytes;
        let resume_cells = world.clients[&id].stats().cells - cells_before;
        world.check(id, view);
        world.check(fresh, view);
        assert_eq!(world.clients[&id].stats().resumes, 1);

        let changed = changed_since(&world, cursor, view);
        println!(
            "{name:32} {view:6} cut {cut_s:5} s: {:6} commits missed, resume {resume_bytes:7} B for {resume_cells:6} cells, \
             snapshot {snapshot_bytes:7} B for {snapshot_cells:6} cells",
            after - before,
        );
        if view == View::FULL {
            assert!(resume_cells <= changed, "no cell that did not change: {resume_cells} of {changed}");
        }
        // Whatever was missed, the answer is bounded by the state: a clear and the rungs, instead of each removal.
        assert!(
            resume_bytes <= snapshot_bytes + snapshot_bytes / 10 + 100,
            "{resume_bytes} of {snapshot_bytes} B"
        );
    }
}

/// Cells whose last change is after the cursor, removed ones among them, counted in the store itself.
fn changed_since(world: &World, cursor: Revision, view: View) -> u64 {
    let mut changed = 0;
    for market in world.store.markets() {
        if market.created() > cursor {
            changed +=
                market.cells(view).iter().filter(|CellChange { value, .. }| *value != 0).count() as u64;
            continue;
        }
        for field in oddswire_model::Field::MARKET {
            changed += u64::from(market.value_revision(field) > cursor);
        }
        for selection in market.selections() {
            for field in oddswire_model::Field::SELECTION {
                changed += u64::from(selection.value_revision(field) > cursor);
            }
            for field in oddswire_model::Field::LADDERS {
                let ladder = selection.ladder(field);
                changed += ladder.rungs().iter().filter(|rung| rung.revision > cursor).count() as u64;
                let gone = ladder.tombstones().iter().filter(|tombstone| tombstone.revision > cursor);
                changed += gone.count() as u64;
            }
        }
    }
    changed
}

fn recordings() -> Vec<PathBuf> {
    let folder = std::env::var_os("ODDSWIRE_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: no recordings in {}; the simulator stands in", folder.display());
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "bz2"));
    paths.sort();
    paths
}

#[test]
fn a_resume_moves_only_the_cells_that_changed_in_recorded_markets() {
    for path in recordings() {
        let commits: Vec<Commit> =
            oddswire_feeds::betfair::Recording::open(&path).unwrap().commits().map(Result::unwrap).collect();
        let name = path.file_stem().unwrap().to_string_lossy();
        for view in [View::FULL, View::best(3)] {
            cut_and_resume(&name, &commits, view);
        }
    }
}

#[test]
fn a_resume_moves_only_the_cells_that_changed_in_simulated_markets() {
    use oddswire_feeds::simulator::{Simulator, SimulatorConfig};
    let mut simulator = Simulator::new(SimulatorConfig::small(7));
    let mut commits = vec![simulator.next_commit()];
    while commits[commits.len() - 1].published_ms < commits[0].published_ms + 4_000_000 {
        commits.push(simulator.next_commit());
    }
    for view in [View::FULL, View::best(3), View::PRICES] {
        cut_and_resume("simulator", &commits, view);
    }
}
