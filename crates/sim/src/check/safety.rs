//! What must hold of every output of an honest engine, at any time.
//!
//! * What is sent is a message that the wire format knows, within its limits.
//! * Payload that is passed on is the true content, was verified here before, goes once over a link, stays within the
//!   receiver's credit and within the room of the channel.
//! * No more is given to the store at once than the configuration allows.
//! * One input does not make outputs without bound.
//!
//! That writes are true is checked by the store, that nobody honest is accused or banned by the world.

use std::collections::BTreeMap;

use bytes::Bytes;
use pleach_core::content::Geometry;
use pleach_core::ids::LinkId;
use pleach_core::peer::{Input, Output};
use pleach_core::time::Time;
use pleach_core::wire::link::{CONTROL_BYTES_MAX, Data, LinkMessage};
use pleach_core::wire::tracker::{MESSAGE_BYTES_MAX, ToTracker};

use crate::bits::Bits;
use crate::content::TrueContent;
use crate::network::NodeId;
use crate::store::Store;

/// Breaches that are told of; more are counted.
const TOLD_MAX: usize = 20;
/// What one input may make an engine say, beyond what lies in credit and room already.
pub(crate) const OUTPUTS_MAX: usize = 5_000;

/// What one end of a link has sent and may send.
#[derive(Debug, Default)]
struct Ledger {
    payload_bytes: u64,
    limit_bytes: u64,
    room_bytes: usize,
    sent_groups: Option<Bits>,
}

/// The checker.
#[derive(Debug)]
pub(crate) struct Safety {
    /// Without, only what others find is noted here.
    is_on: bool,
    content: TrueContent,
    geometry: Geometry,
    ledgers: BTreeMap<(NodeId, LinkId), Ledger>,
    breaches: Vec<String>,
    breach_count: u64,
}

impl Safety {
    pub(crate) fn new(is_on: bool, content: TrueContent) -> Self {
        let geometry = content.geometry();
        Self { is_on, content, geometry, ledgers: BTreeMap::new(), breaches: Vec::new(), breach_count: 0 }
    }

    pub(crate) fn breach(&mut self, node: Option<NodeId>, what: impl std::fmt::Display, now: Time) {
        self.breach_count += 1;
        if self.breaches.len() < TOLD_MAX {
            let who = node.map_or("the tracker".to_owned(), |node| format!("peer {}", node.0));
            self.breaches.push(format!("{now:?} {who}: {what}"));
        }
    }

    pub(crate) fn breaches(&self) -> &[String] {
        &self.breaches
    }

    /// An engine is told something.
    pub(crate) fn input(&mut self, node: NodeId, input: &Input) {
        if !self.is_on {
            return;
        }
        match input {
            Input::LinkOpen { link, room_bytes } => {
                self.ledgers.insert((node, *link), Ledger { room_bytes: *room_bytes, ..Ledger::default() });
            }
            Input::LinkRoom { link, room_bytes } => {
                if let Some(ledger) = self.ledgers.get_mut(&(node, *link)) {
                    ledger.room_bytes = *room_bytes;
                }
            }
            Input::LinkMessage { link, message } if message.len() < 32 => {
                if let Ok(LinkMessage::Credit { limit_bytes, .. }) = LinkMessage::decode(message, &self.geometry)
                    && let Some(ledger) = self.ledgers.get_mut(&(node, *link))
                {
                    ledger.limit_bytes = ledger.limit_bytes.max(limit_bytes);
                }
            }
            Input::LinkClosed { link, .. } => {
                self.ledgers.remove(&(node, *link));
            }
            _ => {}
        }
    }

    /// An honest engine says something. `store` is as it was before.
    pub(crate) fn output(&mut self, node: NodeId, output: &Output, store: &Store, now: Time) {
        if !self.is_on {
            return;
        }
        let found = match output {
            Output::SendLink { link, message } => self.check_message(node, *link, message, store),
            Output::SendTracker(text) if text.len() > MESSAGE_BYTES_MAX => Err("a frame is too long".to_owned()),
            Output::SendTracker(text) => {
                ToTracker::decode(text).map(|_| ()).map_err(|error| format!("a frame is refused: {error}"))
            }
            _ => Ok(()),
        };
        if let Err(what) = found {
            self.breach(Some(node), what, now);
        }
    }

    fn check_message(&mut self, node: NodeId, link: LinkId, message: &Bytes, store: &Store) -> Result<(), String> {
        match LinkMessage::decode(message, &self.geometry) {
            Ok(LinkMessage::Data(data)) => self.check_data(node, link, &data, message.len(), store),
            Ok(_) if message.len() > CONTROL_BYTES_MAX => Err("a control message is too long".to_owned()),
            Ok(LinkMessage::Unknown) => Err("a message of no known type".to_owned()),
            Ok(_) => {
                if let Some(ledger) = self.ledgers.get_mut(&(node, link)) {
                    ledger.room_bytes = ledger.room_bytes.saturating_sub(message.len());
                }
                Ok(())
            }
            Err(error) => Err(format!("a message that is refused: {error}")),
        }
    }

    fn check_data(
        &mut self,
        node: NodeId,
        link: LinkId,
        data: &Data,
        message_bytes: usize,
        store: &Store,
    ) -> Result<(), String> {
        let groups = data.first.get()..data.first.get() + u32::from(data.count);
        let start_bytes = self.geometry.group_range(data.first).start;
        if self.content.slice(start_bytes, data.payload.len()).as_ref() != Some(&data.payload) {
            return Err(format!("passes on groups {groups:?} that are not the content's"));
        }
        if let Some(group) = groups.clone().find(|group| !store.has_accepted(*group)) {
            return Err(format!("passes on group {group}, which it has not verified"));
        }
        let ledger = self.ledgers.entry((node, link)).or_default();
        ledger.payload_bytes += data.payload.len() as u64;
        if ledger.payload_bytes > ledger.limit_bytes {
            return Err(format!(
                "overdraws its credit on {link:?}: {} of {}",
                ledger.payload_bytes, ledger.limit_bytes
            ));
        }
        // In a coarse run messages without payload take more of the room than they should, and more than engines expect.
        if message_bytes > ledger.room_bytes && self.content.bytes_per_byte() == 1 {
            return Err(format!("sends {message_bytes} on {link:?}, where there is room for {}", ledger.room_bytes));
        }
        ledger.room_bytes = ledger.room_bytes.saturating_sub(message_bytes);
        let sent_groups = ledger.sent_groups.get_or_insert_with(|| Bits::none(self.geometry.groups()));
        for group in groups {
            if !sent_groups.insert(group) {
                return Err(format!("sends group {group} twice on {link:?}"));
            }
        }
        Ok(())
    }
}
