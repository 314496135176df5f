//! Measuring one recording: independent jobs on as many threads as there are cores.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use oddswire_delta::MarketDelta;
use oddswire_model::{Market, View};
use oddswire_wire::piece::Encoding;

use crate::{
    ENCODINGS, MeasureError, Recording, Report, compress,
    copies::Copies,
    encoding_name,
    history::{History, changed_values},
    json::{Canonical, MergePatch},
    overhead::on_line,
    protobuf::NaiveProtobuf,
    receiver::{FrameError, Receiver, Rivals, frames},
    report::{Conflation, ManyMarkets},
    snapshots::snapshots,
    streams::Streams,
};

/// The rates of the conflation tables.
pub const RATES_MS: [u32; 6] = [0, 50, 100, 250, 500, 1_000];
/// The numbers of markets on one connection.
pub const MARKET_COUNTS: [usize; 3] = [1, 30, 200];

/// What to measure beside the rows that are always there: JSON as recorded and without spaces, canonical JSON, merge
/// patches and protobuf, each with both streaming compressors; Oddswire's encodings; bzip2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Full snapshots with every message, compressed and as patches.
    pub snapshots: bool,
    /// xz and zstd -19 of the whole file, and all three archives of canonical JSON.
    pub archives: bool,
    /// The recording at every rate.
    pub conflation: bool,
    /// 1, 30 and 200 markets on one connection.
    pub many_markets: bool,
}

impl Options {
    /// Everything.
    pub const ALL: Self = Self { snapshots: true, archives: true, conflation: true, many_markets: true };
    /// Only the rows that are always there.
    pub const FAST: Self = Self { snapshots: false, archives: false, conflation: false, many_markets: false };
}

/// A part of the work that shares nothing with the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Job {
    Archive(Archive, Text),
    Snapshots,
    ManyMarkets(Encoding, usize),
    Conflation(Encoding),
    NetChanges,
    Recorded,
    Frames(Encoding),
}

/// A compressor of whole files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Archive {
    Bzip2,
    Xz,
    Zstd19,
}

/// What it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Recorded,
    Canonical,
}

/// Measures a recording. `progress` is told the share that is done, from any thread.
///
/// # Errors
/// When a message is refused by the store, or a receiver does not hold what the store holds.
pub fn measure(
    recording: &Recording,
    options: Options,
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Report, MeasureError> {
    let jobs = jobs(options);
    let count = jobs.len() as f64;
    let threads = thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
    let jobs = Mutex::new(VecDeque::from(jobs));
    let done = AtomicU64::new(0);
    let report = Mutex::new(Ok(Report {
        file: recording.name(),
        messages: recording.messages().len() as u64,
        notes: recording.notes().to_vec(),
        ..Report::default()
    }));
    // Not in the loop's condition, where the lock would be held while the job runs.
    let next = || lock(&jobs).pop_front();
    let work = || {
        while let Some(job) = next() {
            let advance = |share: f64| {
                // In billionths of a job, so that many small steps add up.
                let before = done.fetch_add((share * 1e9) as u64, Ordering::Relaxed);
                progress(((before as f64 / 1e9 + share) / count).min(1.0));
            };
            let part = run(recording, job, &advance);
            let mut report = lock(&report);
            match (&mut *report, part) {
                (Ok(report), Ok(part)) => report.add(part),
                (Ok(_), Err(error)) => {
                    *report = Err(error);
                    lock(&jobs).clear();
                }
                (Err(_), _) => {}
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner)?;
    report.conflation.sort_by_key(|row| (row.encoding, row.rate_ms));
    report.many_markets.sort_by_key(|row| (row.encoding, row.markets, row.rate_ms));
    Ok(report)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The jobs, those that take longest first.
fn jobs(options: Options) -> Vec<Job> {
    let mut jobs = Vec::new();
    if options.archives {
        for archive in [Archive::Xz, Archive::Zstd19] {
            jobs.extend([Job::Archive(archive, Text::Recorded), Job::Archive(archive, Text::Canonical)]);
        }
        jobs.push(Job::Archive(Archive::Bzip2, Text::Canonical));
    }
    if options.snapshots {
        jobs.push(Job::Snapshots);
    }
    for encoding in ENCODINGS {
        if options.many_markets {
            jobs.extend(MARKET_COUNTS.map(|count| Job::ManyMarkets(encoding, count)));
        }
        if options.conflation {
            jobs.push(Job::Conflation(encoding));
        }
    }
    jobs.extend([Job::NetChanges, Job::Recorded, Job::Archive(Archive::Bzip2, Text::Recorded)]);
    jobs.extend(ENCODINGS.map(Job::Frames));
    jobs
}

fn run(recording: &Recording, job: Job, advance: &dyn Fn(f64)) -> Result<Part, MeasureError> {
    match job {
        Job::Recorded => recorded(recording, advance),
        Job::NetChanges => net_changes(recording, advance),
        Job::Snapshots => snapshots(recording, advance),
        Job::Frames(encoding) => views(recording, encoding, advance),
        Job::Conflation(encoding) => conflation(recording, encoding, advance),
        Job::ManyMarkets(encoding, count) => many_markets(recording, encoding, count, advance),
        Job::Archive(archive, text) => archived(recording, archive, text, advance),
    }
}

/// What a job adds to the report.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) changes: u64,
    raw_json_on_line: u64,
    pub(crate) bytes: Vec<(String, u64)>,
    pub(crate) sampled: BTreeMap<String, f64>,
    conflation: Vec<Conflation>,
    many_markets: Vec<ManyMarkets>,
    notes: Vec<String>,
}

impl Report {
    fn add(&mut self, part: Part) {
        self.changes += part.changes;
        self.raw_json_on_line += part.raw_json_on_line;
        self.bytes.extend(part.bytes);
        self.sampled.extend(part.sampled);
        self.conflation.extend(part.conflation);
        self.many_markets.extend(part.many_markets);
        self.notes.extend(part.notes);
    }
}

/// The messages as they are.
fn recorded(recording: &Recording, advance: &dyn Fn(f64)) -> Result<Part, MeasureError> {
    let failed = |cause| MeasureError::Compress { path: recording.path().to_owned(), cause };
    let mut raw = Streams::new("raw_json").map_err(failed)?;
    let mut minified = Streams::new("minified_json").map_err(failed)?;
    let step = 1.0 / recording.messages().len() as f64;
    let mut scratch = Vec::new();
    let mut raw_json_on_line = 0;
    for message in recording.messages() {
        let text = recording.text(message);
        raw.message(text).map_err(failed)?;
        raw_json_on_line += on_line(text.len() as u64);
        minify(text, &mut scratch);
        minified.message(&scratch).map_err(failed)?;
        advance(step);
    }
    let bytes = raw.sizes().chain(minified.sizes()).collect();
    Ok(Part { bytes, raw_json_on_line, ..Part::default() })
}

/// Leaves out the spaces between the tokens of a JSON text.
fn minify(text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let (mut in_string, mut escaped) = (false, false);
    for &byte in text {
        if in_string || !byte.is_ascii_whitespace() {
            out.push(byte);
        }
        if escaped {
            escaped = false;
        } else if byte == b'"' {
            in_string = !in_string;
        } else if byte == b'\\' {
            escaped = true;
        }
    }
}

/// Walks a recording with `visit`, message by message: the time, and the net changes with the markets' new states.
pub(crate) fn walk(
    recording: &Recording,
    mut visit: impl FnMut(usize, u64, &[(&MarketDelta, &Market)]) -> Result<(), MeasureError>,
) -> Result<(), MeasureError> {
    let mut history = History::new();
    for (at, commit) in recording.commits() {
        let changes =
            history.commit(commit).map_err(|refusal| refused(recording, at, &refusal.to_string()))?;
        let changes: Vec<_> = changes.collect();
        visit(at, commit.published_ms, &changes)?;
    }
    Ok(())
}

fn refused(recording: &Recording, at: usize, reason: &str) -> MeasureError {
    let line = recording.messages()[at].line;
    MeasureError::Refused { path: recording.path().to_owned(), line, reason: reason.to_owned() }
}

/// Net changes, in the three forms in which people send them. A message that changes nothing is not sent.
fn net_changes(recording: &Recording, advance: &dyn Fn(f64)) -> Result<Part, MeasureError> {
    let failed = |cause| MeasureError::Compress { path: recording.path().to_owned(), cause };
    let mut canonical = Streams::new("canonical_json").map_err(failed)?;
    let mut patches = Streams::new("merge_patch").map_err(failed)?;
    let mut protobuf = Streams::new("naive_protobuf").map_err(failed)?;
    let (mut json, mut patch, mut naive) =
        (Canonical::default(), MergePatch::default(), NaiveProtobuf::default());
    let mut changes = 0;
    let step = 1.0 / recording.messages().len() as f64;
    walk(recording, |_, published_ms, changed| {
        advance(step);
        if changed.is_empty() {
            return Ok(());
        }
        json.begin(published_ms);
        patch.begin(published_ms);
        naive.begin(published_ms);
        for (change, market) in changed {
            changes += changed_values(change);
            json.market(change, market);
            patch.market(change, market);
            naive.market(change, market);
        }
        canonical.message(json.finish()).map_err(failed)?;
        patches.message(patch.finish()).map_err(failed)?;
        protobuf.message(naive.finish()).map_err(failed)
    })?;
    let bytes = canonical.sizes().chain(patches.sizes()).chain(protobuf.sizes()).collect();
    Ok(Part { changes, bytes, ..Part::default() })
}

/// Frames of an encoding, message by message, in three views.
fn views(recording: &Recording, encoding: Encoding, advance: &dyn Fn(f64)) -> Result<Part, MeasureError> {
    let views = [("", View::FULL), ("_best3", View::best(3)), ("_prices", View::PRICES)];
    let receivers = views.map(|(_, view)| Receiver { view, rate_ms: 0, rivals: Rivals::None });
    let sizes = frames_of(recording, encoding, &receivers, advance)?;
    let name = encoding_name(encoding);
    let bytes =
        views.iter().zip(sizes).map(|((suffix, _), sizes)| (format!("{name}{suffix}"), sizes.payload));
    Ok(Part { bytes: bytes.collect(), ..Part::default() })
}

/// Frames of an encoding at every rate, at full depth.
fn conflation(
    recording: &Recording,
    encoding: Encoding,
    advance: &dyn Fn(f64),
) -> Result<Part, MeasureError> {
    let receivers =
        RATES_MS.map(|rate_ms| Receiver { view: View::FULL, rate_ms, rivals: Rivals::JsonAndDeflate });
    let sizes = frames_of(recording, encoding, &receivers, advance)?;
    let row = |(rate_ms, sizes)| Conflation { rate_ms, encoding: encoding_name(encoding), sizes };
    Ok(Part { conflation: RATES_MS.into_iter().zip(sizes).map(row).collect(), ..Part::default() })
}

fn frames_of(
    recording: &Recording,
    encoding: Encoding,
    receivers: &[Receiver],
    advance: &dyn Fn(f64),
) -> Result<Vec<crate::FrameSizes>, MeasureError> {
    let step = 1.0 / recording.messages().len() as f64;
    let commits = recording.commits().map(|(_, commit)| commit);
    let found = frames(&[], commits, encoding, receivers, &|count| advance(step * count as f64));
    found.map_err(|(at, error)| {
        let message =
            recording.commits().nth(at).map_or(recording.messages().len() - 1, |(message, _)| message);
        frame_error(recording, encoding, message, error)
    })
}

fn frame_error(recording: &Recording, encoding: Encoding, message: usize, error: FrameError) -> MeasureError {
    match error {
        FrameError::Refused(refusal) => refused(recording, message, &refusal.to_string()),
        FrameError::Wrong(reason) => {
            let line = recording.messages()[message].line;
            let (path, encoding) = (recording.path().to_owned(), encoding_name(encoding));
            MeasureError::Wrong { path, line, encoding, reason }
        }
    }
}

fn many_markets(
    recording: &Recording,
    encoding: Encoding,
    count: usize,
    advance: &dyn Fn(f64),
) -> Result<Part, MeasureError> {
    let Some(copies) = Copies::new(recording, count) else {
        let name = recording.name();
        let note = format!("{name}: too short to be shown as {count} markets");
        return Ok(Part { notes: vec![note], ..Part::default() });
    };
    let receivers = RATES_MS.map(|rate_ms| Receiver { view: View::FULL, rate_ms, rivals: Rivals::Json });
    let step = 1.0 / copies.commits.len().max(1) as f64;
    let tick = |count: usize| advance(step * count as f64);
    let sizes = frames(&copies.initial, copies.commits.iter(), encoding, &receivers, &tick)
        .map_err(|(_, error)| frame_error(recording, encoding, 0, error))?;
    let messages = copies.commits.len() as u64;
    let row = |(rate_ms, sizes)| ManyMarkets {
        markets: count,
        messages,
        rate_ms,
        encoding: encoding_name(encoding),
        sizes,
    };
    Ok(Part { many_markets: RATES_MS.into_iter().zip(sizes).map(row).collect(), ..Part::default() })
}

/// A whole file at once, one message a line.
fn archived(
    recording: &Recording,
    archive: Archive,
    what: Text,
    advance: &dyn Fn(f64),
) -> Result<Part, MeasureError> {
    let mut text = Vec::new();
    match what {
        Text::Recorded => {
            for message in recording.messages() {
                text.extend_from_slice(recording.text(message));
                text.push(b'\n');
            }
        }
        Text::Canonical => {
            let mut json = Canonical::default();
            walk(recording, |_, published_ms, changed| {
                if !changed.is_empty() {
                    json.begin(published_ms);
                    changed.iter().for_each(|(change, market)| json.market(change, market));
                    text.extend_from_slice(json.finish());
                    text.push(b'\n');
                }
                Ok(())
            })?;
        }
    }
    let step = 1.0 / text.len().max(1) as f64;
    let tick = |bytes: usize| advance(step * bytes as f64);
    let (key, bytes) = match archive {
        Archive::Bzip2 => ("bzip2", compress::bzip2(&text, &tick)),
        Archive::Xz => ("xz", compress::xz(&text, &tick)),
        Archive::Zstd19 => ("zstd19", compress::zstd19(&text, &tick)),
    };
    let bytes = bytes.map_err(|cause| MeasureError::Compress { path: recording.path().to_owned(), cause })?;
    let key = if what == Text::Canonical { format!("canonical_{key}") } else { key.to_owned() };
    Ok(Part { bytes: vec![(key, bytes)], ..Part::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_are_left_out_between_tokens_only() {
        let mut out = Vec::new();
        minify(b"{ \"a b\\\" c\\\\\" : [1,\t2 ,\n \"\" ] }", &mut out);
        assert_eq!(out, b"{\"a b\\\" c\\\\\":[1,2,\"\"]}");
    }

    #[test]
    fn a_recording_is_measured_in_every_row() {
        let message = |at: u64| {
            format!(
                "{{\"op\":\"mcm\",\"clk\":\"A{at}\",\"pt\":{},\"mc\":[{{\"id\":\"1.1\",\"rc\":[{{\"id\":7,\"ltp\":{}}}]}}]}}\n",
                at * 70,
                2 + at % 3
            )
        };
        let recording = Recording::parse("r", (0..50).map(message).collect::<String>().into_bytes()).unwrap();
        let progress = Mutex::new(0.0f64);
        let report = measure(&recording, Options::ALL, &|share| {
            let mut highest = lock(&progress);
            *highest = highest.max(share);
        })
        .unwrap();
        assert!(*lock(&progress) > 0.9, "{progress:?}");
        assert_eq!((report.messages, report.changes), (50, 50));
        for row in crate::rows() {
            assert!(report.bytes.get(&row.key).is_some_and(|bytes| *bytes > 0), "{}", row.key);
        }
        assert_eq!(report.conflation.len(), RATES_MS.len() * ENCODINGS.len());
        assert_eq!(report.many_markets.len(), RATES_MS.len() * MARKET_COUNTS.len() * ENCODINGS.len());
        let plain = report.conflation.iter().find(|row| row.encoding == "plain" && row.rate_ms == 0).unwrap();
        assert_eq!(plain.sizes.payload, report.bytes["plain"]);
        assert_eq!(plain.sizes.canonical_json, report.bytes["canonical_json"]);
    }
}
