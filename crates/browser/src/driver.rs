//! The loop that drives one engine in a page.
//!
//! ```text
//! sockets, links, store, JavaScript ────────▶ arrivals ──┐
//!                                                        ▼
//!            ┌────────────── a turn ─────────────────────────────────┐
//!            │ 1 carry out every output of the engine, to the end    │
//!            │ 2 8 ms over: go on in a later task, let a frame pass  │
//!            │ 3 a timeout that is due                               │
//!            │ 4 the oldest arrival; none: arm the timer and rest    │
//!            └───────────────────────────────────────────────────────┘
//! ```
//!
//! * **Who starts a turn.** Whatever arrives does, in the task that it arrives in. So bytes flow by messages, drained
//!   buffers and finished writes alone; the timer only serves the engine's timeouts, which each turn looks at as well.
//!   In a background tab, where timers come once a second or once a minute, transfers go on.
//! * **Re-entrancy.** The engine is borrowed for single calls only, never while something of the page is called. What a
//!   callback of the page does meanwhile (`stop()` in an event handler, a link that closes while it is sent to) is
//!   pushed and handled when its turn comes.
//! * **Bounds.** Arrivals are bounded by what may be under way: received messages by each link's backlog, store results
//!   and bytes of web servers by the engine's own limits, the tracker's frames by [`TRACKER_FRAMES_MAX`], signals by what one connection makes, what
//!   engines of one page say beside by what each takes from its links;
//!   the rest is one an object.
//! * **Life.** The driver keeps itself alive from start until [`Event::Stopped`], whatever becomes of the JavaScript
//!   object; then it lets go of all that the page could call.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::rc::{Rc, Weak};
use std::time::Duration;

use bytes::Bytes;
use js_sys::Function;
use pleach_core::ids::{ContentId, FetchId, LinkId};
use pleach_core::peer::Peer;
use pleach_core::peer::contract::{Event, Input, Output, PeerConfig, Stats};
use pleach_core::time::Time;
use pleach_core::wire::range::FetchOutcome;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::MessageChannel;

use crate::convert;
use crate::link::{Link, LinkEvent, LinkEvents};
use crate::page::{self, Later, Timer};
use crate::socket::{SocketEvent, SocketEvents, TrackerPlace, TrackerSocket};
use crate::store::{self, Store};
use crate::web::{WebEvent, WebEvents, WebFetch};

/// How long a turn may keep the page: half a frame.
const TURN_MAX: Duration = Duration::from_millis(8);
/// Most frames of the tracker that wait; one that sends more is disconnected.
const TRACKER_FRAMES_MAX: usize = 1_024;

/// What waits for the engine. What it says of a link is completed when its turn comes: room is measured then, and not
/// when it was announced.
enum Arrival {
    Input(Input),
    Link(LinkId, LinkEvent),
    Tracker { socket: u32, event: SocketEvent },
    Web(FetchId, WebEvent),
}

thread_local! {
    /// All of this page: their engines look packages up for each other.
    static DRIVERS: RefCell<Vec<Weak<Driver>>> = const { RefCell::new(Vec::new()) };
}

/// What a driver is made of.
pub(crate) struct Parts {
    pub(crate) config: PeerConfig,
    /// Where the tracker is, if there is one.
    pub(crate) place: Option<TrackerPlace>,
    pub(crate) store: Store,
    pub(crate) on_event: Function,
}

/// An engine and all that it moves.
pub(crate) struct Driver {
    me: Weak<Self>,
    /// Itself, until it has stopped.
    running: RefCell<Option<Rc<Self>>>,
    peer: RefCell<Peer>,
    content: ContentId,
    manifest: Vec<u8>,
    place: Option<TrackerPlace>,
    store: Store,
    on_event: Function,
    arrivals: RefCell<VecDeque<Arrival>>,
    /// Whether a turn runs.
    turning: Cell<bool>,
    tracker: RefCell<Option<TrackerSocket>>,
    /// Which socket is the present one. What an earlier one told, and still waits, is void.
    tracker_socket: Cell<u32>,
    tracker_frames: Cell<usize>,
    links: RefCell<BTreeMap<LinkId, Link>>,
    link_events: LinkEvents,
    fetches: RefCell<Vec<(FetchId, WebFetch)>>,
    /// No link wants its timeout before.
    links_due: Cell<Option<Time>>,
    timer: Timer,
    later: Later,
}

impl Driver {
    /// Starts the engine.
    pub(crate) fn start(parts: Parts) -> Result<Rc<Self>, JsValue> {
        let seed = page::random_seed()?;
        let channel = MessageChannel::new()?;
        let manifest = &parts.config.manifest;
        let (content, manifest) = (manifest.id(), manifest.as_bytes().to_vec());
        let driver = Rc::new_cyclic(|me: &Weak<Self>| Self {
            me: me.clone(),
            running: RefCell::default(),
            peer: RefCell::new(Peer::new(parts.config, seed, page::now())),
            content,
            manifest,
            place: parts.place,
            store: parts.store,
            on_event: parts.on_event,
            arrivals: RefCell::default(),
            turning: Cell::new(false),
            tracker: RefCell::default(),
            tracker_socket: Cell::new(0),
            tracker_frames: Cell::new(0),
            links: RefCell::default(),
            link_events: link_events(me.clone()),
            fetches: RefCell::default(),
            links_due: Cell::new(None),
            timer: Timer::new(waker(me.clone(), |driver| driver.timer.fired())),
            later: Later::new(channel, waker(me.clone(), |driver| driver.later.came())),
        });
        driver.running.replace(Some(Rc::clone(&driver)));
        DRIVERS.with_borrow_mut(|drivers| drivers.push(Rc::downgrade(&driver)));
        // The first turn is a task of its own, so that the page has its object before the first event.
        driver.later.request();
        Ok(driver)
    }

    /// Hands something from the page's own code to the engine, in a task of its own: no event is told within the call,
    /// where the page may not expect it.
    pub(crate) fn ask(&self, input: Input) {
        self.later.request();
        self.arrive(Arrival::Input(input));
    }

    /// What the engine is doing.
    pub(crate) fn stats(&self) -> Stats {
        self.peer.borrow().stats(page::now())
    }

    /// Up to where the content is there from a byte on.
    pub(crate) fn held_until(&self, start_bytes: u64) -> u64 {
        self.peer.borrow().held_until(start_bytes)
    }

    fn is_running(&self) -> bool {
        self.running.borrow().is_some()
    }

    fn arrive(&self, arrival: Arrival) {
        if !self.is_running() {
            return;
        }
        self.arrivals.borrow_mut().push_back(arrival);
        if !self.later.is_pending() {
            self.turn();
        }
    }

    /// One turn of the loop, unless one is running.
    fn turn(&self) {
        if self.turning.replace(true) {
            return;
        }
        let began = page::now();
        while self.is_running() {
            self.carry_out_all();
            let now = page::now();
            if now.since(began) >= TURN_MAX {
                self.later.request();
                break;
            }
            if self.handle_timeouts(now) {
                continue;
            }
            let Some(arrival) = self.arrivals.borrow_mut().pop_front() else { break };
            self.handle(arrival, now);
        }
        self.arm_timer();
        self.turning.set(false);
    }

    fn carry_out_all(&self) {
        loop {
            let output = self.peer.borrow_mut().poll_output();
            let Some(output) = output else { return };
            self.carry_out(output);
        }
    }

    /// Whether a timeout was due.
    fn handle_timeouts(&self, now: Time) -> bool {
        let is_due = |due: Option<Time>| due.is_some_and(|due| due <= now);
        let links_due = is_due(self.links_due.get());
        if links_due {
            let links = self.links.borrow();
            links.values().for_each(|link| link.handle_timeout(now));
            self.links_due.set(links.values().filter_map(Link::deadline).min());
        }
        let peer_due = is_due(self.peer_due());
        if peer_due {
            self.peer.borrow_mut().handle_timeout(now);
        }
        links_due || peer_due
    }

    fn peer_due(&self) -> Option<Time> {
        self.peer.borrow().poll_timeout().map(|(due, _reason)| due)
    }

    fn arm_timer(&self) {
        let due = [self.peer_due(), self.links_due.get()].into_iter().flatten().min();
        if let Some(due) = due.filter(|_| self.is_running()) {
            self.timer.arm(due, page::now());
        }
    }

    fn handle(&self, arrival: Arrival, now: Time) {
        let input = match arrival {
            Arrival::Input(input) => Some(input),
            Arrival::Link(link, event) => Some(self.link_input(link, event)),
            Arrival::Tracker { socket, event } => self.tracker_input(socket, event),
            Arrival::Web(fetch, WebEvent::Came(bytes)) => Some(Input::Fetched { fetch, bytes }),
            Arrival::Web(fetch, WebEvent::Ended(outcome)) => {
                self.end_fetch(fetch);
                Some(Input::FetchEnded { fetch, outcome })
            }
        };
        if let Some(input) = input {
            self.peer.borrow_mut().handle_input(input, now);
        }
    }

    /// What the engine is told of a link.
    fn link_input(&self, link: LinkId, event: LinkEvent) -> Input {
        match event {
            LinkEvent::Signal(signal) => Input::LinkSignal { link, signal },
            LinkEvent::Open => Input::LinkOpen { link, room_bytes: self.grant_room(link) },
            LinkEvent::Room => Input::LinkRoom { link, room_bytes: self.grant_room(link) },
            LinkEvent::Message(message) => {
                self.with_link(link, |link| link.handled(message.len()));
                Input::LinkMessage { link, message }
            }
            LinkEvent::Closed(reason) => {
                self.links.borrow_mut().remove(&link);
                Input::LinkClosed { link, reason }
            }
        }
    }

    fn grant_room(&self, link: LinkId) -> usize {
        self.links.borrow().get(&link).map_or(0, Link::grant_room)
    }

    /// What the engine is told of its tracker.
    fn tracker_input(&self, socket: u32, event: SocketEvent) -> Option<Input> {
        if socket != self.tracker_socket.get() {
            return None;
        }
        Some(match event {
            SocketEvent::Up => Input::TrackerUp,
            SocketEvent::Message(text) => {
                self.tracker_frames.set(self.tracker_frames.get() - 1);
                Input::TrackerMessage(text)
            }
            SocketEvent::Down(reason) => {
                self.tracker.take();
                Input::TrackerDown { reason }
            }
        })
    }

    fn carry_out(&self, output: Output) {
        match output {
            Output::ConnectTracker => self.connect_tracker(),
            Output::DisconnectTracker => {
                self.next_tracker_socket();
                self.tracker.take();
            }
            Output::SendTracker(text) => {
                if let Some(socket) = self.tracker.borrow().as_ref() {
                    socket.send(&text);
                }
            }
            Output::UploadManifest => {
                if let Some(place) = &self.place {
                    place.upload_manifest(self.content, &self.manifest);
                }
            }
            Output::OpenLink { link, dial, ice_servers } => self.open_link(link, dial, &ice_servers),
            Output::ApplySignal { link, signal } => self.with_link(link, |link| link.apply(signal)),
            Output::SendLink { link, message } => self.with_link(link, |link| link.send(&message)),
            Output::CloseLink { link } => self.close_link(link),
            Output::Beside(message) => self.tell_others(&message),
            Output::Write { write, offset_bytes, bytes } => {
                let written = store::write(self.store.clone(), offset_bytes, bytes);
                self.arrive_when_done(written, move |result| match result {
                    Ok(()) => Input::Written(write),
                    Err(reason) => Input::WriteFailed { write, reason },
                });
            }
            Output::AppendRecord(bytes) => store::append_record(&self.store, &bytes),
            Output::Read { read, offset_bytes, len_bytes } => {
                let bytes = store::read(self.store.clone(), offset_bytes, len_bytes);
                self.arrive_when_done(bytes, move |result| match result {
                    Ok(bytes) => Input::ReadDone { read, bytes },
                    Err(reason) => Input::ReadFailed { read, reason },
                });
            }
            Output::Fetch { fetch, url, range, size_bytes } => {
                match WebFetch::begin(fetch, url, range, size_bytes, self.web_events()) {
                    Ok(begun) => self.fetches.borrow_mut().push((fetch, begun)),
                    Err(reason) => self.arrive(Arrival::Web(fetch, WebEvent::Ended(FetchOutcome::unfit(reason)))),
                }
            }
            Output::CancelFetch { fetch } => self.end_fetch(fetch),
            Output::Event(event) => self.emit(&event),
        }
    }

    /// Tells the other engines of this page.
    fn tell_others(&self, message: &Bytes) {
        let others: Vec<Rc<Self>> = DRIVERS.with_borrow(|drivers| drivers.iter().filter_map(Weak::upgrade).collect());
        for other in others.iter().filter(|other| !core::ptr::eq(other.as_ref(), self)) {
            other.arrive(Arrival::Input(Input::Beside(message.clone())));
        }
    }

    /// Gives a fetch up, or forgets one that has ended.
    fn end_fetch(&self, fetch: FetchId) {
        self.fetches.borrow_mut().retain(|(id, _)| *id != fetch);
    }

    fn web_events(&self) -> WebEvents {
        let me = self.me.clone();
        Rc::new(move |fetch, event| {
            if let Some(driver) = me.upgrade() {
                driver.arrive(Arrival::Web(fetch, event));
            }
        })
    }

    /// The number of the next socket, from which on no other is listened to.
    fn next_tracker_socket(&self) -> u32 {
        let socket = self.tracker_socket.get().wrapping_add(1);
        self.tracker_socket.set(socket);
        self.tracker_frames.set(0);
        socket
    }

    fn connect_tracker(&self) {
        let Some(place) = &self.place else { return };
        let socket = self.next_tracker_socket();
        let me = self.me.clone();
        let events: SocketEvents = Rc::new(move |event| {
            if let Some(driver) = me.upgrade() {
                driver.tracker_arrival(socket, event);
            }
        });
        match TrackerSocket::open(place, &events) {
            Ok(opened) => drop(self.tracker.replace(Some(opened))),
            Err(reason) => events(SocketEvent::Down(reason)),
        }
    }

    fn tracker_arrival(&self, socket: u32, event: SocketEvent) {
        let frames = self.tracker_frames.get() + usize::from(matches!(event, SocketEvent::Message(_)));
        if frames > TRACKER_FRAMES_MAX {
            // From here on nothing of this socket is listened to, this verdict excepted.
            let socket = self.next_tracker_socket();
            let reason = "the tracker sends more than can be handled".to_owned();
            return self.arrive(Arrival::Tracker { socket, event: SocketEvent::Down(reason) });
        }
        self.tracker_frames.set(frames);
        self.arrive(Arrival::Tracker { socket, event });
    }

    fn with_link(&self, id: LinkId, act: impl FnOnce(&Link)) {
        if let Some(link) = self.links.borrow().get(&id) {
            act(link);
        }
    }

    fn open_link(&self, id: LinkId, dial: bool, ice_servers: &[String]) {
        let ice_servers = self.place.as_ref().map(|place| place.stun_servers(ice_servers)).unwrap_or_default();
        match Link::open(id, dial, &ice_servers, page::now(), Rc::clone(&self.link_events)) {
            Ok(link) => {
                self.note_deadline(&link);
                self.links.borrow_mut().insert(id, link);
            }
            Err(reason) => self.arrive(Arrival::Link(id, LinkEvent::Closed(reason))),
        }
    }

    fn close_link(&self, id: LinkId) {
        self.with_link(id, |link| {
            link.close(page::now());
            self.note_deadline(link);
        });
    }

    fn note_deadline(&self, link: &Link) {
        let due = [self.links_due.get(), link.deadline()].into_iter().flatten().min();
        self.links_due.set(due);
    }

    /// Tells the engine the result of something that the page does meanwhile.
    fn arrive_when_done<T: 'static>(
        &self,
        work: impl Future<Output = Result<T, String>> + 'static,
        input: impl FnOnce(Result<T, String>) -> Input + 'static,
    ) {
        let me = self.me.clone();
        spawn_local(async move {
            let input = input(work.await);
            if let Some(driver) = me.upgrade() {
                driver.arrive(Arrival::Input(input));
            }
        });
    }

    fn emit(&self, event: &Event) {
        if *event == Event::Stopped {
            self.shut();
        }
        let told = convert::event(event).and_then(|event| self.on_event.call1(&JsValue::UNDEFINED, &event));
        if let Err(thrown) = told {
            page::complain("Pleach's event handler failed:", &thrown);
        }
    }

    /// Lets go of all that the page could call.
    fn shut(&self) {
        self.running.take();
        DRIVERS.with_borrow_mut(|drivers| drivers.retain(|other| !core::ptr::eq(other.as_ptr(), self)));
        self.arrivals.borrow_mut().clear();
        self.tracker.take();
        self.links.borrow_mut().clear();
        self.fetches.borrow_mut().clear();
        self.timer.disarm();
    }
}

fn link_events(me: Weak<Driver>) -> LinkEvents {
    Rc::new(move |link, event| {
        if let Some(driver) = me.upgrade() {
            driver.arrive(Arrival::Link(link, event));
        }
    })
}

/// A callback that takes a turn, after `note` has noted that it came.
fn waker(me: Weak<Driver>, note: fn(&Driver)) -> impl Fn() {
    move || {
        if let Some(driver) = me.upgrade() {
            note(&driver);
            driver.turn();
        }
    }
}
