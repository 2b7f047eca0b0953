//! Those who watch while it comes.

use pleach_core::peer::Input;

use super::{Happening, World};
use crate::network::NodeId;
use crate::player::{LOOK, Player};

impl World {
    /// Lets a peer that has just started watch, if it is one that does.
    pub(super) fn begin_to_play(&mut self, id: NodeId) {
        let Some(bytes_per_s) = self.node(id).spec.plays_bytes_per_s else { return };
        let bytes_per_s = bytes_per_s / u64::from(self.content.bytes_per_byte());
        let size_bytes = self.content.geometry().size_bytes();
        let now = self.now;
        self.node_mut(id).player = Some(Player::new(bytes_per_s, size_bytes, now));
        self.queue.push(now, Happening::Play(id));
    }

    /// A peer's player looks.
    pub(super) fn play(&mut self, id: NodeId) {
        let now = self.now;
        let node = self.node_mut(id);
        let (Some(engine), Some(player)) = (&node.engine, &mut node.player) else { return };
        let want = player.look(engine.peer.held_until(player.at_bytes()), now);
        let is_done = player.is_done();
        if let Some(want) = want {
            self.due.push_back((id, Input::Want { wants: vec![want] }));
        }
        if !is_done {
            self.queue.push(now + LOOK, Happening::Play(id));
        }
    }
}
