//! A set of small numbers, one bit each.

/// Numbers from 0 up to a limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bits {
    words: Vec<u64>,
    len: u32,
    count: u32,
}

impl Bits {
    /// None of the numbers below `len`.
    pub(crate) fn none(len: u32) -> Self {
        Self { words: vec![0; len.div_ceil(64) as usize], len, count: 0 }
    }

    /// All of the numbers below `len`.
    pub(crate) fn all(len: u32) -> Self {
        let mut bits = Self::none(len);
        (0..len).for_each(|number| {
            bits.insert(number);
        });
        bits
    }

    pub(crate) fn contains(&self, number: u32) -> bool {
        number < self.len && self.words[number as usize / 64] >> (number % 64) & 1 == 1
    }

    /// Puts one in; false if it was there, or is none that may be.
    pub(crate) fn insert(&mut self, number: u32) -> bool {
        if number >= self.len || self.contains(number) {
            return false;
        }
        self.words[number as usize / 64] |= 1 << (number % 64);
        self.count += 1;
        true
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    pub(crate) fn is_all(&self) -> bool {
        self.count == self.len
    }

    /// One more than the largest that may be in it.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// Those in it, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.len).filter(|number| self.contains(*number))
    }
}
