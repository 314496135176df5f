//! A tennis fixture: a match, an exchange market on it, and sportsbook markets on its sets and on each game.

use oddswire_model::MarketUpdate;

use super::{
    exchange_market::Bustle,
    fixture::{Entry, Fixture, FixtureCard, Setting},
    names,
    random::Random,
    schedule::{NEVER, Tempo, Timetable},
    tennis_markets::TennisMarkets,
    tennis_model::TennisModel,
    tennis_score::{Ended, TennisScore},
};

const PLAY: usize = 0;
const EXCHANGE: usize = 1;
const SETS: usize = 2;
const GAME: usize = 3;

/// Time between messages in play, outside the bursts that follow points.
const EXCHANGE_MS: u64 = 700;
const SETS_MS: u64 = 900;
const GAME_MS: u64 = 800;

/// Chance per point that a player gives up: about one match in thirty.
const RETIREMENT: f64 = 0.000_25;
/// Share of break points for which the exchange suspends.
const BREAK_POINTS_SUSPENDED: f64 = 0.6;

/// A match with its markets.
#[derive(Debug)]
pub(super) struct Tennis {
    card: FixtureCard,
    setting: Setting,
    random: Random,
    serve: [f64; 2],
    model: TennisModel,
    score: TennisScore,
    phase: Phase,
    markets: TennisMarkets,
    tempo: Tempo,
    timetable: Timetable<4>,
}

/// Where the fixture stands; each phase ends at the next [`PLAY`].
#[derive(Debug, Clone, Copy)]
enum Phase {
    Unannounced,
    BeforeStart,
    /// Suspended for the moment in which the match starts.
    Start,
    /// The next point is about to be played.
    Rally,
    /// The same, with the markets suspended because it may decide the game.
    BreakPoint,
    /// Suspended after a set.
    SetBreak,
    /// Suspended because this player does not go on.
    Retired(usize),
    /// Closed, to be settled for this player.
    Finished(usize),
}

impl Tennis {
    /// The `number`-th tennis fixture of a simulation.
    pub(super) fn new(number: u64, setting: Setting, mut random: Random) -> Self {
        let players = names::tennis_pair(number);
        let serve = [0, 1].map(|_| 0.58 + 0.11 * random.unit());
        let model = TennisModel::new(serve);
        let mut score = TennisScore::served_by(random.position(2));
        let mut start_ms = setting.created_ms + setting.play_ms(random.between(120_000, 300_000));
        if setting.entry == Entry::UnderWay {
            let points = random.below(90);
            for _ in 0..points {
                let mut next = score;
                if next.point(usize::from(!random.chance(model.point(&score)))) != Ended::Match {
                    score = next;
                }
            }
            start_ms = setting.created_ms.saturating_sub(setting.play_ms(points * 30_000));
        }
        let card = FixtureCard {
            id: format!("sim.t{number}"),
            sport: "tennis",
            competition: names::tournament(number),
            name: format!("{} v {}", players[0].name, players[1].name),
            venue: names::court(number),
            start_ms,
        };
        let mut timetable = Timetable::starting_at(NEVER);
        timetable.set(PLAY, setting.created_ms);
        Self {
            markets: TennisMarkets::new(&card.id, players, random.between(1, 5), &score),
            tempo: Tempo::new(setting.activity_percent),
            phase: Phase::Unannounced,
            timetable,
            card,
            setting,
            random,
            serve,
            model,
            score,
        }
    }

    /// The match goes on: one step from phase to phase.
    fn play(&mut self, now_ms: u64, updates: &mut Vec<MarketUpdate>) {
        let wait_ms = match self.phase {
            Phase::Unannounced => self.announce(now_ms, updates),
            Phase::BeforeStart => {
                self.markets.suspend(updates);
                self.phase = Phase::Start;
                self.pause_ms(5, 12)
            }
            Phase::Start | Phase::SetBreak => self.resume(now_ms, updates),
            Phase::Rally => self.rally(now_ms, updates),
            Phase::BreakPoint => self.point(now_ms, updates),
            Phase::Retired(player) if self.score.sets != [0, 0] => {
                updates.extend(self.markets.exchange.close());
                self.markets.annul_sportsbook(updates);
                self.phase = Phase::Finished(1 - player);
                self.pause_ms(30, 60)
            }
            Phase::Retired(_) => {
                // Before the first set is over nothing has been decided, so no bet stands.
                self.markets.settle_last_game(updates);
                updates.extend(self.markets.exchange.annul());
                self.markets.annul_sportsbook(updates);
                return self.timetable.clear();
            }
            Phase::Finished(winner) => {
                self.markets.settle_last_game(updates);
                self.markets.settle(winner, &self.model.sets(&self.score), updates);
                return self.timetable.clear();
            }
        };
        self.timetable.set(PLAY, now_ms + wait_ms);
    }

    fn announce(&mut self, now_ms: u64, updates: &mut Vec<MarketUpdate>) -> u64 {
        let in_play = self.setting.entry == Entry::UnderWay;
        let (win, caption) = (self.match_chances(), self.score.caption());
        updates.push(self.markets.exchange.announce(&self.card, &caption, in_play, &win, &mut self.random));
        let sets = self.model.sets(&self.score);
        updates.extend(self.markets.sets.announce(&self.card, &caption, in_play, &sets));
        updates.extend(self.markets.game.announce(&self.card, &caption, in_play, &self.game_chances()));
        for activity in [EXCHANGE, SETS, GAME] {
            self.timetable.set(activity, now_ms + self.random.between(200, 2_000));
        }
        self.phase = if in_play { Phase::Rally } else { Phase::BeforeStart };
        if in_play { self.point_ms() } else { self.card.start_ms.saturating_sub(now_ms) }
    }

    fn rally(&mut self, now_ms: u64, updates: &mut Vec<MarketUpdate>) -> u64 {
        if self.random.chance(RETIREMENT) {
            self.markets.suspend(updates);
            self.markets.say_score(&format!("{} ret.", self.score.caption()), updates);
            self.phase = Phase::Retired(self.random.position(2));
            return self.pause_ms(60, 90);
        }
        if self.score.is_break_point() && self.random.chance(BREAK_POINTS_SUSPENDED) {
            updates.extend(self.markets.exchange.suspend(false));
            updates.extend(self.markets.game.suspend());
            self.phase = Phase::BreakPoint;
            return self.pause_ms(4, 8);
        }
        self.point(now_ms, updates)
    }

    /// A point is played and everything that follows from it is said in one commit.
    fn point(&mut self, now_ms: u64, updates: &mut Vec<MarketUpdate>) -> u64 {
        self.markets.settle_last_game(updates);
        let winner = usize::from(!self.random.chance(self.model.point(&self.score)));
        let ended = self.score.point(winner);
        if ended != Ended::Point {
            self.markets.next_game(winner, &self.score, updates);
            self.drift();
        }
        if ended == Ended::Match {
            updates.extend(self.markets.exchange.close());
            updates.extend(self.markets.sets.close());
            self.markets.say_score(&self.score.caption(), updates);
            self.phase = Phase::Finished(winner);
            return self.pause_ms(20, 60);
        }
        if ended == Ended::Set {
            updates.extend(self.markets.exchange.suspend(true));
            updates.extend(self.markets.sets.suspend());
            self.markets.say_score(&self.score.caption(), updates);
            self.phase = Phase::SetBreak;
            return self.pause_ms(20, 45);
        }
        if ended == Ended::Game {
            let (chances, caption) = (self.game_chances(), self.score.caption());
            updates.extend(self.markets.game.announce(&self.card, &caption, true, &chances));
        }
        let changeover = ended == Ended::Game && self.score.game_number().is_multiple_of(2);
        let wait_ms = if changeover { self.setting.play_ms(60_000) } else { self.point_ms() };
        self.resume(now_ms, updates);
        wait_ms
    }

    /// Whatever is suspended opens again, and everybody reacts.
    fn resume(&mut self, now_ms: u64, updates: &mut Vec<MarketUpdate>) -> u64 {
        let (win, game) = (self.match_chances(), self.game_chances());
        updates.extend(self.markets.exchange.reopen(&win, true, &mut self.random));
        updates.extend(self.markets.sets.reopen(&self.model.sets(&self.score), true));
        if matches!(self.phase, Phase::SetBreak) {
            updates.extend(self.markets.game.announce(&self.card, &self.score.caption(), true, &game));
        } else {
            updates.extend(self.markets.game.reopen(&game, true));
        }
        self.markets.say_score(&self.score.caption(), updates);
        self.tempo.burst(now_ms, 2_000);
        for activity in [EXCHANGE, SETS, GAME] {
            self.timetable.set(activity, now_ms + self.random.between(50, 900));
        }
        self.phase = Phase::Rally;
        self.point_ms()
    }

    /// Players get better and worse a little with every game.
    fn drift(&mut self) {
        for serve in &mut self.serve {
            *serve = (*serve + self.random.bell() * 0.004).clamp(0.52, 0.74);
        }
        self.model = TennisModel::new(self.serve);
    }

    fn match_chances(&self) -> [f64; 2] {
        let win = self.model.win(&self.score);
        [win, 1.0 - win]
    }

    fn game_chances(&self) -> [f64; 2] {
        let win = self.model.game(&self.score);
        [win, 1.0 - win]
    }

    fn point_ms(&mut self) -> u64 {
        self.setting.play_ms(self.random.between(20_000, 30_000))
    }

    fn pause_ms(&mut self, least_s: u64, most_s: u64) -> u64 {
        self.setting.pause_ms(self.random.between(least_s * 1_000, most_s * 1_000))
    }
}

impl Fixture for Tennis {
    fn next_ms(&self) -> u64 {
        self.timetable.earliest().1
    }

    fn advance(&mut self, now_ms: u64, updates: &mut Vec<MarketUpdate>) {
        let (activity, _) = self.timetable.earliest();
        let mean_ms = match activity {
            PLAY => return self.play(now_ms, updates),
            EXCHANGE => {
                let bustle = Bustle { touches: 2, more: 0.2, trade: 0.18 };
                let chances = self.match_chances();
                updates.extend(self.markets.exchange.trade(&chances, bustle, &mut self.random));
                EXCHANGE_MS
            }
            SETS => {
                updates.extend(self.markets.sets.quote(&self.model.sets(&self.score), &mut self.random));
                SETS_MS
            }
            _ => {
                let chances = self.game_chances();
                updates.extend(self.markets.game.quote(&chances, &mut self.random));
                GAME_MS
            }
        };
        let calm = if matches!(self.phase, Phase::BeforeStart) { 3 } else { 1 };
        let next_ms = self.tempo.next_ms(now_ms, mean_ms * calm, &mut self.random);
        self.timetable.set(activity, next_ms);
    }
}
