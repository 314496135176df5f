//! The walls between crates: what the pure crates may not know.

use std::{collections::BTreeSet, path::Path, process::Command};

use serde_json::Value;

/// Crates that take time, randomness and bytes as arguments.
const PURE: [&str; 7] = ["model", "delta", "store", "wire", "session", "fanout", "sim"];
/// What none of them may depend on, not even through others.
const FORBIDDEN: [&str; 7] = ["tokio", "hyper", "tonic", "mio", "socket2", "rand", "getrandom"];
/// What none of their sources may call.
const FORBIDDEN_CALLS: [&str; 4] = ["Instant::now", "SystemTime::now", "std::net", "thread::spawn"];

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo prints JSON")
}

/// Names of all crates that a package builds with, dev-dependencies left out.
fn dependencies(metadata: &Value, package: &str) -> BTreeSet<String> {
    let nodes = metadata["resolve"]["nodes"].as_array().expect("nodes");
    let name_of = |id: &str| {
        let packages = metadata["packages"].as_array().expect("packages");
        let package = packages.iter().find(|package| package["id"] == id).expect("every node is a package");
        package["name"].as_str().expect("a name").to_owned()
    };
    let start = nodes.iter().find(|node| name_of(node["id"].as_str().unwrap_or_default()) == package);
    let mut waiting = vec![start.expect("the package exists")];
    let mut found = BTreeSet::new();
    while let Some(node) = waiting.pop() {
        for dependency in node["deps"].as_array().into_iter().flatten() {
            let is_normal = dependency["dep_kinds"]
                .as_array()
                .is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()));
            let id = dependency["pkg"].as_str().unwrap_or_default();
            if is_normal && found.insert(name_of(id)) {
                waiting.extend(nodes.iter().find(|node| node["id"] == id));
            }
        }
    }
    found
}

#[test]
fn pure_crates_know_no_runtime_no_sockets_and_no_randomness() {
    let metadata = metadata();
    for name in PURE {
        let found = dependencies(&metadata, &format!("oddswire-{name}"));
        for forbidden in FORBIDDEN {
            assert!(!found.contains(forbidden), "oddswire-{name} depends on {forbidden}");
        }
    }
}

#[test]
fn pure_crates_call_no_clock() {
    fn visit(folder: &Path, check: &mut impl FnMut(&Path, &str)) {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                visit(&path, check);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                check(&path, &std::fs::read_to_string(&path).expect("a text"));
            }
        }
    }
    let mut files = 0;
    for name in PURE {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates").join(name).join("src");
        visit(&sources, &mut |path, text| {
            files += 1;
            for call in FORBIDDEN_CALLS {
                assert!(!text.contains(call), "{} calls {call}", path.display());
            }
        });
    }
    assert!(files > 30, "only {files} files were looked at");
}
