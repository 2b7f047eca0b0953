//! Links: one WebRTC data channel to one other peer, native or browser.
//!
//! This is a transport and knows nothing of Pleach's engine. The engine's adapter opens a [`Link`] for every connection
//! that the engine asks for, carries [`Signal`]s between the two ends by way of the tracker, and reads [`LinkEvent`]s
//! from one channel that all its links share.
//!
//! ```text
//!  adapter ──apply(Signal)──▶ ┌──────────┐ ◀── candidates, lost ── ┌──────────────┐
//!          ──send(Bytes)────▶ │ session  │ ──── messages ────────▶ │ `webrtc`     │ ◀─UDP─▶
//!  events  ◀─(key, event)──── └──────────┘ ◀─── messages ───────── └──────────────┘
//! ```
//!
//! Both ends create the same channel: id 0, `negotiated`, ordered, reliable, binary. A browser does it with
//! `createDataChannel("pleach", { negotiated: true, id: 0 })`.
//!
//! # Bounds
//!
//! | what | bound | at the bound |
//! |---|---|---|
//! | bytes that [`Link::send`] has queued | [`LinkConfig::send_high_water_bytes`] | no [`LinkEvent::Room`] until it falls to the low-water mark |
//! | the same, from a sender that ignores room | twice that + 256 KiB | the link closes |
//! | bytes sent and not acknowledged | [`LinkConfig::in_flight_bytes_max`] | the queue stands still |
//! | a message | [`LinkConfig::max_message_bytes`] | sent: the link closes; received: SCTP refuses it |
//! | events that the adapter has not read | the capacity of its channel | the session stops reading, then the crate (512 messages), then SCTP's window closes (1 MiB) and the sender waits |
//! | signals not yet applied | 64 | the link closes |
//! | candidates of the other end | 32 | further ones are ignored |
//! | time to open | [`LinkConfig::open_timeout`] | the link closes |

pub mod bare;
mod checks;
mod connection;
mod session;
mod signal;
mod socket;
#[cfg(test)]
mod tests;

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
};

pub use self::signal::Signal;
use self::{
    session::{Gauge, Session},
    socket::Granted,
};

/// Signals that wait to be applied.
const SIGNALS_MAX: usize = 64;

/// What a sender may queue beyond twice the high-water mark. Twice, since a report of room can cross messages that were
/// sent on the strength of the report before; and some, for control messages that do not wait for room.
const SEND_SLACK_BYTES: usize = 256 * 1024;

/// How links are made.
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// The longest message, in bytes; at most 256 KiB, which is what browsers take.
    pub max_message_bytes: usize,
    /// Bytes that may be queued before [`LinkEvent::Room`] stops.
    pub send_high_water_bytes: usize,
    /// Room is reported again when no more than this is queued.
    pub send_low_water_bytes: usize,
    /// Bytes handed to SCTP and not yet acknowledged. This bounds what one link carries in a round trip; SCTP's own
    /// congestion window and the other end's receive window (mostly 1 MiB) bound it too, so more has no use.
    pub in_flight_bytes_max: usize,
    /// SCTP's receive window at most; larger ones than 1 MiB were slower. It is made smaller where the kernel grants
    /// less: what the window lets come and the kernel cannot hold is lost, and costs three times the CPU to repeat. It
    /// is never smaller than a message, for half a message would fill it and wait for the other half forever.
    pub receive_window_bytes_max: usize,
    /// What to ask the kernel for, for each UDP socket and direction. It grants less where its limits are lower.
    pub socket_buffer_bytes: usize,
    /// Offer 127.0.0.1 too, so that two peers, or a peer and a browser, on one machine connect without any network.
    pub loopback: bool,
    /// Addresses to bind; none means all interfaces. Each link binds a port of its own on each.
    pub bind: Vec<IpAddr>,
    /// How long a link may take to open.
    pub open_timeout: Duration,
    /// How long a link that was closed may take to deliver what was sent before.
    pub drain_timeout: Duration,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            max_message_bytes: 256 * 1024,
            send_high_water_bytes: 256 * 1024,
            send_low_water_bytes: 128 * 1024,
            in_flight_bytes_max: 1024 * 1024,
            receive_window_bytes_max: 1024 * 1024,
            socket_buffer_bytes: 4 * 1024 * 1024,
            loopback: true,
            bind: Vec::new(),
            open_timeout: Duration::from_secs(15),
            drain_timeout: Duration::from_secs(1),
        }
    }
}

/// A STUN or TURN server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IceServer {
    /// `stun:host:port` or `turn:host:port?transport=udp`.
    pub url: String,
    /// For TURN.
    pub username: String,
    /// For TURN.
    pub credential: String,
}

/// What happens to a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// To be carried to the other end.
    Signal(Signal),
    /// Messages can be sent. [`LinkEvent::Room`] follows.
    Open,
    /// A message of the other end.
    Message(Bytes),
    /// Bytes that may be sent, as it was when this was reported; [`Link::room`] has what it is now.
    Room(usize),
    /// The link is gone, and why. This is the last event of a link; a link that was dropped has none.
    Closed(String),
}

/// Makes links.
#[derive(Debug)]
pub struct LinkFactory {
    config: Arc<LinkConfig>,
    runtime: Handle,
}

impl LinkFactory {
    /// Must be called on a tokio runtime with I/O and time, which will run the links.
    ///
    /// Looks up what socket buffers the kernel grants, and warns if they are small.
    pub fn new(config: LinkConfig) -> io::Result<Self> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        Granted::probe(config.socket_buffer_bytes)?.warn_if_below(config.socket_buffer_bytes);
        Ok(Self { config: Arc::new(config), runtime })
    }

    /// Opens a link, by making an offer if `dial`, else by waiting for one. Returns at once; the rest is told by
    /// `events`, together with `key`.
    pub fn open(
        &self,
        key: u32,
        dial: bool,
        ice_servers: Vec<IceServer>,
        events: mpsc::Sender<(u32, LinkEvent)>,
    ) -> Link {
        let (signals, signal_inbox) = mpsc::channel(SIGNALS_MAX);
        // Bounded by the gauge, in bytes.
        let (outbox, outbox_receiver) = mpsc::unbounded_channel();
        let (ending, ending_receiver) = watch::channel(Ending::No);
        let gauge = Arc::new(Gauge::new(&self.config));
        let session = Session {
            config: self.config.clone(),
            key,
            events,
            signals: signal_inbox,
            outbox: outbox_receiver,
            ending: ending_receiver,
            gauge: gauge.clone(),
        };
        self.runtime.spawn(session.run(dial, ice_servers));
        Link { config: self.config.clone(), signals, outbox, ending, gauge }
    }
}

/// Whether and how a link's owner wants it to end.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ending {
    No,
    /// Deliver what was sent, then close.
    Close,
    /// The same, and tell nobody: the owner is gone.
    Dropped,
    /// The owner broke a rule; close at once.
    Fault(String),
}

/// One link. Dropping it closes it.
#[derive(Debug)]
pub struct Link {
    config: Arc<LinkConfig>,
    signals: mpsc::Sender<Signal>,
    outbox: mpsc::UnboundedSender<Bytes>,
    ending: watch::Sender<Ending>,
    gauge: Arc<Gauge>,
}

impl Link {
    /// Applies a signal of the other end, after those before it. Candidates may come before the offer or answer.
    pub fn apply(&self, signal: Signal) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.signals.try_send(signal) {
            self.end(Ending::Fault("too many signals at once".into()));
        }
    }

    /// Queues a message. Never waits; sending more than there is room for closes the link at some point, see the
    /// module's documentation.
    pub fn send(&self, message: Bytes) {
        if *self.ending.borrow() != Ending::No {
            return;
        }
        if message.len() > self.config.max_message_bytes {
            self.end(Ending::Fault(format!("a message of {} bytes is too long to send", message.len())));
        } else if !self.gauge.add(message.len()) {
            self.end(Ending::Fault("more was sent than there was room for".into()));
        } else {
            // Fails if the session is gone, which it has told or will tell.
            let _ = self.outbox.send(message);
        }
    }

    /// Bytes that may be sent now.
    pub fn room(&self) -> usize {
        self.gauge.room()
    }

    /// Closes the link when what was sent has been delivered, or has not been for too long. [`LinkEvent::Closed`]
    /// follows.
    pub fn close(&self) {
        self.end(Ending::Close);
    }

    /// Sets the ending, if there is none yet.
    fn end(&self, ending: Ending) {
        self.ending.send_if_modified(|current| {
            let first = *current == Ending::No;
            if first {
                *current = ending;
            }
            first
        });
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.ending.send_replace(Ending::Dropped);
    }
}
