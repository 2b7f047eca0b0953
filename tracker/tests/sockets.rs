//! Peers' sockets: what works, what is refused, and that one who misbehaves disturbs nobody.

mod common;

use std::time::Duration;

use common::{PATIENCE, Running, config, swarm};
use hyper::StatusCode;
use pleach_core::wire::tracker::{FromTracker, MESSAGE_BYTES_MAX, ToTracker};
use pleach_tracker::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn peers_join_and_are_told_of_each_other_and_of_the_stun_inside() {
    let server = Running::start(config()).await;
    let (mut first, mut second) = (server.open().await, server.open().await);
    let FromTracker::Welcome { ice_servers, .. } = first.join(swarm(1), 1).await else { panic!() };
    assert_eq!(ice_servers, [format!("stun::{}", server.addr.port())]);
    second.join(swarm(1), 2).await;
    first.hear_until(|message| matches!(message, FromTracker::Swarm { peers: 2, .. })).await;
    server.wait_for_connections(2).await;

    drop(second);
    first.hear_until(|message| matches!(message, FromTracker::Swarm { peers: 1, .. })).await;
    server.stopped().await;
}

#[tokio::test]
async fn the_timers_of_the_state_machine_run() {
    let quick = ServerConfig { heartbeat_ms: 100, silence_ms_max: 60_000, join_ms_max: 300, ..config() };
    let server = Running::start(quick).await;
    let (mut joined, mut idle) = (server.open().await, server.open().await);
    joined.join(swarm(1), 1).await;
    joined.hear_until(|message| matches!(message, FromTracker::Ping)).await;
    idle.error().await;
    server.wait_for_connections(1).await;
    server.stopped().await;
}

/// Frames that are no messages, and a part of the error that each is answered with.
fn bad_frames() -> Vec<(Message, &'static str)> {
    vec![
        (Message::text("x".repeat(MESSAGE_BYTES_MAX + 1)), "too long"),
        (Message::text("x".repeat(4 << 20)), "too long"),
        (Message::binary(vec![0, 1, 2]), "binary"),
        (Message::text(""), ""),
        (Message::text("{\"type\":\"jo"), ""),
        (Message::text("[[[[[[[[[["), ""),
    ]
}

#[tokio::test]
async fn bad_frames_are_answered_with_a_clear_error_and_disturb_nobody() {
    let server = Running::start(config()).await;
    let mut bystander = server.open().await;
    bystander.join(swarm(1), 1).await;
    for (frame, expected) in bad_frames() {
        let bad = server.open().await;
        let name = format!("{frame:.40?}");
        let (mut sink, mut stream) = futures_util::StreamExt::split(bad.0);
        // Sent on the side: a peer that writes a long message without reading would see its connection break.
        let sending = tokio::spawn(async move {
            let _ = futures_util::SinkExt::send(&mut sink, frame).await;
            sink
        });
        let mut error = None;
        while let Some(Ok(frame)) =
            tokio::time::timeout(PATIENCE, futures_util::StreamExt::next(&mut stream)).await.expect("an end")
        {
            if let Message::Text(text) = frame
                && let FromTracker::Error { message, .. } = FromTracker::decode(&text).unwrap()
            {
                error = Some(message);
            }
        }
        let error = error.unwrap_or_else(|| panic!("{name}: closed without an error"));
        assert!(!error.is_empty() && error.contains(expected), "{name}: {error}");
        drop(sending.await);
    }
    server.wait_for_connections(1).await;
    let mut good = server.open().await;
    good.join(swarm(1), 2).await;
    bystander.hear_until(|message| matches!(message, FromTracker::Swarm { peers: 2, .. })).await;
    let metrics = server.get("/metrics").await;
    assert!(metrics.text().contains("pleach_tracker_sockets_broken_total 3\n"), "{}", metrics.text());
    server.stopped().await;
}

/// Bytes below the WebSocket: cut frames, frames without mask, reserved bits, noise.
#[tokio::test]
async fn broken_frames_end_their_socket_only() {
    let server = Running::start(config()).await;
    let mut bystander = server.open().await;
    bystander.join(swarm(1), 1).await;
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    let mut frames: Vec<Vec<u8>> = vec![
        vec![0x81],
        vec![0x81, 0xfe, 0x7f],
        vec![0x81, 0x85, 1, 2, 3, 4, 5],
        vec![0x81, 0x05, b'h', b'e', b'l', b'l', b'o'],
        vec![0xf1, 0x80, 0, 0, 0, 0],
        vec![0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        vec![0x80, 0x80, 0, 0, 0, 0],
        vec![0x89, 0xfe, 0x01, 0x00, 0, 0, 0, 0],
        vec![0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe],
    ];
    frames.extend((0..24).map(|length| {
        (0..length * 5)
            .map(|_| {
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                noise as u8
            })
            .collect()
    }));
    for frame in frames {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        let upgrade = "GET /ws HTTP/1.1\r\nhost: t\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                       sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
        stream.write_all(upgrade.as_bytes()).await.unwrap();
        let mut head = [0; 1024];
        let length = stream.read(&mut head).await.unwrap();
        assert!(head[..length].starts_with(b"HTTP/1.1 101"));
        stream.write_all(&frame).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("closed");
    }
    server.wait_for_connections(1).await;
    bystander.say(&ToTracker::Pong).await;
    assert_eq!(server.get("/health").await.text(), "ok\n");
    server.stopped().await;
}

#[tokio::test]
async fn a_flood_is_refused_and_others_are_served() {
    let server = Running::start(ServerConfig { messages_per_s_max: 5, ..config() }).await;
    let (mut flooder, mut bystander) = (server.open().await, server.open().await);
    bystander.join(swarm(1), 1).await;
    flooder.join(swarm(1), 2).await;
    let (mut sink, stream) = futures_util::StreamExt::split(flooder.0);
    let flood = tokio::spawn(async move {
        let pong = ToTracker::Pong.encode();
        while futures_util::SinkExt::send(&mut sink, Message::text(pong.clone())).await.is_ok() {}
    });
    let texts = futures_util::StreamExt::filter_map(stream, async |frame| frame.ok()?.into_text().ok());
    let texts: Vec<_> = tokio::time::timeout(PATIENCE, futures_util::StreamExt::collect(texts)).await.expect("refused");
    assert!(texts.iter().any(|text| text.contains("too_fast")), "{texts:?}");
    tokio::time::timeout(PATIENCE, flood).await.expect("closed").unwrap();
    bystander.hear_until(|message| matches!(message, FromTracker::Swarm { peers: 1, .. })).await;
    server.stopped().await;
}

#[tokio::test]
async fn a_flood_of_pings_is_refused() {
    let server = Running::start(config()).await;
    let mut flooder = server.open().await;
    for _ in 0..200 {
        flooder.send(Message::Ping(vec![1].into())).await;
    }
    let error = flooder.error().await;
    assert!(error.is_some_and(|error| error.contains("pings")));
    server.stopped().await;
}

#[tokio::test]
async fn sockets_of_one_address_are_bounded_and_places_come_back() {
    let server = Running::start(ServerConfig { sockets_per_address_max: 3, ..config() }).await;
    let mut sockets = Vec::new();
    for _ in 0..3 {
        sockets.push(server.open().await);
    }
    assert_eq!(server.try_open(&[]).await.err(), Some(StatusCode::TOO_MANY_REQUESTS));
    sockets.pop();
    server.wait_for_connections(2).await;
    let mut again = None;
    for _ in 0..50 {
        again = server.try_open(&[]).await.ok();
        if again.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(again.is_some());
    server.stopped().await;
}

#[tokio::test]
async fn all_sockets_are_bounded_and_so_is_their_rate() {
    let server = Running::start(ServerConfig { sockets_max: 1, ..config() }).await;
    let _first = server.open().await;
    assert_eq!(server.try_open(&[]).await.err(), Some(StatusCode::SERVICE_UNAVAILABLE));
    server.stopped().await;

    let server = Running::start(ServerConfig { new_sockets_per_address_per_s_max: 1, ..config() }).await;
    let mut refused = 0;
    for _ in 0..15 {
        refused += usize::from(server.try_open(&[]).await.is_err());
    }
    assert!(refused >= 3, "{refused}");
    server.stopped().await;
}

#[tokio::test]
async fn connections_of_one_address_are_bounded() {
    let server = Running::start(ServerConfig { connections_per_address_max: 2, ..config() }).await;
    let _first = server.open().await;
    let _second = server.open().await;
    let mut third = TcpStream::connect(server.addr).await.unwrap();
    let mut byte = [0];
    let read = tokio::time::timeout(PATIENCE, third.read(&mut byte)).await.expect("closed at once");
    assert!(matches!(read, Ok(0) | Err(_)));
    server.stopped().await;
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_forwarded_address_counts() {
    let proxied = ServerConfig { sockets_per_address_max: 1, trusted_proxies: vec![[127, 0, 0, 1].into()], ..config() };
    let server = Running::start(proxied).await;
    let _one = server.try_open(&[("x-forwarded-for", "203.0.113.5, 192.0.2.1")]).await.unwrap();
    let _other = server.try_open(&[("x-forwarded-for", "203.0.113.5, 192.0.2.2, 127.0.0.1")]).await.unwrap();
    let again = server.try_open(&[("x-forwarded-for", "198.51.100.7, 192.0.2.1")]).await;
    assert_eq!(again.err(), Some(StatusCode::TOO_MANY_REQUESTS));
    server.stopped().await;
}

#[tokio::test]
async fn only_pages_of_allowed_sites_may_use_it() {
    let choosy = ServerConfig { allowed_origins: vec!["https://good.example".to_owned()], ..config() };
    let server = Running::start(choosy).await;
    let own = format!("http://{}", server.addr);
    for allowed in ["https://good.example", "https://GOOD.example", &own] {
        assert!(server.try_open(&[("origin", allowed)]).await.is_ok(), "{allowed}");
    }
    for refused in ["https://bad.example", "http://good.example", "null", "https://good.example.bad.example"] {
        assert_eq!(server.try_open(&[("origin", refused)]).await.err(), Some(StatusCode::FORBIDDEN), "{refused}");
    }
    assert!(server.try_open(&[]).await.is_ok(), "no browser, no origin");
    server.stopped().await;
}

/// A peer that reads nothing must not make the server keep more and more for it.
#[tokio::test]
async fn a_socket_that_takes_nothing_is_closed() {
    let config = ServerConfig { write_ms_max: 300, messages_per_s_max: 100_000, ..config() };
    let server = Running::start(config).await;
    let mut deaf = server.open().await;
    deaf.join(swarm(1), 1).await;
    let mut talker = server.open().await;
    talker.join(swarm(1), 2).await;
    let plan = talker.hear_until(|message| matches!(message, FromTracker::Plan { .. })).await;
    let FromTracker::Plan { open, .. } = plan else { panic!() };
    let signal = ToTracker::Signal {
        to: open[0].peer,
        session: 1,
        signal: pleach_core::wire::signal::Signal::Offer { sdp: "x".repeat(8000) },
    };
    // Nobody reads `deaf` from here on: its kernel buffers fill, then its queue.
    let (mut sink, _stream) = futures_util::StreamExt::split(talker.0);
    let flood = tokio::spawn(async move {
        for _ in 0..20_000 {
            if futures_util::SinkExt::send(&mut sink, Message::text(signal.encode())).await.is_err() {
                break;
            }
        }
        sink
    });
    let closed = async {
        loop {
            let metrics = server.get("/metrics").await;
            if !metrics.text().contains("sockets_slow_total 0\n") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE * 2, closed).await.expect("closed as too slow");
    drop(flood.await);
    server.stopped().await;
}
