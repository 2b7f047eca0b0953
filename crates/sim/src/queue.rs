//! What happens when: a queue ordered by time, and by order of entry where times are equal, so that a run has one order
//! only.
//!
//! Time only goes on, which a radix heap makes use of (Ahuja, Mehlhorn, Orlin, Tarjan: "Faster algorithms for the
//! shortest path problem", 1990): an entry lies in the bucket of the highest bit in which its time differs from now.
//! When the nearest buckets are empty, the next one is dealt out among them. An entry moves once a bit at most, in long
//! strides through memory, where a binary heap of a million entries misses the cache at every step. Entries of one time
//! are always in one bucket, in the order of entry.

use std::collections::VecDeque;

use pleach_core::time::Time;

/// One for entries that are due now, and one for each bit.
const BUCKETS: usize = 65;

/// The future.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    now: VecDeque<T>,
    /// By highest bit that differs from `last`: bit `i` in bucket `i + 1`; the first stays empty.
    later: Vec<Vec<(Time, T)>>,
    /// When what was taken out last was due.
    last: Time,
    entered: u64,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        let later = std::iter::repeat_with(Vec::new).take(BUCKETS).collect();
        Self { now: VecDeque::new(), later, last: Time::ZERO, entered: 0 }
    }

    /// Enters something that is to happen; at once, if its time is past.
    pub(crate) fn push(&mut self, at: Time, what: T) {
        self.entered += 1;
        self.put(at, what);
    }

    fn put(&mut self, at: Time, what: T) {
        if at <= self.last {
            self.now.push_back(what);
        } else {
            let bucket = 64 - (at.as_micros() ^ self.last.as_micros()).leading_zeros();
            self.later[bucket as usize].push((at, what));
        }
    }

    /// What happens next, and when, if that is not after `moment`.
    pub(crate) fn pop_until(&mut self, moment: Time) -> Option<(Time, T)> {
        if self.now.is_empty() {
            let nearest = self.later.iter().position(|bucket| !bucket.is_empty())?;
            let next = self.later[nearest].iter().map(|(at, _)| *at).min()?;
            if next > moment {
                return None;
            }
            self.last = next;
            for (at, what) in std::mem::take(&mut self.later[nearest]) {
                self.put(at, what);
            }
        }
        if self.last > moment {
            return None;
        }
        self.now.pop_front().map(|what| (self.last, what))
    }

    /// How many entries there were so far.
    pub(crate) fn entered(&self) -> u64 {
        self.entered
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const END: Time = Time::from_micros(u64::MAX);

    #[test]
    fn equal_times_keep_the_order_of_entry() {
        let mut queue = Queue::new();
        for (at, what) in [(2, 'c'), (1, 'a'), (2, 'd'), (1, 'b')] {
            queue.push(Time::from_millis(at), what);
        }
        let order: String = std::iter::from_fn(|| queue.pop_until(END)).map(|(_, what)| what).collect();
        assert_eq!(order, "abcd");
    }

    #[test]
    fn what_is_later_stays() {
        let mut queue = Queue::new();
        queue.push(Time::from_millis(5), 'b');
        assert_eq!(queue.pop_until(Time::from_millis(4)), None);
        queue.push(Time::from_millis(4), 'a');
        assert_eq!(queue.pop_until(Time::from_millis(9)), Some((Time::from_millis(4), 'a')));
        assert_eq!(queue.pop_until(END), Some((Time::from_millis(5), 'b')));
        assert_eq!(queue.pop_until(END), None);
    }

    proptest! {
        /// Against a list that is sorted each time, with entries made while others are taken out.
        #[test]
        fn order_is_by_time_then_by_entry(delays in prop::collection::vec((0_u64..5_000, 0_usize..3), 1..200)) {
            let (mut queue, mut list, mut now) = (Queue::new(), Vec::new(), 0);
            for (number, (delay, pops)) in delays.into_iter().enumerate() {
                queue.push(Time::from_micros(now + delay), number);
                list.push((now + delay, number));
                for _ in 0..pops {
                    list.sort_unstable();
                    let expected = (!list.is_empty()).then(|| list.remove(0));
                    let got = queue.pop_until(END).map(|(at, number)| (at.as_micros(), number));
                    prop_assert_eq!(got, expected);
                    now = got.map_or(now, |(at, _)| at);
                }
            }
        }
    }
}
