//! How long acknowledgements on one link take when nothing of this peer's waits before them.
//!
//! The quickest one lately (as the base delay of LEDBAT, RFC 6817), and what the way back takes longer now than lately.
//! Who receives as much as its downlink takes has a queue there, in which acknowledgements wait with everything else:
//! what is in flight then says nothing of the uplink. The far end tells by its own clock when it sent an
//! acknowledgement; clocks differ, but what the difference changes by is how much longer the way back takes, and
//! the way there: what waits in this peer's own uplink is on that (the one-way delays of RFC 6817, both ways).

use core::time::Duration;

use crate::time::Time;

/// Acknowledgements that take longer than this are not waited for.
const ACK_MAX: Duration = Duration::from_secs(1);
/// What was quickest counts for so long, and for as long again. Who always sends all that it can never sees what
/// acknowledgements take without its own queue; what it saw before counts until lines may have changed.
const AGE: Duration = Duration::from_secs(60);

/// The least of some values lately: within the last one or two minutes.
#[derive(Clone, Copy, Debug)]
struct Least<T> {
    now: Option<T>,
    before: Option<T>,
    turned_at: Time,
}

impl<T> Default for Least<T> {
    fn default() -> Self {
        Self { now: None, before: None, turned_at: Time::ZERO }
    }
}

impl<T: Copy + Ord> Least<T> {
    fn note(&mut self, value: T, now: Time) {
        if now - self.turned_at >= AGE {
            self.turned_at = now;
            self.before = self.now.take();
        }
        self.now = Some(self.now.map_or(value, |least| least.min(value)));
    }

    fn get(&self) -> Option<T> {
        self.now.into_iter().chain(self.before).min()
    }
}

/// What is known of the acknowledgements on one link.
#[derive(Debug, Default)]
pub(super) struct AckTime {
    /// What is watched now: the sum of payload it completes, and when it was sent.
    watched: Option<(u64, Time)>,
    whole: Least<Duration>,
    /// The way there, plus what the clocks differ by: milliseconds.
    forth: Least<i64>,
    /// How much longer than the quickest the way there took last, and when that was acknowledged.
    forth_excess: Option<(Duration, Time)>,
    /// The way back, less what the clocks differ by: milliseconds.
    back: Least<i64>,
    /// How much longer than the quickest it took lately.
    back_excess: Duration,
    /// The clock of the far end, without its wraps: what it said last, and where that is.
    far_clock: Option<(u32, i64)>,
}

impl AckTime {
    pub(super) fn sent(&mut self, payload_bytes: u64, now: Time) {
        self.watched.get_or_insert((payload_bytes, now));
    }

    pub(super) fn acked(&mut self, acked_bytes: u64, far_ms: u32, now: Time) {
        let far = match self.far_clock {
            Some((last, at)) => at + i64::from(far_ms.wrapping_sub(last).cast_signed()),
            None => 0,
        };
        self.far_clock = Some((far_ms, far));
        if let Some((_, at)) = self.watched.take_if(|(bytes, _)| *bytes <= acked_bytes) {
            self.whole.note(now - at, now);
            let took = far - i64::try_from(at.as_micros() / 1_000).unwrap_or(i64::MAX);
            self.forth.note(took, now);
            let excess = took - self.forth.get().unwrap_or(took);
            self.forth_excess = Some((Duration::from_millis(excess.unsigned_abs()), now));
        }
        let took = i64::try_from(now.as_micros() / 1_000).unwrap_or(i64::MAX) - far;
        self.back.note(took, now);
        let excess = took - self.back.get().unwrap_or(took);
        let excess = Duration::from_millis(excess.unsigned_abs()).min(ACK_MAX);
        self.back_excess = (self.back_excess * 3 + excess) / 4;
    }

    /// How much longer than the quickest what was sent took to get there, as far as was acknowledged lately:
    /// what waits in this peer's uplink or the far end's downlink, and until the far end acknowledges it (a quarter of a
    /// second at most). `None`: nothing was.
    pub(super) fn waits_there(&self, lately: Duration, now: Time) -> Option<Duration> {
        self.forth_excess.filter(|(_, at)| now - *at <= lately).map(|(excess, _)| excess)
    }

    /// What an acknowledgement takes anyway: the quickest one lately, or `at_most`, and what the way back takes longer;
    /// two seconds at most. `None`: there was none.
    pub(super) fn get(&self, at_most: Duration) -> Option<Duration> {
        Some(self.whole.get()?.min(at_most).min(ACK_MAX) + self.back_excess)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Acknowledgements of what was sent every 100 ms, each there after `forth_ms` and back after `back_ms`.
    fn after(times: impl Iterator<Item = (u64, u64)>, clock_is_off_by_ms: u32) -> Duration {
        with(times, clock_is_off_by_ms).0.get(Duration::MAX).expect("some came")
    }

    fn with(times: impl Iterator<Item = (u64, u64)>, clock_is_off_by_ms: u32) -> (AckTime, Time) {
        let mut ack_time = AckTime::default();
        let (mut sent_bytes, mut sent_ms, mut now) = (0, 1_000, Time::ZERO);
        for (forth_ms, back_ms) in times {
            sent_bytes += 1;
            ack_time.sent(sent_bytes, Time::from_millis(sent_ms));
            let there_ms = sent_ms + forth_ms;
            let far_ms = (there_ms as u32).wrapping_add(clock_is_off_by_ms);
            ack_time.acked(sent_bytes, far_ms, Time::from_millis(there_ms + back_ms));
            sent_ms += 100;
            now = Time::from_millis(there_ms + back_ms);
        }
        (ack_time, now)
    }

    #[test]
    fn what_waits_on_the_way_there_is_told_apart_from_what_waits_on_the_way_back() {
        for off_ms in [0, 77, u32::MAX - 3_000] {
            for (forth_ms, back_ms, waits_ms) in [(40, 440, 0), (440, 40, 400), (440, 440, 400)] {
                let times = core::iter::repeat_n((40, 40), 20).chain([(forth_ms, back_ms)]);
                let (ack_time, now) = with(times, off_ms);
                let waits = ack_time.waits_there(Duration::from_secs(1), now).expect("it was just acknowledged");
                assert!(is_near(waits, waits_ms), "{waits:?}");
                let later = now + Duration::from_secs(2);
                assert_eq!(ack_time.waits_there(Duration::from_secs(1), later), None, "that was long ago");
            }
        }
    }

    fn is_near(time: Duration, ms: u64) -> bool {
        time.as_millis().abs_diff(u128::from(ms)) <= 10
    }

    #[test]
    fn a_queue_on_the_way_back_is_waited_for_and_one_on_the_way_there_is_not() {
        // The clock of the far end wraps on the way.
        for off_ms in [0, 77, u32::MAX - 3_000] {
            let quiet = || core::iter::repeat_n((40, 40), 20);
            assert!(is_near(after(quiet(), off_ms), 80));
            let back = quiet().chain(core::iter::repeat_n((40, 440), 20));
            assert!(is_near(after(back, off_ms), 480), "{:?}", after(quiet(), off_ms));
            let forth = quiet().chain(core::iter::repeat_n((440, 40), 20));
            assert!(is_near(after(forth, off_ms), 80));
        }
    }

    #[test]
    fn what_a_far_clock_can_do_is_bounded() {
        let mut ack_time = AckTime::default();
        for (count, far_ms) in
            [0, u32::MAX / 2, 7, u32::MAX / 2 + 9, 1 << 31, 3].into_iter().cycle().take(100).enumerate()
        {
            let now = Time::from_millis(1_000 + 100 * count as u64);
            ack_time.sent(count as u64 + 1, now);
            ack_time.acked(count as u64 + 1, far_ms, now + Duration::from_millis(50));
            assert!(ack_time.get(Duration::MAX).expect("it came") <= ACK_MAX * 2);
        }
    }
}
