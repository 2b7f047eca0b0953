//! What goes into a [`Tracker`](super::Tracker) and what comes out: the whole interface of a server.

use crate::forest::{Seen, Topology};
use crate::ids::{ConnectionId, ContentId, PeerId, TrackerId};

/// Most peers that are known from other days.
pub const KNOWN_MAX: usize = 10_000;

/// How a tracker is set up.
#[derive(Clone, Debug)]
pub struct TrackerConfig {
    /// ICE servers told to peers, as URLs; `stun::PORT` means the host under which the peer reached the tracker.
    pub ice_servers: Vec<String>,
    /// Most swarms. At the bound a join to a new one is refused with `full`.
    pub swarms_max: usize,
    /// Most peers of one swarm. At the bound a join is refused with `full`.
    pub peers_per_swarm_max: usize,
    /// How each swarm is arranged. The next four numbers are the forest's alone.
    pub topology: Topology,
    /// Trees of each swarm's forest, 1 to [`STRIPES_MAX`](crate::wire::tracker::STRIPES_MAX).
    pub stripes: u8,
    /// Children that a peer gets of which nothing is known yet, in all stripes together.
    pub fan_out_max: u8,
    /// Lateral links planned for each peer, beside the tree.
    pub laterals: u8,
    /// Neighbours of a peer up to which plans fill.
    pub links_max: u8,
    /// How often a forest is put in order by what was measured.
    pub epoch_ms: u64,
    /// A peer is pinged when it said nothing for so long.
    pub heartbeat_ms: u64,
    /// A peer that said nothing for so long is dropped.
    pub silence_ms_max: u64,
    /// A peer whose socket broke keeps its place for so long; if it is not back then, it is dropped.
    pub away_ms_max: u64,
    /// Messages a second that a socket may send, sustained; a burst may have ten times as many. Beyond it: `too_fast`.
    pub messages_per_s_max: u32,
    /// Whether a peer must prove that its key is its own. Only a simulation says no.
    pub checks_joins: bool,
    /// Sockets that have not joined within this time are closed.
    pub join_ms_max: u64,
    /// After so many different reporters of bad bytes a peer is banned from the swarm.
    pub reporters_to_ban: u8,
    /// What the key is made from that signs orders; none: it comes from the tracker's seed, and is another after a restart.
    pub signing_seed: Option<SigningSeed>,
    /// The trackers that it shares swarms with; none: it runs all that come to it.
    pub cluster: Option<ClusterConfig>,
}

/// Which trackers run swarms together.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// This one.
    pub me: TrackerId,
    /// The others.
    pub others: Vec<TrackerId>,
    /// How often each tells the others that it lives.
    pub beat_ms: u64,
    /// Of whom nothing was heard for so long is gone.
    pub silence_ms_max: u64,
}

impl ClusterConfig {
    /// `me` with these others.
    pub fn new(me: TrackerId, others: Vec<TrackerId>) -> Self {
        Self { me, others, beat_ms: 1_000, silence_ms_max: 5_000 }
    }

    /// Without others there is nobody to whom a name matters.
    pub(super) fn alone() -> Self {
        Self::new(TrackerId::from_bytes([0; TrackerId::LEN_BYTES]), Vec::new())
    }
}

/// The secret half of a tracker's key. It is never shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SigningSeed(pub [u8; 32]);

impl core::fmt::Debug for SigningSeed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SigningSeed")
    }
}

impl Default for TrackerConfig {
    fn default() -> Self {
        Self {
            ice_servers: Vec::new(),
            swarms_max: 10_000,
            peers_per_swarm_max: 100_000,
            topology: Topology::Forest,
            stripes: 8,
            fan_out_max: 8,
            laterals: 4,
            links_max: 24,
            epoch_ms: 1_000,
            heartbeat_ms: 10_000,
            silence_ms_max: 25_000,
            away_ms_max: 8_000,
            messages_per_s_max: 50,
            checks_joins: true,
            join_ms_max: 10_000,
            reporters_to_ban: 2,
            signing_seed: None,
            cluster: None,
        }
    }
}

/// What happens outside.
#[derive(Clone, Debug)]
pub enum Input {
    /// A socket is open.
    Connected(ConnectionId),
    /// A text frame came; may be anything. (A binary frame is to be given as an empty text, which is refused.)
    Message {
        /// Which socket.
        connection: ConnectionId,
        /// The frame.
        text: String,
    },
    /// A socket is gone. Not expected after [`Output::Close`].
    Disconnected(ConnectionId),
    /// A manifest of this content is now held by the server, so peers need not upload it.
    ManifestHeld(ContentId),
    /// The server dropped its manifest of this content.
    ManifestDropped(ContentId),
    /// Of this peer is to be told what it is seen to send ([`Output::Seen`]), and so much is known of other days, in bytes a
    /// second. At most [`KNOWN_MAX`]; more are not heard.
    Known {
        /// Who.
        peer: PeerId,
        /// What it was seen to send.
        bytes_per_s: Option<u64>,
    },
    /// The peer is as all others.
    Forgotten(PeerId),
    /// Another tracker said something, by [`Output::Tell`]; may be anything.
    Heard {
        /// What.
        text: String,
    },
    /// The server is about to stop. Nothing is to be given after this.
    Stopping,
}

/// What the server is to do, at once and in order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send a text frame. If the socket's bounded queue is full, close it and give [`Input::Disconnected`].
    Send {
        /// Which socket.
        connection: ConnectionId,
        /// The frame.
        text: String,
    },
    /// Close the socket after what was sent.
    Close {
        /// Which socket.
        connection: ConnectionId,
    },
    /// Say something to another tracker. If the bounded channel to it is full, or it is not there, the text is dropped, and
    /// [`Input::Disconnected`] given for the socket that it is about, if it is about one; if that is open here, close it.
    Tell {
        /// Which tracker.
        to: TrackerId,
        /// The socket that it is about: one of the adapter's, or one that the other holds.
        about: Option<ConnectionId>,
        /// What: at most [`MESSAGE_BYTES_MAX`](crate::wire::cluster::MESSAGE_BYTES_MAX).
        text: String,
    },
    /// Peers that are [`Input::Known`] were seen to send so much by those who received it.
    Seen {
        /// Who.
        peer: PeerId,
        /// What.
        seen: Seen,
    },
    /// Tell the log.
    Event(Event),
}

/// What a log wants to hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A peer joined.
    Joined {
        /// Where.
        swarm: ContentId,
        /// Who.
        peer: PeerId,
        /// Its program.
        agent: String,
    },
    /// A peer is gone.
    Left {
        /// Where.
        swarm: ContentId,
        /// Who.
        peer: PeerId,
        /// For people.
        reason: &'static str,
    },
    /// A peer was banned for bad bytes.
    Banned {
        /// Where.
        swarm: ContentId,
        /// Who.
        peer: PeerId,
    },
    /// A socket was refused.
    Refused {
        /// Which socket.
        connection: ConnectionId,
        /// For people.
        reason: String,
    },
    /// Another tracker lives, and did not before, or is another run of it.
    TrackerCame {
        /// Which.
        tracker: TrackerId,
    },
    /// Another tracker stopped, or is silent.
    TrackerGone {
        /// Which.
        tracker: TrackerId,
    },
    /// A swarm runs at another tracker from now on.
    Moved {
        /// Which.
        swarm: ContentId,
    },
    /// Something of another tracker was not understood.
    NotUnderstood {
        /// For people.
        reason: String,
    },
}

/// A snapshot for `/stats.json` and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrackerStats {
    /// Open sockets here, whichever tracker runs their swarms.
    pub connections: usize,
    /// Live swarms that this tracker runs.
    pub swarms: Vec<SwarmStats>,
    /// Peers of these swarms whose sockets other trackers hold.
    pub remote: usize,
    /// The other trackers.
    pub trackers: Vec<TrackerSeen>,
    /// Messages received since the start.
    pub messages_in: u64,
    /// Messages sent since the start.
    pub messages_out: u64,
    /// Sockets refused since the start.
    pub refused: u64,
}

/// Another tracker, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackerSeen {
    /// Which.
    pub tracker: TrackerId,
    /// Whether it lives.
    pub lives: bool,
    /// Swarms that it runs, by its lists.
    pub swarms: usize,
    /// Peers in these.
    pub peers: usize,
}

/// One swarm, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwarmStats {
    /// Which.
    pub swarm: ContentId,
    /// Peers in it.
    pub peers: usize,
    /// Of these, how many have everything.
    pub seeders: usize,
    /// Longest way from a root, in edges.
    pub depth: usize,
}
