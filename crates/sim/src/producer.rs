//! Producers: where the truth comes from, over a line that loses and repeats.

use std::{collections::VecDeque, sync::Arc};

use oddswire_model::{
    Commit, Field, LadderUpdate, MarketId, MarketStatus, MarketUpdate, Price, SelectionUpdate,
};

use crate::{book::Book, random::Random};

/// Markets in one commit of an image.
const MARKETS_PER_IMAGE: usize = 3;
/// A producer that cannot get rid of what it has to say stops taking more in.
const OUTBOX_MAX: usize = 40;
/// How long a producer waits for an answer before it says the same again.
pub(crate) const RETRY_MS: u64 = 300;

/// One thing that a producer says and wants an answer to.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    /// Tells the answers apart.
    pub(crate) token: u64,
    pub(crate) producer_epoch: u64,
    pub(crate) body: Body,
}

#[derive(Debug, Clone)]
pub(crate) enum Body {
    Announce,
    Publish {
        sequence: u64,
        commit: Arc<Commit>,
        is_bad: bool,
    },
    /// "That was everything."
    Complete,
    /// "I am here."
    Alive,
}

/// What a gateway answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Taken {
        is_held: bool,
    },
    Refused,
    Fenced,
    /// "I do not know you": the log has begun anew.
    Unknown,
}

/// An earlier start of a producer that does not know it has been replaced.
#[derive(Debug, Clone)]
pub(crate) struct Zombie {
    pub(crate) producer_epoch: u64,
    pub(crate) sequence: u64,
    pub(crate) writes_left: u64,
}

/// A producer and the markets it knows the truth about.
#[derive(Debug)]
pub(crate) struct Producer {
    pub(crate) name: String,
    number: usize,
    pub(crate) producer_epoch: u64,
    sequence: u64,
    token: u64,
    pub(crate) books: Vec<Book>,
    markets: usize,
    selections: (usize, u64),
    next_market: u64,
    /// Ids of finished markets and how many selections they had.
    finished: Vec<(MarketId, usize)>,
    pub(crate) outbox: VecDeque<Upload>,
    /// The front of the outbox is on its way, since then.
    pub(crate) sent_ms: Option<u64>,
    pub(crate) is_resyncing: bool,
    pub(crate) silent_until_ms: u64,
    pub(crate) zombie: Option<Zombie>,
    random: Random,
}

impl Producer {
    pub(crate) fn new(seed: u64, number: usize, markets: usize, is_large: bool) -> Self {
        let mut producer = Self {
            name: format!("feed-{number}"),
            number,
            producer_epoch: 0,
            sequence: 0,
            token: 0,
            books: Vec::new(),
            markets,
            selections: if is_large { (40, 300) } else { (4, 12) },
            next_market: 0,
            finished: Vec::new(),
            outbox: VecDeque::new(),
            sent_ms: None,
            is_resyncing: false,
            silent_until_ms: 0,
            zombie: None,
            random: Random::new(seed, 0x2000 + number as u64),
        };
        while producer.books.len() < markets {
            producer.open(false);
        }
        producer.restart();
        producer
    }

    /// A new start: everything is said again under a higher epoch.
    pub(crate) fn restart(&mut self) {
        self.producer_epoch += 1;
        self.sequence = 0;
        self.resync();
    }

    /// The old start goes on writing beside the new one.
    pub(crate) fn leave_zombie(&mut self) {
        let (producer_epoch, sequence) = (self.producer_epoch, self.sequence);
        self.zombie = Some(Zombie { producer_epoch, sequence, writes_left: 5 });
    }

    /// Says everything again.
    pub(crate) fn resync(&mut self) {
        self.outbox.clear();
        self.sent_ms = None;
        self.is_resyncing = true;
        self.say(Body::Announce);
        let images: Vec<MarketUpdate> = self.books.iter().map(Book::image).collect();
        for some in images.chunks(MARKETS_PER_IMAGE) {
            self.publish(some.to_vec());
        }
        self.say(Body::Complete);
    }

    pub(crate) fn say(&mut self, body: Body) {
        self.token += 1;
        self.outbox.push_back(Upload { token: self.token, producer_epoch: self.producer_epoch, body });
    }

    /// Whether there is something to say beyond "I am here".
    pub(crate) fn has_news(&self) -> bool {
        self.outbox.iter().any(|upload| !matches!(upload.body, Body::Alive))
    }

    /// Something happens in one or a few markets.
    pub(crate) fn tick(&mut self, may_return: bool) {
        if self.outbox.len() > OUTBOX_MAX {
            return;
        }
        let mut updates = Vec::new();
        for _ in 0..1 + self.random.below(6) / 4 {
            let at = self.random.index(self.books.len());
            if self.books[at].is_finished {
                continue;
            }
            if self.random.below(120) == 0 {
                let update = self.books[at].settle(&mut self.random);
                updates.push(update);
            } else {
                let changes = if self.random.below(10) == 0 { 2 } else { 1 };
                // A market may stand twice in one commit.
                for _ in 0..changes {
                    updates.push(self.books[at].change(&mut self.random));
                }
            }
        }
        if self.books.iter().filter(|book| !book.is_finished).count() < self.markets {
            updates.push(self.open(may_return));
        }
        self.publish(updates);
    }

    /// A commit whose first part is good and whose second part is not.
    pub(crate) fn publish_nonsense(&mut self) {
        let market = self.books[self.random.index(self.books.len())].market.id().clone();
        let mut good = MarketUpdate::new(market.clone());
        good.fields.push((Field::Status, MarketStatus::Void as u64));
        let unheard_of = MarketUpdate::new(MarketId::new("never").expect("a short id is valid"));
        let mut bad = MarketUpdate::new(market);
        let key = self.books[0].market.selections()[0].key();
        let mut selection = SelectionUpdate::new(key);
        let rungs = vec![(Price(30_000), 5), (Price(u32::MAX), 5)];
        selection.ladders.push(LadderUpdate { field: Field::Back, replace: true, rungs });
        bad.selections.push(selection);
        self.send(vec![good, unheard_of, bad], true);
    }

    fn publish(&mut self, updates: Vec<MarketUpdate>) {
        self.send(updates, false);
    }

    fn send(&mut self, markets: Vec<MarketUpdate>, is_bad: bool) {
        self.sequence += 1;
        let published_ms = 1_700_000_000_000 + self.sequence * 7 + self.random.below(100);
        let commit = Arc::new(Commit { published_ms, markets });
        self.say(Body::Publish { sequence: self.sequence, commit, is_bad });
    }

    /// Opens a market and returns all there is to say of it.
    fn open(&mut self, may_return: bool) -> MarketUpdate {
        // Finished markets go to make room; what the store still has of them is settled.
        let finished = &mut self.finished;
        self.books.retain(|book| {
            if book.is_finished {
                finished.push((book.market.id().clone(), book.market.selections().len()));
            }
            !book.is_finished
        });
        let (id, selections) = if may_return && !self.finished.is_empty() {
            self.finished.swap_remove(self.random.index(self.finished.len()))
        } else {
            self.next_market += 1;
            let id = MarketId::new(&format!("{}.{}", self.number, self.next_market));
            (id.expect("a short id is valid"), 0)
        };
        let (most, rungs) = self.selections;
        let selections = selections.max(2 + self.random.index(most));
        self.books.push(Book::new(id, selections, rungs, &mut self.random));
        self.books[self.books.len() - 1].image()
    }
}
