//! The venue's words for where a market or a runner stands in its life.

use oddswire_model::{MarketStatus, SelectionStatus};

/// A market whose status is missing or a word of a later version must not look bettable.
pub(super) fn market_status(word: Option<&str>, runners: &[SelectionStatus]) -> MarketStatus {
    use SelectionStatus as Runner;
    let is_settled = |status: &_| matches!(status, Runner::Winner | Runner::Loser | Runner::Placed);
    let is_removed = |status: &_| matches!(status, Runner::Removed | Runner::RemovedVacant);
    match word {
        Some("OPEN") => MarketStatus::Open,
        Some("CLOSED") if runners.iter().any(is_settled) => MarketStatus::Settled,
        Some("CLOSED") if !runners.is_empty() && runners.iter().all(is_removed) => MarketStatus::Void,
        Some("CLOSED") => MarketStatus::Closed,
        _ => MarketStatus::Suspended,
    }
}

/// A selection whose status is a word of a later version must not look bettable either.
pub(super) fn selection_status(word: &str) -> SelectionStatus {
    match word {
        "ACTIVE" => SelectionStatus::Active,
        "WINNER" => SelectionStatus::Winner,
        "LOSER" => SelectionStatus::Loser,
        "PLACED" => SelectionStatus::Placed,
        "REMOVED" => SelectionStatus::Removed,
        "REMOVED_VACANT" => SelectionStatus::RemovedVacant,
        "HIDDEN" => SelectionStatus::Hidden,
        _ => SelectionStatus::Suspended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_open_market_reads_open() {
        assert_eq!(market_status(Some("OPEN"), &[SelectionStatus::Winner]), MarketStatus::Open);
        for word in [Some("SUSPENDED"), Some("INACTIVE"), Some("NEW"), None] {
            assert_eq!(market_status(word, &[SelectionStatus::Winner]), MarketStatus::Suspended, "{word:?}");
        }
    }

    #[test]
    fn a_closed_market_is_settled_by_a_result_and_void_without_runners_left() {
        use SelectionStatus::{Active, Loser, Placed, Removed, RemovedVacant, Winner};
        let closed = |runners: &[SelectionStatus]| market_status(Some("CLOSED"), runners);
        assert_eq!(closed(&[]), MarketStatus::Closed);
        assert_eq!(closed(&[Active, Removed]), MarketStatus::Closed);
        for result in [Winner, Loser, Placed] {
            assert_eq!(closed(&[Removed, result]), MarketStatus::Settled, "{result}");
        }
        assert_eq!(closed(&[Removed, RemovedVacant]), MarketStatus::Void);
    }

    #[test]
    fn every_known_word_is_the_status_of_that_name() {
        for code in 0..8 {
            let status = SelectionStatus::from_code(code).unwrap();
            assert_eq!(selection_status(status.as_str()), status);
        }
        assert_eq!(selection_status("HIBERNATING"), SelectionStatus::Suspended);
    }
}
