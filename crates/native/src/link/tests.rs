//! Links over real UDP on 127.0.0.1.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{sync::mpsc, time::timeout};

use super::{connection::Connection, *};

/// Longer than anything here takes on a busy machine; a test that gets here has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Events that a test leaves unread before its link stops reading.
const EVENTS_UNREAD_MAX: usize = 4;

fn config() -> LinkConfig {
    LinkConfig { bind: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)], ..LinkConfig::default() }
}

/// A link and its events.
struct End {
    link: Link,
    events: mpsc::Receiver<(u32, LinkEvent)>,
}

impl End {
    fn new(config: &LinkConfig, dial: bool) -> Self {
        let (sender, events) = mpsc::channel(EVENTS_UNREAD_MAX);
        let link = LinkFactory::new(config.clone()).unwrap().open(7, dial, Vec::new(), sender);
        Self { link, events }
    }

    async fn next(&mut self) -> LinkEvent {
        let (key, event) = timeout(PATIENCE, self.events.recv()).await.expect("an event in time").expect("an event");
        assert_eq!(key, 7);
        event
    }

    /// The next message or end.
    async fn receive(&mut self) -> Result<Bytes, String> {
        loop {
            match self.next().await {
                LinkEvent::Message(message) => return Ok(message),
                LinkEvent::Closed(reason) => return Err(reason),
                _ => {}
            }
        }
    }

    /// Skips to the end, which must be the last event.
    async fn closed(&mut self) -> String {
        let reason = loop {
            if let Err(reason) = self.receive().await {
                break reason;
            }
        };
        assert_eq!(timeout(PATIENCE, self.events.recv()).await, Ok(None), "an event after the last");
        reason
    }

    /// Sends a message as soon as there is room.
    async fn send(&mut self, message: Bytes) {
        while self.link.room() < message.len() {
            if let LinkEvent::Closed(reason) = self.next().await {
                panic!("closed: {reason}");
            }
        }
        self.link.send(message);
    }
}

/// Carries signals until both ends are open.
async fn connect(dialling: &mut End, answering: &mut End) {
    let mut opened = 0;
    while opened < 2 {
        let (event, other) = tokio::select! {
            event = dialling.next() => (event, &answering.link),
            event = answering.next() => (event, &dialling.link),
        };
        match event {
            LinkEvent::Signal(signal) => other.apply(signal),
            LinkEvent::Open => opened += 1,
            LinkEvent::Room(bytes) => assert_eq!(bytes, 256 * 1024),
            other => panic!("{other:?}"),
        }
    }
}

async fn pair() -> (End, End) {
    let (mut dialling, mut answering) = (End::new(&config(), true), End::new(&config(), false));
    connect(&mut dialling, &mut answering).await;
    (dialling, answering)
}

/// Bytes that differ from one another and from message to message.
fn message(len: usize, seed: usize) -> Bytes {
    (0..len).map(|index| (index * 31 + index / 251 + seed) as u8).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_every_size_come_back_as_they_were() {
    let (mut here, mut there) = pair().await;
    for len in [1, 2, 1_199, 1_200, 16 << 10, 64 << 10, (256 << 10) - 1, 256 << 10] {
        let sent = message(len, len);
        here.send(sent.clone()).await;
        let arrived = there.receive().await.unwrap();
        assert!(arrived == sent, "{len} bytes were changed on the way");
        there.send(arrived).await;
        assert!(here.receive().await.unwrap() == sent, "{len} bytes were changed on the way back");
    }
}

/// What most machines grant: their limits are those of Linux, 208 KiB.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_messages_pass_through_small_socket_buffers() {
    let config = LinkConfig { socket_buffer_bytes: 212_992, ..config() };
    let blast = bare::Blast { message_bytes: 256 << 10, total_bytes: 4 << 20 };
    let report = timeout(PATIENCE, bare::links(&config, blast)).await.expect("no standstill").unwrap();
    assert_eq!(report.total_bytes, 4 << 20);
}

#[tokio::test]
async fn candidates_may_come_before_the_descriptions() {
    let (mut dialling, mut answering) = (End::new(&config(), true), End::new(&config(), false));
    let description_last = async |from: &mut End, to: &Link| {
        let mut description = None;
        let mut candidates = 0;
        while description.is_none() || candidates == 0 {
            match from.next().await {
                LinkEvent::Signal(signal @ Signal::Candidate { .. }) => {
                    to.apply(signal);
                    candidates += 1;
                }
                LinkEvent::Signal(signal) => description = Some(signal),
                other => panic!("{other:?}"),
            }
        }
        to.apply(description.unwrap());
    };
    description_last(&mut dialling, &answering.link).await;
    description_last(&mut answering, &dialling.link).await;
    connect(&mut dialling, &mut answering).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_is_noticed_after_everything_sent_before_it() {
    let (mut here, mut there) = pair().await;
    let messages: Vec<_> = (0..200).map(|index| message(20_000, index)).collect();
    let reader = async {
        for message in &messages {
            assert!(there.receive().await.as_ref() == Ok(message), "lost before the close");
        }
        assert_eq!(there.closed().await, "closed by the other end");
    };
    let writer = async {
        for message in &messages {
            here.send(message.clone()).await;
        }
        here.link.close();
        assert_eq!(here.closed().await, "closed here");
    };
    tokio::join!(reader, writer);
}

#[tokio::test]
async fn a_dropped_link_is_closed() {
    let (mut here, mut there) = pair().await;
    drop(here.link);
    assert_eq!(there.closed().await, "closed by the other end");
    while let Some((_, event)) = timeout(PATIENCE, here.events.recv()).await.unwrap() {
        assert!(!matches!(event, LinkEvent::Closed(_)), "told an owner that is gone");
    }
}

#[test]
fn a_killed_end_is_noticed_in_seconds() {
    // A runtime that is shut down is an end that says nothing more, as a process that is killed.
    let killed = tokio::runtime::Runtime::new().unwrap();
    let survivor = tokio::runtime::Runtime::new().unwrap();
    let mut here = killed.block_on(async { End::new(&config(), true) });
    survivor.block_on(async {
        let mut there = End::new(&config(), false);
        connect(&mut here, &mut there).await;
        killed.shutdown_background();
        let begin = Instant::now();
        assert_eq!(there.closed().await, "the other end fell silent");
        assert!(begin.elapsed() < Duration::from_secs(15), "noticed after {:?}", begin.elapsed());
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_consumer_holds_the_sender_and_loses_nothing() {
    const MESSAGE_BYTES: usize = 64 << 10;
    // What the documentation of the module promises: events unread, the crate's two queues of 256 messages, one message
    // in hand at each of four steps, what is drained at once (64 datagrams, parts of two messages), SCTP's window, what the
    // sender has in flight, and its queue.
    const HELD_BYTES_MAX: usize =
        (EVENTS_UNREAD_MAX + 512 + 4 + 2) * MESSAGE_BYTES + (1 << 20) + (1 << 20) + (256 << 10);
    let (mut here, mut there) = pair().await;
    let mut sent = 0;
    // Nobody reads `there`. Room that has not come for this long will not come.
    while timeout(Duration::from_secs(2), here.send(message(MESSAGE_BYTES, sent))).await.is_ok() {
        sent += 1;
        assert!(sent * MESSAGE_BYTES <= HELD_BYTES_MAX, "{sent} messages were taken and none was read");
    }
    let reader = async {
        for index in 0..=sent {
            assert!(there.receive().await.unwrap() == message(MESSAGE_BYTES, index), "message {index} was lost");
        }
    };
    tokio::join!(reader, here.send(message(MESSAGE_BYTES, sent)));
}

#[tokio::test]
async fn sending_without_regard_to_room_closes_the_link() {
    let (mut here, _there) = pair().await;
    for index in 0..1_000 {
        here.link.send(message(64 << 10, index));
    }
    assert_eq!(here.closed().await, "more was sent than there was room for");
}

#[tokio::test]
async fn a_message_that_is_too_long_closes_the_link() {
    let (mut here, _there) = pair().await;
    here.link.send(message((256 << 10) + 1, 0));
    assert_eq!(here.closed().await, "a message of 262145 bytes is too long to send");
}

#[tokio::test]
async fn a_link_that_does_not_open_says_so() {
    let mut alone = End::new(&LinkConfig { open_timeout: Duration::from_millis(50), ..config() }, true);
    assert_eq!(alone.closed().await, "the other end could not be reached in time");
}

#[tokio::test]
async fn a_link_can_be_closed_before_it_is_open() {
    let mut alone = End::new(&config(), true);
    alone.link.close();
    assert_eq!(alone.closed().await, "closed here");
}

#[tokio::test]
async fn signals_that_make_no_sense_close_the_link() {
    let garbage = || "garbage".to_owned();
    for (dial, signal, expected) in [
        (false, Signal::Offer { sdp: garbage() }, "the other end's offer cannot be used"),
        (true, Signal::Answer { sdp: garbage() }, "the other end's answer cannot be used"),
        (true, Signal::Offer { sdp: garbage() }, "the other end made an offer out of turn"),
        (false, Signal::Answer { sdp: garbage() }, "the other end made an answer out of turn"),
    ] {
        let mut end = End::new(&config(), dial);
        end.link.apply(signal);
        let reason = end.closed().await;
        assert!(reason.starts_with(expected), "{reason}");
    }
}

#[tokio::test]
async fn candidates_that_make_no_sense_are_ignored() {
    let (mut dialling, mut answering) = (End::new(&config(), true), End::new(&config(), false));
    for candidate in
        ["", "garbage", "candidate:", "candidate:1 1 udp 1 127.0.0.1 99999 typ host", "candidate:1 1 udp 1 ::1"]
    {
        for end in [&dialling, &answering] {
            let candidate = candidate.to_owned();
            end.link.apply(Signal::Candidate { candidate, sdp_mid: Some("x".into()), sdp_m_line_index: Some(9) });
        }
    }
    connect(&mut dialling, &mut answering).await;
}

#[tokio::test]
async fn too_many_signals_at_once_close_the_link() {
    let mut end = End::new(&config(), false);
    for _ in 0..=SIGNALS_MAX {
        let candidate = "candidate:1 1 udp 1 127.0.0.1 9 typ host".to_owned();
        end.link.apply(Signal::Candidate { candidate, sdp_mid: None, sdp_m_line_index: None });
    }
    assert_eq!(end.closed().await, "too many signals at once");
}

/// Real offers with bytes changed, removed and repeated: answered or refused, and never a panic.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_offer_is_answered_or_refused() {
    let mut dialling = End::new(&config(), true);
    let LinkEvent::Signal(Signal::Offer { sdp }) = dialling.next().await else { panic!("no offer") };
    let mut state = 1_u32;
    let mut random = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    for round in 0..200 {
        let mut damaged = sdp.clone().into_bytes();
        for _ in 0..=random(3) {
            let at = random(damaged.len() - 20);
            match random(3) {
                0 => damaged[at] = random(128) as u8,
                1 => drop(damaged.drain(at..at + random(20))),
                _ => damaged.extend_from_within(at..at + 20),
            }
        }
        let damaged = String::from_utf8_lossy(&damaged).into_owned();
        let mut answering = End::new(&config(), false);
        answering.link.apply(Signal::Offer { sdp: damaged.clone() });
        match answering.next().await {
            LinkEvent::Signal(Signal::Answer { .. }) => {}
            LinkEvent::Closed(reason) => assert_ne!(reason, "an internal error", "round {round}: {damaged}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_second_channel_closes_the_link() {
    let config = config();
    let mut answering = End::new(&config, false);
    let mut stranger = Connection::new(&config, true, &[]).await.unwrap();
    let _second = stranger.peer.create_data_channel("second", None).await.unwrap();
    let (negotiation, notices, _) = stranger.parts();
    let mut theirs = negotiation.start().await.unwrap();
    let reason = loop {
        if let Some(signal) = theirs.take() {
            answering.link.apply(signal);
        }
        tokio::select! {
            notice = notices.recv() => theirs = negotiation.heed(notice).await.unwrap(),
            event = answering.next() => match event {
                LinkEvent::Signal(signal) => assert_eq!(negotiation.apply(signal).await, Ok(None)),
                LinkEvent::Closed(reason) => break reason,
                _ => {}
            },
        }
    };
    assert_eq!(reason, "the other end opened a second channel");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blast_counts_every_byte() {
    let blast = bare::Blast { message_bytes: 10_000, total_bytes: 1_000_001 };
    for report in [bare::both(&config(), blast).await.unwrap(), bare::links(&config(), blast).await.unwrap()] {
        assert_eq!(report.total_bytes, 1_000_001);
        assert!(report.bytes_per_second() > 0.0);
    }
}
