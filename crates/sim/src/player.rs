//! Somebody who watches while it comes: plays from the beginning as soon as a little is there, waits where something is
//! missing, and tells the engine what is wanted as a page's player does.

use std::time::Duration;

use pleach_core::content::ByteRange;
use pleach_core::peer::Want;
use pleach_core::time::Time;

/// How often a player looks.
pub(crate) const LOOK: Duration = Duration::from_millis(100);
/// What must be there to begin, and to go on after a wait, in time of the film.
const BEGIN_S: f64 = 1.0;
const GO_ON_S: f64 = 2.0;
/// How often it says where it is.
const SAY: Duration = Duration::from_secs(2);

/// One who watches. Bytes are the engine's.
#[derive(Debug)]
pub(crate) struct Player {
    bytes_per_s: f64,
    size_bytes: f64,
    at_bytes: f64,
    is_playing: bool,
    looked: Time,
    said: Option<Time>,
    /// When it began to play.
    pub(crate) began: Option<Time>,
    /// How often it had to wait after that, and how long in all.
    pub(crate) stalls: u32,
    pub(crate) stalled: Duration,
}

impl Player {
    pub(crate) fn new(bytes_per_s: u64, size_bytes: u64, now: Time) -> Self {
        Self {
            bytes_per_s: bytes_per_s as f64,
            size_bytes: size_bytes as f64,
            at_bytes: 0.0,
            is_playing: false,
            looked: now,
            said: None,
            began: None,
            stalls: 0,
            stalled: Duration::ZERO,
        }
    }

    /// Where it is in the content.
    pub(crate) fn at_bytes(&self) -> u64 {
        self.at_bytes as u64
    }

    pub(crate) fn is_done(&self) -> bool {
        self.at_bytes >= self.size_bytes
    }

    /// How long it has watched, waits left out.
    pub(crate) fn played_s(&self) -> f64 {
        self.at_bytes / self.bytes_per_s
    }

    /// Plays on as far as the content is there. Returns what to tell the engine, if that is anything new.
    pub(crate) fn look(&mut self, held_until_bytes: u64, now: Time) -> Option<Want> {
        let since = now - self.looked;
        self.looked = now;
        let held = held_until_bytes as f64;
        let was_playing = self.is_playing;
        if self.is_playing {
            self.at_bytes += self.bytes_per_s * since.as_secs_f64();
            if self.at_bytes >= held {
                self.at_bytes = held;
                self.is_playing = false;
                self.stalls += u32::from(!self.is_done());
            }
        } else {
            self.stalled += if self.began.is_some() { since } else { Duration::ZERO };
            let enough_s = if self.began.is_some() { GO_ON_S } else { BEGIN_S };
            if held >= (self.at_bytes + enough_s * self.bytes_per_s).min(self.size_bytes) {
                self.is_playing = true;
                self.began.get_or_insert(now);
            }
        }
        let is_news = was_playing != self.is_playing || self.said.is_none_or(|said| now - said >= SAY);
        if !is_news || self.is_done() {
            return None;
        }
        self.said = Some(now);
        let range = ByteRange { start: self.at_bytes as u64, end: self.size_bytes as u64 };
        Some(Want { range, bytes_per_s: Some(self.bytes_per_s as u64) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_waits_and_goes_on() {
        let mut player = Player::new(1_000, 10_000, Time::ZERO);
        let at = |ms| Time::from_millis(ms);
        assert!(player.look(0, at(0)).is_some_and(|want| want.range.start == 0));
        assert_eq!(player.look(999, at(100)), None, "nothing new, and not enough to begin");
        assert!(player.look(1_000, at(500)).is_some());
        assert_eq!(player.began, Some(at(500)));
        player.look(1_500, at(1_500));
        assert_eq!((player.at_bytes(), player.stalls), (1_000, 0));
        let want = player.look(1_500, at(2_500)).expect("it waits, which is news");
        assert_eq!((want.range.start, player.stalls), (1_500, 1));
        player.look(3_000, at(3_000));
        player.look(3_500, at(3_500));
        assert_eq!(player.stalled, Duration::from_millis(1_000));
        player.look(10_000, at(20_000));
        assert!(player.is_done() && player.stalls == 1);
        assert!((player.played_s() - 10.0).abs() < 1e-9);
    }
}
