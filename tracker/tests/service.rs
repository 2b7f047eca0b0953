//! The rest of the server: the page and its headers, numbers, STUN, TLS, start and end.

mod common;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{PATIENCE, Running, config, open, request, swarm};
use futures_util::StreamExt;
use hyper::{Method, StatusCode};
use pleach_core::wire::tracker::FromTracker;
use pleach_tracker::{Server, ServerConfig};
use rtc_stun::message::{BINDING_REQUEST, BINDING_SUCCESS, Getter, Message as StunMessage, TransactionId};
use rtc_stun::xoraddr::XorMappedAddress;
use tokio::net::{TcpStream, UdpSocket};
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn the_page_is_at_the_root_and_at_every_content() {
    let server = Running::start(config()).await;
    for path in ["/".to_owned(), format!("/{}", swarm(7)), "/index.html".to_owned()] {
        let page = server.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(page.header("cache-control"), "no-cache");
        assert!(page.text().to_lowercase().contains("<!doctype html>"));

        let etag = page.header("etag").to_owned();
        let again = server.request(Method::GET, &path, &[("if-none-match", &etag)], &[]).await;
        assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
        let head = server.request(Method::HEAD, &path, &[], &[]).await;
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    }
    server.stopped().await;
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let server = Running::start(config()).await;
    for path in ["/", "/nothing.js", "/deep/nothing.js", "/health", "/stats.json"] {
        let answer = server.request(Method::GET, path, &[("origin", "https://site.example")], &[]).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("'wasm-unsafe-eval'") && policy.contains("worker-src 'self' blob:"), "{path}");
        assert!(!policy.contains("'unsafe-eval'"));
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "a widget loads from here");
    }
    server.stopped().await;
}

#[tokio::test]
async fn what_is_not_there_is_a_json_error() {
    let server = Running::start(config()).await;
    for path in [
        "/nothing.js",
        "/~pleach/x/0/film.mp4",
        "/assets/nothing.js",
        "/../Cargo.toml",
        "/assets/..%2f..%2fCargo.toml",
        "/%00",
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!answer.error().is_empty());
    }
    let answer = server.request(Method::DELETE, "/health", &[], &[]).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(!answer.error().is_empty());
    server.stopped().await;
}

#[tokio::test]
async fn numbers_tell_sums_and_swarms_only_where_wanted() {
    for listed in [false, true] {
        let server = Running::start(ServerConfig { stats_swarms: listed, ..config() }).await;
        let mut peer = server.open().await;
        peer.join(swarm(7), 1).await;
        let stats = server.get("/stats.json").await.json();
        assert_eq!((&stats["peers"], &stats["swarms"], &stats["connections"]), (&1.into(), &1.into(), &1.into()));
        let id = swarm(7).to_string();
        assert_eq!(stats["swarm_list"][0]["swarm"].as_str(), listed.then_some(id.as_str()));
        let metrics = server.get("/metrics").await;
        assert!(metrics.header("content-type").starts_with("text/plain"));
        assert!(metrics.text().contains("\npleach_tracker_peers 1\n"), "{}", metrics.text());
        assert!(metrics.text().contains("\n# TYPE pleach_tracker_sockets_total counter\n"));
        assert!(!metrics.text().contains(&id));
        server.stopped().await;
    }
}

fn binding_request(id: [u8; 12]) -> Vec<u8> {
    let mut message = StunMessage::new();
    message.build(&[Box::new(BINDING_REQUEST), Box::new(TransactionId(id))]).unwrap();
    message.raw
}

/// The next answer: its id and the address it tells.
async fn stun_answer(socket: &UdpSocket) -> ([u8; 12], SocketAddr) {
    let mut buffer = [0; 1500];
    let length = tokio::time::timeout(PATIENCE, socket.recv(&mut buffer)).await.expect("an answer").unwrap();
    let mut message = StunMessage::new();
    message.unmarshal_binary(&buffer[..length]).unwrap();
    assert_eq!(message.typ, BINDING_SUCCESS);
    let mut mapped = XorMappedAddress::default();
    mapped.get_from(&message).unwrap();
    (message.transaction_id.0, SocketAddr::new(mapped.ip, mapped.port))
}

#[tokio::test]
async fn stun_tells_a_peer_its_address_on_the_port_of_the_tracker_and_ignores_garbage() {
    let server = Running::start(config()).await;
    assert_eq!(server.stun_addr, Some(server.addr));
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(server.addr).await.unwrap();
    for garbage in [&b""[..], b"hello", &[0; 1400], &binding_request([9; 12])[..19], &[0xff; 20]] {
        socket.send(garbage).await.unwrap();
    }
    socket.send(&binding_request([7; 12])).await.unwrap();
    // The first answer belongs to the request: none of the garbage had one.
    assert_eq!(stun_answer(&socket).await, ([7; 12], socket.local_addr().unwrap()));
    let metrics = server.get("/metrics").await;
    assert!(metrics.text().contains("stun_answered_total 1\n") && metrics.text().contains("stun_ignored_total 5\n"));
    server.stopped().await;
}

#[tokio::test]
async fn stun_answers_an_address_only_so_often() {
    let server = Running::start(ServerConfig { stun_per_address_per_s_max: 1, ..config() }).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(server.addr).await.unwrap();
    for n in 0..30 {
        socket.send(&binding_request([n; 12])).await.unwrap();
    }
    let mut answers = 0;
    let mut buffer = [0; 1500];
    while tokio::time::timeout(Duration::from_millis(500), socket.recv(&mut buffer)).await.is_ok() {
        answers += 1;
    }
    assert!((5..=12).contains(&answers), "{answers}");
    server.stopped().await;
}

#[tokio::test]
async fn stun_can_be_elsewhere_or_off() {
    let server = Running::start(ServerConfig { stun: false, ..config() }).await;
    assert_eq!(server.stun_addr, None);
    let FromTracker::Welcome { ice_servers, .. } = server.open().await.join(swarm(1), 1).await else { panic!() };
    assert!(ice_servers.is_empty());
    server.stopped().await;

    let elsewhere = ServerConfig { stun_listen: Some(([127, 0, 0, 1], 0).into()), ..config() };
    let server = Running::start(elsewhere).await;
    let FromTracker::Welcome { ice_servers, .. } = server.open().await.join(swarm(1), 1).await else { panic!() };
    assert_eq!(ice_servers, [format!("stun::{}", server.stun_addr.unwrap().port())]);
    server.stopped().await;
}

#[tokio::test]
async fn a_port_in_use_is_a_clear_error() {
    let first = Server::bind(ServerConfig { stun: false, ..config() }).await.unwrap();
    let second = Server::bind(ServerConfig { listen: first.local_addr(), ..config() }).await;
    let error = second.err().expect("refused").to_string();
    assert!(error.contains(&first.local_addr().to_string()) && error.contains("in use"), "{error}");
    assert!(error.contains("TCP"), "{error}");

    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let taken = ServerConfig { stun_listen: udp.local_addr().ok(), ..config() };
    let error = Server::bind(taken).await.err().expect("refused").to_string();
    assert!(error.contains(&udp.local_addr().unwrap().to_string()) && error.contains("UDP"), "{error}");
}

#[tokio::test]
async fn a_stopping_server_tells_its_sockets_and_ends_soon() {
    let server = Running::start(config()).await;
    let mut peer = server.open().await;
    peer.join(swarm(1), 1).await;
    // Connections that say nothing, or not all, must not hold it up.
    let _silent = TcpStream::connect(server.addr).await.unwrap();
    let mut half = TcpStream::connect(server.addr).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut half, b"GET / HT").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;

    let (addr, handle, began) = (server.addr, server.handle.clone(), Instant::now());
    server.begin_stop();
    let close = async {
        loop {
            match peer.0.next().await {
                Some(Ok(Message::Close(frame))) => return frame,
                Some(Ok(_)) => {}
                _ => return None,
            }
        }
    };
    let frame = tokio::time::timeout(PATIENCE, close).await.unwrap().expect("a close frame");
    assert_eq!(u16::from(frame.code), 1001);
    server.stopped().await;
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert!(TcpStream::connect(addr).await.is_err());
    assert!(handle.stats().await.is_err());
}

#[tokio::test]
async fn a_peer_that_does_not_let_go_is_cut() {
    let server = Running::start(ServerConfig { shutdown_ms_max: 200, ..config() }).await;
    // It never reads, so it never answers the close.
    let mut stuck = server.open().await;
    stuck.join(swarm(1), 1).await;
    let began = Instant::now();
    server.stopped().await;
    assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
}

/// A certificate for `localhost`: its files, and a client that trusts it.
fn certificate(folder: &std::path::Path) -> (PathBuf, PathBuf, tokio_rustls::TlsConnector) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (cert, key, tokio_rustls::TlsConnector::from(Arc::new(client)))
}

#[tokio::test]
async fn tls_carries_the_page_and_the_sockets() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key, connector) = certificate(folder.path());
    let server = Running::start(ServerConfig { tls_cert: Some(cert), tls_key: Some(key), ..config() }).await;
    let connect = async || {
        let stream = TcpStream::connect(server.addr).await.unwrap();
        connector.connect("localhost".try_into().unwrap(), stream).await.unwrap()
    };
    let page = request(connect().await, Method::GET, "/", &[], &[]).await;
    assert_eq!(page.status, StatusCode::OK);
    let mut socket = open(connect().await, "wss://localhost/ws", &[]).await.unwrap();
    socket.join(swarm(1), 1).await;

    // Somebody who speaks no TLS is not served, and others are.
    let mut plain = TcpStream::connect(server.addr).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut plain, b"GET / HTTP/1.1\r\nhost: t\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut plain, &mut answer).await;
    assert!(!answer.starts_with(b"HTTP"));
    assert_eq!(request(connect().await, Method::GET, "/health", &[], &[]).await.text(), "ok\n");
    server.stopped().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_told_by_file() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key, _) = certificate(folder.path());
    let missing = folder.path().join("missing.pem");
    let garbage = folder.path().join("garbage.pem");
    std::fs::write(&garbage, "not a certificate").unwrap();
    for (cert, key, named) in
        [(&missing, &key, &missing), (&garbage, &key, &garbage), (&cert, &missing, &missing), (&cert, &cert, &cert)]
    {
        let config = ServerConfig { tls_cert: Some(cert.clone()), tls_key: Some(key.clone()), ..config() };
        let error = Server::bind(config).await.err().expect("refused").to_string();
        assert!(error.starts_with("TLS: ") && error.contains(named.to_str().unwrap()), "{error}");
    }
}
