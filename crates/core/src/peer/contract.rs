//! What goes into a [`Peer`](super::Peer) and what comes out: the whole interface of an adapter.

use bytes::Bytes;

use super::schedule::Want;
use crate::content::{ByteRange, HashTree, Manifest};
use crate::ids::{ContentId, FetchId, LinkId, PeerId, ReadId, WriteId};
use crate::lookup::Policy;
use crate::wire::identity::Identity;
use crate::wire::lookup::Reach;
use crate::wire::range::FetchOutcome;
use crate::wire::signal::Signal;
use crate::wire::tracker::{Role, StripeMask};

/// How a peer is set up. Made once; everything in it has a sensible default in [`PeerConfig::new`].
#[derive(Clone, Debug)]
pub struct PeerConfig {
    /// What is to be had or given.
    pub manifest: Manifest,
    /// What is known of it at the start.
    pub start: Start,
    /// Whether there is a tracker. Without one nobody is met, and all comes from the web.
    pub has_tracker: bool,
    /// Where on the web the content's bytes are. Those beyond [`URLS_MAX`](crate::content::URLS_MAX) are left out, and
    /// all of them if the hash list would be longer than [`HASH_LIST_BYTES_MAX`](crate::content::HASH_LIST_BYTES_MAX).
    pub sources: Vec<WebSource>,
    /// Addresses at which the content's hash list may be, the likeliest first; as many at most.
    pub hash_lists: Vec<String>,
    /// Who it is; none: the seed decides. Taken out by the peer.
    pub identity: Option<Identity>,
    /// What program this is, for people; at most [`AGENT_BYTES_MAX`](crate::wire::tracker::AGENT_BYTES_MAX) bytes.
    pub agent: String,
    /// How many children it would feed at most, in all stripes together; 0 takes only.
    pub slots: u8,
    /// Verified bytes kept in memory to be passed on without a read. At the bound the oldest go.
    pub cache_bytes: usize,
    /// Most bytes that may be sent to us on one link before we say so: the upper bound of a credit window.
    pub window_bytes_max: u32,
    /// Most bytes that wait for the store. At the bound no more credit is given, so that senders pause.
    pub store_backlog_bytes_max: usize,
    /// How others are looked up that the tracker does not tell of.
    pub lookup: LookupConfig,
}

/// How a peer looks others up ([003]).
#[derive(Clone, Debug)]
pub struct LookupConfig {
    /// Whether it does so at all. What others ask is answered in any case.
    pub is_on: bool,
    /// What becomes of a known location when another is heard of.
    pub policy: Policy,
    /// How it asks, one after the other and then from the first again; none: as with `is_on` false.
    pub reaches: Vec<Reach>,
}

impl Default for LookupConfig {
    fn default() -> Self {
        Self { is_on: true, policy: Policy::default(), reaches: vec![Reach::GROUP, Reach::BROADCAST] }
    }
}

/// A place on the web that has the content's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSource {
    /// Its address, `http:` or `https:`.
    pub url: String,
    /// Most bytes a second to take from it; 0 takes none, `None` is no limit.
    pub bytes_per_s: Option<u64>,
}

/// What a peer knows of the content when it starts.
#[derive(Clone, Debug)]
pub enum Start {
    /// Nothing: fetch all.
    Empty,
    /// Hashes from an earlier run, whose data may lie in the store. Each packet they cover is read and checked before
    /// it counts: nothing is believed that was not verified, whatever happened to the store in between.
    Resume(HashTree),
    /// All of it: the tree is complete, and the store holds the bytes it was made from.
    Complete(HashTree),
}

/// What happens outside. Data channel messages must arrive in the order in which they were sent, once each, and not
/// before [`Input::LinkOpen`].
#[derive(Clone, Debug)]
pub enum Input {
    /// The tracker's socket is open.
    TrackerUp,
    /// A text frame came from the tracker.
    TrackerMessage(String),
    /// The socket could not be opened, or is closed.
    TrackerDown {
        /// For people.
        reason: String,
    },
    /// The adapter's end of a link made a signal that the other end must have.
    LinkSignal {
        /// Which link.
        link: LinkId,
        /// What.
        signal: Signal,
    },
    /// The link's data channel is open. `room_bytes` as in [`Input::LinkRoom`].
    LinkOpen {
        /// Which link.
        link: LinkId,
        /// Bytes that may be sent at once.
        room_bytes: usize,
    },
    /// A message came.
    LinkMessage {
        /// Which link.
        link: LinkId,
        /// A whole message; may be anything.
        message: Bytes,
    },
    /// The channel's buffer has drained: so many bytes may be sent before the next such input. Replaces what was left
    /// of the one before. The peer keeps payload within it; messages without payload, at most a few KiB, may exceed it.
    LinkRoom {
        /// Which link.
        link: LinkId,
        /// Bytes that may be sent.
        room_bytes: usize,
    },
    /// The link is closed or could not be opened. Nothing more comes from it. Also answers [`Output::CloseLink`].
    LinkClosed {
        /// Which link.
        link: LinkId,
        /// For people.
        reason: String,
    },
    /// A write is done; the bytes can be read.
    Written(WriteId),
    /// A write failed; the peer stops with [`Failure::Store`].
    WriteFailed {
        /// Which.
        write: WriteId,
        /// For people.
        reason: String,
    },
    /// What was read.
    ReadDone {
        /// Which.
        read: ReadId,
        /// All the bytes asked for, or fewer where the store ends.
        bytes: Bytes,
    },
    /// A read failed.
    ReadFailed {
        /// Which.
        read: ReadId,
        /// For people.
        reason: String,
    },
    /// Bytes of a fetch came: those that were asked for, in order, in pieces of any size.
    Fetched {
        /// Which.
        fetch: FetchId,
        /// The next of them.
        bytes: Bytes,
    },
    /// A fetch is over. Nothing more comes from it. Not said of one that was cancelled.
    FetchEnded {
        /// Which.
        fetch: FetchId,
        /// How.
        outcome: FetchOutcome,
    },
    /// What the engine of another package in this process said ([`Output::Beside`]).
    Beside(Bytes),
    /// The person at it changed what may be uploaded: 0 stops it, `None` lifts the limit.
    UploadLimit {
        /// Payload bytes a second.
        bytes_per_s: Option<u64>,
    },
    /// The application wants some bytes before others, instead of what it wanted before.
    Want {
        /// The most urgent first; those beyond [`WANTS_MAX`](super::WANTS_MAX) are left out. None: in sequence again.
        wants: Vec<Want>,
    },
    /// Leave the swarm: say good-bye, close all; then [`Event::Stopped`] comes.
    Stop,
}

/// What the adapter is to do. Carry each out at once and in order; results come back as inputs.
#[derive(Clone, Debug)]
pub enum Output {
    /// Open the tracker's socket.
    ConnectTracker,
    /// Close the tracker's socket; no [`Input::TrackerDown`] is expected.
    DisconnectTracker,
    /// Send a text frame to the tracker.
    SendTracker(String),
    /// Upload the manifest: `PUT /<content id>.pleach` at the tracker. Failure is not fatal and not reported.
    UploadManifest,
    /// Make a WebRTC connection with one data channel: negotiated, id 0, ordered and reliable, messages up to 128 KiB,
    /// binary. The end that dials makes the offer, the other waits for it.
    OpenLink {
        /// The name of it from now on.
        link: LinkId,
        /// Whether to make the offer.
        dial: bool,
        /// STUN and TURN URLs.
        ice_servers: Vec<String>,
    },
    /// Apply what the other end signalled. In order; a candidate may come before the description.
    ApplySignal {
        /// Which link.
        link: LinkId,
        /// What.
        signal: Signal,
    },
    /// Send one message.
    SendLink {
        /// Which link.
        link: LinkId,
        /// The message.
        message: Bytes,
    },
    /// Give this to the engines of all other packages in this process, as [`Input::Beside`]; what can't be kept for them
    /// may be lost. Where there are none, nothing is to be done.
    Beside(Bytes),
    /// Close, after what was sent is delivered if that takes no longer than a second or two. Answer
    /// [`Input::LinkClosed`].
    CloseLink {
        /// Which link.
        link: LinkId,
    },
    /// Write verified bytes. From `store_backlog_bytes_max` bytes under way on no link gets new credit; what was granted
    /// before may still come, at most `window_bytes_max` a link.
    Write {
        /// Name of the write.
        write: WriteId,
        /// Where in the content.
        offset_bytes: u64,
        /// What.
        bytes: Bytes,
    },
    /// Append to the record of known hashes, which [`HashTree::restore`] reads after a restart. A torn end does no
    /// harm. Losing it only costs fetching again.
    AppendRecord(Bytes),
    /// Read bytes.
    Read {
        /// Name of the read.
        read: ReadId,
        /// Where in the content.
        offset_bytes: u64,
        /// How many.
        len_bytes: u32,
    },
    /// Ask a web server for a range of what is at an address: [`range_header`](crate::wire::range::range_header) says
    /// how, [`judge`](crate::wire::range::judge) what the answer is good for. Few redirects are followed. No bytes beyond
    /// the range are given; time is the peer's affair.
    Fetch {
        /// Name of the fetch.
        fetch: FetchId,
        /// The address.
        url: String,
        /// Which bytes of what is there; at least one.
        range: ByteRange,
        /// How many there should be in all.
        size_bytes: u64,
    },
    /// Give up a fetch.
    CancelFetch {
        /// Which.
        fetch: FetchId,
    },
    /// Tell the application.
    Event(Event),
}

/// What an application wants to hear of at once; all else is in [`Stats`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// What was kept of an earlier run has been checked; so many bytes are good. Only after [`Start::Resume`].
    Resumed {
        /// Verified bytes found.
        bytes: u64,
    },
    /// Bytes of a range that is wanted ([`Input::Want`]) can be read: they are verified and written. What was there
    /// before it was wanted is not told; see [`Peer::held_until`](super::Peer::held_until).
    Came {
        /// Those of one packet.
        range: ByteRange,
    },
    /// All bytes of a descriptor of the manifest can be read: they are verified and written. Also told of those that an
    /// earlier run left, after [`Event::Resumed`]; not where everything was there from the start.
    Descriptor {
        /// Its place in [`Manifest::descriptors`].
        index: u32,
    },
    /// Everything is verified and written.
    Complete,
    /// A peer is connected.
    LinkUp {
        /// Which link.
        link: LinkId,
        /// Who.
        peer: PeerId,
    },
    /// A peer is gone.
    LinkDown {
        /// Which link.
        link: LinkId,
        /// Who.
        peer: PeerId,
        /// For people.
        reason: String,
    },
    /// A peer sent bytes that fail their hash; its link is closed and nothing of it was kept.
    PeerLied {
        /// Who.
        peer: PeerId,
    },
    /// The tracker is reached, for the first time or again.
    TrackerUp,
    /// The tracker is not reached; trying again after `retry_ms`, `None` if it refused for good. Links go on.
    TrackerDown {
        /// For people.
        reason: String,
        /// Wait before the next try.
        retry_ms: Option<u64>,
    },
    /// The peer can't go on; it closes everything. [`Event::Stopped`] follows.
    Failed(Failure),
    /// Everything is closed. Nothing more comes out.
    Stopped,
}

/// Why a peer can't go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The store did not take or give bytes: a full disk, a quota, a file that went away.
    #[error("storage failed: {0}")]
    Store(String),
    /// What a seeder shares is no longer what it was when it began.
    #[error("the content changed while it was being shared (at byte {offset_bytes})")]
    ContentChanged {
        /// Where the first changed packet begins.
        offset_bytes: u64,
    },
    /// The tracker will not have this peer and there is nobody else to ask.
    #[error("the tracker refused: {0}")]
    Refused(String),
}

/// What a peer is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Reading what is kept of an earlier run.
    Checking,
    /// Looking for somebody who has it: nothing came yet, or nobody is connected that has what is missing.
    Searching,
    /// Bytes come.
    Downloading,
    /// Everything is verified and written; passing it on.
    Seeding,
    /// Over: stopped or failed.
    Stopped,
}

/// A snapshot for people; cheap enough to ask for several times a second.
#[derive(Clone, Debug, PartialEq)]
pub struct Stats {
    /// The content.
    pub content: ContentId,
    /// What this peer is called in the swarm.
    pub peer: PeerId,
    /// What it is doing.
    pub phase: Phase,
    /// Verified bytes.
    pub have_bytes: u64,
    /// Bytes of the whole.
    pub size_bytes: u64,
    /// Verified payload received since the start.
    pub received_bytes: u64,
    /// Payload sent since the start.
    pub sent_bytes: u64,
    /// Payload received that was not needed or was bad.
    pub wasted_bytes: u64,
    /// Bytes of messages sent that are no payload, to peers and tracker.
    pub control_bytes: u64,
    /// Verified payload received a second, over the last few seconds.
    pub down_bytes_per_s: u64,
    /// Payload sent a second, over the last few seconds.
    pub up_bytes_per_s: u64,
    /// Whether the tracker is reached.
    pub tracker_up: bool,
    /// Peers in the swarm as the tracker told last, this one among them.
    pub swarm_peers: u32,
    /// Of these, how many have everything.
    pub swarm_seeders: u32,
    /// Open links.
    pub links: Vec<LinkStats>,
    /// The places on the web, as the configuration names them.
    pub sources: Vec<SourceStats>,
}

/// One place on the web, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStats {
    /// Its address.
    pub url: String,
    /// What it is doing.
    pub state: SourceState,
    /// Verified bytes that came from it.
    pub received_bytes: u64,
    /// Received a second, over the last few seconds.
    pub down_bytes_per_s: u64,
    /// What went wrong there last, if something did since bytes came.
    pub trouble: Option<String>,
}

/// What a place on the web is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// Nothing is asked of it: others bring what is missing, or all is there.
    Idle,
    /// Bytes are on their way, or the hash list that it takes to verify them.
    Fetching,
    /// It was busy or out of reach, and will be asked again.
    Resting,
    /// It is of no use, and will not be asked again.
    Unfit,
}

/// One open link, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkStats {
    /// Which link.
    pub link: LinkId,
    /// Who is at the far end.
    pub peer: PeerId,
    /// What program it says it is; empty until it has said so.
    pub agent: String,
    /// What it is to this peer.
    pub role: Role,
    /// Whether it was looked up; then `peer` is what it was called by who told of it.
    pub is_found: bool,
    /// Stripes that it pushes to this peer.
    pub stripes_down: StripeMask,
    /// Stripes that this peer pushes to it.
    pub stripes_up: StripeMask,
    /// Packets it has, as it says.
    pub packets_held: u32,
    /// Payload received on it.
    pub received_bytes: u64,
    /// Payload sent on it.
    pub sent_bytes: u64,
    /// Received a second, over the last few seconds.
    pub down_bytes_per_s: u64,
    /// Sent a second, over the last few seconds.
    pub up_bytes_per_s: u64,
    /// Round trip of a message, if measured; includes what waits in buffers.
    pub round_trip_ms: Option<u32>,
}

impl PeerConfig {
    /// The defaults.
    pub fn new(manifest: Manifest, start: Start) -> Self {
        Self {
            manifest,
            start,
            has_tracker: true,
            sources: Vec::new(),
            hash_lists: Vec::new(),
            identity: None,
            agent: String::new(),
            slots: 64,
            cache_bytes: 8 << 20,
            window_bytes_max: 4 << 20,
            store_backlog_bytes_max: 8 << 20,
            lookup: LookupConfig::default(),
        }
    }
}
