//! Whether everybody ended with the same, and with what was published.

use std::collections::HashMap;

use oddswire_model::MarketId;

use crate::{
    publisher::Published,
    receiver::{Role, VerifierState},
};

/// The outcome of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) compared: usize,
    pub(crate) not_compared: usize,
    /// Markets of the scout that were compared with what was published.
    pub(crate) published_compared: usize,
    pub(crate) differences: u64,
    /// The first difference, in words.
    pub(crate) first: Option<String>,
}

impl Verdict {
    fn differs(&mut self, what: impl FnOnce() -> String) {
        self.differences += 1;
        self.first.get_or_insert_with(what);
    }
}

/// Compares verifiers with the scout, and the scout with what was published. `is_alone`: nobody else changes the markets
/// that are followed.
pub(crate) fn judge(
    states: &[VerifierState],
    kinds: &[String],
    published: Option<&Published>,
    is_alone: bool,
) -> Verdict {
    let mut verdict = Verdict::default();
    let others = || states.iter().filter(|state| state.role != Role::Scout);
    let scout = states.iter().find(|state| state.role == Role::Scout);
    let Some((scout, reached)) = scout.and_then(|scout| Some((scout, scout.complete?))) else {
        verdict.not_compared = others().count();
        return verdict;
    };
    let held: HashMap<&MarketId, &Vec<u64>> =
        scout.digests.iter().map(|(id, digests)| (id, digests)).collect();
    let last = published.and_then(|published| published.last_revision);
    for state in others() {
        // When nothing is published any more, whoever has the last commit has all of them.
        let has_last = |complete| is_alone && last.is_some_and(|last| complete >= last && reached >= last);
        if !state.complete.is_some_and(|complete| complete == reached || has_last(complete)) {
            verdict.not_compared += 1;
            continue;
        }
        verdict.compared += 1;
        compare(state, &held, kinds, &mut verdict);
    }
    if let Some(published) =
        published.filter(|published| published.last_revision.is_some_and(|last| reached >= last))
    {
        for (id, expected) in &published.end_state {
            match held.get(id) {
                Some(digests) if **digests == expected.digests => verdict.published_compared += 1,
                Some(_) => verdict.differs(|| format!("the scout's {id} is not what was published")),
                None if expected.is_finished => {}
                None => verdict.differs(|| format!("the scout does not have {id}, which was published")),
            }
        }
    }
    verdict
}

fn compare(
    state: &VerifierState,
    held: &HashMap<&MarketId, &Vec<u64>>,
    kinds: &[String],
    verdict: &mut Verdict,
) {
    let kind = usize::from(state.kind);
    let name = kinds.get(kind).map_or("?", String::as_str);
    let wanted = match &state.wanted {
        Some(wanted) => wanted.iter().filter(|id| held.contains_key(id)).count(),
        None => held.len(),
    };
    if state.digests.len() != wanted {
        verdict.differs(|| format!("a receiver of {name} holds {} markets of {wanted}", state.digests.len()));
    }
    for (id, digests) in &state.digests {
        let expected = held.get(id).and_then(|digests| digests.get(kind));
        if expected != digests.first() {
            verdict.differs(|| format!("{id} of a receiver of {name} is not the scout's"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publisher::EndState;

    fn id(at: u32) -> MarketId {
        MarketId::new(&format!("1.{at}")).unwrap()
    }

    fn state(role: Role, complete: u64, digests: &[(u32, &[u64])]) -> VerifierState {
        let digests = digests.iter().map(|&(at, digests)| (id(at), digests.to_vec())).collect();
        VerifierState { kind: 1, role, complete: Some(complete), wanted: None, digests }
    }

    #[test]
    fn what_differs_is_found() {
        let kinds = ["prices@0".to_owned(), "full@0".to_owned()];
        let scout = state(Role::Scout, 9, &[(1, &[10, 11]), (2, &[20, 21])]);
        let good = state(Role::Normal, 9, &[(1, &[11]), (2, &[21])]);
        let verdict = judge(&[scout.clone(), good.clone()], &kinds, None, false);
        assert_eq!((verdict.compared, verdict.differences), (1, 0));
        let other = state(Role::Normal, 9, &[(1, &[11]), (2, &[20])]);
        let verdict = judge(&[scout.clone(), other], &kinds, None, false);
        assert_eq!(verdict.first.as_deref(), Some("1.2 of a receiver of full@0 is not the scout's"));
        let fewer = state(Role::Normal, 9, &[(1, &[11])]);
        assert_eq!(judge(&[scout.clone(), fewer], &kinds, None, false).differences, 1);
        let behind = VerifierState { complete: Some(8), ..good.clone() };
        assert_eq!(judge(&[scout.clone(), behind], &kinds, None, false).not_compared, 1);

        let end = |is_finished, digests: &[u64]| EndState { is_finished, digests: digests.to_vec() };
        let end_state =
            [(id(1), end(false, &[10, 11])), (id(2), end(false, &[20, 22])), (id(3), end(true, &[]))];
        let published =
            Published { last_revision: Some(9), end_state: end_state.into(), ..Published::default() };
        let verdict = judge(&[scout, good], &kinds, Some(&published), true);
        assert_eq!((verdict.published_compared, verdict.differences), (1, 1));
    }
}
