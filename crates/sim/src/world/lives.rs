//! How peers begin and end: from nothing, with everything or with what was kept; by leaving or by being killed.

use pleach_core::content::HashTree;
use pleach_core::peer::contract::WebSource;
use pleach_core::peer::{Input, Peer, PeerConfig, Start};
use pleach_core::wire::identity::Identity;
use rand::Rng;

use super::node::{Engine, Stage};
use super::{Begin, Happening, TALK, World};
use crate::network::NodeId;
use crate::store::{Kept, Store};
use crate::tracker_host::ToHost;
use crate::web_server::{CONTENT_URL, HASHES_URL};

impl World {
    pub(super) fn start(&mut self, id: NodeId) {
        let (kept, start) = self.beginning(id);
        let mut config = PeerConfig::new(self.content.manifest().clone(), start);
        config.lookup = self.config.lookup.clone();
        config.agent = format!("sim {}", id.0);
        let bytes_per_byte = self.content.bytes_per_byte();
        config.cache_bytes = self.config.cache_bytes / bytes_per_byte as usize;
        config.window_bytes_max /= bytes_per_byte;
        config.store_backlog_bytes_max /= bytes_per_byte as usize;
        if let Some(slots) = self.node(id).spec.slots {
            config.slots = slots;
        }
        if self.web.is_some() {
            config.sources = vec![WebSource { url: CONTENT_URL.to_owned(), bytes_per_s: None }];
            config.hash_lists = vec![HASHES_URL.to_owned()];
        }
        let seed = self.rng.random();
        // A signature costs more than all else that a join does.
        config.identity = Some(Identity::simulated(&seed));
        let mut store = Store::new(self.content.clone(), kept, self.config.is_checked);
        let mut peer = Peer::new(config, seed, self.now);
        if let Some(limit) = self.node(id).spec.upload_bytes_per_s_max {
            peer.handle_input(Input::UploadLimit { bytes_per_s: Some(limit) }, self.now);
        }
        self.names.insert(peer.id(), id);
        let now = self.now;
        let has_all = matches!(self.node(id).spec.begin, Begin::Everything);
        if has_all {
            store.accept_all();
        }
        self.change(id, |node| {
            node.stage = Stage::Alive;
            node.born = Some(now);
            node.finished = has_all.then_some(now);
            node.engine = Some(Engine { peer, store, socket: None, timer_at: None });
        });
        if self.node(id).bender.is_talker() {
            self.queue.push(now + TALK, Happening::Talk(id));
        }
        self.begin_to_play(id);
        self.drain(id);
    }

    fn beginning(&self, id: NodeId) -> (Kept, Start) {
        let content = &self.content;
        match &self.node(id).spec.begin {
            Begin::Empty => (Kept::default(), Start::Empty),
            Begin::Everything => (Kept::default(), Start::Complete(content.tree().clone())),
            Begin::Kept(kept) => (kept.clone(), self.resume(kept)),
            Begin::Again(before) => {
                let kept = self.node(*before).kept.clone().unwrap_or_default();
                let start = self.resume(&kept);
                (kept, start)
            }
        }
    }

    fn resume(&self, kept: &Kept) -> Start {
        Start::Resume(self.restore(&kept.record))
    }

    /// The hashes that a record knows.
    pub(super) fn restore(&self, record: &[u8]) -> HashTree {
        let manifest = self.content.manifest();
        HashTree::restore(manifest.geometry(), manifest.id(), record)
    }

    pub(super) fn leave(&mut self, id: NodeId) {
        if self.node(id).stage == Stage::Alive {
            self.change(id, |node| node.stage = Stage::Leaving);
            self.due.push_back((id, Input::Stop));
        }
    }

    pub(super) fn kill(&mut self, id: NodeId) {
        let now = self.now;
        let delay = self.tracker_delay(id);
        self.change(id, |node| node.stage = Stage::Gone);
        let node = self.node_mut(id);
        let Some(engine) = node.engine.take() else { return };
        node.last = Some(engine.peer.stats(now));
        node.kept = Some(engine.store.keep());
        if !matches!(node.spec.begin, Begin::Everything) {
            for group in engine.store.accepted().iter() {
                self.count_holder(group, false);
            }
        }
        if let Some(connection) = engine.socket {
            self.queue.push(now + delay, Happening::ToTracker(ToHost::Gone { connection }));
        }
        self.network.kill(id, now);
        if let Some(web) = &mut self.web {
            web.forget(id);
        }
    }
}
