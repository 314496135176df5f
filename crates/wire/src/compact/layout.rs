//! The tables of a model: how many contexts, how many symbols. docs/protocol.md, clause [COMPACT-4], lists them.

/// Shares are parts of 2 to this power.
pub(crate) const SCALE_BITS: u32 = 12;
/// All shares of a table's context together.
pub(crate) const SCALE: u32 = 1 << SCALE_BITS;

/// A table of a model: in each of its contexts, `N` symbols have shares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table<const N: usize> {
    /// Where the first context's shares stand.
    pub(crate) at: usize,
    /// How many contexts the tables before it have.
    before: usize,
    pub(crate) contexts: usize,
}

impl<const N: usize> Table<N> {
    /// Where a context's shares stand.
    #[inline]
    pub(crate) fn share(self, context: usize) -> usize {
        debug_assert!(context < self.contexts, "context {context} of {}", self.contexts);
        self.at + context * N
    }

    /// Which of all contexts it is.
    #[inline]
    pub(crate) fn context(self, context: usize) -> usize {
        self.before + context
    }
}

macro_rules! layout {
    ($($(#[$doc:meta])* $name:ident: [$contexts:expr; $symbols:expr];)*) => {
        /// Name, contexts and symbols of every table, in the order in which a model's file has them.
        pub(crate) const LAYOUT: &[(&str, usize, usize)] = &[$((stringify!($name), $contexts, $symbols)),*];
        $($(#[$doc])* pub(crate) const $name: Table<{ $symbols }> = Table { at: start(stringify!($name)).0, before: start(stringify!($name)).1, contexts: $contexts };)*
    };
}

layout! {
    /// Whether a frame advances the revision by one.
    ONE_STEP: [1; 2];
    /// Steps of the frame's clock.
    TIME: [1; 16];
    /// The leading bits of such a number, by its length.
    TIME_TOP: [9; 8];
    /// Whether the frame's first delta is about the only market held.
    SOLE: [1; 2];
    /// Whether a market was published earlier than the frame's clock says.
    AGED: [1; 2];
    /// Numbers without a habit: any, of markets, statuses of selections, other fields of selections.
    LOOSE: [4; 24];
    /// The leading bits of numbers that have one, by their length.
    TOP: [9; 8];

    /// Whether any of the market's fields but its traded volume changes.
    MARKET_FIELDS: [1; 2];
    /// Which of them.
    MARKET_FIELD: [4; 2];
    /// How the market's traded volume follows, by whether any selection's changes and whether there is one.
    MARKET_VOLUME: [4; 4];

    /// How many selections change, by the length of the number of selections; the last context is for everything anew.
    SELECTIONS: [8; 16];
    /// Whether a selection changes, by how many are left and by its price.
    TOUCHED: [112; 2];
    /// Which of the common fields change, by what is held and by the selection before.
    FIELDS: [40; 32];
    /// Whether any other field changes.
    OTHER: [33; 2];
    /// Which of them.
    OTHER_FIELD: [80; 2];
    /// Whether ladders are emptied first.
    CLEARED: [1; 2];

    /// How the last price traded is told, by whether traded amounts change.
    LAST: [2; 3];
    /// Which of the changed traded amounts it stands at, by how many there are.
    LAST_AT: [8; 16];
    /// Whether a value goes down: last price, price, projected price, volume, market volume, place of traded, of first rung.
    DOWN: [7; 2];
    /// By how many steps.
    STEPS: [2; 16];
    /// How a selection's traded volume follows, by whether traded amounts change.
    VOLUME: [2; 4];
    /// Amounts that do not follow.
    ODD: [1; 24];
    /// How a sportsbook's price is told, by whether one is held.
    PRICE: [2; 3];
    /// How a projected starting price is told, by what is held: nothing, a price, an infinite one.
    NEAR: [3; 4];
    /// By how much it moves.
    NEAR_BY: [2; 16];

    /// Where the first traded amount stands, by where the best offers stand.
    TRADED_AT: [17; 16];
    /// How much farther than seven steps.
    TRADED_FAR: [1; 16];
    /// How far the next one is.
    TRADED_GAP: [4; 16];
    /// Whether there is another one, by how many there were.
    TRADED_MORE: [8; 2];
    /// Whether an amount falls.
    TRADED_LESS: [24; 2];
    /// By how much.
    TRADED_FALL: [1; 24];
    /// Whether it is twice an offer that stands there.
    TRADED_OFFER: [8; 2];
    /// Whether that is the lay offer, where both stand.
    TRADED_LAY: [1; 2];
    /// Whether an amount is even.
    TRADED_EVEN: [2; 2];
    /// Whether half of it was seen in this piece.
    TRADED_AGAIN: [4; 2];
    /// Whether it is a whole number of units.
    TRADED_ROUND: [2; 2];
    /// Whole units.
    TRADED_UNITS: [1; 16];
    /// Cents, by the offer that stands there; of everything anew, by the amount before.
    TRADED_CENTS: [12; 24];

    /// How many rungs of a ladder change.
    COUNT: [10; 16];
    /// How many rungs stand between one change and the next.
    GAP: [54; 16];
    /// More than fifteen of them.
    GAP_FAR: [1; 16];
    /// Whether a rung comes into being before the next one that stands.
    ENTERS: [60; 2];
    /// Where in the hole, by its width.
    ENTERS_AT: [6; 16];
    /// Where in a wide one.
    ENTERS_FAR: [2; 16];
    /// By how much it beats the best, by the room there is.
    BEATS: [6; 16];
    /// How far behind the last one.
    BEHIND: [9; 16];
    /// Where the first rung of an empty ladder stands.
    FIRST: [3; 16];
    /// What becomes of a rung.
    CHANGES: [85; 8];
    /// Whether what a catch-up names is gone.
    GONE: [1; 2];
    /// How the amount of a new rung is told.
    NEW: [22; 3];
    /// Whether amounts are hidden, by what is held.
    HIDDEN: [3; 2];
    /// Which of the amounts seen in this piece it is, by how many there are.
    AGAIN: [3; 8];
    /// Whole units.
    UNITS: [9; 16];
    /// Cents, by what stands there.
    CENTS: [28; 24];
    /// Whether a ladder changes beside the price ladder's ticks, and whether there is another such rung in it.
    STRAY: [2; 2];
}

/// Number of shares of all tables.
pub(crate) const SHARES: usize = start("").0;
/// Number of contexts of all tables.
pub(crate) const CONTEXTS: usize = start("").1;

/// How many shares and contexts stand before a table; all of them for a name that is in none.
const fn start(name: &str) -> (usize, usize) {
    let (mut at, mut contexts, mut i) = (0, 0, 0);
    while i < LAYOUT.len() && !same(LAYOUT[i].0, name) {
        at += LAYOUT[i].1 * LAYOUT[i].2;
        contexts += LAYOUT[i].1;
        i += 1;
    }
    (at, contexts)
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}
