//! What `tests/links.test.mjs` and `tests/peers.test.mjs` need and a page does not: two links joined to each other, and
//! what describes a content. Never shipped.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use bytes::Bytes;
use js_sys::{Array, Function, Promise, Uint8Array};
use pleach_core::content::{ManifestBuilder, TreeBuilder};
use pleach_core::ids::{LinkId, PeerKey};
use pleach_core::time::Time;
use wasm_bindgen::prelude::*;

use crate::link::{Link, LinkEvent, LinkEvents};
use crate::page;

/// The manifest of a content and the record that a peer which has all of it would have noted.
#[wasm_bindgen(js_name = describeContent)]
pub fn describe_content(name: &str, bytes: &[u8]) -> Result<Array, JsError> {
    let mut builder = TreeBuilder::new();
    builder.push(bytes);
    let (_, mut tree) = builder.finish()?;
    let manifest = ManifestBuilder::new(tree.root()).file(name, bytes.len() as u64, None).build()?;
    Ok(Array::of2(&Uint8Array::from(manifest.as_bytes()), &Uint8Array::from(&tree.take_journal()[..])))
}

/// What a tracker calls the peer that has this key.
#[wasm_bindgen(js_name = peerIdOf)]
pub fn peer_id_of(key: &str) -> Result<String, JsError> {
    Ok(key.parse::<PeerKey>()?.peer_id().to_string())
}

const SENDER: LinkId = LinkId(0);

/// Sends so many messages from one link to the other. Resolves to the milliseconds from the channel's opening to the
/// last message, after both ends have told that they closed; rejects with the reason if they close early.
#[wasm_bindgen(js_name = linkLoop)]
pub fn link_loop(messages: u32, message_bytes: u32) -> Promise {
    Promise::new(&mut |resolve, reject| {
        let message = Bytes::from(vec![7; message_bytes as usize]);
        let run = Rc::new_cyclic(|me: &Weak<Loop>| {
            let me = me.clone();
            let events: LinkEvents = Rc::new(move |link, event| {
                if let Some(run) = me.upgrade() {
                    run.arrive(link, event);
                }
            });
            let link = |id: u32| Link::open(LinkId(id), id == SENDER.0, &[], page::now(), Rc::clone(&events)).ok();
            Loop {
                me: RefCell::default(),
                links: RefCell::new([link(0), link(1)]),
                arrivals: RefCell::default(),
                turning: Cell::new(false),
                began: Cell::new(Time::ZERO),
                to_send: Cell::new(messages),
                to_receive: Cell::new(messages),
                took_ms: Cell::new(None),
                closed: Cell::new(0),
                message,
                resolve,
                reject,
            }
        });
        run.me.replace(Some(Rc::clone(&run)));
    })
}

struct Loop {
    /// Itself, until both ends are closed.
    me: RefCell<Option<Rc<Self>>>,
    links: RefCell<[Option<Link>; 2]>,
    arrivals: RefCell<VecDeque<(LinkId, LinkEvent)>>,
    turning: Cell<bool>,
    began: Cell<Time>,
    to_send: Cell<u32>,
    to_receive: Cell<u32>,
    took_ms: Cell<Option<f64>>,
    closed: Cell<u32>,
    message: Bytes,
    resolve: Function,
    reject: Function,
}

impl Loop {
    fn arrive(&self, link: LinkId, event: LinkEvent) {
        self.arrivals.borrow_mut().push_back((link, event));
        if self.turning.replace(true) {
            return;
        }
        loop {
            let Some((link, event)) = self.arrivals.borrow_mut().pop_front() else { break };
            self.handle(link, event);
        }
        self.turning.set(false);
    }

    fn handle(&self, id: LinkId, event: LinkEvent) {
        let links = self.links.borrow();
        let [Some(sender), Some(receiver)] = &*links else { return };
        let other = if id == SENDER { receiver } else { sender };
        match event {
            LinkEvent::Signal(signal) => other.apply(signal),
            LinkEvent::Open if id == SENDER => {
                self.began.set(page::now());
                self.send(sender);
            }
            LinkEvent::Room if id == SENDER => self.send(sender),
            LinkEvent::Message(message) => {
                receiver.handled(message.len());
                self.to_receive.set(self.to_receive.get() - 1);
                if self.to_receive.get() == 0 {
                    self.took_ms.set(Some(page::now().since(self.began.get()).as_secs_f64() * 1_000.0));
                    sender.close(page::now());
                }
            }
            LinkEvent::Open | LinkEvent::Room => {}
            LinkEvent::Closed(reason) => self.count_closed(&reason),
        }
    }

    fn send(&self, sender: &Link) {
        let mut room_bytes = sender.grant_room();
        while self.to_send.get() > 0 && room_bytes >= self.message.len() {
            sender.send(&self.message);
            room_bytes -= self.message.len();
            self.to_send.set(self.to_send.get() - 1);
        }
    }

    fn count_closed(&self, reason: &str) {
        self.closed.set(self.closed.get() + 1);
        let settled = match self.took_ms.get() {
            None => self.reject.call1(&JsValue::UNDEFINED, &reason.into()),
            Some(took_ms) if self.closed.get() == 2 => self.resolve.call1(&JsValue::UNDEFINED, &took_ms.into()),
            Some(_) => return,
        };
        if let Err(thrown) = settled {
            page::complain("the loop's promise:", &thrown);
        }
        if self.closed.get() == 2 {
            self.me.take();
        }
    }
}
