//! What two ends tell each other to connect, and what of it may be believed.
//!
//! A signal comes from a stranger, by way of a tracker. ICE sends packets to every address that a candidate names, so
//! candidates are what a liar would use: to aim many peers at a victim, to make a peer open TCP connections, or to make
//! it look names up. Therefore only UDP candidates with a plain address are used, and few of them; candidates that hide
//! inside a session description go through the same gate.

use std::net::IpAddr;

/// A signal that one end makes and the other applies: as it goes over the wire.
pub use pleach_core::wire::signal::Signal;

/// An attribute of our session descriptions: this end's window grows by all that an acknowledgement acknowledges (as RFC 3465
/// has it for TCP), so acknowledgements may be gathered. Browsers ignore it, and never say it.
const GATHER_ACKS: &str = "a=x-pleach-gather-acks";

/// Our description, with what we say of ourselves.
pub(super) fn with_attributes(sdp: &str) -> String {
    let end = if sdp.ends_with('\n') { "" } else { "\r\n" };
    format!("{sdp}{end}{GATHER_ACKS}\r\n")
}

/// Whether acknowledgements to the end that describes itself so may be gathered.
pub(super) fn may_gather_acks(sdp: &str) -> bool {
    sdp.lines().any(|line| line == GATHER_ACKS)
}

/// A session description, and the candidate lines that were in it.
pub(super) fn split_candidates(sdp: &str) -> (String, Vec<String>) {
    let mut description = String::with_capacity(sdp.len());
    let mut candidates = Vec::new();
    for line in sdp.lines() {
        match line.strip_prefix("a=") {
            Some(candidate) if candidate.starts_with("candidate:") => candidates.push(candidate.to_owned()),
            _ if line == GATHER_ACKS => {}
            _ => {
                description.push_str(line);
                description.push_str("\r\n");
            }
        }
    }
    (description, candidates)
}

/// Whether a candidate line (RFC 8839, section 5.1) may be checked: UDP, with a plain unicast address.
///
/// A browser's `….local` name is not usable and need not be: the browser's own checks reveal its address.
pub(super) fn is_usable_candidate(line: &str) -> bool {
    let line = line.strip_prefix("candidate:").unwrap_or(line);
    let mut fields = line.split_ascii_whitespace().skip(2);
    let is_udp = fields.next().is_some_and(|transport| transport.eq_ignore_ascii_case("udp"));
    let address = fields.nth(1).and_then(|address| address.parse::<IpAddr>().ok());
    is_udp && address.is_some_and(|ip| !ip.is_unspecified() && !ip.is_multicast())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_says_so_has_its_acknowledgements_gathered() {
        let sdp = "v=0\r\ns=-\r\n";
        assert!(!may_gather_acks(sdp));
        let ours = with_attributes(sdp);
        assert!(may_gather_acks(&ours));
        assert_eq!(split_candidates(&ours), (sdp.to_owned(), Vec::new()), "what only we know is not parsed");
    }

    #[test]
    fn only_udp_candidates_with_a_plain_address_are_used() {
        assert!(is_usable_candidate("candidate:1 1 udp 2130706431 192.0.2.7 40000 typ host"));
        assert!(is_usable_candidate("candidate:1 1 UDP 2130706431 2001:db8::7 40000 typ host"));
        for line in [
            "candidate:1 1 tcp 2130706431 192.0.2.7 40000 typ host tcptype passive",
            "candidate:1 1 udp 2130706431 victim.example 40000 typ host",
            "candidate:1 1 udp 2130706431 a1b2.local 40000 typ host",
            "candidate:1 1 udp 2130706431 0.0.0.0 40000 typ host",
            "candidate:1 1 udp 2130706431 239.1.2.3 40000 typ host",
            "candidate:1 1 udp",
            "",
        ] {
            assert!(!is_usable_candidate(line), "{line}");
        }
    }

    #[test]
    fn candidates_are_taken_out_of_a_description() {
        let (description, candidates) = split_candidates("v=0\r\na=candidate:1 1 udp\na=mid:0\r\n");
        assert_eq!(description, "v=0\r\na=mid:0\r\n");
        assert_eq!(candidates, ["candidate:1 1 udp"]);
    }

    #[test]
    fn a_signal_reads_as_a_browser_would_write_it() {
        let signal = Signal::Candidate { candidate: "c".into(), sdp_mid: Some("0".into()), sdp_m_line_index: Some(0) };
        let text = serde_json::to_string(&signal).unwrap();
        assert_eq!(text, r#"{"kind":"candidate","candidate":"c","sdp_mid":"0","sdp_m_line_index":0}"#);
        assert_eq!(serde_json::from_str::<Signal>(&text).unwrap(), signal);
    }
}
