//! Instructions that the hot paths execute, against the committed figures in `instructions.toml`.
//!
//! `cargo bench --bench instructions` prints a table and fails when something takes over 3 % more than its baseline;
//! `-- --bless` writes the baselines anew. Instructions do not depend on what else a machine does, so 3 % is never noise.
//!
//! callgrind counts them, plainly: the benchmark starts itself under `valgrind`, and every case runs between two calls
//! that callgrind watches. Frameworks over callgrind need a second program of exactly their own version installed, and
//! this needs nothing but valgrind. Without valgrind it says so and passes, unless `--require` is given.

mod workload;

use std::{
    collections::BTreeMap,
    env, fs,
    hint::black_box,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use oddswire_delta::{MarketDelta, apply};
use oddswire_model::View;
use workload::{CHANGED_CELLS, ENCODINGS, Encoded, Kind, MARKETS, Workload, World, write_change};

/// What a case may take more than its baseline, in percent.
const REGRESSION_MAX_PERCENT: f64 = 3.0;
/// Under this much better the baseline is worth blessing anew.
const IMPROVEMENT_PERCENT: f64 = -3.0;
/// Tells the process that it runs under valgrind.
const UNDER_VALGRIND: &str = "--under-valgrind";

/// A thing to count, and into how many units its instructions are divided for people.
struct Case {
    name: String,
    units: u64,
    unit: &'static str,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    if has(UNDER_VALGRIND) {
        run_cases(|case, work| {
            println!("{}\t{}\t{}", case.units, case.unit, case.name);
            measured(work);
        });
        return ExitCode::SUCCESS;
    }
    if let Some(how) = built_differently() {
        println!("NOT COUNTED: built with {how}, which changes what is inlined; unset it and run again");
        return ExitCode::FAILURE;
    }
    let Some(valgrind) = valgrind_version() else {
        let advice = "valgrind is not installed (`apt-get install valgrind`)";
        println!("SKIPPED: no instructions were counted, because {advice}");
        return if has("--require") { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    };
    match count() {
        Ok(counted) if has("--bless") => bless(&counted, &valgrind),
        Ok(counted) => compare(&counted),
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Runs what callgrind counts: it forgets everything where `counting_begins` is called, and writes down what it has
/// counted where `counting_ends` is. The two differ, or the compiler would make one function of them.
fn measured(work: &mut dyn FnMut()) {
    counting_begins();
    work();
    counting_ends();
}

#[inline(never)]
fn counting_begins() {
    black_box("begins");
}

#[inline(never)]
fn counting_ends() {
    black_box("it ends");
}

/// Hands every case to `count`, after it has run once so that its buffers have grown.
fn run_cases(mut count: impl FnMut(&Case, &mut dyn FnMut())) {
    let workload = Workload::new();
    let mut case = |name: String, units: u64, unit: &'static str, work: &mut dyn FnMut()| {
        work();
        count(&Case { name, units, unit }, work);
    };
    for encoding in ENCODINGS {
        for (kind, name) in Kind::ALL {
            let mut encoded = Encoded::new(&workload, encoding, kind);
            let (encoding, cells) = (encoded.name.clone(), encoded.cells);
            case(format!("{encoding}/{name}/encode"), cells, "cell", &mut || {
                black_box(encoded.encode());
            });
            case(format!("{encoding}/{name}/decode"), cells, "cell", &mut || {
                encoded.decode(|_, change| drop(black_box(change)));
            });
        }
    }
    let pairs = workload.pairs();
    let mut change = MarketDelta::default();
    for (kind, name) in Kind::ALL {
        case(format!("make/{name}"), MARKETS as u64, "market", &mut || {
            for (before, after) in &pairs {
                write_change(kind, before, after, &mut change);
                black_box(&change);
            }
        });
    }
    case("digest/best10".to_owned(), MARKETS as u64, "market", &mut || {
        for (_, after) in &pairs {
            black_box(after.digest(View::best(10)));
        }
    });
    // Once for the warm-up and once to be counted: a delta fits its base only.
    let mut held = vec![pairs.clone(), pairs.clone()];
    let changes: Vec<_> =
        pairs.iter().map(|(before, after)| workload::change_of(Kind::Delta, before, after)).collect();
    let mut applied = Vec::new();
    case("apply/delta".to_owned(), CHANGED_CELLS, "cell", &mut || {
        let mut markets = held.pop().expect("it runs twice");
        for ((market, _), change) in markets.iter_mut().zip(&changes) {
            apply(market, change).expect("a change that fits");
        }
        applied.push(markets);
    });
    for (name, view) in [("full", View::FULL), ("best3", View::best(3)), ("prices", View::PRICES)] {
        let mut world = World::new(&workload, view);
        let mut commits = [world.next_commit(), world.next_commit()].into_iter();
        case(format!("commit and flush/{name}"), CHANGED_CELLS, "cell", &mut || {
            world.take(&commits.next().expect("it runs twice"));
            world.flush();
            assert!(world.discard() > MARKETS, "nothing was flushed");
        });
    }
}

/// What of the environment has changed the compiler's options: figures are comparable under the profile's own only.
fn built_differently() -> Option<&'static str> {
    let is_set = |value: Option<&str>| value.is_some_and(|value| !matches!(value, "" | "0" | "false"));
    if is_set(option_env!("CARGO_INCREMENTAL")) {
        return Some("CARGO_INCREMENTAL");
    }
    is_set(option_env!("RUSTFLAGS")).then_some("RUSTFLAGS")
}

fn valgrind_version() -> Option<String> {
    let output = Command::new("valgrind").arg("--version").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs the cases under callgrind: each with the instructions it took, in order.
fn count() -> Result<Vec<(Case, u64)>, String> {
    let folder = Folder::new()?;
    let itself = env::current_exe().map_err(|error| format!("the benchmark cannot find itself: {error}"))?;
    println!("counting under callgrind, which takes about half a minute");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--zero-before=*::counting_begins*", "--dump-before=*::counting_ends*"])
        .arg(format!("--callgrind-out-file={}", folder.0.join("counted").display()))
        .arg(itself)
        .arg(UNDER_VALGRIND)
        // What the C library picks by processor would make figures differ between machines.
        .env_clear()
        .env("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2_Usable,-AVX512F_Usable,-AVX2,-AVX512F,-AVX512VL,-ERMS")
        .output()
        .map_err(|error| format!("valgrind does not start: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said: String = said.chars().take(4_000).collect();
        return Err(format!("the benchmark failed under valgrind:\n{said}"));
    }
    let mut counted = Vec::new();
    for (at, line) in String::from_utf8_lossy(&output.stdout).lines().enumerate() {
        let mut words = line.splitn(3, '\t');
        let (units, unit, name) = (words.next(), words.next(), words.next());
        let units = units.and_then(|units| units.parse().ok());
        let (Some(units), Some(unit), Some(name)) = (units, unit, name) else {
            return Err(format!("the benchmark printed {line:?}"));
        };
        let unit = if unit == "cell" { "cell" } else { "market" };
        let dump = folder.0.join(format!("counted.{}", at + 1));
        let instructions = instructions_of(&dump)?;
        counted.push((Case { name: name.to_owned(), units, unit }, instructions));
    }
    if counted.is_empty() { Err("valgrind counted nothing".to_owned()) } else { Ok(counted) }
}

/// The total of a file that callgrind wrote.
fn instructions_of(dump: &Path) -> Result<u64, String> {
    let text = fs::read_to_string(dump).map_err(|error| {
        format!("callgrind did not write {}: {error}; are symbols stripped?", dump.display())
    })?;
    let totals =
        text.lines().find_map(|line| line.strip_prefix("summary: ").or(line.strip_prefix("totals: ")));
    let total = totals.and_then(|totals| totals.split_whitespace().next()?.parse().ok());
    total.filter(|total| *total > 0).ok_or_else(|| format!("{} names no instructions", dump.display()))
}

/// A folder for what callgrind writes, gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, String> {
        let path = env::temp_dir().join(format!("oddswire-instructions-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn baseline_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/instructions.toml")
}

fn rustc_version() -> String {
    let output = Command::new("rustc").arg("--version").output();
    output.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn bless(counted: &[(Case, u64)], valgrind: &str) -> ExitCode {
    let mut text = format!(
        "# Instructions of `cargo bench --bench instructions`; written by `cargo bench --bench instructions -- --bless`.\n\
         # Figures of another compiler are not comparable: bless them with the change of the compiler.\n\
         rustc = {:?}\nvalgrind = {valgrind:?}\ntarget = {:?}\n\n[instructions]\n",
        rustc_version(),
        env::consts::ARCH,
    );
    for (case, instructions) in counted {
        text.push_str(&format!("{:?} = {instructions}\n", case.name));
    }
    match fs::write(baseline_path(), text) {
        Ok(()) => {
            print_table(counted, &BTreeMap::new());
            println!("written to {}", baseline_path().display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: cannot write {}: {error}", baseline_path().display());
            ExitCode::FAILURE
        }
    }
}

fn compare(counted: &[(Case, u64)]) -> ExitCode {
    let text = fs::read_to_string(baseline_path()).unwrap_or_default();
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            eprintln!("error: {} cannot be read: {error}", baseline_path().display());
            return ExitCode::FAILURE;
        }
    };
    let word = |name: &str| table.get(name).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
    let baseline: BTreeMap<String, u64> = table
        .get("instructions")
        .and_then(toml::Value::as_table)
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.clone(), u64::try_from(value.as_integer()?).ok()?)))
        .collect();
    let worse = print_table(counted, &baseline);
    let gone: Vec<_> =
        baseline.keys().filter(|name| !counted.iter().any(|(case, _)| case.name == **name)).collect();
    if !gone.is_empty() {
        println!("in the baseline and not counted any more: {gone:?}; bless it");
    }
    let (rustc, arch) = (rustc_version(), env::consts::ARCH);
    if word("rustc") != rustc || word("target") != arch {
        println!(
            "NOT COMPARED: the baseline is of {:?} on {:?}, this is {rustc:?} on {arch:?}; \
             bless it with `cargo bench --bench instructions -- --bless`",
            word("rustc"),
            word("target"),
        );
        return ExitCode::SUCCESS;
    }
    let new = counted.iter().filter(|(case, _)| !baseline.contains_key(&case.name)).count();
    if worse.is_empty() && gone.is_empty() && new == 0 {
        println!("{} cases within {REGRESSION_MAX_PERCENT} % of their baselines", counted.len());
        return ExitCode::SUCCESS;
    }
    if new > 0 {
        println!("{new} cases have no baseline; bless them");
    }
    for name in &worse {
        println!("FAILED: {name} takes over {REGRESSION_MAX_PERCENT} % more instructions than its baseline");
    }
    println!("what is meant to be so is blessed with `cargo bench --bench instructions -- --bless`");
    ExitCode::FAILURE
}

/// Prints every case beside its baseline; returns those that take too much more.
fn print_table(counted: &[(Case, u64)], baseline: &BTreeMap<String, u64>) -> Vec<String> {
    println!("{:28} {:>12} {:>12} {:>9}   instructions per unit", "case", "baseline", "now", "change %");
    let mut worse = Vec::new();
    for (Case { name, units, unit }, now) in counted {
        let per_unit = *now as f64 / *units as f64;
        let Some(before) = baseline.get(name) else {
            println!("{name:28} {:>12} {now:>12} {:>9}   {per_unit:.0} a {unit}", "-", "-");
            continue;
        };
        let change = (*now as f64 / (*before).max(1) as f64 - 1.0) * 100.0;
        let mark = match change {
            change if change > REGRESSION_MAX_PERCENT => "  WORSE",
            change if change < IMPROVEMENT_PERCENT => "  better: bless it",
            _ => "",
        };
        println!("{name:28} {before:>12} {now:>12} {change:>+9.2}   {per_unit:.0} a {unit}{mark}");
        if change > REGRESSION_MAX_PERCENT {
            worse.push(name.clone());
        }
    }
    worse
}
