//! A horse race with its WIN and PLACE markets on an exchange.

use oddswire_model::MarketUpdate;

use super::{
    calendar,
    exchange_market::Bustle,
    fixture::{Entry, Fixture, FixtureCard, Setting, plain_key, stamp},
    market_life::MarketLife,
    name_lists::Competition,
    names,
    race_market::RaceMarket,
    racing_model::RacingModel,
    random::Random,
    schedule::{NEVER, Tempo, Timetable},
};

const PLAY: usize = 0;
/// One activity per market for its book, then one for its starting prices.
const BOOKS: [usize; 2] = [1, 2];
const STARTING_PRICES: [usize; 2] = [3, 4];

/// Time between two looks at the betting ring and at the race.
const RING_MS: u64 = 1_000;
const RACE_MS: u64 = 250;
/// Time between messages of the WIN and the PLACE market: before the off, in its last three minutes, and in running.
const BEFORE_MS: [u64; 2] = [700, 1_000];
const LATE_MS: [u64; 2] = [350, 550];
const RUNNING_MS: [u64; 2] = [140, 320];
const STARTING_PRICE_MS: u64 = 2_500;
const LATE_BEFORE_OFF_MS: u64 = 180_000;

/// Share of races that lose a runner, and how long before the off at least.
const REMOVALS: f64 = 0.35;
const REMOVAL_BEFORE_OFF_MS: u64 = 60_000;

/// Ids of runners start here.
const RUNNERS: u64 = 10_000;

/// A race with its markets.
#[derive(Debug)]
pub(super) struct Racing {
    card: FixtureCard,
    setting: Setting,
    random: Random,
    model: RacingModel,
    phase: Phase,
    off_ms: u64,
    length_ms: u64,
    /// When a runner is withdrawn, and which.
    removal: Option<(u64, usize)>,
    /// WIN and PLACE.
    markets: [RaceMarket; 2],
    /// Chances to be placed, kept because they take long to work out.
    place_chances: Vec<f64>,
    tempo: Tempo,
    timetable: Timetable<5>,
}

/// Where the fixture stands.
#[derive(Debug, Clone, Copy)]
enum Phase {
    Unannounced,
    BeforeOff,
    /// Suspended because a runner was withdrawn.
    Removal,
    /// Suspended for the moment in which the race starts.
    AtThePost,
    /// In running since this time.
    Running(u64),
    /// Closed, to be settled.
    Finished,
}

impl Racing {
    /// The `number`-th race of a simulation.
    pub(super) fn new(number: u64, setting: Setting, mut random: Random) -> Self {
        let runners = random.between(8, 16) as usize;
        let mut before_ms = setting.play_ms(random.between(480_000, 720_000));
        if setting.entry == Entry::UnderWay {
            before_ms = random.below(before_ms) + setting.play_ms(30_000);
        }
        // Races are advertised for a full minute, and are late.
        let minute_ms = setting.play_ms(60_000);
        let start_ms = (setting.created_ms + before_ms).next_multiple_of(minute_ms);
        let off_ms = start_ms + setting.play_ms(random.below(90_000));
        let latest_ms = off_ms.saturating_sub(setting.play_ms(REMOVAL_BEFORE_OFF_MS));
        let removal = random.chance(REMOVALS).then(|| {
            (random.between(setting.created_ms, latest_ms.max(setting.created_ms)), random.position(runners))
        });
        let course = names::course(number);
        let card = FixtureCard {
            id: format!("sim.r{number}"),
            sport: "racing",
            competition: Competition { id: "sim-racing", name: "Today's Racing" },
            name: format!("{course} {}", calendar::clock(start_ms)),
            venue: course.to_owned(),
            start_ms,
        };
        let selections: Vec<_> = names::horses(runners, &mut random)
            .into_iter()
            .map(|horse| (plain_key(RUNNERS + horse.number), horse.name))
            .collect();
        let liquidity = random.between(2, 6);
        let win = MarketLife::new(&card.id, "win", "WIN", names::race_conditions(number));
        let place = MarketLife::new(&card.id, "plc", "PLACE", "To Be Placed");
        let model = RacingModel::new(runners, &mut random);
        let mut timetable = Timetable::starting_at(NEVER);
        timetable.set(PLAY, setting.created_ms);
        Self {
            markets: [
                RaceMarket::new(win, 1, liquidity, selections.clone()),
                RaceMarket::new(place, 3, liquidity.div_ceil(2), selections),
            ],
            place_chances: model.place(3),
            length_ms: setting.pause_ms(random.between(75_000, 150_000)),
            tempo: Tempo::new(setting.activity_percent),
            phase: Phase::Unannounced,
            card,
            setting,
            random,
            model,
            off_ms,
            removal,
            timetable,
        }
    }

    /// The race day goes on: one step from phase to phase.
    fn play(&mut self, now_ms: u64, updates: &mut Vec<MarketUpdate>) {
        let wait_ms = match self.phase {
            Phase::Unannounced => self.announce(now_ms, updates),
            Phase::BeforeOff => self.before_off(now_ms, updates),
            Phase::Removal => {
                self.reopen(false, updates);
                self.phase = Phase::BeforeOff;
                RING_MS
            }
            Phase::AtThePost => {
                self.reopen(true, updates);
                self.say_stage("Running", updates);
                self.tempo.burst(now_ms, 3_000);
                for (market, activity) in BOOKS.into_iter().enumerate() {
                    self.timetable.set(activity, now_ms + RUNNING_MS[market]);
                }
                self.phase = Phase::Running(now_ms);
                RACE_MS
            }
            Phase::Running(since_ms) => self.run(now_ms - since_ms, updates),
            Phase::Finished => {
                let order = self.model.decide(&mut self.random).to_vec();
                updates.extend(self.markets.iter_mut().filter_map(|market| market.settle(&order)));
                return self.timetable.clear();
            }
        };
        self.timetable.set(PLAY, now_ms + wait_ms);
    }

    fn announce(&mut self, now_ms: u64, updates: &mut Vec<MarketUpdate>) -> u64 {
        for at in 0..self.markets.len() {
            let chances = self.chances(at).to_vec();
            updates.push(self.markets[at].announce(&self.card, "Parading", &chances, &mut self.random));
        }
        for activity in BOOKS.into_iter().chain(STARTING_PRICES) {
            self.timetable.set(activity, now_ms + self.random.between(100, 3_000));
        }
        self.phase = Phase::BeforeOff;
        RING_MS
    }

    fn before_off(&mut self, now_ms: u64, updates: &mut Vec<MarketUpdate>) -> u64 {
        if now_ms >= self.off_ms {
            for at in 0..self.markets.len() {
                let chances = self.chances(at).to_vec();
                updates.extend(self.markets[at].reconcile(&chances, &mut self.random));
            }
            self.say_stage("At the post", updates);
            self.phase = Phase::AtThePost;
            return self.setting.pause_ms(self.random.between(3_000, 9_000));
        }
        if let Some((_, runner)) = self.removal.take_if(|(at_ms, _)| now_ms >= *at_ms) {
            for at in 0..self.markets.len() {
                let chance = self.chances(at).get(runner).copied().unwrap_or(0.0);
                updates.extend(self.markets[at].remove(runner, chance));
            }
            self.model.remove(runner);
            self.place_chances = self.model.place(self.markets[1].places());
            self.phase = Phase::Removal;
            return self.setting.pause_ms(self.random.between(8_000, 20_000));
        }
        self.model.drift(&mut self.random);
        self.place_chances = self.model.place(self.markets[1].places());
        RING_MS
    }

    fn run(&mut self, elapsed_ms: u64, updates: &mut Vec<MarketUpdate>) -> u64 {
        let length_ms = self.length_ms as f64;
        let progress = elapsed_ms as f64 / length_ms;
        self.model.run(progress, RACE_MS as f64 / length_ms, &mut self.random);
        self.place_chances = self.model.place(self.markets[1].places());
        if progress < 1.0 {
            return RACE_MS;
        }
        updates.extend(self.markets.iter_mut().filter_map(|market| market.exchange.close()));
        self.say_stage("Finished", updates);
        self.phase = Phase::Finished;
        self.setting.pause_ms(self.random.between(40_000, 90_000))
    }

    fn reopen(&mut self, in_play: bool, updates: &mut Vec<MarketUpdate>) {
        for at in 0..self.markets.len() {
            let chances = self.chances(at).to_vec();
            updates.extend(self.markets[at].exchange.reopen(&chances, in_play, &mut self.random));
        }
    }

    fn chances(&self, market: usize) -> &[f64] {
        if market == 0 { self.model.win() } else { &self.place_chances }
    }

    fn say_stage(&mut self, stage: &str, updates: &mut Vec<MarketUpdate>) {
        stamp(self.markets.iter_mut().map(|market| &mut market.exchange.life), stage, updates);
    }

    /// One message of a market's book, and the usual time to the next.
    fn trade(&mut self, market: usize, now_ms: u64, updates: &mut Vec<MarketUpdate>) -> u64 {
        let late = now_ms + self.setting.play_ms(LATE_BEFORE_OFF_MS) > self.off_ms;
        let (bustle, mean_ms) = match self.phase {
            Phase::Running(_) if market == 0 => {
                (Bustle { touches: 6, more: 0.6, trade: 0.3 }, RUNNING_MS[market])
            }
            Phase::Running(_) => (Bustle { touches: 4, more: 0.4, trade: 0.15 }, RUNNING_MS[market]),
            _ if late => (Bustle { touches: 4, more: 0.45, trade: 0.2 }, LATE_MS[market]),
            _ => (Bustle { touches: 3, more: 0.35, trade: 0.15 }, BEFORE_MS[market]),
        };
        let chances = if market == 0 { self.model.win() } else { &self.place_chances };
        updates.extend(self.markets[market].exchange.trade(chances, bustle, &mut self.random));
        mean_ms
    }
}

impl Fixture for Racing {
    fn next_ms(&self) -> u64 {
        self.timetable.earliest().1
    }

    fn advance(&mut self, now_ms: u64, updates: &mut Vec<MarketUpdate>) {
        let (activity, _) = self.timetable.earliest();
        let mean_ms = match activity {
            PLAY => return self.play(now_ms, updates),
            activity if BOOKS.contains(&activity) => self.trade(activity - BOOKS[0], now_ms, updates),
            _ if now_ms >= self.off_ms => return self.timetable.set(activity, NEVER),
            _ => {
                let market = activity - STARTING_PRICES[0];
                let chances = if market == 0 { self.model.win() } else { &self.place_chances };
                updates.extend(self.markets[market].bet_at_starting_price(chances, &mut self.random));
                STARTING_PRICE_MS
            }
        };
        let next_ms = self.tempo.next_ms(now_ms, mean_ms, &mut self.random);
        self.timetable.set(activity, next_ms);
    }
}
