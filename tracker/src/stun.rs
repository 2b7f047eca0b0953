//! STUN inside: tells a peer under which address it is seen from here (RFC 8489, the Binding method).
//!
//! A peer behind a translator of addresses knows its public address by no other means, and a tracker that answers
//! spares the operator a second server. Only what a peer asks for is here: a Binding request is answered with
//! XOR-MAPPED-ADDRESS, and with FINGERPRINT if it had one itself. No state is kept but the count by address.
//!
//! UDP senders can be forged, so an answer must be worth nothing as a weapon: it goes to requests alone, has at most
//! [`RESPONSE_BYTES_MAX`] bytes, and each address gets so many a second. Whatever else comes is dropped in silence.

use std::net::SocketAddr;
use std::sync::Arc;

use rtc_stun::attributes::{
    ATTR_FINGERPRINT, ATTR_MESSAGE_INTEGRITY, ATTR_UNKNOWN_ATTRIBUTES, ATTR_USERNAME, AttrType,
};
use rtc_stun::error_code::{CODE_UNKNOWN_ATTRIBUTE, ErrorCodeAttribute};
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::message::{
    BINDING_ERROR, BINDING_REQUEST, BINDING_SUCCESS, MESSAGE_HEADER_SIZE, Message, Setter, is_stun_message,
};
use rtc_stun::uattrs::UnknownAttributes;
use rtc_stun::xoraddr::XorMappedAddress;
use tokio::net::UdpSocket;

use crate::limits::Rate;
use crate::metrics::{Counters, count};

/// Longest request that is read; browsers send 20 to 100 bytes. A longer one is dropped.
const REQUEST_BYTES_MAX: usize = 548;
/// Longest response: header, an IPv6 address, a fingerprint.
const RESPONSE_BYTES_MAX: usize = MESSAGE_HEADER_SIZE + 24 + 8;
/// Most attributes named in a refusal; it fits [`RESPONSE_BYTES_MAX`], and the first is reason enough.
const UNKNOWN_ATTRIBUTES_MAX: usize = 4;

/// Answers until the future is dropped.
pub(crate) async fn serve(socket: UdpSocket, rate: Arc<Rate>, counters: Arc<Counters>) {
    let mut buffer = [0; REQUEST_BYTES_MAX + 1];
    loop {
        let (length, from) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                // An ICMP error of an earlier answer, or a want of memory; both pass.
                tracing::debug!(%error, "STUN: cannot receive");
                tokio::task::yield_now().await;
                continue;
            }
        };
        match respond(&buffer[..length], from).filter(|_| rate.check(from.ip().into()).is_ok()) {
            Some(response) => {
                count(&counters.stun_answered);
                if let Err(error) = socket.send_to(&response, from).await {
                    tracing::debug!(%error, "STUN: cannot answer");
                }
            }
            None => count(&counters.stun_ignored),
        }
    }
}

/// The answer to a datagram, if it deserves one.
fn respond(datagram: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
    if datagram.len() > REQUEST_BYTES_MAX || !is_stun_message(datagram) {
        return None;
    }
    let mut request = Message::new();
    request.unmarshal_binary(datagram).ok()?;
    let whole = MESSAGE_HEADER_SIZE + request.length as usize == datagram.len();
    if request.typ != BINDING_REQUEST || !whole {
        return None;
    }
    let has_fingerprint = request.contains(ATTR_FINGERPRINT);
    if has_fingerprint && FINGERPRINT.check(&request).is_err() {
        return None;
    }

    let mut setters: Vec<Box<dyn Setter>> = Vec::with_capacity(4);
    let unknown = unknown_attributes(&request);
    if unknown.is_empty() {
        // A socket for both families sees IPv4 as mapped addresses, which mean nothing to the peer.
        let (ip, port) = (from.ip().to_canonical(), from.port());
        setters.extend([Box::new(BINDING_SUCCESS) as Box<dyn Setter>, Box::new(request)]);
        setters.push(Box::new(XorMappedAddress { ip, port }));
    } else {
        setters.extend([Box::new(BINDING_ERROR) as Box<dyn Setter>, Box::new(request)]);
        setters.push(Box::new(ErrorCodeAttribute { code: CODE_UNKNOWN_ATTRIBUTE, reason: Vec::new() }));
        setters.push(Box::new(UnknownAttributes(unknown)));
    }
    if has_fingerprint {
        setters.push(Box::new(FINGERPRINT));
    }
    let mut response = Message::new();
    response.build(&setters).ok()?;
    debug_assert!(response.raw.len() <= RESPONSE_BYTES_MAX);
    Some(response.raw)
}

/// What the request demands to be understood and is not: it must be refused with their list (RFC 8489, 6.3.1).
fn unknown_attributes(request: &Message) -> Vec<AttrType> {
    let known = [ATTR_USERNAME, ATTR_MESSAGE_INTEGRITY, ATTR_UNKNOWN_ATTRIBUTES];
    let types = request.attributes.0.iter().map(|attribute| attribute.typ);
    types.filter(|typ| typ.required() && !known.contains(typ)).take(UNKNOWN_ATTRIBUTES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc_stun::message::{CLASS_INDICATION, METHOD_BINDING, MessageType};
    use rtc_stun::message::{Getter, TransactionId};

    fn message(setters: &[Box<dyn Setter>]) -> Vec<u8> {
        let mut message = Message::new();
        message.build(setters).unwrap();
        message.raw
    }

    fn parse(bytes: &[u8]) -> Message {
        let mut message = Message::new();
        message.unmarshal_binary(bytes).unwrap();
        message
    }

    fn from() -> SocketAddr {
        "[2001:db8::1]:1234".parse().unwrap()
    }

    #[test]
    fn a_request_is_answered_with_its_sender_and_its_id() {
        let id = TransactionId([7; 12]);
        for (text, expected) in
            [("192.0.2.9:77", "192.0.2.9"), ("[2001:db8::9]:77", "2001:db8::9"), ("[::ffff:192.0.2.9]:77", "192.0.2.9")]
        {
            let request = message(&[Box::new(BINDING_REQUEST), Box::new(id)]);
            let response = parse(&respond(&request, text.parse().unwrap()).unwrap());
            let mut mapped = XorMappedAddress::default();
            mapped.get_from(&response).unwrap();
            assert_eq!((mapped.ip.to_string().as_str(), mapped.port), (expected, 77));
            assert_eq!((response.typ, response.transaction_id), (BINDING_SUCCESS, id));
        }
    }

    #[test]
    fn a_fingerprint_is_checked_and_returned() {
        let mut request =
            message(&[Box::new(BINDING_REQUEST), Box::new(TransactionId([7; 12])), Box::new(FINGERPRINT)]);
        let response = parse(&respond(&request, from()).unwrap());
        FINGERPRINT.check(&response).unwrap();
        *request.last_mut().unwrap() ^= 1;
        assert_eq!(respond(&request, from()), None);
    }

    #[test]
    fn what_must_be_understood_and_is_not_is_refused() {
        let change_request = rtc_stun::attributes::RawAttribute { typ: AttrType(3), length: 4, value: vec![0; 4] };
        let many = vec![change_request; 100];
        let setters: Vec<Box<dyn Setter>> = vec![Box::new(BINDING_REQUEST), Box::new(TransactionId([7; 12]))];
        let mut request = Message::new();
        request.build(&setters).unwrap();
        many.iter().for_each(|attribute| request.add(attribute.typ, &attribute.value));
        assert!(request.raw.len() > REQUEST_BYTES_MAX);
        assert_eq!(respond(&request.raw, from()), None, "too long");

        request.build(&setters).unwrap();
        many.iter().take(50).for_each(|attribute| request.add(attribute.typ, &attribute.value));
        let response = respond(&request.raw, from()).unwrap();
        assert!(response.len() <= RESPONSE_BYTES_MAX);
        assert_eq!(parse(&response).typ, BINDING_ERROR);
    }

    #[test]
    fn nothing_else_is_answered() {
        let indication = MessageType { method: METHOD_BINDING, class: CLASS_INDICATION };
        let request = message(&[Box::new(BINDING_REQUEST), Box::new(TransactionId([7; 12])), Box::new(FINGERPRINT)]);
        let answer = respond(&request, from()).unwrap();
        assert_eq!(respond(&answer, from()), None, "two servers must not talk to each other for ever");
        assert_eq!(respond(&message(&[Box::new(indication)]), from()), None);
        for length in 0..request.len() {
            assert_eq!(respond(&request[..length], from()), None, "cut at {length}");
        }
        let mut longer = request.clone();
        longer.push(0);
        assert_eq!(respond(&longer, from()), None);
        // Every bit that is wrong is caught by the fingerprint at the latest; but for those that make it none.
        let of_its_type = MESSAGE_HEADER_SIZE * 8..MESSAGE_HEADER_SIZE * 8 + 16;
        for bit in (0..request.len() * 8).filter(|bit| !of_its_type.contains(bit)) {
            let mut broken = request.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(respond(&broken, from()), None, "bit {bit}");
        }
    }
}
