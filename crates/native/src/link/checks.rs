//! How often ICE's connectivity checks go out.
//!
//! The crate looks every [`ICE_CHECK_INTERVAL`](super::connection) what is to be done, which is what makes a link open
//! soon, and checks every pair each time that was not answered yet. A newcomer opens a dozen links at once: twelve times
//! forty checks a second of 150 bytes, and their answers, are all that a line of 0.25 Mbit/s carries, so none of them is
//! answered in time, and so on. (Of seven such peers among 16 one had its first packet after 97 s; RFC 8445, section 14.3,
//! has an agent wait half a second for an answer, and twice as long each time, for that reason.)
//!
//! So a check goes out at once, then after a wait of 0.2 seconds, one of 0.4, and ever after one of 0.8. A check that the
//! far end sends allows one in return (a triggered check, section 7.3.1.4) until data comes, and one that nominates a pair
//! waits for none that did not. What an open link asks once a second, whether the far end is still there, is not held up:
//! the crate counts only answers and checks as signs of life, not data.
//!
//! What comes in is looked at before anybody has verified it. It makes nothing known here: it can allow one check more to an
//! address to which some go already, or make one wait for 0.8 seconds.
//!
//! Bound: [`FAR_ENDS_MAX`] addresses to which checks go; those to further ones are not held up.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

/// How long a check has to be answered, at first and at last.
const WAIT_MIN: Duration = Duration::from_millis(200);
const WAIT_MAX: Duration = Duration::from_millis(800);
/// Far addresses that are remembered: twice what a far end may name, for those that its checks reveal.
const FAR_ENDS_MAX: usize = 64;

/// STUN (RFC 8489, section 5 and 14): where what is, and what it means.
const HEADER_BYTES: usize = 20;
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
const USERNAME: [u8; 2] = [0x00, 0x06];
const USE_CANDIDATE: [u8; 2] = [0x00, 0x25];
/// The first byte of a datagram of DTLS is this or more (RFC 7983).
const DTLS: u8 = 20;

/// A connectivity check, by what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    /// Whether a pair works.
    Plain,
    /// That it be the one.
    Nominates,
}

impl Check {
    /// Of a datagram: none, if it is anything else.
    fn of(datagram: &[u8]) -> Option<Self> {
        let is_request = datagram.get(..2)? == BINDING_REQUEST && datagram.get(4..8)? == COOKIE;
        let mut rest = datagram.get(HEADER_BYTES..).filter(|_| is_request)?;
        let (mut has_username, mut nominates) = (false, false);
        while let [kind_0, kind_1, len_0, len_1, value @ ..] = rest {
            has_username |= [*kind_0, *kind_1] == USERNAME;
            nominates |= [*kind_0, *kind_1] == USE_CANDIDATE;
            let len = usize::from(u16::from_be_bytes([*len_0, *len_1])).next_multiple_of(4);
            rest = value.get(len..).unwrap_or_default();
        }
        // What asks a STUN server for an address names no user.
        has_username.then_some(if nominates { Self::Nominates } else { Self::Plain })
    }
}

/// When the next check of a kind may go.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    sent_at: Option<Instant>,
    wait: Duration,
}

impl Pace {
    fn may_send(&mut self, now: Instant) -> bool {
        if self.sent_at.is_some_and(|at| now - at < self.wait) {
            return false;
        }
        self.sent_at = Some(now);
        self.wait = (self.wait * 2).clamp(WAIT_MIN, WAIT_MAX);
        true
    }
}

#[derive(Debug, Default)]
struct FarEnd {
    plain: Pace,
    nominates: Pace,
    has_sent_data: bool,
}

/// Holds checks back. See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Checks(BTreeMap<SocketAddr, FarEnd>);

impl Checks {
    /// Whether a datagram may go out now; if not, it is as good as lost.
    pub(super) fn may_send(&mut self, datagram: &[u8], to: SocketAddr, now: Instant) -> bool {
        let Some(check) = Check::of(datagram) else { return true };
        if self.0.len() >= FAR_ENDS_MAX && !self.0.contains_key(&to) {
            return true;
        }
        let far_end = self.0.entry(to).or_default();
        match check {
            Check::Plain => far_end.plain.may_send(now),
            Check::Nominates => far_end.nominates.may_send(now),
        }
    }

    /// A datagram came in.
    pub(super) fn came(&mut self, datagram: &[u8], from: SocketAddr) {
        let Some(far_end) = self.0.get_mut(&from) else { return };
        if datagram.first().is_some_and(|byte| *byte >= DTLS) {
            far_end.has_sent_data = true;
        } else if !far_end.has_sent_data && Check::of(datagram).is_some() {
            far_end.plain = Pace::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "10.0.0.1:5000";

    fn request(attributes: &[([u8; 2], &[u8])]) -> Vec<u8> {
        let mut datagram = [&BINDING_REQUEST[..], &[0, 0], &COOKIE, &[7; 12]].concat();
        for (kind, value) in attributes {
            datagram.extend([kind[0], kind[1], 0, value.len() as u8]);
            datagram.extend(*value);
            datagram.resize(datagram.len().next_multiple_of(4), 0);
        }
        datagram
    }

    fn plain() -> Vec<u8> {
        request(&[(USERNAME, b"abcd:efghi"), ([0, 0x24], &[1; 4])])
    }

    fn nominating() -> Vec<u8> {
        request(&[(USERNAME, b"abcd:efghi"), (USE_CANDIDATE, &[])])
    }

    /// The milliseconds at which a datagram goes out that is tried every 50.
    fn goes_out(checks: &mut Checks, datagram: &[u8], from: Instant, so_long_ms: u64) -> Vec<u64> {
        let at = |ms| from + Duration::from_millis(ms);
        let tries = (0..so_long_ms).step_by(50);
        tries.filter(|ms| checks.may_send(datagram, HERE.parse().unwrap(), at(*ms))).collect()
    }

    #[test]
    fn a_check_is_repeated_ever_later() {
        let (mut checks, now) = (Checks::default(), Instant::now());
        assert_eq!(goes_out(&mut checks, &plain(), now, 4_000), [0, 200, 600, 1_400, 2_200, 3_000, 3_800]);
    }

    #[test]
    fn one_that_nominates_waits_for_none_that_did_not() {
        let (mut checks, now) = (Checks::default(), Instant::now());
        assert_eq!(goes_out(&mut checks, &plain(), now, 100), [0]);
        assert_eq!(goes_out(&mut checks, &nominating(), now + Duration::from_millis(100), 900), [0, 200, 600]);
    }

    #[test]
    fn a_check_of_the_far_end_is_returned_at_once_until_data_comes() {
        let (mut checks, now, far) = (Checks::default(), Instant::now(), HERE.parse().unwrap());
        assert_eq!(goes_out(&mut checks, &plain(), now, 1_000), [0, 200, 600]);
        let later = now + Duration::from_secs(1);
        checks.came(&plain(), far);
        assert_eq!(goes_out(&mut checks, &plain(), later, 500), [0, 200]);
        checks.came(&[23, 1, 2], far);
        checks.came(&plain(), far);
        assert_eq!(goes_out(&mut checks, &plain(), later + Duration::from_millis(500), 500), [100]);
    }

    #[test]
    fn what_is_asked_once_a_second_is_not_held_up() {
        let (mut checks, now) = (Checks::default(), Instant::now());
        for second in 0..10 {
            checks.came(&[23], HERE.parse().unwrap());
            assert!(checks.may_send(&plain(), HERE.parse().unwrap(), now + Duration::from_secs(second)));
        }
    }

    #[test]
    fn nothing_else_is_held_up() {
        let (mut checks, now) = (Checks::default(), Instant::now());
        let mut response = plain();
        response[0] = 1;
        // A question to a STUN server, an answer, DTLS, rubbish, and nothing.
        for datagram in [request(&[([0x80, 0x22], b"it")]), response, vec![22; 200], vec![0, 1, 0], vec![]] {
            assert_eq!(goes_out(&mut checks, &datagram, now, 150), [0, 50, 100], "{datagram:?}");
        }
        let mut cut = plain();
        cut.truncate(26);
        assert_eq!(goes_out(&mut checks, &cut, now, 150), [0], "an attribute that is cut off is one all the same");
    }

    #[test]
    fn strangers_cost_nothing_and_at_the_bound_nothing_is_held_up() {
        let (mut checks, now) = (Checks::default(), Instant::now());
        let address = |port| SocketAddr::new([10, 0, 0, 2].into(), port);
        (1..1_000).for_each(|port| checks.came(&plain(), address(port)));
        assert_eq!(checks.0.len(), 0, "who was sent nothing is not remembered");
        for port in 1..=FAR_ENDS_MAX as u16 {
            assert!(checks.may_send(&plain(), address(port), now) && !checks.may_send(&plain(), address(port), now));
        }
        let one_more = address(1_000);
        assert!(checks.may_send(&plain(), one_more, now) && checks.may_send(&plain(), one_more, now));
        assert_eq!(checks.0.len(), FAR_ENDS_MAX);
    }
}
