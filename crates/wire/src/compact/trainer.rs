//! Making a model of counts: codes that cost what was counted few bits, and little themselves where they are stored.
//!
//! A page that compresses the model with its code pays for every code that nobody could guess. So each code is chosen by
//! what it costs both ways: the bits of what was counted, and [`LAMBDA`] times the bits that a general compressor
//! takes for the code, which are few if the same symbol has the same code in the context before. Contexts with little behind them
//! take the shape of their neighbours that way. Recordings held out are none the worse: what is not worth a
//! code is mostly chance.

use super::{
    layout::{LAYOUT, SHARES},
    model::{CODES, weight},
};

/// Bits of training that a bit of the model must save. Twice as much makes the model 5 % smaller, and recordings held out 0.1 %
/// larger.
const LAMBDA: f64 = 30.0;
/// Codes are multiples of this: two steps per factor of two.
const STEP: usize = 2;
/// How often all codes are gone through; after this many, next to nothing changes any more.
const SWEEPS: usize = 12;
/// In the first ones the model's own bits count less, because what they will be is not known yet.
const SWEEPS_EARLY: usize = 5;
/// Every symbol counts as if it had been seen this often besides.
const PRIOR: f64 = 0.3;
/// Every context counts as if it had been met this often besides, with what is usual around it.
const USUAL: f64 = 200.0;
/// How far around: a context counts by e to the power of its distance over this.
const REACH: f64 = 1.5;
/// What is usual in the whole table counts among it as if it had been met this often.
const TABLE: f64 = 30.0;

/// The codes of a model for what was counted.
pub(super) fn codes(counts: &[f64]) -> Vec<u8> {
    let mut trainer = Trainer::new(counts);
    for sweep in 0..SWEEPS {
        trainer.estimate();
        trainer.lambda = LAMBDA * ((sweep + 1) as f64 / SWEEPS_EARLY as f64).min(1.0);
        for context in 0..trainer.contexts.len() {
            trainer.move_context(context);
            for at in trainer.contexts[context].clone() {
                trainer.move_code(context, at);
            }
        }
    }
    trainer.codes
}

struct Trainer {
    /// Where the codes of each context stand.
    contexts: Vec<std::ops::Range<usize>>,
    /// Where the code stands that each one is guessed from: the same symbol's in the context before, the symbol's before
    /// in a table's first one.
    guesses: Vec<Option<usize>>,
    /// Where the code of the same symbol in the next context stands.
    after: Vec<Option<usize>>,
    /// How often each symbol counts.
    wanted: Vec<f64>,
    codes: Vec<u8>,
    lambda: f64,
    /// Bits of saying that a code is as guessed, by whether the one before it was.
    as_guessed: [f64; 2],
    /// Bits of saying that it is not.
    otherwise: [f64; 2],
    /// Bits of a code then.
    literal: Vec<f64>,
    weights: Vec<f64>,
}

impl Trainer {
    fn new(counts: &[f64]) -> Self {
        let (mut contexts, mut guesses, mut after) = (Vec::new(), Vec::new(), Vec::new());
        let mut at = 0;
        for &(_, table, symbols) in LAYOUT {
            for context in 0..table {
                contexts.push(at..at + symbols);
                for symbol in 0..symbols {
                    guesses.push(match (context, symbol) {
                        (0, 0) => None,
                        (0, _) => Some(at + symbol - 1),
                        _ => Some(at + symbol - symbols),
                    });
                    after.push((context + 1 < table).then_some(at + symbol + symbols));
                }
                at += symbols;
            }
        }
        let wanted = smooth(counts);
        let weights: Vec<f64> = (0..CODES).map(|code| weight(code) as f64).collect();
        let mut codes = vec![0; SHARES];
        for context in &contexts {
            let greatest = wanted[context.clone()].iter().copied().fold(0.0, f64::max);
            for at in context.clone() {
                codes[at] = nearest_code(&weights, wanted[at] / greatest);
            }
        }
        Self {
            contexts,
            guesses,
            after,
            wanted,
            codes,
            lambda: 0.0,
            as_guessed: [0.0; 2],
            otherwise: [0.0; 2],
            literal: Vec::new(),
            weights,
        }
    }

    fn is_guessed(&self, at: usize) -> bool {
        self.codes[at] == self.guesses[at].map_or(0, |guess| self.codes[guess])
    }

    /// Learns from the codes as they are what a compressor takes for them.
    fn estimate(&mut self) {
        /// Codes that do not occur are possible.
        const UNSEEN: f64 = 0.3;
        let mut counted = [[1.0f64; 2]; 2];
        let mut literals = vec![UNSEEN; usize::from(CODES)];
        let mut before = 0;
        for at in 0..SHARES {
            let is_guessed = usize::from(self.is_guessed(at));
            counted[before][is_guessed] += 1.0;
            if is_guessed == 0 {
                literals[usize::from(self.codes[at])] += 1.0;
            }
            before = is_guessed;
        }
        for (before, [no, yes]) in counted.into_iter().enumerate() {
            self.otherwise[before] = -(no / (no + yes)).log2();
            self.as_guessed[before] = -(yes / (no + yes)).log2();
        }
        let all: f64 = literals.iter().sum();
        self.literal = literals.iter().map(|count| -(count / all).log2()).collect();
    }

    /// Bits that a compressor takes for one code.
    fn rate(&self, at: usize) -> f64 {
        if at >= SHARES {
            return 0.0;
        }
        let before = usize::from(at > 0 && self.is_guessed(at - 1));
        if self.is_guessed(at) {
            self.as_guessed[before]
        } else {
            self.otherwise[before] + self.literal[usize::from(self.codes[at])]
        }
    }

    /// Bits that what was counted in a context takes.
    fn distortion(&self, context: usize) -> f64 {
        let (mut met, mut sum, mut bits) = (0.0, 0.0, 0.0);
        for at in self.contexts[context].clone() {
            let weight = self.weights[usize::from(self.codes[at])];
            met += self.wanted[at];
            sum += weight;
            bits -= self.wanted[at] * weight.log2();
        }
        bits + met * sum.log2()
    }

    /// Gives a context the codes of the one before or after, or moves all of them, if that costs less.
    fn move_context(&mut self, context: usize) {
        let range = self.contexts[context].clone();
        let (start, symbols) = (range.start, range.len());
        let mut best = self.codes[range.clone()].to_vec();
        let own = best.clone();
        let neighbours = [
            self.guesses[start].map(|guess| self.codes[guess..guess + symbols].to_vec()),
            self.after[start].map(|after| self.codes[after..after + symbols].to_vec()),
        ];
        let moved = [-8, -4, -2, 2, 4, 8].map(|by: i8| {
            own.iter().map(|&code| code.saturating_add_signed(by).min(CODES - STEP as u8)).collect::<Vec<_>>()
        });
        let cost = |trainer: &Self| {
            let rate: f64 = (start..start + 2 * symbols + 1).map(|at| trainer.rate(at)).sum();
            trainer.distortion(context) + trainer.lambda * rate
        };
        let mut least = cost(self);
        for candidate in neighbours.into_iter().flatten().chain(moved) {
            self.codes[range.clone()].copy_from_slice(&candidate);
            let cost = cost(self);
            if cost < least {
                (least, best) = (cost, candidate);
            }
        }
        self.codes[range].copy_from_slice(&best);
    }

    /// Gives one symbol the code that costs least.
    fn move_code(&mut self, context: usize, at: usize) {
        let range = self.contexts[context].clone();
        let weight_at = |trainer: &Self, at: usize| trainer.weights[usize::from(trainer.codes[at])];
        let others: f64 =
            range.clone().filter(|&other| other != at).map(|other| weight_at(self, other)).sum();
        let met: f64 = self.wanted[range].iter().sum();
        let (mut least, mut best) = (f64::INFINITY, self.codes[at]);
        for code in (0..CODES).step_by(STEP) {
            self.codes[at] = code;
            let weight = weight_at(self, at);
            let next = self.after[at].map_or(0.0, |after| self.rate(after) + self.rate(after + 1));
            let rate = self.rate(at) + self.rate(at + 1) + next;
            let cost = met * (others + weight).log2() - self.wanted[at] * weight.log2() + self.lambda * rate;
            if cost < least {
                (least, best) = (cost, code);
            }
        }
        self.codes[at] = best;
    }
}

/// Counts with what is usual added: what was met a few times is to be believed a little only.
fn smooth(counts: &[f64]) -> Vec<f64> {
    let mut smooth = Vec::with_capacity(SHARES);
    let mut start = 0;
    for &(_, contexts, symbols) in LAYOUT {
        let table = &counts[start..start + contexts * symbols];
        start += table.len();
        let all = shape(table, symbols, |_| 1.0);
        let met = all.iter().sum::<f64>().max(1.0);
        for (own, counts) in table.chunks_exact(symbols).enumerate() {
            let mut around = shape(table, symbols, |context| (-(context.abs_diff(own) as f64) / REACH).exp());
            for (count, all) in around.iter_mut().zip(&all) {
                *count += TABLE * all / met;
            }
            let met = around.iter().sum::<f64>().max(1.0);
            smooth.extend(
                counts.iter().zip(&around).map(|(count, around)| count + PRIOR + USUAL * around / met),
            );
        }
    }
    smooth
}

/// The counts of a table's contexts together, each times a weight.
fn shape(table: &[f64], symbols: usize, weight: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut shape = vec![0.0; symbols];
    for (context, counts) in table.chunks_exact(symbols).enumerate() {
        let weight = weight(context);
        shape.iter_mut().zip(counts).for_each(|(sum, count)| *sum += weight * count);
    }
    shape
}

/// The code whose weight comes nearest to a share of the greatest weight.
fn nearest_code(weights: &[f64], share: f64) -> u8 {
    let top = weights[weights.len() - STEP];
    let distance = |code: u8| ((weights[usize::from(code)] / top).ln() - share.ln()).abs();
    (0..CODES).step_by(STEP).min_by(|&a, &b| distance(a).total_cmp(&distance(b))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compact::layout::{GAP, TOUCHED};

    #[test]
    fn a_context_that_was_hardly_met_takes_the_shape_of_its_neighbour() {
        let mut counts = vec![0.0; SHARES];
        for context in 0..GAP.contexts {
            for symbol in 0..16 {
                let often = if context == 1 { 3.0 } else { 1e6 };
                counts[GAP.at + 16 * context + symbol] = often / f64::from(1 << symbol);
            }
        }
        counts[GAP.at + 16 + 9] = 1.0;
        let codes = codes(&counts);
        assert_eq!(codes[GAP.at..GAP.at + 16], codes[GAP.at + 16..GAP.at + 32]);
        assert!(codes[GAP.at..GAP.at + 8].is_sorted_by(|a, b| a > b));
    }

    #[test]
    fn what_was_counted_often_is_what_the_codes_say() {
        let mut counts = vec![0.0; SHARES];
        for context in 0..TOUCHED.contexts {
            let yes = 1e5 * (1 + context % 7) as f64;
            counts[TOUCHED.at + 2 * context] = 1e6 - yes;
            counts[TOUCHED.at + 2 * context + 1] = yes;
        }
        let codes = codes(&counts);
        for context in 0..TOUCHED.contexts {
            let [no, yes] = [0, 1].map(|symbol| weight(codes[TOUCHED.at + 2 * context + symbol]) as f64);
            let (said, counted) = (yes / (no + yes), (1 + context % 7) as f64 / 10.0);
            assert!((said - counted).abs() < 0.1, "context {context}: {said} for {counted}");
        }
    }
}
