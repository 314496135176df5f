//! The `oddswire` command as people run it: processes, arguments, output and exit codes.

mod process;

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
};

use serde_json::Value;

use process::{fail, oddswire, run, serve, succeed, text};

fn get(http: &str, path: &str) -> Value {
    let mut stream = TcpStream::connect(http).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// A directory of this test, empty.
fn directory(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// A recording of two markets. Times travel in steps of 10 ms, so they end in 0.
fn recording() -> String {
    let definition = |runners: &str| {
        format!(r#"{{"status":"OPEN","inPlay":false,"version":1,"runners":[{runners}],"marketType":"WIN"}}"#)
    };
    let (one, two) = (
        definition(
            r#"{"id":7,"status":"ACTIVE","sortPriority":1},{"id":8,"status":"ACTIVE","sortPriority":2}"#,
        ),
        definition(r#"{"id":9,"status":"ACTIVE","sortPriority":1}"#),
    );
    [
        format!(r#"{{"op":"mcm","pt":1700000000000,"mc":[{{"id":"1.1","img":true,"marketDefinition":{one},"rc":[{{"id":7,"atb":[[2.5,10],[2.48,5.5]],"atl":[[2.52,3]]}}]}}]}}"#),
        format!(r#"{{"op":"mcm","pt":1700000000100,"mc":[{{"id":"1.2","img":true,"marketDefinition":{two}}}]}}"#),
        r#"{"op":"mcm","pt":1700000000200,"mc":[{"id":"1.1","rc":[{"id":7,"atb":[[2.5,0]],"ltp":2.5,"tv":20},{"id":8,"trd":[[3.1,4]]}]}]}"#.to_owned(),
    ]
    .join("\n")
}

#[test]
fn every_help_teaches_with_examples() {
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("oddswire demo"), "alone it prints its help");
    for command in ["demo", "serve", "config", "replay", "watch", "inspect", "load"] {
        let help = succeed(&[command, "--help"]);
        assert!(help.contains("Examples:") && help.contains(&format!("oddswire {command}")), "{help}");
    }
    assert!(succeed(&["--version"]).contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn usage_errors_end_with_status_2_and_say_what_would_do() {
    for (arguments, hint) in [
        (&["serve", "--http", "8080"][..], "127.0.0.1:8080"),
        (&["watch", "ws://127.0.0.1:1", "--view", "deep"], "best1 to best10"),
        (&["watch", "ws://127.0.0.1:1", "--topic", "nation/GB"], "competition/ID"),
        (&["replay", "x", "--to", "y", "--speed", "fast"], "max"),
        (&["demo", "--duration", "0"], "seconds"),
        (&["frobnicate"], "Usage"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(hint), "{}", text(&output.stderr));
    }
}

#[test]
fn settings_are_written_checked_and_shown() {
    let directory = directory("settings");
    let path = directory.join("a.toml");
    let file = path.to_str().unwrap();
    assert!(succeed(&["config", "init", file]).contains("serve --config"));
    assert!(fail(&["config", "init", file]).contains("--force"));
    succeed(&["config", "init", file, "--force"]);
    assert!(succeed(&["config", "check", file]).contains("right"));
    assert_eq!(succeed(&["config", "print"]), succeed(&["config", "print", "--config", file]));
    let mut command = oddswire(&["config", "print", "--config", file]);
    let output = command.env("ODDSWIRE_HTTP_LISTEN", "0.0.0.0:9").output().unwrap();
    assert!(text(&output.stdout).contains("0.0.0.0:9"), "the environment wins");

    fs::write(&path, "[http]\nlistn = 1\n").unwrap();
    let error = fail(&["config", "check", file]);
    assert!(error.contains("a.toml") && error.contains("listn"), "{error}");
    let missing = directory.join("none.toml");
    assert!(fail(&["serve", "--config", missing.to_str().unwrap()]).contains("config init"));
}

#[test]
fn what_is_replayed_is_watched_and_captured() {
    let directory = directory("replay");
    let path = directory.join("match.json");
    fs::write(&path, recording()).unwrap();
    let (server, http, grpc) = serve();
    let summary = succeed(&["replay", path.to_str().unwrap(), "--to", &grpc]);
    assert!(summary.contains("3 commits, 0 refused") && summary.contains("last revision r3"), "{summary}");

    for view in ["full", "best1", "prices"] {
        let once = succeed(&["watch", &format!("http://{http}"), "--once", "--view", view]);
        let markets: Vec<Value> = once.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(markets.len(), 2);
        for market in markets {
            let id = market["market"].as_str().unwrap();
            assert_eq!(market, get(&http, &format!("/v1/markets/{id}?view={view}")), "{view}");
        }
    }

    let capture = directory.join("odds.capture");
    let capture = capture.to_str().unwrap();
    let url = format!("ws://{http}");
    let lines = succeed(&["watch", &url, "--json", "--for", "1.5", "--capture", capture]);
    let kinds: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["type"].as_str().unwrap().to_owned())
        .collect();
    for kind in ["connected", "welcome", "subscribed", "snapshot", "synced"] {
        assert!(kinds.iter().any(|seen| seen == kind), "{kind} is missing in {kinds:?}");
    }
    let inspected = succeed(&["inspect", capture]);
    for part in ["hello", "subscribe", "welcome", "definition", "back at 2.48: 5.5", "heartbeat"] {
        assert!(inspected.contains(part), "{part} is missing in {inspected}");
    }
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_demo_runs_and_says_what_it_saved() {
    let ports = ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"];
    let demo = ["demo", "--plain", "--duration", "3", "--markets", "40"];
    let said = succeed(&[&demo[..], &ports].concat());
    assert!(said.contains("bytes saved (") && said.contains(" 0 refused"), "{said}");
    assert!(said.lines().any(|line| line.contains("updates/s") && line.contains("lag p50")), "{said}");

    let path = directory("demo").join("match.json");
    fs::write(&path, recording()).unwrap();
    let demo = ["demo", "--plain", "--duration", "2", "--recording", path.to_str().unwrap()];
    let said = succeed(&[&demo[..], &ports].concat());
    assert!(said.contains("the recording has ended") && said.contains("3 commits"), "{said}");
}

#[test]
fn a_load_ends_with_a_summary_and_status_0() {
    let (server, http, grpc) = serve();
    let url = format!("ws://{http}");
    let arguments =
        ["load", &url, "-n", "20", "--publish", &grpc, "--publish-markets", "10", "--warmup", "0s"];
    let table = succeed(&[&arguments[..], &["--duration", "1s", "--quiet"]].concat());
    assert!(table.contains("commit to applied") && table.ends_with("everything agrees\n"), "{table}");
    let json = succeed(&[&arguments[..], &["--duration", "1s", "--json"]].concat());
    let summary: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(summary["ok"], true);
    assert!(summary["total"]["latency"]["p99_us"].as_u64().unwrap() > 0, "{json}");
    server.terminate();
    assert!(fail(&["load", &url]).contains("nothing answers"));
}

#[test]
fn frames_are_taken_apart_and_bad_ones_are_located() {
    // A heartbeat at revision 41, sequence 3, freshness 12 ms; then a cursor.
    let said = succeed(&["inspect", "1206 0829 100c 2003 3829"]);
    assert!(said.contains("r41, sequence 3, producers vouched 12 ms ago"), "{said}");
    assert!(said.contains("may resume from r41"), "{said}");
    let output = run(&["inspect", "3829520901", "3829"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("unreadable at byte 3: field 10 says that it has 9 bytes, but only 1 are left"),
        "{said}"
    );
    assert_eq!(said.matches("may resume from r41").count(), 2, "what is before and after it is told: {said}");
    assert!(succeed(&["inspect", "--client", "1a020803"]).contains("unsubscribe"));
}

#[test]
fn errors_say_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = fail(&["serve", "--http", &address, "--grpc", "127.0.0.1:0"]);
    assert!(error.contains(&address) && error.contains("--http"), "{error}");
    let error = fail(&["demo", "--plain", "--http", &address, "--grpc", "127.0.0.1:0"]);
    assert!(error.contains(&address) && error.contains("--http"), "{error}");
    drop(taken);

    let path = directory("errors").join("match.json");
    fs::write(&path, recording()).unwrap();
    let error = fail(&["replay", path.to_str().unwrap(), "--to", &format!("http://{address}")]);
    assert!(error.contains("nothing answers") && error.contains("oddswire serve"), "{error}");
    let error = fail(&["watch", &format!("ws://{address}"), "--once"]);
    assert!(error.contains("nothing answers") && error.contains("oddswire serve"), "{error}");
    for arguments in [
        &["replay", "no/such/file.bz2", "--to", "127.0.0.1:1"][..],
        &["demo", "--plain", "--recording", "no/such/file.bz2"],
        &["inspect", "no/such/file.hex"],
        &["inspect", "--capture", "no/such/file.capture"],
    ] {
        assert!(fail(arguments).contains("no/such/file"), "{arguments:?}");
    }
}
