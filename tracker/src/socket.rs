//! One peer's WebSocket: text frames in go to the driver, text frames of the driver go out.
//!
//! A frame that cannot be a message (longer than [`MESSAGE_BYTES_MAX`], binary, not UTF-8, broken) is answered with the
//! protocol's `error` and the socket closes, so whoever writes a client learns what it did wrong. Compression stays
//! off: it costs 70 KiB a socket and messages are small.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use pleach_core::ids::ConnectionId;
use pleach_core::wire::fleet::REQUEST_BYTES_MAX;
use pleach_core::wire::tracker::{FromTracker, MESSAGE_BYTES_MAX, Refusal};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::driver::{Command, DriverHandle, Line, QUEUE_MESSAGES_MAX};
use crate::fleet::routes::no_fleet;
use crate::limits::{Full, Place};
use crate::metrics::count;
use crate::routes::{App, ErrorJson};
use crate::server::Client;

/// Most pings and pongs between two messages; beyond it the socket is closed. Messages have a limit by time already.
const CONTROL_FRAMES_MAX: u32 = 64;
/// How long the far end has to take the last words and close, before the connection is cut.
const FAREWELL: Duration = Duration::from_secs(2);
/// What is read at once; kept for as long as the socket lives, so it is small.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// Most bytes that wait to be written of one socket, beside its queue; at the bound writing waits.
const WRITE_BUFFER_BYTES_MAX: usize = 4 * MESSAGE_BYTES_MAX;

/// `GET /ws`.
pub(crate) async fn open(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    open_line(app, client, &headers, upgrade, Line::Peer)
}

/// `GET /fleet`.
pub(crate) async fn open_agent(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if app.fleet_token.is_none() {
        return no_fleet().into_response();
    }
    open_line(app, client, &headers, upgrade, Line::Agent)
}

fn open_line(app: Arc<App>, client: Client, headers: &HeaderMap, upgrade: WebSocketUpgrade, line: Line) -> Response {
    let place = match admit(&app, &client, headers) {
        Ok(place) => place,
        Err(refusal) => {
            count(&app.counters.sockets_refused);
            return refusal.into_response();
        }
    };
    count(&app.counters.sockets);
    let socket = Socket {
        connection: app.next_connection(),
        line,
        driver: app.driver.clone(),
        write_max: Duration::from_millis(app.config.write_ms_max),
        app: Arc::clone(&app),
    };
    // The server's end waits for the task by this token.
    let token = app.tasks.token();
    upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(match line {
            Line::Peer => WRITE_BUFFER_BYTES_MAX,
            Line::Agent => 2 * REQUEST_BYTES_MAX,
        })
        .on_upgrade(move |websocket| async move {
            let cut: CancellationToken = socket.app.cut.clone();
            cut.run_until_cancelled(socket.run(websocket)).await;
            drop((place, client, token));
        })
}

/// Whether one more socket may open.
fn admit(app: &App, client: &Client, headers: &HeaderMap) -> Result<Place, ErrorJson> {
    if !app.origin_is_allowed(headers) {
        return Err(ErrorJson::new(StatusCode::FORBIDDEN, "pages of this site may not use this tracker"));
    }
    let address = client.address(&app.config.trusted_proxies, headers);
    if let Err(wait) = app.socket_rate.check(address) {
        return Err(ErrorJson::too_many("too many new sockets from your address", wait));
    }
    app.sockets.enter(Some(address)).map_err(|full| match full {
        Full::Address => ErrorJson::new(StatusCode::TOO_MANY_REQUESTS, "too many sockets from your address"),
        Full::Total => ErrorJson::new(StatusCode::SERVICE_UNAVAILABLE, "the tracker is full"),
    })
}

struct Socket {
    connection: ConnectionId,
    line: Line,
    driver: DriverHandle,
    write_max: Duration,
    app: Arc<App>,
}

/// Why a socket ends.
enum End {
    /// The far end closed it, or it broke.
    Gone,
    /// The driver closed it; all that was queued is sent.
    Closed,
    /// The far end takes nothing.
    Slow,
    /// It sent what cannot be a message.
    Broken(String),
}

impl Socket {
    async fn run(self, mut websocket: WebSocket) {
        let (queue, mut queued) = mpsc::channel(QUEUE_MESSAGES_MAX);
        let connected = Command::Connected { connection: self.connection, line: self.line, queue };
        let end = match self.driver.tell(connected).await {
            Ok(()) => self.exchange(&mut websocket, &mut queued).await,
            Err(_) => End::Closed,
        };
        tracing::debug!(connection = ?self.connection, "socket ends");
        // If the driver has stopped, it knows.
        let _ = self.driver.tell(Command::Disconnected { connection: self.connection }).await;
        self.say_farewell(websocket, end).await;
    }

    /// Carries messages both ways until one side ends it.
    async fn exchange(&self, websocket: &mut WebSocket, queued: &mut mpsc::Receiver<String>) -> End {
        let mut control_frames = 0;
        // Once the driver let go of the queue, what is left must be out by then.
        let mut drained_by = None;
        loop {
            tokio::select! {
                text = queued.recv() => {
                    let Some(text) = text else { return End::Closed };
                    let mut deadline = Instant::now() + self.write_max;
                    if queued.is_closed() {
                        deadline = *drained_by.get_or_insert(deadline);
                    }
                    match timeout_at(deadline, websocket.send(Message::text(text))).await {
                        Ok(Ok(())) => {}
                        Ok(Err(_)) => return End::Gone,
                        Err(_) => return End::Slow,
                    }
                }
                frame = websocket.recv() => match frame {
                    Some(Ok(Message::Text(text))) => {
                        control_frames = 0;
                        let text = text.as_str().to_owned();
                        let message = Command::Message { connection: self.connection, text };
                        if self.driver.tell(message).await.is_err() {
                            return End::Closed;
                        }
                    }
                    Some(Ok(Message::Binary(_))) => return End::Broken("a binary frame; messages are text".to_owned()),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                        control_frames += 1;
                        if control_frames > CONTROL_FRAMES_MAX {
                            return End::Broken("too many pings and pongs".to_owned());
                        }
                    }
                    Some(Ok(Message::Close(_))) | None => return End::Gone,
                    Some(Err(error)) => return End::Broken(error.to_string()),
                }
            }
        }
    }

    /// Says why, closes, and lets the far end read it: a connection cut with bytes unread may take the words with it.
    async fn say_farewell(&self, mut websocket: WebSocket, end: End) {
        let (code, reason) = match end {
            End::Gone => return,
            End::Slow => return count(&self.app.counters.sockets_slow),
            End::Closed if self.app.stop.is_cancelled() => (close_code::AWAY, "the tracker is going away".to_owned()),
            End::Closed => (close_code::NORMAL, String::new()),
            End::Broken(reason) => {
                count(&self.app.counters.sockets_broken);
                (close_code::POLICY, reason)
            }
        };
        let last_words = async {
            if code == close_code::POLICY {
                let error = FromTracker::Error { code: Refusal::BadMessage, message: reason.clone(), retry_ms: None };
                websocket.send(Message::text(error.encode())).await?;
            }
            websocket.send(Message::Close(Some(CloseFrame { code, reason: close_reason(&reason).into() }))).await?;
            while let Some(frame) = websocket.recv().await {
                if frame.is_err() {
                    // A frame too long is never skipped, so nothing more can be read; what was said can be.
                    std::future::pending::<()>().await;
                }
            }
            Ok::<(), axum::Error>(())
        };
        let _ = timeout(FAREWELL, last_words).await;
    }
}

/// A close frame carries 123 bytes of reason at most (RFC 6455, 5.5).
fn close_reason(reason: &str) -> &str {
    let end = (0..=reason.len().min(123)).rev().find(|end| reason.is_char_boundary(*end));
    &reason[..end.unwrap_or(0)]
}
