//! A real server on a real port, and small clients of it.
#![allow(dead_code, reason = "each test file uses a part")]

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{HeaderMap, Method, StatusCode};
use hyper_util::rt::TokioIo;
use pleach_core::ids::{ContentId, PeerSecret, SocketNonce};
use pleach_core::wire::identity::Identity;
use pleach_core::wire::tracker::{FromTracker, Join, ToTracker, VERSION};
use pleach_tracker::{Server, ServerConfig, ServerHandle};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_util::sync::CancellationToken;

/// Nothing in a test takes longer unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// A config for tests: any free port of this machine.
pub(crate) fn config() -> ServerConfig {
    ServerConfig { listen: ([127, 0, 0, 1], 0).into(), away_ms_max: 100, ..ServerConfig::default() }
}

pub(crate) struct Running {
    pub(crate) addr: SocketAddr,
    pub(crate) stun_addr: Option<SocketAddr>,
    pub(crate) handle: ServerHandle,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn start(config: ServerConfig) -> Self {
        Self::of(Server::bind(config).await.unwrap())
    }

    pub(crate) fn of(server: Server) -> Self {
        let stop = CancellationToken::new();
        let (addr, stun_addr, handle) = (server.local_addr(), server.stun_addr(), server.handle());
        let task = tokio::spawn(server.run(stop.clone().cancelled_owned()));
        Self { addr, stun_addr, handle, stop, task }
    }

    pub(crate) fn begin_stop(&self) {
        self.stop.cancel();
    }

    pub(crate) async fn stopped(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.expect("the server must end").unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, &[], &[]).await
    }

    pub(crate) async fn put(&self, path: &str, body: &[u8]) -> Answer {
        self.request(Method::PUT, path, &[], body).await
    }

    pub(crate) async fn request(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        request(TcpStream::connect(self.addr).await.unwrap(), method, path, headers, body).await
    }

    pub(crate) async fn open(&self) -> Socket<TcpStream> {
        self.try_open(&[]).await.unwrap()
    }

    /// A socket, or the status it was refused with.
    pub(crate) async fn try_open(&self, headers: &[(&'static str, &str)]) -> Result<Socket<TcpStream>, StatusCode> {
        open(TcpStream::connect(self.addr).await.unwrap(), &format!("ws://{}/ws", self.addr), headers).await
    }

    /// Waits until the tracker sees so many sockets.
    pub(crate) async fn wait_for_connections(&self, count: usize) {
        let wait = async {
            while self.handle.stats().await.unwrap().tracker.connections != count {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("sockets must come and go");
    }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The text of an error, which every refusal has.
    pub(crate) fn error(&self) -> String {
        self.json()["error"].as_str().expect("an error").to_owned()
    }
}

pub(crate) async fn request<S>(stream: S, method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = hyper::Request::builder().method(method).uri(path).header("host", "tracker.example");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::copy_from_slice(body))).unwrap();
    let response = tokio::time::timeout(PATIENCE, sender.send_request(request)).await.unwrap().unwrap();
    let (head, body) = response.into_parts();
    Answer { status: head.status, headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
}

pub(crate) struct Socket<S>(pub(crate) WebSocketStream<S>);

pub(crate) async fn open<S>(stream: S, url: &str, headers: &[(&'static str, &str)]) -> Result<Socket<S>, StatusCode>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    use tungstenite::client::IntoClientRequest;
    let mut request = url.into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((socket, _)) => Ok(Socket(socket)),
        Err(tungstenite::Error::Http(response)) => Err(response.status()),
        Err(error) => panic!("{error}"),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    pub(crate) async fn say(&mut self, message: &ToTracker) {
        self.0.send(Message::text(message.encode())).await.unwrap();
    }

    /// Sends without minding that the other end may be gone.
    pub(crate) async fn send(&mut self, message: Message) {
        let _ = self.0.send(message).await;
    }

    /// The next message, or None when the socket closed.
    pub(crate) async fn hear(&mut self) -> Option<FromTracker> {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("an answer or an end");
            match frame {
                Some(Ok(Message::Text(text))) => return Some(FromTracker::decode(&text).unwrap()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Joins with nothing and waits for the welcome.
    pub(crate) async fn join(&mut self, swarm: ContentId, n: u8) -> FromTracker {
        self.join_holding(swarm, n, 0).await
    }

    /// Joins with everything and waits for the welcome.
    pub(crate) async fn join_as_seeder(&mut self, swarm: ContentId, n: u8) -> FromTracker {
        self.join_holding(swarm, n, PACKETS_TOTAL).await
    }

    async fn join_holding(&mut self, swarm: ContentId, n: u8, packets_held: u32) -> FromTracker {
        let hello = self.hear_until(|message| matches!(message, FromTracker::Hello { .. })).await;
        let FromTracker::Hello { nonce } = hello else { unreachable!("it was looked for") };
        self.say(&ToTracker::Join(join(swarm, n, packets_held, &nonce))).await;
        self.hear_until(|message| matches!(message, FromTracker::Welcome { .. })).await
    }

    /// The first message that is meant; panics if the socket closes before.
    pub(crate) async fn hear_until(&mut self, is_meant: impl Fn(&FromTracker) -> bool) -> FromTracker {
        loop {
            let message = self.hear().await.expect("still open");
            if is_meant(&message) {
                return message;
            }
        }
    }

    /// The text of the error that the socket closes with.
    pub(crate) async fn error(&mut self) -> Option<String> {
        let mut error = None;
        while let Some(message) = self.hear().await {
            if let FromTracker::Error { message, .. } = message {
                error = Some(message);
            }
        }
        error
    }
}

pub(crate) fn swarm(n: u8) -> ContentId {
    ContentId::from_bytes([n; 32])
}

const PACKETS_TOTAL: u32 = 10;

fn join(swarm: ContentId, n: u8, packets_held: u32, nonce: &SocketNonce) -> Join {
    let (identity, secret) = (Identity::of_peer(&[n; 32]), PeerSecret::from_bytes([n; 16]));
    Join {
        fetches: false,
        version: VERSION,
        swarm,
        key: identity.key(),
        signature: identity.sign(nonce, &swarm, &secret),
        secret,
        agent: "test/1".to_owned(),
        packets_held,
        packets_total: PACKETS_TOTAL,
        slots: 2,
        links: Vec::new(),
    }
}
