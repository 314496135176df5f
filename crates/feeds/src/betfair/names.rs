//! Attribute names, each kept once: definitions repeat the same thirty names for every market and runner.

use std::{collections::HashMap, sync::Arc};

use oddswire_model::name;

/// Most names remembered. Betfair has about fifty; the bound is for recordings that are something else.
const MAX_NAMES: usize = 1_024;

/// Attribute names by the venue's key.
#[derive(Debug, Default)]
pub(super) struct Names {
    by_key: HashMap<Box<str>, Arc<str>>,
}

impl Names {
    /// The attribute name of a key of a definition.
    pub(super) fn of(&mut self, key: &str) -> Arc<str> {
        if let Some(name) = self.by_key.get(key) {
            return name.clone();
        }
        let name: Arc<str> = published(key).into();
        if self.by_key.len() < MAX_NAMES {
            self.by_key.insert(key.into(), name.clone());
        }
        name
    }
}

/// Names that mean the same in every feed are published under the common name, all others as they are.
fn published(key: &str) -> &str {
    match key {
        "eventId" => name::FIXTURE,
        "eventName" => name::FIXTURE_NAME,
        "eventTypeId" => name::SPORT,
        "competitionId" => name::COMPETITION,
        "competitionName" => name::COMPETITION_NAME,
        "marketType" => name::MARKET_TYPE,
        "marketTime" => name::START_TIME,
        "sortPriority" => name::SORT_PRIORITY,
        // `name` and `venue` are called the same on both sides.
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_once() {
        let mut names = Names::default();
        let first = names.of("eventId");
        assert_eq!(&*first, "fixture");
        assert!(Arc::ptr_eq(&first, &names.of("eventId")));
        assert_eq!(&*names.of("betDelay"), "betDelay");
        assert_eq!((&*names.of("venue"), &*names.of("name")), (name::VENUE, name::NAME));
    }
}
