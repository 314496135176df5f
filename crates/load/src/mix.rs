//! Which views at which rates, in which proportion.

use std::{fmt, str::FromStr};

use oddswire_model::View;

/// Most entries of a mix: the ledger keeps a bit for each.
const ENTRIES_MAX: usize = 32;

/// One kind of receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MixEntry {
    /// What part of each market it wants.
    pub view: View,
    /// At most one delta per market in this time; 0 for every flush.
    pub rate_ms: u32,
    /// Its share of the connections, relative to the other entries.
    pub share: u32,
}

impl fmt::Display for MixEntry {
    /// Without the share: the name of the kind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.view, self.rate_ms)
    }
}

/// Kinds of receivers and their shares, written `prices@250:60,best3@100:30,full@0:10`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix {
    entries: Vec<MixEntry>,
}

impl Mix {
    /// The kinds, in the order in which they were given.
    pub fn entries(&self) -> &[MixEntry] {
        &self.entries
    }

    /// The kind of each of `count` connections. The kinds are interleaved, so that every beginning of the list has
    /// about the same shares as the whole.
    pub fn deal(&self, count: usize) -> Vec<u16> {
        let total: u64 = self.entries.iter().map(|entry| u64::from(entry.share)).sum();
        let mut given = vec![0u64; self.entries.len()];
        let mut dealt = Vec::with_capacity(count);
        for turn in 1..=count as u64 {
            // Whoever is furthest behind his share is next.
            let behind =
                |at: usize| (turn * u64::from(self.entries[at].share)) as i64 - (given[at] * total) as i64;
            let next = (0..self.entries.len()).max_by_key(|&at| (behind(at), usize::MAX - at)).unwrap_or(0);
            given[next] += 1;
            dealt.push(next as u16);
        }
        dealt
    }
}

impl Default for Mix {
    /// A sportsbook's crowd: most look at lists of prices, some at a market, few at everything.
    fn default() -> Self {
        let best3 = View::best(3);
        Self {
            entries: vec![
                MixEntry { view: View::PRICES, rate_ms: 250, share: 60 },
                MixEntry { view: best3, rate_ms: 100, share: 30 },
                MixEntry { view: View::FULL, rate_ms: 0, share: 10 },
            ],
        }
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, entry) in self.entries.iter().enumerate() {
            write!(f, "{}{entry}:{}", if at > 0 { "," } else { "" }, entry.share)?;
        }
        Ok(())
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut entries = Vec::new();
        for part in text.split(',') {
            entries.push(parse_entry(part.trim())?);
        }
        if entries.len() > ENTRIES_MAX {
            return Err(format!("{} kinds are too many; the limit is {ENTRIES_MAX}", entries.len()));
        }
        Ok(Self { entries })
    }
}

fn parse_entry(text: &str) -> Result<MixEntry, String> {
    let wrong = |what: &str| format!("`{text}`: {what}; write VIEW@RATE_MS:SHARE, for example best3@100:30");
    let (kind, share) = match text.split_once(':') {
        Some((kind, share)) => (kind, share.parse().map_err(|_| wrong("the share is not a whole number"))?),
        None => (text, 1),
    };
    let (view, rate) = kind.split_once('@').unwrap_or((kind, "0"));
    let view = view.parse().map_err(|error| wrong(&format!("{error}")))?;
    let rate_ms = rate.parse().map_err(|_| wrong("the rate is not a number of milliseconds"))?;
    if share == 0 {
        return Err(wrong("a share of 0 is nobody; leave it out"));
    }
    Ok(MixEntry { view, rate_ms, share })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_round_trips_and_mistakes_are_named() {
        let text = "prices@250:60,best3@100:30,full@0:10";
        assert_eq!(text.parse::<Mix>().unwrap(), Mix::default());
        assert_eq!(Mix::default().to_string(), text);
        assert_eq!("full".parse::<Mix>().unwrap().to_string(), "full@0:1");
        for wrong in ["", "deep@1:1", "full@x:1", "full@0:0", "full@0:-1", "full@0:1,"] {
            assert!(wrong.parse::<Mix>().unwrap_err().contains("VIEW@RATE_MS:SHARE"), "{wrong}");
        }
    }

    #[test]
    fn every_beginning_has_about_the_shares_of_the_whole() {
        let dealt = Mix::default().deal(1_000);
        for end in [10, 100, 990] {
            for (kind, share) in [(0, 60), (1, 30), (2, 10)] {
                let count = dealt[..end].iter().filter(|&&dealt| dealt == kind).count() as i64;
                assert!((count - end as i64 * share / 100).abs() <= 1, "{end}: {count} of kind {kind}");
            }
        }
    }
}
