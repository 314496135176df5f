//! A recording as commits.

use oddswire_model::Commit;

use super::{Adapter, Recording, RecordingError, RecordingStats};

/// The commits of a recording, in order.
#[derive(Debug)]
pub struct Commits {
    recording: Recording,
    adapter: Adapter,
}

impl Commits {
    pub(super) fn new(recording: Recording) -> Self {
        Self { recording, adapter: Adapter::new() }
    }

    /// What was read and what was skipped so far.
    pub fn stats(&self) -> RecordingStats {
        RecordingStats { skipped_values: self.adapter.skipped_values(), ..self.recording.stats() }
    }

    /// The recording behind it, for progress and for the first malformed line.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }
}

impl Iterator for Commits {
    type Item = Result<Commit, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.recording.next()? {
                Ok(message) => {
                    if let Some(commit) = self.adapter.commit(&message) {
                        return Some(Ok(commit));
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, fs, path::PathBuf};

    use super::*;

    /// Where recordings lie; they are not part of the project, because their data is the venue's.
    fn data_folder() -> PathBuf {
        let beside_the_project = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
        std::env::var_os("ODDSWIRE_DATA").map_or_else(|| beside_the_project.into(), PathBuf::from)
    }

    /// The column "messages" of the folder's table, which counts market changes.
    fn expected_messages(readme: &str) -> HashMap<&str, u64> {
        readme
            .lines()
            .filter_map(|line| {
                let columns: Vec<&str> = line.split('|').map(str::trim).collect();
                Some((*columns.get(1)?, columns.get(4)?.parse().ok()?))
            })
            .collect()
    }

    #[test]
    fn every_recording_is_read_whole() {
        let folder = data_folder();
        let Ok(readme) = fs::read_to_string(folder.join("README.md")) else {
            println!("no recordings in {}; set ODDSWIRE_DATA to a folder that has some", folder.display());
            return;
        };
        let expected = expected_messages(&readme);
        assert!(!expected.is_empty(), "the table of {} was not understood", folder.display());
        for (name, messages) in expected {
            let mut commits = Recording::open(folder.join(name)).unwrap().commits();
            let mut changed = 0;
            for commit in commits.by_ref() {
                let commit = commit.unwrap();
                assert!(commit.published_ms > 1_400_000_000_000, "{name}");
                changed += u64::from(!commit.markets.is_empty());
            }
            let stats = commits.stats();
            let skipped_ops = stats.skipped_ops;
            assert_eq!(
                stats,
                RecordingStats { messages, skipped_ops, ..RecordingStats::default() },
                "{name}"
            );
            assert!(changed > messages * 9 / 10, "{name}: {changed} commits of {messages} messages");
            assert_eq!(commits.recording().bytes_read(), commits.recording().total_bytes(), "{name}");
        }
    }

    #[test]
    fn a_cut_file_on_disk_gives_the_commits_before_the_cut() {
        let path = std::env::temp_dir().join(format!("oddswire-cut-{}.bz2", std::process::id()));
        fs::write(&path, r#"{"op":"mcm","pt":1,"mc":[{"id":"1.1","tv":-5,"rc":[{"id":7}]}]}{"op":"mcm","pt"#)
            .unwrap();
        let mut commits = Recording::open(&path).unwrap().commits();
        assert_eq!(commits.by_ref().filter_map(Result::ok).count(), 1);
        let expected =
            RecordingStats { messages: 1, truncated: 1, skipped_values: 1, ..RecordingStats::default() };
        assert_eq!(commits.stats(), expected);
        fs::remove_file(path).unwrap();
    }
}
