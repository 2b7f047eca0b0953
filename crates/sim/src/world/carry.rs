//! An adapter's work: inputs in, outputs carried out.

use pleach_core::ids::ConnectionId;
use pleach_core::peer::{Event, Input, Output};
use pleach_core::wire::link::LinkMessage;

use super::node::Stage;
use super::{Action, Begin, Happening, World};
use crate::check::OUTPUTS_MAX;
use crate::network::NodeId;
use crate::store::READ_LATENCY;
use crate::tracker_host::{CONNECT_DELAYS, ToHost};

impl World {
    /// Gives an input to a peer, if it is there, and carries out what it says.
    pub(super) fn give(&mut self, id: NodeId, input: Input) {
        self.record_input(id, &input);
        let node = &mut self.nodes[id.0 as usize];
        let Some(engine) = &mut node.engine else { return };
        match &input {
            Input::Written(write) => engine.store.written(*write),
            Input::LinkClosed { .. } => node.links_live = node.links_live.saturating_sub(1),
            _ => {}
        }
        if node.bender.is_honest() {
            self.safety.input(id, &input);
        }
        engine.peer.handle_input(input, self.now);
        self.drain(id);
    }

    fn record_input(&mut self, id: NodeId, input: &Input) {
        let (Some(record), Input::LinkMessage { link, message }) = (&mut self.record, input) else { return };
        match LinkMessage::decode(message, &self.content.geometry()) {
            Ok(LinkMessage::Subscribe { stripes, .. }) => record.subscribed(stripes),
            Ok(LinkMessage::Data(data)) => {
                if let Some(from) = self.network.far_node(id, *link) {
                    let packet = self.content.geometry().packet_of(data.first);
                    record.came(from, id, packet.get(), data.count);
                }
            }
            _ => {}
        }
    }

    pub(super) fn timer(&mut self, id: NodeId) {
        let Some(engine) = &mut self.nodes[id.0 as usize].engine else { return };
        if engine.timer_at != Some(self.now) {
            return;
        }
        engine.timer_at = None;
        if engine.peer.poll_timeout().is_some_and(|(at, _)| at <= self.now) {
            engine.peer.handle_timeout(self.now);
        }
        self.drain(id);
    }

    /// Carries out all outputs, and sets the timer anew.
    pub(super) fn drain(&mut self, id: NodeId) {
        let mut outputs = 0;
        while let Some(output) = self.nodes[id.0 as usize].engine.as_mut().and_then(|engine| engine.peer.poll_output())
        {
            outputs += 1;
            self.said(id, output);
        }
        if outputs > OUTPUTS_MAX {
            self.safety.breach(Some(id), format!("answers one input with {outputs} outputs"), self.now);
        }
        let now = self.now;
        let Some(engine) = &mut self.nodes[id.0 as usize].engine else { return };
        let Some((at, _)) = engine.peer.poll_timeout() else { return };
        let at = at.max(now);
        if engine.timer_at.is_none_or(|entered| at < entered) {
            engine.timer_at = Some(at);
            self.queue.push(at, Happening::Timer(id));
        }
    }

    fn said(&mut self, id: NodeId, output: Output) {
        let node = &mut self.nodes[id.0 as usize];
        self.digest.output(id, &output, self.now);
        if node.bender.is_honest() {
            if let Some(engine) = &node.engine {
                self.safety.output(id, &output, &engine.store, self.now);
            }
            self.carry_out(id, output);
        } else {
            if let Some(output) = node.bender.bend(output, &self.content.geometry()) {
                self.carry_out(id, output);
            }
        }
    }

    fn carry_out(&mut self, id: NodeId, output: Output) {
        match output {
            Output::ConnectTracker => self.connect_tracker(id),
            Output::DisconnectTracker => {
                if let Some(connection) = self.take_socket(id) {
                    self.tell_tracker(id, ToHost::Gone { connection });
                }
            }
            Output::SendTracker(text) => {
                if let Some(connection) = self.socket(id) {
                    self.tell_tracker(id, ToHost::Frame { connection, text });
                }
            }
            Output::UploadManifest => self.tell_tracker(id, ToHost::ManifestUploaded),
            Output::OpenLink { link, dial, .. } => {
                let node = self.node_mut(id);
                node.links_opened += 1;
                node.links_live += 1;
                node.links_live_max = node.links_live_max.max(node.links_live);
                self.network.open_link(id, link, dial, self.now);
            }
            Output::ApplySignal { link, signal } => self.network.apply_signal(id, link, &signal, self.now),
            Output::SendLink { link, message } => {
                let sent = self.network.send(id, link, message, self.now);
                self.blame(id, sent);
            }
            Output::CloseLink { link } => self.network.close_link(id, link, self.now),
            Output::Write { write, offset_bytes, bytes } => self.write(id, write, offset_bytes, &bytes),
            Output::AppendRecord(bytes) => {
                if let Some(engine) = &mut self.node_mut(id).engine {
                    engine.store.record.extend_from_slice(&bytes);
                }
            }
            Output::Read { read, offset_bytes, len_bytes } => self.read(id, read, offset_bytes, len_bytes),
            Output::Fetch { fetch, url, range, .. } => {
                let (line, now) = (self.network.line(id), self.now);
                let later = self.web.as_mut().and_then(|web| web.ask((id, line), fetch, &url, range, now));
                self.enter_web(later);
            }
            // One package a world: nobody is beside.
            Output::Beside(_) => {}
            Output::CancelFetch { fetch } => {
                if let Some(web) = &mut self.web {
                    web.cancel(id, fetch);
                }
            }
            Output::Event(event) => self.event(id, event),
        }
    }

    /// An output that could not be carried out is an honest engine's fault, and nothing to wonder at in another.
    fn blame(&mut self, id: NodeId, result: Result<(), String>) {
        if let Err(what) = result
            && self.node(id).bender.is_honest()
        {
            self.safety.breach(Some(id), what, self.now);
        }
    }

    fn socket(&self, id: NodeId) -> Option<ConnectionId> {
        self.node(id).engine.as_ref()?.socket
    }

    fn take_socket(&mut self, id: NodeId) -> Option<ConnectionId> {
        self.node_mut(id).engine.as_mut()?.socket.take()
    }

    fn connect_tracker(&mut self, id: NodeId) {
        let connection = ConnectionId(self.next_connection);
        self.next_connection += 1;
        if let Some(engine) = &mut self.node_mut(id).engine {
            engine.socket = Some(connection);
        }
        let at = self.now + self.tracker_delay(id) * CONNECT_DELAYS;
        self.queue.push(at, Happening::ToTracker(ToHost::Open { connection, node: id }));
    }

    fn tell_tracker(&mut self, id: NodeId, what: ToHost) {
        let at = self.now + self.tracker_delay(id);
        self.queue.push(at, Happening::ToTracker(what));
    }

    fn write(&mut self, id: NodeId, write: pleach_core::ids::WriteId, offset_bytes: u64, bytes: &bytes::Bytes) {
        let now = self.now;
        let node = &mut self.nodes[id.0 as usize];
        let Some(engine) = &mut node.engine else { return };
        let accepted = match engine.store.write(write, offset_bytes, bytes) {
            Ok(accepted) => accepted,
            Err(what) => return self.safety.breach(Some(id), what, now),
        };
        if accepted.completed_packet {
            node.first_packet.get_or_insert(now);
        }
        self.queue.push(now + accepted.takes, Happening::Input(id, Input::Written(write)));
        self.groups_written += accepted.news.len() as u64;
        for group in accepted.news {
            self.count_holder(group, true);
        }
    }

    fn read(&mut self, id: NodeId, read: pleach_core::ids::ReadId, offset_bytes: u64, len_bytes: u32) {
        let now = self.now;
        let node = self.node(id);
        let Some(engine) = &node.engine else { return };
        // While what an earlier run left is checked, the engine reads what may not be there.
        let is_checking = matches!(node.spec.begin, Begin::Kept(_) | Begin::Again(_)) && node.resumed_bytes.is_none();
        let Some((bytes, was_written)) = engine.store.read(offset_bytes, len_bytes) else {
            return self.safety.breach(Some(id), format!("reads beyond the end, at {offset_bytes}"), now);
        };
        if !was_written && !is_checking {
            self.safety.breach(Some(id), format!("reads at {offset_bytes} what it has not written"), now);
        }
        self.queue.push(now + READ_LATENCY, Happening::Input(id, Input::ReadDone { read, bytes }));
    }

    fn event(&mut self, id: NodeId, event: Event) {
        let now = self.now;
        match event {
            Event::Complete => self.completed(id),
            Event::Resumed { bytes } => self.resumed(id, bytes),
            Event::PeerLied { peer } => {
                if self.names.get(&peer).is_some_and(|liar| self.node(*liar).bender.is_honest()) {
                    self.safety.breach(Some(id), format!("calls {peer} a liar, which is honest"), now);
                }
            }
            Event::Failed(failure) if self.node(id).bender.is_honest() => {
                self.safety.breach(Some(id), format!("fails: {failure}"), now);
            }
            Event::Stopped => self.kill(id),
            Event::Failed(_)
            | Event::LinkUp { .. }
            | Event::LinkDown { .. }
            | Event::TrackerUp
            | Event::TrackerDown { .. }
            | Event::Came { .. }
            | Event::Descriptor { .. } => {}
        }
    }

    fn completed(&mut self, id: NodeId) {
        let now = self.now;
        let node = &mut self.nodes[id.0 as usize];
        let is_whole = node.engine.as_ref().is_some_and(|engine| engine.store.is_whole());
        if node.finished.is_some() && !matches!(node.spec.begin, Begin::Everything) {
            self.safety.breach(Some(id), "is complete twice", now);
        }
        let leaves_after = node.spec.leaves_after.filter(|_| node.stage == Stage::Alive);
        self.finished_count += usize::from(!matches!(node.spec.begin, Begin::Everything));
        self.change(id, |node| {
            node.finished.get_or_insert(now);
        });
        if !is_whole {
            self.safety.breach(Some(id), "is complete before everything is written", now);
        }
        if let Some(after) = leaves_after {
            self.at(now + after, Action::Leave(id));
        }
    }

    /// The engine has checked what an earlier run left, and must have found all that is there.
    fn resumed(&mut self, id: NodeId, bytes: u64) {
        let Some(engine) = &self.node(id).engine else { return };
        let tree = self.restore(&engine.store.record);
        let node = self.node_mut(id);
        node.resumed_bytes = Some(bytes);
        let Some(engine) = &mut node.engine else { return };
        let (groups, found_bytes) = engine.store.accept_checked(&tree);
        for group in groups {
            self.count_holder(group, true);
        }
        if bytes != found_bytes {
            let what = format!("finds {bytes} good bytes in its store, where there are {found_bytes}");
            self.safety.breach(Some(id), what, self.now);
        }
    }
}
