//! The golden vectors: bytes that every client and gateway, in whatever language, must agree on.
//!
//! `ODDSWIRE_BLESS=1 cargo test --test vectors` writes them anew from their descriptions. What changes then changes the
//! protocol: look at the difference before committing it.

#[path = "vectors/generator/mod.rs"]
mod generator;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Once,
};

/// Where the vectors are; written anew once before anybody reads them, if that is asked for.
fn root() -> PathBuf {
    static BLESSING: Once = Once::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    BLESSING.call_once(|| {
        if std::env::var_os("ODDSWIRE_BLESS").is_some() {
            bless(&root);
        }
    });
    root
}

fn bless(root: &Path) {
    // A case that panics must not leave the folder empty.
    let cases = generator::cases();
    for folder in generator::committed(root) {
        fs::remove_dir_all(folder).unwrap();
    }
    for case in cases {
        let folder = root.join(&case.path);
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in case.files() {
            fs::write(folder.join(name), text).unwrap();
        }
    }
}

#[test]
fn the_committed_bytes_are_what_the_encoder_writes() {
    let root = root();
    let cases = generator::cases();
    let named: BTreeSet<PathBuf> = cases.iter().map(|case| root.join(&case.path)).collect();
    assert_eq!(named.len(), cases.len(), "two cases share a folder");
    let committed: BTreeSet<PathBuf> = generator::committed(&root).into_iter().collect();
    assert_eq!(committed, named, "a folder has no case, or a case no folder");
    for case in &cases {
        for (name, text) in case.files() {
            let path = root.join(&case.path).join(name);
            let committed = fs::read_to_string(&path).unwrap();
            assert_eq!(committed, text, "{} differs; bless it if that is meant", path.display());
        }
    }
}

#[test]
fn every_committed_case_plays_as_expected() {
    for folder in generator::committed(&root()) {
        let (input, frames, expected) = generator::read(&folder);
        if input["kind"] == "digest" {
            assert!(generator::digest_is_the_sum(&expected), "{}", folder.display());
        } else {
            assert_eq!(generator::play(&input, &frames), expected, "{}", folder.display());
        }
    }
}

#[test]
fn clauses_and_vectors_name_each_other() {
    let root = root();
    let protocol = root.join("../../docs/protocol.md");
    let text = fs::read_to_string(&protocol).unwrap();
    let committed = generator::committed(&root);
    for folder in &committed {
        let (input, _, _) = generator::read(folder);
        for clause in input["clauses"].as_array().unwrap() {
            let clause = format!("**[{}]**", clause.as_str().unwrap());
            assert!(text.contains(&clause), "{} cites {clause}, which is no clause", folder.display());
        }
    }
    let areas = [
        "varint/",
        "digest/",
        "client/",
        "piece/",
        "frame/",
        "session/",
        "invalid/",
        "coder/",
        "model/",
        "compact/",
        "compressed/",
    ];
    let cited = text
        .split('`')
        .filter(|word| areas.iter().any(|area| word.len() > area.len() && word.starts_with(area)));
    for vector in cited {
        assert!(
            root.join(vector).join("input.json").is_file(),
            "the protocol cites {vector}, which is not there"
        );
    }
}
