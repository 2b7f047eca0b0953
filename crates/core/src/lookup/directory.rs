//! The list of packages with their locations ([003] claims 1 to 5, 11 and 12).
//!
//! Each entry is what somebody *said*: this package is with that peer. Nothing of it is believed before a link to the
//! peer has shown it, and a false word costs one attempt: who can't be reached, or has nothing, *rests*, which means that
//! it is neither drawn nor told to others, and who told of it counts for less.
//!
//! What is kept when another word comes is the [`Policy`].
//!
//! | what | bound | at the bound |
//! |---|---|---|
//! | packages | [`PACKAGES_MAX`] | the one of which nothing was heard for the longest is forgotten |
//! | locations of a package | [`Policy::kept`] | the policy says which gives way; one that rests or is too old goes first |
//! | age of a word | [`AGE_MAX`] | it counts no more, and its place is free |
//! | rest of a location | [`REST_MAX`] | a longer one is cut to that |
//! | doubts in a way | [`DOUBTS_MAX`] | more are not counted |

use core::time::Duration;

use rand::Rng;

use super::Way;
use crate::ids::{ContentId, PeerId};
use crate::time::Time;

/// Packages in one list.
pub const PACKAGES_MAX: usize = 256;
/// Locations of a package that [`Policy::Uniform`] keeps.
pub const HOLDERS_KEPT: usize = 8;
/// Beyond so many words of a package older ones give way faster than they are sampled: who has it may have left.
pub const WORDS_COUNTED: u32 = 64;
/// A word that was not heard again for so long counts no more.
pub const AGE_MAX: Duration = Duration::from_secs(300);
/// Longest that a location is left alone.
pub const REST_MAX: Duration = Duration::from_secs(120);
/// How long one is left alone that was told of and could not be reached, or had nothing.
pub const FAILED_REST: Duration = Duration::from_secs(60);
/// Doubts that are counted of one way.
pub const DOUBTS_MAX: u8 = 15;
/// A word so old counts half as much as a new one.
const HALF_AGE_S: u64 = 60;
/// What a new word counts; so much that shares of it are whole numbers.
const WEIGHT: u64 = 1 << 16;

/// What becomes of a location that is known when another word comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Policy {
    /// One location, always the latest ([003] claim 11).
    Newest,
    /// One location. With probability 1/(generation + 1) the old one is kept, where 'generation' is how often it has been
    /// changed; the first counts as a change, for else it would never be replaced ([003] claims 12 and 13).
    Generation,
    /// [`HOLDERS_KEPT`] locations, of the last [`WORDS_COUNTED`] words or so each as likely to be among them (algorithm R of
    /// Vitter, *Random Sampling with a Reservoir*, 1985, with an end to the counting); one of them is drawn, the fresher the
    /// likelier.
    #[default]
    Uniform,
}

impl Policy {
    /// All, with their names.
    pub const NAMED: [(&'static str, Self); 3] =
        [("newest", Self::Newest), ("generation", Self::Generation), ("uniform", Self::Uniform)];

    /// Locations of one package that are kept.
    pub const fn kept(self) -> usize {
        match self {
            Self::Newest | Self::Generation => 1,
            Self::Uniform => HOLDERS_KEPT,
        }
    }
}

/// What somebody said: this peer has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// Who has it.
    pub peer: PeerId,
    /// Where the word came from.
    pub way: Way,
    /// Through how many hands it has come; 0: the peer itself said so.
    pub hands: u8,
    /// When it was true, as far as was told.
    pub heard: Time,
    /// Until when the peer takes nobody, if it said so.
    pub busy_until: Option<Time>,
}

/// One entry of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// The word it stands on.
    pub word: Word,
    /// It is neither drawn nor told before: it is busy, or was tried in vain.
    pub rests_until: Time,
}

impl Location {
    /// Whether the word still counts.
    fn is_live(&self, now: Time) -> bool {
        now - self.word.heard < AGE_MAX
    }

    /// Whether it may be drawn.
    fn is_free(&self, now: Time) -> bool {
        self.is_live(now) && self.rests_until <= now
    }
}

/// What is known of one package.
#[derive(Clone, Debug)]
struct Package {
    id: ContentId,
    locations: Vec<Location>,
    heard: Time,
    /// How often the location was changed.
    generation: u32,
    /// Words of peers that were not in the list, up to [`WORDS_COUNTED`].
    words: u32,
}

/// The list.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    policy: Policy,
    /// Short lists, which are searched from end to end: maps of so many kinds would make a page's engine much larger.
    packages: Vec<Package>,
    doubts: Vec<(Way, u8)>,
}

impl Directory {
    /// An empty list.
    pub fn new(policy: Policy) -> Self {
        Self { policy, ..Self::default() }
    }

    /// Takes a word in. Whether it is in the list now.
    pub fn learn(&mut self, package: ContentId, word: Word, now: Time, rng: &mut impl Rng) -> bool {
        if now - word.heard >= AGE_MAX {
            return false;
        }
        let policy = self.policy;
        let entry = self.entry(package);
        entry.heard = now;
        let new = Location { word, rests_until: rest_until(word.busy_until.unwrap_or(Time::ZERO), now) };
        if let Some(known) = entry.locations.iter_mut().find(|location| location.word.peer == word.peer) {
            known.hear_again(new, now);
            return true;
        }
        entry.words = (entry.words + 1).min(WORDS_COUNTED);
        entry.put(policy, new, now, rng)
    }

    /// A location that may be tried now, of those that are wanted.
    pub fn draw(
        &self,
        package: ContentId,
        now: Time,
        rng: &mut impl Rng,
        is_wanted: impl Fn(&Word) -> bool,
    ) -> Option<Word> {
        let mut sum = 0;
        let mut drawn = None;
        // One pass: each takes the place of those before it by its share of the weight so far.
        for location in self.locations(package) {
            if location.is_free(now) && is_wanted(&location.word) {
                let weight = self.weight(&location.word, now);
                sum += weight;
                if rng.random_range(0..sum) < weight {
                    drawn = Some(location.word);
                }
            }
        }
        drawn
    }

    /// What may be told to others, at most so many.
    pub fn tell(&self, package: ContentId, now: Time, most: usize, is_wanted: impl Fn(&Word) -> bool) -> Vec<Word> {
        let free = self.locations(package).filter(|location| location.is_free(now));
        free.map(|location| location.word).filter(|word| is_wanted(word)).take(most).collect()
    }

    /// Where signals to a location go.
    pub fn way_to(&self, package: ContentId, peer: PeerId, now: Time) -> Option<Way> {
        let known = self.locations(package).find(|location| location.word.peer == peer && location.is_live(now));
        known.map(|location| location.word.way)
    }

    /// A location is busy until then.
    pub fn rest(&mut self, package: ContentId, peer: PeerId, until: Time, now: Time) {
        if let Some(location) = self.location_mut(package, peer) {
            location.rests_until = rest_until(until, now);
        }
    }

    /// A location was tried in vain: it rests, and its teller counts for less.
    pub fn failed(&mut self, package: ContentId, peer: PeerId, now: Time) {
        self.rest(package, peer, now + FAILED_REST, now);
        if let Some(way) = self.location_mut(package, peer).map(|location| location.word.way) {
            match self.doubts.iter_mut().find(|(of, _)| *of == way) {
                Some((_, doubts)) => *doubts = (*doubts + 1).min(DOUBTS_MAX),
                None => self.doubts.push((way, 1)),
            }
        }
    }

    /// A location has what was said: its teller counts for more again.
    pub fn proved(&mut self, package: ContentId, peer: PeerId) {
        let way = self.location_mut(package, peer).map(|location| location.word.way);
        for (_, doubts) in self.doubts.iter_mut().filter(|(of, _)| Some(*of) == way) {
            *doubts = doubts.saturating_sub(1);
        }
    }

    /// A way is gone, and with it all that was heard by it: nobody else leads there.
    pub fn forget_way(&mut self, way: Way) {
        self.doubts.retain(|(of, _)| *of != way);
        for package in &mut self.packages {
            package.locations.retain(|location| location.word.way != way);
        }
        self.packages.retain(|package| !package.locations.is_empty());
    }

    /// Packages in the list.
    pub fn packages(&self) -> impl Iterator<Item = ContentId> + '_ {
        self.packages.iter().map(|package| package.id)
    }

    /// Entries of a package, those that rest or are too old among them.
    pub fn locations(&self, package: ContentId) -> impl Iterator<Item = &Location> {
        self.packages.iter().filter(move |known| known.id == package).flat_map(|package| &package.locations)
    }

    fn location_mut(&mut self, package: ContentId, peer: PeerId) -> Option<&mut Location> {
        let package = self.packages.iter_mut().find(|known| known.id == package)?;
        package.locations.iter_mut().find(|location| location.word.peer == peer)
    }

    /// Half for each minute of age, and a part for each doubt in its teller.
    fn weight(&self, word: &Word, now: Time) -> u64 {
        let age_s = (now - word.heard).as_secs();
        let doubts = self.doubts.iter().find(|(of, _)| *of == word.way).map_or(0, |(_, doubts)| u64::from(*doubts));
        (WEIGHT * HALF_AGE_S / (HALF_AGE_S + age_s) / (1 + doubts)).max(1)
    }

    /// The entry of a package, if need be in the place of the one of which nothing was heard for the longest.
    fn entry(&mut self, package: ContentId) -> &mut Package {
        let known = self.packages.iter().position(|known| known.id == package);
        let place = known.unwrap_or_else(|| {
            let new = Package { id: package, locations: Vec::new(), heard: Time::ZERO, generation: 0, words: 0 };
            if self.packages.len() < PACKAGES_MAX {
                self.packages.push(new);
                return self.packages.len() - 1;
            }
            let oldest = (0..PACKAGES_MAX).min_by_key(|place| self.packages[*place].heard).unwrap_or(0);
            self.packages[oldest] = new;
            oldest
        });
        &mut self.packages[place]
    }
}

impl Location {
    /// The same peer again. Of two ways to it the one with fewer hands is kept; a rest ends when its time has come, for
    /// the word may be the very one that was false.
    fn hear_again(&mut self, new: Self, now: Time) {
        let is_nearer = new.word.hands <= self.word.hands || !self.is_live(now);
        let heard = self.word.heard.max(new.word.heard);
        if is_nearer {
            self.word = new.word;
        }
        self.word.heard = heard;
        self.rests_until = self.rests_until.max(new.rests_until);
    }
}

impl Package {
    /// Gives a new location a place, if the policy does.
    fn put(&mut self, policy: Policy, new: Location, now: Time, rng: &mut impl Rng) -> bool {
        let useless = self.locations.iter().position(|location| !location.is_free(now));
        if self.locations.len() < policy.kept() {
            self.locations.push(new);
        } else if let Some(place) = useless {
            self.locations[place] = new;
        } else {
            let place = match policy {
                Policy::Newest => 0,
                // Kept with probability 1/(generation + 1).
                Policy::Generation if rng.random_ratio(1, self.generation.saturating_add(1)) => return false,
                Policy::Generation => 0,
                Policy::Uniform => rng.random_range(0..self.words.max(1)) as usize,
            };
            let Some(old) = self.locations.get_mut(place) else { return false };
            *old = new;
        }
        self.generation = self.generation.saturating_add(1);
        true
    }
}

fn rest_until(until: Time, now: Time) -> Time {
    until.min(now + REST_MAX)
}

#[cfg(test)]
mod tests;
