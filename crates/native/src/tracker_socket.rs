//! The socket to a tracker: one WebSocket, text frames, `ws` or `wss`.
//!
//! A task owns the socket; the node gives it frames and gets [`TrackerEvent`]s. It never retries: the engine decides
//! when to connect again.
//!
//! # Bounds
//!
//! [`FRAMES_OUT_MAX`] frames wait to be sent; when a tracker does not read and the queue is full, the socket counts as
//! broken. Events wait in the node's bounded queue; when that is full the task stops reading, so TCP slows the tracker.

use std::io;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use url::Url;

use crate::tls;

/// Frames that wait to be sent. A peer says little: signals of a few links at once are the most.
const FRAMES_OUT_MAX: usize = 256;
/// Longest wait for name, connection, TLS and upgrade together.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(10);
/// Longest that one frame may take to be accepted by the system.
const SEND_WAIT_MAX: Duration = Duration::from_secs(20);
/// Longest wait for a good-bye to be sent.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(1);

/// What a tracker's socket tells.
#[derive(Debug)]
pub(crate) enum TrackerEvent {
    /// It is open.
    Up,
    /// A text frame; a binary one comes as an empty text, which the engine refuses.
    Message(String),
    /// It is closed or never opened. Nothing more comes.
    Down(String),
}

/// One socket, opening or open. Dropped, it closes after what was sent.
#[derive(Debug)]
pub(crate) struct TrackerSocket {
    /// Tells this socket's events from those of the one before.
    generation: u64,
    frames: mpsc::Sender<String>,
    task: JoinHandle<()>,
}

/// The queue of frames is full: the tracker does not read.
#[derive(Debug)]
pub(crate) struct Stuck;

impl TrackerSocket {
    /// Begins to open a socket, which takes messages of at most `bytes_max`. Its events come with `generation`.
    pub(crate) fn open(url: Url, generation: u64, bytes_max: usize, events: mpsc::Sender<(u64, TrackerEvent)>) -> Self {
        let (frames, to_send) = mpsc::channel(FRAMES_OUT_MAX);
        let task = tokio::spawn(async move {
            let reason = match timeout(CONNECT_WAIT_MAX, connect(&url, bytes_max)).await {
                Ok(Ok(socket)) => serve(socket, to_send, generation, &events).await,
                Ok(Err(error)) => Some(error),
                Err(_) => Some("no answer in time".into()),
            };
            if let Some(reason) = reason {
                // Fails when the node is gone, which then needs to know nothing.
                let _ = events.send((generation, TrackerEvent::Down(reason))).await;
            }
        });
        Self { generation, frames, task }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Queues a frame.
    pub(crate) fn send(&self, frame: String) -> Result<(), Stuck> {
        self.frames.try_send(frame).map_err(|_| Stuck)
    }

    /// Sends what waits, says good-bye and closes; takes a second or two at most.
    pub(crate) fn close(self) -> JoinHandle<()> {
        self.task
    }
}

/// Moves frames both ways until an end is reached: `None` when the node closed, else why the socket broke.
async fn serve(
    mut socket: WebSocketStream<Box<dyn Transport>>,
    mut to_send: mpsc::Receiver<String>,
    generation: u64,
    events: &mpsc::Sender<(u64, TrackerEvent)>,
) -> Option<String> {
    events.send((generation, TrackerEvent::Up)).await.ok()?;
    loop {
        tokio::select! {
            frame = to_send.recv() => match frame {
                Some(frame) => match timeout(SEND_WAIT_MAX, socket.send(Message::text(frame))).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return Some(explain(&error)),
                    Err(_) => return Some("the tracker does not read".into()),
                },
                None => {
                    let _ = timeout(CLOSE_WAIT_MAX, socket.close(None)).await;
                    return None;
                }
            },
            message = socket.next() => {
                let text = match message {
                    Some(Ok(Message::Text(text))) => text.as_str().to_owned(),
                    Some(Ok(Message::Binary(_))) => String::new(),
                    // Pings are answered by the library.
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                    Some(Ok(Message::Close(_))) | None => return Some("the tracker closed the connection".into()),
                    Some(Err(error)) => return Some(explain(&error)),
                };
                events.send((generation, TrackerEvent::Message(text))).await.ok()?;
            }
        }
    }
}

/// Anything that a WebSocket can run over.
trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

async fn connect(url: &Url, bytes_max: usize) -> Result<WebSocketStream<Box<dyn Transport>>, String> {
    let host = url.host_str().ok_or("the tracker's address has no host")?;
    let port = url.port_or_known_default().ok_or("the tracker's address has no port")?;
    // `Url` keeps the brackets of an IPv6 address, which the resolver does not take.
    let bare_host = host.trim_start_matches('[').trim_end_matches(']');
    let tcp = TcpStream::connect((bare_host, port)).await.map_err(|error| plain_io(&error))?;
    // Signals are small and wanted at once.
    tcp.set_nodelay(true).map_err(|error| plain_io(&error))?;
    let transport: Box<dyn Transport> = if url.scheme() == "wss" {
        let name = ServerName::try_from(bare_host.to_owned()).map_err(|error| error.to_string())?;
        let config = tls::client_config().map_err(|error| error.to_string())?;
        let tls = tokio_rustls::TlsConnector::from(config).connect(name, tcp).await;
        Box::new(tls.map_err(|error| plain_io(&error))?)
    } else {
        Box::new(tcp)
    };
    let config = WebSocketConfig::default().max_message_size(Some(bytes_max)).max_frame_size(Some(bytes_max));
    let upgraded = tokio_tungstenite::client_async_with_config(url.as_str(), transport, Some(config)).await;
    upgraded.map(|(socket, _response)| socket).map_err(|error| explain(&error))
}

fn explain(error: &WsError) -> String {
    match error {
        WsError::Io(error) => plain_io(error),
        WsError::Http(response) => format!("the tracker answered {}", response.status()),
        WsError::ConnectionClosed | WsError::AlreadyClosed => "the tracker closed the connection".into(),
        WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => "the connection was cut".into(),
        other => other.to_string(),
    }
}

fn plain_io(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::ConnectionReset => "the connection was reset".into(),
        io::ErrorKind::UnexpectedEof => "the connection was cut".into(),
        _ => error.to_string(),
    }
}

/// Puts the tracker's host into ICE URLs that leave it out: `stun::3478` becomes `stun:HOST:3478`. A tracker rarely
/// knows by which name it is reached; the peer does.
pub(crate) fn fill_in_host(ice_url: &str, tracker: &Url) -> String {
    match (ice_url.split_once("::"), tracker.host_str()) {
        // `stun:[::1]:3478` has the two colons elsewhere.
        (Some((scheme, port)), Some(host)) if !scheme.contains(':') => format!("{scheme}:{host}:{port}"),
        _ => ice_url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_is_filled_in_where_it_is_left_out() {
        let named = Url::parse("wss://tracker.example:9000/socket").unwrap();
        assert_eq!(fill_in_host("stun::3478", &named), "stun:tracker.example:3478");
        assert_eq!(fill_in_host("turn::3478?transport=tcp", &named), "turn:tracker.example:3478?transport=tcp");
        assert_eq!(fill_in_host("stun:stun.example:3478", &named), "stun:stun.example:3478");
        assert_eq!(fill_in_host("stun:[::1]:3478", &named), "stun:[::1]:3478");
        let numbered = Url::parse("ws://[fd00::2]:8080/socket").unwrap();
        assert_eq!(fill_in_host("stun::3478", &numbered), "stun:[fd00::2]:3478");
    }
}
