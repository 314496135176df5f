//! The tables of `oddswire bench wire`.

use std::io::{self, Write};

use oddswire_measure::{
    ENCODINGS, FrameSizes, MARKET_COUNTS, RATES_MS, Report, Row, encoding_name, geometric_mean, overhead,
    rows,
};

/// Recordings shorter than this say more about the first image than about the stream.
const MESSAGES_MIN: u64 = 1_000;
/// Width of the column of labels.
const LABEL: usize = 36;

/// Prints everything that the reports hold.
pub(super) fn print(out: &mut impl Write, reports: &[Report]) -> io::Result<()> {
    let rows: Vec<Row> = rows()
        .into_iter()
        .filter(|row| reports.iter().any(|report| report.bytes.contains_key(&row.key)))
        .collect();
    match reports {
        [report] => one_file(out, report, &rows)?,
        _ => all_files(out, reports, &rows)?,
    }
    sampled(out, reports)?;
    conflation(out, reports)?;
    many_markets(out, reports)
}

/// Which rows stand for all messages without having seen them all.
fn sampled(out: &mut impl Write, reports: &[Report]) -> io::Result<()> {
    let shares: Vec<String> = reports
        .iter()
        .enumerate()
        .filter_map(|(at, report)| {
            let share = report.sampled.values().next()? * 100.0;
            Some(if reports.len() == 1 {
                format!("{share:.0} %")
            } else {
                format!("{} {share:.0} %", letter(at))
            })
        })
        .collect();
    if shares.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n~ measured on evenly spaced runs of 100 messages and scaled; of the messages these were looked at: {}",
        shares.join(", ")
    )
}

/// One recording: totals, bytes per message and per changed value, share of the JSON.
fn one_file(out: &mut impl Write, report: &Report, rows: &[Row]) -> io::Result<()> {
    let Report { file, messages, changes, .. } = report;
    writeln!(out, "{file}: {messages} messages, {changes} values changed\n")?;
    writeln!(
        out,
        "{:LABEL$} {:>5} {:>12} {:>10} {:>10} {:>9}",
        "form", "sent", "bytes", "B/message", "B/change", "% of JSON"
    )?;
    for row in rows {
        let Some(&bytes) = report.bytes.get(&row.key) else { continue };
        let mark = if report.sampled.contains_key(&row.key) { "~" } else { "" };
        writeln!(
            out,
            "{:LABEL$} {:>5} {:>12} {:>10.1} {:>10.2} {:>9.1}",
            format!("{}{mark}", row.label),
            row.shared.as_str(),
            bytes,
            bytes as f64 / *messages as f64,
            bytes as f64 / (*changes).max(1) as f64,
            report.share(&row.key).unwrap_or_default() * 100.0,
        )?;
    }
    Ok(())
}

/// Several recordings: a column for each, and the geometric mean of the long ones.
fn all_files(out: &mut impl Write, reports: &[Report], rows: &[Row]) -> io::Result<()> {
    for (at, report) in reports.iter().enumerate() {
        let raw = report.bytes.get("raw_json").copied().unwrap_or_default() as f64;
        writeln!(
            out,
            "{}  {:34} {:>7} messages {:>8} values {:>8.1} B/message as JSON",
            letter(at),
            report.file,
            report.messages,
            report.changes,
            raw / report.messages as f64,
        )?;
    }
    let long = reports.iter().filter(|report| report.messages >= MESSAGES_MIN).count();
    writeln!(
        out,
        "\n% of the JSON as recorded. mean: geometric, of the {long} files of {MESSAGES_MIN} messages and more; minified: the \
         same,\nof the JSON without spaces between its tokens\n"
    )?;
    write!(out, "{:LABEL$} {:>5}", "form", "sent")?;
    for at in 0..reports.len() {
        write!(out, " {:>6}", letter(at))?;
    }
    writeln!(out, " {:>8} {:>8}", "mean", "minified")?;
    for row in rows {
        let mark = if reports.iter().any(|report| report.sampled.contains_key(&row.key)) { "~" } else { "" };
        write!(out, "{:LABEL$} {:>5}", format!("{}{mark}", row.label), row.shared.as_str())?;
        for report in reports {
            write!(out, " {}", percent(report.share(&row.key), 6))?;
        }
        let mean = geometric_mean(reports, MESSAGES_MIN, |report| report.share(&row.key));
        let minified = |report: &Report| report.share_of(&row.key, "minified_json");
        let of_minified = geometric_mean(reports, MESSAGES_MIN, minified);
        writeln!(out, " {} {}", percent(mean, 8), percent(of_minified, 8))?;
    }
    Ok(())
}

/// What rates and headers do, in the geometric mean.
fn conflation(out: &mut impl Write, reports: &[Report]) -> io::Result<()> {
    if reports.iter().all(|report| report.conflation.is_empty()) {
        return Ok(());
    }
    let messages_min = least_messages(reports);
    writeln!(
        out,
        "\nConflation: full depth, one receiver of the whole recording, on the recording's own clock. % of the JSON as \
         recorded;\n\"on line\" adds WebSocket (2, 4 or 10 B), TLS 1.3 ({} B a record) and TCP/IPv4 ({} B a segment of {}) \
         to both sides,\nthe JSON being sent message by message. Status changes are never conflated.\n",
        overhead::TLS_RECORD_BYTES,
        overhead::SEGMENT_HEADER_BYTES,
        overhead::SEGMENT_PAYLOAD_MAX,
    )?;
    writeln!(
        out,
        "{:14} {:>7} {:>8} {:>8} {:>9} {:>9} {:>9} {:>11} {:>9} {:>9}",
        "encoding",
        "rate ms",
        "frames",
        "values",
        "payload",
        "on line",
        "canon.",
        "+ deflate",
        "on line",
        "B/frame"
    )?;
    for encoding in ENCODINGS.map(encoding_name) {
        for rate_ms in RATES_MS {
            let found = |report: &Report, rate_ms: u32| {
                let row =
                    report.conflation.iter().find(|row| row.rate_ms == rate_ms && row.encoding == encoding);
                row.map(|row| row.sizes)
            };
            let mean = |value: &dyn Fn(&Report, FrameSizes) -> f64| {
                geometric_mean(reports, messages_min, |report| Some(value(report, found(report, rate_ms)?)))
            };
            let raw = |report: &Report| report.bytes["raw_json"] as f64;
            let raw_on_line = |report: &Report| report.raw_json_on_line as f64;
            let first = |report: &Report| found(report, 0).unwrap_or_default();
            writeln!(
                out,
                "{encoding:14} {rate_ms:>7} {} {} {} {} {} {} {} {}",
                percent(mean(&|report, sizes| sizes.frames as f64 / first(report).frames as f64), 8),
                percent(mean(&|report, sizes| sizes.changes as f64 / first(report).changes as f64), 8),
                percent(mean(&|report, sizes| sizes.payload as f64 / raw(report)), 9),
                percent(mean(&|report, sizes| sizes.on_line as f64 / raw_on_line(report)), 9),
                percent(mean(&|report, sizes| sizes.canonical_json as f64 / raw(report)), 9),
                percent(mean(&|report, sizes| sizes.canonical_json_deflate as f64 / raw(report)), 11),
                percent(
                    mean(&|report, sizes| sizes.canonical_json_deflate_on_line as f64 / raw_on_line(report)),
                    9
                ),
                number(mean(&|_, sizes| sizes.payload as f64 / sizes.frames.max(1) as f64), 9),
            )?;
        }
    }
    Ok(())
}

/// What many markets on one connection do, in the geometric mean.
fn many_markets(out: &mut impl Write, reports: &[Report]) -> io::Result<()> {
    if reports.iter().all(|report| report.many_markets.is_empty()) {
        return Ok(());
    }
    let messages_min = least_messages(reports);
    writeln!(
        out,
        "\nMany markets on one connection, SYNTHETIC: copies of the recording's busiest market in its busiest stretch, copy \
         k of n\nbeginning k/n of the stretch later. Bytes per recorded message; headers as above. Canonical JSON is shown \
         without a\ncompressor, because one would find every copy in its window, and real markets are no copies.\n"
    )?;
    writeln!(
        out,
        "{:14} {:>7} {:>7} {:>12} {:>9} {:>9} {:>9} {:>11} {:>11}",
        "encoding",
        "markets",
        "rate ms",
        "frames/msg %",
        "payload",
        "headers",
        "on line",
        "canon. JSON",
        "on line"
    )?;
    for encoding in ENCODINGS.map(encoding_name) {
        for markets in MARKET_COUNTS {
            for rate_ms in RATES_MS {
                let mean = |value: &dyn Fn(FrameSizes) -> u64| {
                    geometric_mean(reports, messages_min, |report| {
                        let row = report.many_markets.iter().find(|row| {
                            row.rate_ms == rate_ms && row.encoding == encoding && row.markets == markets
                        })?;
                        Some(value(row.sizes) as f64 / row.messages as f64)
                    })
                };
                writeln!(
                    out,
                    "{encoding:14} {markets:>7} {rate_ms:>7} {} {} {} {} {} {}",
                    percent(mean(&|sizes| sizes.frames), 12),
                    number(mean(&|sizes| sizes.payload), 9),
                    number(mean(&|sizes| sizes.on_line - sizes.payload), 9),
                    number(mean(&|sizes| sizes.on_line), 9),
                    number(mean(&|sizes| sizes.canonical_json), 11),
                    number(mean(&|sizes| sizes.canonical_json_on_line), 11),
                )?;
            }
        }
    }
    Ok(())
}

/// Short recordings count where there is no long one.
fn least_messages(reports: &[Report]) -> u64 {
    if reports.iter().any(|report| report.messages >= MESSAGES_MIN) { MESSAGES_MIN } else { 0 }
}

fn letter(at: usize) -> String {
    let last = char::from(b'A' + (at % 26) as u8);
    if at < 26 { last.to_string() } else { format!("{}{last}", char::from(b'A' + (at / 26 - 1) as u8)) }
}

fn percent(share: Option<f64>, width: usize) -> String {
    number(share.map(|share| share * 100.0), width)
}

fn number(value: Option<f64>, width: usize) -> String {
    match value {
        Some(value) if value >= 1_000.0 => format!("{value:>width$.0}"),
        Some(value) => format!("{value:>width$.1}"),
        None => format!("{:>width$}", "-"),
    }
}

#[cfg(test)]
mod tests {
    use oddswire_measure::{Options, Recording, measure};

    use super::*;

    fn report(name: &str, messages: u64, options: Options) -> Report {
        let message = |at: u64| {
            let (pt, price) = (at * 70, 2 + at % 3);
            format!(r#"{{"op":"mcm","pt":{pt},"mc":[{{"id":"1.1","rc":[{{"id":7,"ltp":{price}}}]}}]}}"#)
                + "\n"
        };
        let text: String = (0..messages).map(message).collect();
        let recording = Recording::parse(name, text.into_bytes()).unwrap();
        measure(&recording, options, &|_| {}).unwrap()
    }

    fn printed(reports: &[Report]) -> String {
        let mut out = Vec::new();
        print(&mut out, reports).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn one_recording_is_told_in_bytes_and_several_in_columns() {
        let no_archives = Options { archives: false, ..Options::ALL };
        let reports = [report("a.json", 1_100, Options::FAST), report("b.json", 60, no_archives)];
        let one = printed(&reports[1..]);
        assert!(one.starts_with("b.json: 60 messages, 60 values changed\n"), "{one}");
        let plain = one.lines().find(|line| line.starts_with("Oddswire, plain, full depth")).unwrap();
        assert!(plain.contains(&format!(" {} ", reports[1].bytes["plain"])), "{plain}");
        assert!(!one.contains("xz"), "rows that were not measured are left out");
        assert_eq!(one.lines().filter(|line| line.starts_with("plain ")).count(), 6 + 3 * 6);

        let both = printed(&reports);
        assert!(
            both.contains("A  a.json") && both.contains("B  b.json") && both.contains("of the 1 files"),
            "{both}"
        );
        let plain = both.lines().find(|line| line.starts_with("Oddswire, plain, full depth")).unwrap();
        let columns: Vec<&str> = plain.split_whitespace().collect();
        let [.., long, _short, mean, _minified] = columns[..] else { panic!("{plain}") };
        assert_eq!(long, mean, "short recordings do not count in the mean");
    }

    #[test]
    fn letters_go_on_after_z() {
        assert_eq!([0, 25, 26, 52].map(letter), ["A", "Z", "AA", "BA"]);
    }
}
