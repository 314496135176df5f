//! A football fixture: a match, an exchange market and four sportsbook markets on it.

use oddswire_model::{MarketUpdate, SelectionStatus};

use super::{
    exchange_market::{Bustle, ExchangeMarket},
    fixture::{Entry, Fixture, FixtureCard, Setting, stamp},
    football_books::{self, Book},
    football_match::{FootballMatch, Incident},
    football_model::Outlook,
    market_life::MarketLife,
    names,
    random::Random,
    schedule::{NEVER, Tempo, Timetable},
};

/// The referee's clock, the exchange, and one activity per sportsbook market.
const PLAY: usize = 0;
const EXCHANGE: usize = 1;
const FIRST_BOOK: usize = 2;
const ACTIVITIES: usize = FIRST_BOOK + football_books::COUNT;

/// Time between two looks at the play.
const TICK_MS: u64 = 1_000;
/// Time between exchange messages in play.
const EXCHANGE_MS: u64 = 620;
/// Share of goals that a suspension for a dangerous attack comes before, that the video referee looks at, and of those
/// the share that he takes back.
const GOALS_AFTER_DANGER: f64 = 0.35;
const GOALS_REVIEWED: f64 = 0.15;
const GOALS_TAKEN_BACK: f64 = 0.5;

/// A match with its markets.
#[derive(Debug)]
pub(super) struct Football {
    card: FixtureCard,
    setting: Setting,
    random: Random,
    game: FootballMatch,
    outlook: Outlook,
    phase: Phase,
    minute: u64,
    exchange: ExchangeMarket,
    books: Vec<Book>,
    tempo: Tempo,
    timetable: Timetable<ACTIVITIES>,
}

/// Where the fixture stands; each phase ends at the next [`PLAY`].
#[derive(Debug, Clone, Copy)]
enum Phase {
    Unannounced,
    BeforeKickOff,
    /// Suspended for the moment in which the match starts.
    KickOff,
    Playing,
    /// Sportsbook markets are suspended; this side scores at the end of it, if any.
    Danger(Option<usize>),
    /// Everything is suspended.
    Stopped(Review),
    HalfTime,
    /// Closed, to be settled.
    Finished,
}

/// What becomes of a goal while play is stopped.
#[derive(Debug, Clone, Copy)]
enum Review {
    /// It stands.
    None,
    /// The video referee is about to look at this side's goal.
    Due(usize),
    /// He takes this side's goal back.
    TakesBack(usize),
}

impl Football {
    /// The `number`-th football fixture of a simulation.
    pub(super) fn new(number: u64, setting: Setting, mut random: Random) -> Self {
        let [home, away] = names::football_pair(number);
        let before_ms = setting.play_ms(random.between(180_000, 420_000));
        let mut game = FootballMatch::new(&mut random);
        let start_ms = match setting.entry {
            Entry::Announced => setting.created_ms + before_ms,
            Entry::UnderWay => {
                game.fast_forward(&mut random);
                setting.created_ms.saturating_sub(setting.play_ms(game.minute() * 60_000))
            }
        };
        let card = FixtureCard {
            id: format!("sim.f{number}"),
            sport: "football",
            competition: names::league(number),
            name: format!("{} v {}", home.name, away.name),
            venue: names::ground(home.number),
            start_ms,
        };
        let sides = football_books::sides(&home, &away);
        let life = MarketLife::new(&card.id, "mo", "MATCH_ODDS", "Match Odds");
        let mut timetable = Timetable::starting_at(NEVER);
        timetable.set(PLAY, setting.created_ms);
        Self {
            exchange: ExchangeMarket::new(life, random.between(1, 8), sides.clone()),
            books: football_books::all(&card.id, &sides),
            outlook: game.outlook(),
            minute: game.minute(),
            tempo: Tempo::new(setting.activity_percent),
            phase: Phase::Unannounced,
            timetable,
            card,
            setting,
            random,
            game,
        }
    }

    /// The match goes on: one step from phase to phase.
    fn play(&mut self, now_ms: u64, updates: &mut Vec<MarketUpdate>) {
        let wait_ms = match self.phase {
            Phase::Unannounced => self.announce(now_ms, updates),
            Phase::BeforeKickOff => {
                self.suspend(updates);
                self.phase = Phase::KickOff;
                self.pause_ms(8, 15)
            }
            Phase::KickOff => self.resume(now_ms, updates),
            Phase::Playing => self.tick(updates),
            Phase::Danger(Some(side)) => self.goal(side, updates),
            Phase::Danger(None) | Phase::Stopped(Review::None) => self.resume(now_ms, updates),
            Phase::Stopped(Review::Due(side)) => {
                self.say_score(&format!("{} VAR", self.game.caption()), updates);
                let taken_back = self.random.chance(GOALS_TAKEN_BACK);
                self.phase = Phase::Stopped(if taken_back { Review::TakesBack(side) } else { Review::None });
                self.pause_ms(30, 60)
            }
            Phase::Stopped(Review::TakesBack(side)) => {
                self.game.score[side] = self.game.score[side].saturating_sub(1);
                self.resume(now_ms, updates)
            }
            Phase::HalfTime => {
                self.game.start_half(2, &mut self.random);
                self.resume(now_ms, updates)
            }
            Phase::Finished => {
                self.settle(updates);
                return self.timetable.clear();
            }
        };
        self.timetable.set(PLAY, now_ms + wait_ms);
    }

    fn announce(&mut self, now_ms: u64, updates: &mut Vec<MarketUpdate>) -> u64 {
        let in_play = self.setting.entry == Entry::UnderWay;
        let score = if in_play { self.game.caption() } else { "0-0".to_owned() };
        let chances = self.outlook.result(self.game.score);
        updates.push(self.exchange.announce(&self.card, &score, in_play, &chances, &mut self.random));
        // A bet that is won or lost already, such as "both score" at 1-1, is never opened.
        self.books.retain_mut(|book| {
            let update = book.announce(&self.card, &score, in_play, &self.outlook, self.game.score);
            update.map(|update| updates.push(update)).is_some()
        });
        for activity in EXCHANGE..FIRST_BOOK + self.books.len() {
            self.timetable.set(activity, now_ms + self.random.between(200, 2_000));
        }
        self.phase = if in_play { Phase::Playing } else { Phase::BeforeKickOff };
        if in_play { TICK_MS } else { self.card.start_ms.saturating_sub(now_ms) }
    }

    /// A few seconds of play.
    fn tick(&mut self, updates: &mut Vec<MarketUpdate>) -> u64 {
        let incident = self.game.play(self.setting.pace, &mut self.random);
        match incident {
            None => {
                self.outlook = self.game.outlook();
                if self.game.minute() != self.minute {
                    self.minute = self.game.minute();
                    self.settle_decided(updates);
                    self.say_score(&self.game.caption(), updates);
                }
                TICK_MS
            }
            Some(Incident::Goal(side)) if !self.random.chance(GOALS_AFTER_DANGER) => self.goal(side, updates),
            Some(incident @ (Incident::Goal(_) | Incident::Danger)) => {
                updates.extend(self.books.iter_mut().filter_map(|book| book.market.suspend()));
                let side = if let Incident::Goal(side) = incident { Some(side) } else { None };
                self.phase = Phase::Danger(side);
                self.pause_ms(3, 9)
            }
            Some(Incident::RedCard(_)) => {
                self.suspend(updates);
                self.say_score(&self.game.caption(), updates);
                self.phase = Phase::Stopped(Review::None);
                self.pause_ms(20, 40)
            }
            Some(Incident::HalfTime) => {
                self.settle_decided(updates);
                self.say_score(&format!("{} HT", self.game.score_text()), updates);
                self.phase = Phase::HalfTime;
                self.setting.play_ms(15 * 60_000)
            }
            Some(Incident::FullTime) => {
                updates.extend(self.exchange.close());
                updates.extend(self.books.iter_mut().filter_map(|book| book.market.close()));
                self.say_score(&format!("{} FT", self.game.score_text()), updates);
                self.phase = Phase::Finished;
                self.pause_ms(30, 90)
            }
        }
    }

    fn goal(&mut self, side: usize, updates: &mut Vec<MarketUpdate>) -> u64 {
        self.game.score[side] += 1;
        self.suspend(updates);
        self.say_score(&self.game.caption(), updates);
        if self.random.chance(GOALS_REVIEWED) {
            self.phase = Phase::Stopped(Review::Due(side));
            self.pause_ms(8, 15)
        } else {
            self.phase = Phase::Stopped(Review::None);
            self.pause_ms(20, 60)
        }
    }

    fn suspend(&mut self, updates: &mut Vec<MarketUpdate>) {
        updates.extend(self.exchange.suspend(true));
        updates.extend(self.books.iter_mut().filter_map(|book| book.market.suspend()));
    }

    /// Everything opens again at the prices of the new situation.
    fn resume(&mut self, now_ms: u64, updates: &mut Vec<MarketUpdate>) -> u64 {
        if let Phase::Stopped(_) = self.phase {
            self.game.skip(30);
        }
        self.outlook = self.game.outlook();
        let chances = self.outlook.result(self.game.score);
        updates.extend(self.exchange.reopen(&chances, true, &mut self.random));
        updates.extend(self.books.iter_mut().filter_map(|book| book.reopen(&self.outlook, self.game.score)));
        if !matches!(self.phase, Phase::Danger(_)) {
            self.say_score(&self.game.caption(), updates);
            self.tempo.burst(now_ms, 8_000);
            self.timetable.set(EXCHANGE, now_ms + self.random.between(50, 400));
        }
        self.phase = Phase::Playing;
        TICK_MS
    }

    /// Markets that closed before the match did, because nothing was left to bet on.
    fn settle_decided(&mut self, updates: &mut Vec<MarketUpdate>) {
        let closed = self.books.iter_mut().filter(|book| book.market.life.is_closed());
        updates.extend(closed.filter_map(|book| book.settle(&self.outlook, self.game.score)));
    }

    fn settle(&mut self, updates: &mut Vec<MarketUpdate>) {
        self.outlook = Outlook::over();
        let chances = self.outlook.result(self.game.score);
        let verdict =
            |chance: f64| if chance > 0.5 { SelectionStatus::Winner } else { SelectionStatus::Loser };
        updates.extend(self.exchange.settle(chances.into_iter().map(verdict)));
        updates.extend(self.books.iter_mut().filter_map(|book| book.settle(&self.outlook, self.game.score)));
    }

    fn say_score(&mut self, score: &str, updates: &mut Vec<MarketUpdate>) {
        let books = self.books.iter_mut().map(|book| &mut book.market.life);
        stamp(books.chain([&mut self.exchange.life]), score, updates);
    }

    fn pause_ms(&mut self, least_s: u64, most_s: u64) -> u64 {
        self.setting.pause_ms(self.random.between(least_s * 1_000, most_s * 1_000))
    }

    /// How much quieter it is than in play.
    fn calm(&self) -> u64 {
        if matches!(self.phase, Phase::BeforeKickOff | Phase::HalfTime) { 3 } else { 1 }
    }
}

impl Fixture for Football {
    fn next_ms(&self) -> u64 {
        self.timetable.earliest().1
    }

    fn advance(&mut self, now_ms: u64, updates: &mut Vec<MarketUpdate>) {
        let (activity, _) = self.timetable.earliest();
        let mean_ms = match activity {
            PLAY => return self.play(now_ms, updates),
            EXCHANGE => {
                let bustle = Bustle { touches: 2, more: 0.22, trade: 0.14 };
                let chances = self.outlook.result(self.game.score);
                updates.extend(self.exchange.trade(&chances, bustle, &mut self.random));
                EXCHANGE_MS
            }
            _ => match self.books.get_mut(activity - FIRST_BOOK) {
                Some(book) => {
                    updates.extend(book.quote(&self.outlook, self.game.score, &mut self.random));
                    book.mean_ms()
                }
                None => return self.timetable.set(activity, NEVER),
            },
        };
        let next_ms = self.tempo.next_ms(now_ms, mean_ms * self.calm(), &mut self.random);
        self.timetable.set(activity, next_ms);
    }
}
