//! One link: an `RTCPeerConnection` with one data channel, as the engine wants it.
//!
//! The engine decides who connects; here is how. Both ends make the same channel (negotiated, id 0, ordered), so no
//! handshake precedes the first byte. The end that dials makes the offer, the other waits for it, and both send ICE
//! candidates as they find them.
//!
//! ```text
//! Opening ──channel opens──▶ Open ──close()──▶ Closing ──drained, or 2 s──▶ Closed
//!    └────────── 20 s, a bad description, ICE failed, the other end left ──────▲
//! ```
//!
//! * **Order.** Signals are applied one after the other by one task a link; candidates that come before the description
//!   wait for it.
//! * **Bounds.** What waits to be sent is kept below [`HIGH_WATER_BYTES`] by the engine, which is told the room each
//!   time the channel has drained to [`LOW_WATER_BYTES`]. Received messages that the engine has not handled yet are
//!   bounded by [`BACKLOG_BYTES_MAX`], signals by [`SIGNALS_MAX`]; beyond them the link is closed, since an honest end
//!   stays within its credit.
//! * **Ownership.** A link owns every closure that it gave to the page, and takes them back before it closes. Closures
//!   hold the link weakly. `Closed` is told once, and nothing after it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::time::Duration;

use bytes::Bytes;
use js_sys::{Array, ArrayBuffer, Promise, Reflect, Uint8Array};
use pleach_core::ids::LinkId;
use pleach_core::time::Time;
use pleach_core::wire::signal::Signal;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    MessageEvent, RtcConfiguration, RtcDataChannel, RtcDataChannelInit, RtcDataChannelState, RtcDataChannelType,
    RtcIceCandidateInit, RtcIceServer, RtcPeerConnection, RtcPeerConnectionIceEvent, RtcPeerConnectionState,
    RtcSdpType, RtcSessionDescriptionInit,
};

use crate::page;

/// Most bytes that wait in the channel's buffer. Enough to keep SCTP busy between two turns of the page, and little
/// enough that a packet which becomes urgent is soon on its way.
pub(crate) const HIGH_WATER_BYTES: usize = 256 * 1024;
/// The channel asks for more when it has drained to this.
pub(crate) const LOW_WATER_BYTES: usize = 128 * 1024;
/// Longest message taken. The engine's own are far below; a browser may allow the other end more.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// The largest credit window: 50 MB/s at a round trip of 40 ms, more than browsers carry.
pub(crate) const WINDOW_BYTES_MAX: u32 = 2 << 20;
/// Most bytes received and not handled yet: twice the largest credit window.
const BACKLOG_BYTES_MAX: usize = 2 * WINDOW_BYTES_MAX as usize;
/// What a message counts for in the backlog beyond its payload, so that empty ones are bounded too.
const MESSAGE_OVERHEAD_BYTES: usize = 128;
/// Most signals that wait to be applied.
const SIGNALS_MAX: usize = 64;
/// What may wait to be sent. The engine keeps payload below the high water; answers to a far end that asks and asks and
/// reads nothing end here: the link is closed.
const UNREAD_BYTES_MAX: usize = HIGH_WATER_BYTES + (1 << 20);
/// How long a link may take to open.
const OPEN_MAX: Duration = Duration::from_secs(20);
/// How long a closing link may take to deliver what was sent.
const DRAIN_MAX: Duration = Duration::from_secs(2);

/// What a link tells its driver.
pub(crate) enum LinkEvent {
    /// To be brought to the other end.
    Signal(Signal),
    /// The channel is open.
    Open,
    /// A message; to be followed by [`Link::handled`] with its length.
    Message(Bytes),
    /// The channel's buffer has room again, see [`Link::grant_room`].
    Room,
    /// Closed, for this reason. Nothing follows.
    Closed(String),
}

/// Where a link's events go. It is called from the page's callbacks and from the link's own methods.
pub(crate) type LinkEvents = Rc<dyn Fn(LinkId, LinkEvent)>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Opening,
    Open,
    Closing,
    Closed,
}

/// One link. Dropping it closes it at once and tells nothing.
pub(crate) struct Link(Rc<Inner>);

struct Inner {
    id: LinkId,
    dial: bool,
    connection: RtcPeerConnection,
    channel: RtcDataChannel,
    events: LinkEvents,
    state: Cell<State>,
    /// When the state is left by force.
    deadline: Cell<Option<Time>>,
    /// What is left of the room that the engine was told of.
    room_bytes: Cell<usize>,
    /// Whether `Room` was told and has not been answered by [`Link::grant_room`].
    room_told: Cell<bool>,
    backlog_bytes: Cell<usize>,
    /// What is to be done for the connection to come about.
    steps: RefCell<VecDeque<Step>>,
    /// Whether the task that takes the steps runs.
    negotiating: Cell<bool>,
    /// Whether the other end's description has been applied, or is being.
    described: Cell<bool>,
    handlers: RefCell<Option<Handlers>>,
}

enum Step {
    /// Make the offer.
    Offer,
    /// Apply what the other end signalled.
    Apply(Signal),
}

/// The page's callbacks, kept alive as long as they are set.
struct Handlers {
    _candidate: Closure<dyn Fn(RtcPeerConnectionIceEvent)>,
    _connection_state: Closure<dyn Fn()>,
    _open: Closure<dyn Fn()>,
    _message: Closure<dyn Fn(MessageEvent)>,
    _drained: Closure<dyn Fn()>,
    _error: Closure<dyn Fn(JsValue)>,
    _close: Closure<dyn Fn()>,
}

impl Link {
    /// Begins to connect. `Open` or `Closed` follows within 20 seconds.
    pub(crate) fn open(
        id: LinkId,
        dial: bool,
        ice_servers: &[String],
        now: Time,
        events: LinkEvents,
    ) -> Result<Self, String> {
        let connection =
            RtcPeerConnection::new_with_configuration(&configuration(ice_servers)).map_err(|e| page::message_of(&e))?;
        let channel = data_channel(&connection);
        let inner = Rc::new(Inner {
            id,
            dial,
            connection,
            channel,
            events,
            state: Cell::new(State::Opening),
            deadline: Cell::new(Some(now + OPEN_MAX)),
            room_bytes: Cell::new(0),
            room_told: Cell::new(false),
            backlog_bytes: Cell::new(0),
            steps: RefCell::default(),
            negotiating: Cell::new(false),
            described: Cell::new(false),
            handlers: RefCell::default(),
        });
        inner.handlers.replace(Some(Handlers::set(&inner)));
        if dial {
            inner.take_step(Step::Offer);
        }
        Ok(Self(inner))
    }

    /// Applies what the other end signalled, after what it signalled before.
    pub(crate) fn apply(&self, signal: Signal) {
        if self.0.steps.borrow().len() >= SIGNALS_MAX {
            return self.0.finish("the other end sent too many signals");
        }
        self.0.take_step(Step::Apply(signal));
    }

    /// Sends one message. `Room` follows where the buffer has drained meanwhile, or when it will have.
    pub(crate) fn send(&self, message: &[u8]) {
        let inner = &self.0;
        if inner.channel.ready_state() != RtcDataChannelState::Open {
            return;
        }
        if inner.channel.buffered_amount() as usize > UNREAD_BYTES_MAX {
            return inner.finish("it does not read what it is sent");
        }
        if let Err(thrown) = inner.channel.send_with_u8_array(message) {
            return inner.finish(&page::message_of(&thrown));
        }
        let room_bytes = inner.room_bytes.get().saturating_sub(message.len());
        inner.room_bytes.set(room_bytes);
        // `bufferedamountlow` is fired when the amount *falls* to the mark. Small messages that leave at once never
        // reach it, and would use up the room with no event to renew it.
        let spent = room_bytes < HIGH_WATER_BYTES - LOW_WATER_BYTES;
        if spent && inner.channel.buffered_amount() as usize <= LOW_WATER_BYTES {
            inner.tell_room();
        }
    }

    /// Bytes that may be sent now. The caller tells the engine, whose room it replaces.
    pub(crate) fn grant_room(&self) -> usize {
        let room_bytes = HIGH_WATER_BYTES.saturating_sub(self.0.channel.buffered_amount() as usize);
        self.0.room_bytes.set(room_bytes);
        self.0.room_told.set(false);
        room_bytes
    }

    /// A message of so many bytes is handled.
    pub(crate) fn handled(&self, message_bytes: usize) {
        let backlog_bytes = self.0.backlog_bytes.get();
        self.0.backlog_bytes.set(backlog_bytes.saturating_sub(message_bytes + MESSAGE_OVERHEAD_BYTES));
    }

    /// Closes after what was sent is delivered, or after two seconds. `Closed` follows.
    pub(crate) fn close(&self, now: Time) {
        match self.0.state.get() {
            State::Opening => self.0.finish("closed before it was open"),
            State::Open => {
                self.0.state.set(State::Closing);
                self.0.deadline.set(Some(now + DRAIN_MAX));
                self.0.channel.set_buffered_amount_low_threshold(0);
                self.0.close_channel_if_drained();
            }
            State::Closing | State::Closed => {}
        }
    }

    /// Until when [`Link::handle_timeout`] must be called.
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.0.deadline.get()
    }

    /// Leaves a state that took too long.
    pub(crate) fn handle_timeout(&self, now: Time) {
        if self.0.deadline.get().is_some_and(|deadline| deadline <= now) {
            match self.0.state.get() {
                State::Opening => self.0.finish("no connection came about within 20 seconds"),
                _ => self.0.finish("closed"),
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.0.shut();
    }
}

impl Inner {
    fn tell(&self, event: LinkEvent) {
        (self.events)(self.id, event);
    }

    fn tell_room(&self) {
        if !self.room_told.replace(true) {
            self.tell(LinkEvent::Room);
        }
    }

    /// Closes at once, and says why if that was not said before.
    fn finish(&self, reason: &str) {
        if self.state.get() != State::Closed {
            self.shut();
            self.tell(LinkEvent::Closed(reason.to_owned()));
        }
    }

    fn shut(&self) {
        if self.state.replace(State::Closed) == State::Closed {
            return;
        }
        self.deadline.set(None);
        self.steps.borrow_mut().clear();
        self.connection.set_onicecandidate(None);
        self.connection.set_onconnectionstatechange(None);
        self.channel.set_onopen(None);
        self.channel.set_onmessage(None);
        self.channel.set_onbufferedamountlow(None);
        self.channel.set_onerror(None);
        self.channel.set_onclose(None);
        self.handlers.take();
        self.channel.close();
        self.connection.close();
    }

    /// A channel that is closed with an empty buffer still delivers what is on its way; its `close` event follows.
    fn close_channel_if_drained(&self) {
        if self.channel.buffered_amount() == 0 {
            self.channel.close();
        }
    }

    fn on_candidate(&self, event: &RtcPeerConnectionIceEvent) {
        let signal = match event.candidate() {
            // The end of one generation; the event without a candidate, which follows, is the end of all.
            Some(candidate) if candidate.candidate().is_empty() => return,
            Some(candidate) => Signal::Candidate {
                candidate: candidate.candidate(),
                sdp_mid: candidate.sdp_mid(),
                sdp_m_line_index: candidate.sdp_m_line_index(),
            },
            None => Signal::Candidate { candidate: String::new(), sdp_mid: None, sdp_m_line_index: None },
        };
        self.tell(LinkEvent::Signal(signal));
    }

    fn on_connection_state(&self) {
        match self.connection.connection_state() {
            RtcPeerConnectionState::Failed => self.finish("the two ends cannot reach each other, or no longer"),
            RtcPeerConnectionState::Closed => self.finish("the connection was closed"),
            _ => {}
        }
    }

    fn on_open(&self) {
        if self.state.get() == State::Opening {
            self.state.set(State::Open);
            self.deadline.set(None);
            self.tell(LinkEvent::Open);
        }
    }

    fn on_message(&self, event: &MessageEvent) {
        let Ok(buffer) = event.data().dyn_into::<ArrayBuffer>() else {
            return self.finish("the other end sent text");
        };
        let bytes = buffer.byte_length() as usize;
        let backlog_bytes = self.backlog_bytes.get() + bytes + MESSAGE_OVERHEAD_BYTES;
        if bytes > MESSAGE_BYTES_MAX || backlog_bytes > BACKLOG_BYTES_MAX {
            return self.finish("the other end sent more than it may");
        }
        self.backlog_bytes.set(backlog_bytes);
        self.tell(LinkEvent::Message(Bytes::from(Uint8Array::new(&buffer).to_vec())));
    }

    fn on_drained(&self) {
        match self.state.get() {
            State::Open => self.tell_room(),
            State::Closing => self.close_channel_if_drained(),
            State::Opening | State::Closed => {}
        }
    }

    fn on_error(&self, event: &JsValue) {
        let error = Reflect::get(event, &"error".into()).unwrap_or_default();
        self.finish(&page::message_of(&error));
    }

    /// Takes a step after those that wait.
    fn take_step(self: &Rc<Self>, step: Step) {
        self.steps.borrow_mut().push_back(step);
        if !self.negotiating.replace(true) {
            spawn_local(negotiate(Rc::downgrade(self)));
        }
    }

    /// The next step that can be taken: before the other end's description no candidate of it can.
    fn next_step(&self) -> Option<Step> {
        let mut steps = self.steps.borrow_mut();
        let at = if self.described.get() {
            0
        } else {
            steps.iter().position(|step| !matches!(step, Step::Apply(Signal::Candidate { .. })))?
        };
        steps.remove(at)
    }
}

impl Handlers {
    /// Makes the callbacks and sets them.
    fn set(inner: &Rc<Inner>) -> Self {
        /// A callback that does nothing once the link is gone.
        fn weakly(inner: &Rc<Inner>, on: fn(&Inner)) -> Closure<dyn Fn()> {
            let inner = Rc::downgrade(inner);
            Closure::new(move || {
                if let Some(inner) = inner.upgrade() {
                    on(&inner);
                }
            })
        }
        /// The same with an argument.
        fn weakly_with<T: wasm_bindgen::convert::FromWasmAbi + 'static>(
            inner: &Rc<Inner>,
            on: fn(&Inner, &T),
        ) -> Closure<dyn Fn(T)> {
            let inner = Rc::downgrade(inner);
            Closure::new(move |event: T| {
                if let Some(inner) = inner.upgrade() {
                    on(&inner, &event);
                }
            })
        }

        let handlers = Self {
            _candidate: weakly_with(inner, Inner::on_candidate),
            _connection_state: weakly(inner, Inner::on_connection_state),
            _open: weakly(inner, Inner::on_open),
            _message: weakly_with(inner, Inner::on_message),
            _drained: weakly(inner, Inner::on_drained),
            _error: weakly_with(inner, Inner::on_error),
            _close: weakly(inner, |inner| inner.finish("the other end closed it")),
        };
        inner.connection.set_onicecandidate(Some(page::function(&handlers._candidate)));
        inner.connection.set_onconnectionstatechange(Some(page::function(&handlers._connection_state)));
        inner.channel.set_onopen(Some(page::function(&handlers._open)));
        inner.channel.set_onmessage(Some(page::function(&handlers._message)));
        inner.channel.set_onbufferedamountlow(Some(page::function(&handlers._drained)));
        inner.channel.set_onerror(Some(page::function(&handlers._error)));
        inner.channel.set_onclose(Some(page::function(&handlers._close)));
        handlers
    }
}

fn configuration(ice_servers: &[String]) -> RtcConfiguration {
    let servers: Array = ice_servers
        .iter()
        .map(|url| {
            let server = RtcIceServer::new();
            server.set_urls_str(url);
            JsValue::from(server)
        })
        .collect();
    let configuration = RtcConfiguration::new();
    configuration.set_ice_servers(&servers);
    configuration
}

fn data_channel(connection: &RtcPeerConnection) -> RtcDataChannel {
    let init = RtcDataChannelInit::new();
    init.set_negotiated(true);
    init.set_id(0);
    init.set_ordered(true);
    let channel = connection.create_data_channel_with_data_channel_dict("pleach", &init);
    channel.set_binary_type(RtcDataChannelType::Arraybuffer);
    channel.set_buffered_amount_low_threshold(LOW_WATER_BYTES as u32);
    channel
}

/// Why a step of the negotiation did not come to its end.
enum Cut {
    /// The link is gone; nothing is left to do.
    Gone,
    /// It failed, for this reason.
    Failed(String),
}

/// Takes the steps that wait, in order, until none does.
///
/// The task holds the link weakly and never across a wait: a page may leave the promise of a closed connection
/// unsettled for ever, and must not keep the connection for it.
async fn negotiate(link: Weak<Inner>) {
    loop {
        let Some(inner) = link.upgrade() else { return };
        let Some(step) = inner.next_step() else {
            inner.negotiating.set(false);
            return;
        };
        drop(inner);
        let done = match step {
            Step::Offer => describe_here(&link, RtcSdpType::Offer).await,
            Step::Apply(Signal::Offer { sdp }) => answer(&link, &sdp).await,
            Step::Apply(Signal::Answer { sdp }) => describe_there(&link, RtcSdpType::Answer, &sdp).await,
            Step::Apply(Signal::Candidate { candidate, sdp_mid, sdp_m_line_index }) => {
                add_candidate(&link, &candidate, sdp_mid.as_deref(), sdp_m_line_index).await
            }
        };
        match done {
            Ok(()) => {}
            Err(Cut::Gone) => return,
            Err(Cut::Failed(reason)) => {
                if let Some(inner) = link.upgrade() {
                    inner.finish(&reason);
                }
                return;
            }
        }
    }
}

async fn answer(link: &Weak<Inner>, offer: &str) -> Result<(), Cut> {
    describe_there(link, RtcSdpType::Offer, offer).await?;
    describe_here(link, RtcSdpType::Answer).await
}

/// Makes this end's description and tells it.
async fn describe_here(link: &Weak<Inner>, kind: RtcSdpType) -> Result<(), Cut> {
    let made = match kind {
        RtcSdpType::Offer => settle(link, RtcPeerConnection::create_offer).await?,
        _ => settle(link, RtcPeerConnection::create_answer).await?,
    };
    let description: RtcSessionDescriptionInit = made.unchecked_into();
    settle(link, |connection| connection.set_local_description(&description)).await?;
    let sdp = description.get_sdp().unwrap_or_default();
    let signal = if kind == RtcSdpType::Offer { Signal::Offer { sdp } } else { Signal::Answer { sdp } };
    link.upgrade().ok_or(Cut::Gone)?.tell(LinkEvent::Signal(signal));
    Ok(())
}

/// Applies the other end's description: one, of the kind that is due, of a data channel and nothing else.
async fn describe_there(link: &Weak<Inner>, kind: RtcSdpType, sdp: &str) -> Result<(), Cut> {
    let inner = link.upgrade().ok_or(Cut::Gone)?;
    let due = if inner.dial { RtcSdpType::Answer } else { RtcSdpType::Offer };
    if kind != due || inner.described.replace(true) || !is_data_only(sdp) {
        return Err(Cut::Failed("the other end sent a description that does not fit".to_owned()));
    }
    drop(inner);
    let description = RtcSessionDescriptionInit::new(kind);
    description.set_sdp(sdp);
    settle(link, |connection| connection.set_remote_description(&description)).await?;
    Ok(())
}

/// Adds one of the other end's candidates. One that is not understood costs only itself: others may do.
async fn add_candidate(
    link: &Weak<Inner>,
    candidate: &str,
    mid: Option<&str>,
    m_line_index: Option<u16>,
) -> Result<(), Cut> {
    let init = RtcIceCandidateInit::new(candidate);
    init.set_sdp_mid(mid);
    init.set_sdp_m_line_index(m_line_index);
    let add =
        |connection: &RtcPeerConnection| connection.add_ice_candidate_with_opt_rtc_ice_candidate_init(Some(&init));
    match settle(link, add).await {
        Err(Cut::Gone) => Err(Cut::Gone),
        _ => Ok(()),
    }
}

/// Begins an operation and waits for its end, without holding the link meanwhile.
async fn settle(link: &Weak<Inner>, begin: impl FnOnce(&RtcPeerConnection) -> Promise) -> Result<JsValue, Cut> {
    let promise = begin(&link.upgrade().ok_or(Cut::Gone)?.connection);
    let settled = JsFuture::from(promise).await;
    match link.upgrade() {
        Some(inner) if inner.state.get() != State::Closed => {}
        _ => return Err(Cut::Gone),
    }
    settled.map_err(|thrown| Cut::Failed(page::message_of(&thrown)))
}

/// Whether a session description has one section and that is of data: a stranger shall not make the page set up sound
/// or pictures.
fn is_data_only(sdp: &str) -> bool {
    let mut sections = sdp.lines().filter(|line| line.starts_with("m="));
    sections.next().is_some_and(|section| section.starts_with("m=application ")) && sections.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::is_data_only;

    #[test]
    fn only_a_lone_data_section_is_accepted() {
        let head = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
        let data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n";
        let sound = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\n";
        assert!(is_data_only(&format!("{head}{data}")));
        assert!(!is_data_only(head));
        assert!(!is_data_only(&format!("{head}{sound}")));
        assert!(!is_data_only(&format!("{head}{data}{sound}")));
        assert!(!is_data_only(&format!("{head}{data}{data}")));
    }
}
