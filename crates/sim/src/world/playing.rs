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
        if id.0 == 5 && std::env::var("DBG").is_ok() && now.as_micros() % 1_000_000 < 100_000 {
            let mut out = String::new();
            for p in 0..40usize {
                let h = self.holders[p * 4..p * 4 + 4].iter().min().unwrap();
                out += &format!("{h} ");
            }
            eprintln!("{now:?} {out}");
            let st = self.nodes[0].engine.as_ref().unwrap().peer.stats(now);
            let mut l = String::new();
            for k in st.links.iter().filter(|k| k.stripes_up.0 != 0) {
                let n = self.names[&k.peer];
                let up = self.nodes[n.0 as usize].spec.line.up_bytes_per_s * 8 / 1_000_000;
                l += &format!(
                    "[n{} {}Mb {:08b} {}k/s {}k]",
                    n.0,
                    up,
                    k.stripes_up.0,
                    k.up_bytes_per_s * u64::from(self.content.bytes_per_byte()) / 1000,
                    k.sent_bytes * u64::from(self.content.bytes_per_byte()) / 1000
                );
            }
            eprintln!("    {l}");
        }
        let node = self.node_mut(id);
        let (Some(engine), Some(player)) = (&node.engine, &mut node.player) else { return };
        let want = player.look(engine.peer.held_until(player.at_bytes()), now);
        let is_done = player.is_done();
        if let Some(want) = want.filter(|_| std::env::var("NOWANT").is_err()) {
            self.due.push_back((id, Input::Want { wants: vec![want] }));
        }
        if !is_done {
            self.queue.push(now + LOOK, Happening::Play(id));
        }
    }
}
