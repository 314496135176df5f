//! Sets of small numbers, in as few bytes as they take: each connection may follow hundreds of markets of its own.

use std::fmt;

/// Numbers in one word of bits.
const WORD_BITS: u32 = u64::BITS;

/// Numbers, each once: lanes of a group, or topics of a subscription. They are dense, because both are given out from 0
/// on, so bits are mostly shorter than a list.
///
/// Equal sets are equal in all their bytes: which form is taken follows from the numbers alone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum NumberSet {
    /// Bits of two words from a word on: no memory besides.
    Two { first_word: u32, words: [u64; 2] },
    /// Bits from a word on.
    Bits { first_word: u32, words: Box<[u64]> },
    /// In order, where that is shorter.
    List(Box<[u32]>),
}

impl NumberSet {
    /// The set of some numbers.
    pub(crate) fn new(mut numbers: Vec<u32>) -> Self {
        numbers.sort_unstable();
        numbers.dedup();
        let (Some(lowest), Some(highest)) = (numbers.first(), numbers.last()) else {
            return Self::Two { first_word: 0, words: [0; 2] };
        };
        let first_word = lowest / WORD_BITS;
        let count = (highest / WORD_BITS - first_word) as usize + 1;
        if count > 2 && count * size_of::<u64>() > numbers.len() * size_of::<u32>() {
            return Self::List(numbers.into());
        }
        let mut words = vec![0; count.max(2)];
        for number in numbers {
            words[(number / WORD_BITS - first_word) as usize] |= 1 << (number % WORD_BITS);
        }
        match words[..] {
            [one, two] => Self::Two { first_word, words: [one, two] },
            _ => Self::Bits { first_word, words: words.into() },
        }
    }

    /// Whether a number is in it.
    pub(crate) fn contains(&self, number: u32) -> bool {
        match self.form() {
            Form::Bits(first_word, words) => {
                let word = (number / WORD_BITS).checked_sub(first_word);
                let word = word.and_then(|word| words.get(word as usize));
                word.is_some_and(|word| word >> (number % WORD_BITS) & 1 == 1)
            }
            Form::List(numbers) => numbers.binary_search(&number).is_ok(),
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        match self.form() {
            Form::Bits(_, words) => words.iter().map(|word| word.count_ones() as usize).sum(),
            Form::List(numbers) => numbers.len(),
        }
    }

    /// The numbers, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let (bits, list) = match self.form() {
            Form::Bits(first_word, words) => (Some((first_word, words)), &[][..]),
            Form::List(numbers) => (None, numbers),
        };
        let words =
            bits.into_iter().flat_map(|(first_word, words)| (first_word..).zip(words.iter().copied()));
        words.flat_map(|(at, word)| ones(at, word)).chain(list.iter().copied())
    }

    /// Calls for each number that is in both, in order. `among` are bits from word 0 on.
    pub(crate) fn for_each_among(&self, among: &[u64], mut with: impl FnMut(u32)) {
        match self.form() {
            Form::Bits(first_word, words) => {
                let among = among.get(first_word as usize..).unwrap_or_default();
                for ((at, word), other) in (first_word..).zip(words).zip(among) {
                    ones(at, word & other).for_each(&mut with);
                }
            }
            Form::List(numbers) => {
                let is_among = |number: u32| {
                    let word = among.get((number / WORD_BITS) as usize);
                    word.is_some_and(|word| word >> (number % WORD_BITS) & 1 == 1)
                };
                numbers.iter().copied().filter(|&number| is_among(number)).for_each(with);
            }
        }
    }

    fn form(&self) -> Form<'_> {
        match self {
            Self::Two { first_word, words } => Form::Bits(*first_word, words),
            Self::Bits { first_word, words } => Form::Bits(*first_word, words),
            Self::List(numbers) => Form::List(numbers),
        }
    }
}

impl fmt::Debug for NumberSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

enum Form<'a> {
    Bits(u32, &'a [u64]),
    List(&'a [u32]),
}

/// Sets a number's bit; the words are long enough.
pub(crate) fn set_bit(words: &mut [u64], number: u32) {
    words[(number / WORD_BITS) as usize] |= 1 << (number % WORD_BITS);
}

/// So many words have bits for all numbers below `end`.
pub(crate) fn words_for(end: usize) -> usize {
    end.div_ceil(WORD_BITS as usize)
}

/// The numbers of the bits of a word that are set.
pub(crate) fn ones(at: u32, mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros())?;
        word &= word - 1;
        Some(at * WORD_BITS + bit)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bits(numbers: &[u32], end: u32) -> Vec<u64> {
        let mut words = vec![0; words_for(end as usize)];
        numbers.iter().filter(|&&number| number < end).for_each(|&number| set_bit(&mut words, number));
        words
    }

    #[test]
    fn the_shortest_form_is_taken() {
        let form = |numbers: Vec<u32>| match NumberSet::new(numbers) {
            NumberSet::Two { .. } => "two",
            NumberSet::Bits { .. } => "bits",
            NumberSet::List(_) => "list",
        };
        assert_eq!(form(vec![]), "two");
        assert_eq!(form(vec![u32::MAX]), "two");
        assert_eq!(form(vec![1_000, 1_001]), "two");
        assert_eq!(form(vec![0, 4_000]), "list");
        assert_eq!(form((0..200).map(|at| at * 2).collect()), "bits");
        assert_eq!(size_of::<NumberSet>(), 24);
    }

    proptest! {
        #[test]
        fn it_is_the_set_that_it_was_made_of(
            scale in prop_oneof![Just(1u32), Just(3), Just(50), Just(1_000_000)],
            numbers in proptest::collection::vec(0u32..400, 0..300),
            others in proptest::collection::vec(0u32..400, 0..50),
        ) {
            let numbers: Vec<u32> = numbers.iter().map(|number| number * scale).collect();
            let mut expected = numbers.clone();
            expected.sort_unstable();
            expected.dedup();
            let mut shuffled = numbers.clone();
            shuffled.reverse();
            let set = NumberSet::new(numbers);
            prop_assert_eq!(&set, &NumberSet::new(shuffled));
            prop_assert_eq!(set.len(), expected.len());
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), expected.clone());
            for number in 0..500 {
                prop_assert_eq!(set.contains(number), expected.binary_search(&number).is_ok());
            }
            let mut both = Vec::new();
            set.for_each_among(&bits(&others, 400), |number| both.push(number));
            expected.retain(|number| others.contains(number));
            prop_assert_eq!(both, expected);
        }
    }
}
