//! Lines: how fast, and how far from the middle.
//!
//! The profiles have the proportions of the simulator's scenarios of the same name, all rates times one factor, so that
//! the whole fits what the processor of one machine carries.

use std::time::Duration;

use clap::ValueEnum;

/// Bits of a megabit.
const MBIT: f64 = 1e6;
/// One way to the middle: round trips between two peers are of 10 to 120 ms.
const DELAY_MIN_MS: f64 = 2.5;
const DELAY_MAX_MS: f64 = 30.0;
/// What spreads numbers evenly whatever their count: the golden ratio's fraction.
const GOLDEN: f64 = 0.618_033_988_749_895;

/// A line as it is shaped. Rates include all headers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Which kind, for reports.
    pub kind: &'static str,
    /// Bits a second that go out.
    pub up_bits_per_s: u64,
    /// Bits a second that come in.
    pub down_bits_per_s: u64,
    /// One way to the middle; two are as far apart as both of theirs together.
    pub delay: Duration,
}

/// Who has what line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// 40 % slow (1/16 Mbit/s up/down), 40 % middle (10/100), 20 % fast (50/200); the source has 20 up
    Mixed,
    /// 10 Mbit/s both ways for everyone
    Equal,
}

/// One kind of line: its name, and Mbit/s up and down.
type Kind = (&'static str, f64, f64);

const SLOW: Kind = ("slow", 1.0, 16.0);
const MIDDLE: Kind = ("middle", 10.0, 100.0);
const FAST: Kind = ("fast", 50.0, 200.0);
const EQUAL: Kind = ("equal", 10.0, 10.0);

/// In the simulator's order, so that a small swarm has some of each.
const MIXED: [Kind; 5] = [SLOW, MIDDLE, FAST, MIDDLE, SLOW];

impl Profile {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mixed => "mixed",
            Self::Equal => "equal",
        }
    }

    /// The source's line.
    pub fn source(self, scale: f64) -> Line {
        let kind = match self {
            Self::Mixed => ("source", 20.0, 100.0),
            Self::Equal => ("source", EQUAL.1, EQUAL.2),
        };
        line(kind, scale, 10.0)
    }

    /// The lines of so many peers. The seed tells who is how far away.
    pub fn peers(self, count: usize, scale: f64, seed: u64) -> Vec<Line> {
        let kind = |number: usize| match self {
            Self::Mixed => MIXED[number % MIXED.len()],
            Self::Equal => EQUAL,
        };
        (0..count).map(|number| line(kind(number), scale, self.delay_ms(number, seed))).collect()
    }

    fn delay_ms(self, number: usize, seed: u64) -> f64 {
        match self {
            Self::Mixed => {
                let place = (GOLDEN * (number as f64 + 1.0 + (seed % 1000) as f64)).fract();
                DELAY_MIN_MS + place * (DELAY_MAX_MS - DELAY_MIN_MS)
            }
            Self::Equal => 10.0,
        }
    }
}

fn line((kind, up, down): Kind, scale: f64, delay_ms: f64) -> Line {
    let bits_per_s = |mbit: f64| (mbit * MBIT * scale) as u64;
    let delay = Duration::from_secs_f64(delay_ms / 1e3);
    Line { kind, up_bits_per_s: bits_per_s(up), down_bits_per_s: bits_per_s(down), delay }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mixed_swarm_has_the_simulators_shares() {
        let lines = Profile::Mixed.peers(20, 0.5, 1);
        let count = |kind| lines.iter().filter(|line| line.kind == kind).count();
        assert_eq!((count("slow"), count("middle"), count("fast")), (8, 8, 4));
        assert_eq!(lines[2].up_bits_per_s, 25_000_000);
        assert!(lines.iter().all(|line| (2..=30).contains(&line.delay.as_millis())));
    }
}
