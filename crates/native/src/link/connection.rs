//! One peer connection of the `webrtc` crate with its one data channel, set up the way Pleach wants it, and the order in
//! which signals are applied to it. What flows over the channel is the business of [`super::session`] and [`super::bare`].

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rtc::{ice::mdns::MulticastDnsMode, peer_connection::configuration::setting_engine::SctpMaxMessageSize};
use tokio::sync::{mpsc, watch};
use webrtc::{
    data_channel::{DataChannel, RTCDataChannelInit},
    peer_connection::{
        PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
        RTCIceCandidateInit, RTCIceServer, RTCPeerConnectionIceEvent, RTCPeerConnectionState, RTCSessionDescription,
        SettingEngine, SettingEngineBuilder,
    },
};

use super::{
    IceServer, LinkConfig,
    signal::{Signal, is_usable_candidate, may_gather_acks, split_candidates, with_attributes},
    socket::{Granted, LinkRuntime},
};

/// The data channel's label. Nothing depends on it; it is what a browser's tools show.
const CHANNEL_LABEL: &str = "pleach";

/// The data channel's id, the same at both ends, so that each end just creates it and no round trip announces it.
const CHANNEL_ID: u16 = 0;

/// Candidates of the other end that are used; further ones are ignored. A machine with many addresses has a dozen.
const CANDIDATES_MAX: usize = 32;

/// Notices that wait for the session. Beyond them candidates are dropped: a machine with this many addresses has others.
const NOTICES_MAX: usize = 128;

/// How often ICE repeats its checks and looks whether a pair can be nominated (RFC 8445's pace, section 14.2).
///
/// The crate's 200 ms are paid up to three times before DTLS starts, and were most of its 600 ms of set-up.
const ICE_CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// Checks of one pair before ICE gives it up: about as long as a link may take to open.
const ICE_CHECKS_PER_PAIR_MAX: u16 = 300;

/// How often an idle connection asks whether the other end is still there.
const ICE_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);

/// Silence after which a connection counts as lost: four unanswered questions.
const ICE_DISCONNECTED_AFTER: Duration = Duration::from_secs(4);

/// Further silence after which ICE itself gives up. A session has closed before; this also bounds checking (4 + 11 s).
const ICE_FAILED_AFTER: Duration = Duration::from_secs(11);

/// What a connection tells its session.
#[derive(Debug)]
pub(super) enum Notice {
    /// A local candidate was found.
    Candidate(Signal),
    /// ICE and DTLS are through.
    Connected,
    /// No packet comes any more, or none ever came.
    Lost(&'static str),
    /// The other end opened a channel of its own. Nobody would read it, and the crate would keep its messages.
    SecondChannel,
}

/// A peer connection with its channel.
pub(super) struct Connection {
    pub(super) channel: Arc<dyn DataChannel>,
    pub(super) notices: mpsc::Receiver<Notice>,
    /// Turns true when the crate's driver task has ended; nothing moves after that.
    pub(super) driver_ended: watch::Receiver<bool>,
    pub(super) peer: Arc<dyn PeerConnection>,
    negotiation: Negotiation,
}

/// Applies signals in the order that WebRTC needs, whatever the order in which they come, and makes ours.
pub(super) struct Negotiation {
    peer: Arc<dyn PeerConnection>,
    channel: Arc<dyn DataChannel>,
    dial: bool,
    /// Whether the socket gathers acknowledgements to the other end.
    gathers: Arc<AtomicBool>,
    /// The remote description is there, so candidates can be added.
    described: bool,
    /// Candidates that came before the remote description.
    early: Vec<RTCIceCandidateInit>,
    /// Candidates used so far.
    candidates: usize,
}

impl Connection {
    /// Binds sockets and creates the channel. Nothing is sent yet.
    pub(super) async fn new(config: &LinkConfig, dial: bool, ice_servers: &[IceServer]) -> Result<Self, String> {
        let (notify, notices) = mpsc::channel(NOTICES_MAX);
        let (driver_ended_sender, driver_ended) = watch::channel(false);
        let gathers = Arc::new(AtomicBool::new(false));
        let runtime = LinkRuntime {
            socket_buffer_bytes: config.socket_buffer_bytes,
            driver_ended: driver_ended_sender,
            gathers: gathers.clone(),
        };
        let granted = Granted::probe(config.socket_buffer_bytes).map_err(|error| format!("no socket: {error}"))?;
        let peer = PeerConnectionBuilder::new()
            .with_runtime(Arc::new(runtime))
            .with_handler(Arc::new(Handler { notify }))
            .with_configuration(RTCConfigurationBuilder::default().with_ice_servers(servers(ice_servers)).build())
            .with_setting_engine(settings(config, granted))
            .with_udp_addrs(config.bind_addresses())
            .with_data_channel_send_buffer_limit(config.in_flight_bytes_max)
            // Not for a pool, which `LinkRuntime` does not have: it is how the crate asks for the driver's task by name,
            // and how a connection that is dropped stops its driver.
            .with_dedicated_reactor_pool_size(1)
            .build()
            .await
            .map_err(|error| format!("no connection can be made here: {error}"))?;
        let peer: Arc<dyn PeerConnection> = Arc::new(peer);
        let init = RTCDataChannelInit { negotiated: Some(CHANNEL_ID), ..RTCDataChannelInit::default() };
        let channel = peer
            .create_data_channel(CHANNEL_LABEL, Some(init))
            .await
            .map_err(|error| format!("no channel can be made here: {error}"))?;
        let negotiation = Negotiation {
            peer: peer.clone(),
            channel: channel.clone(),
            dial,
            gathers,
            described: false,
            early: Vec::new(),
            candidates: 0,
        };
        Ok(Self { channel, notices, driver_ended, peer, negotiation })
    }

    /// The parts, for loops that run side by side.
    pub(super) fn parts(&mut self) -> (&mut Negotiation, &mut mpsc::Receiver<Notice>, &mut watch::Receiver<bool>) {
        (&mut self.negotiation, &mut self.notices, &mut self.driver_ended)
    }

    /// Tells the other end, if it can be told, and stops.
    pub(super) async fn close(self) {
        if let Err(error) = self.peer.close().await {
            tracing::debug!(%error, "closing a peer connection");
        }
    }
}

impl Negotiation {
    /// The dialling end's first signal; the answering end waits for one.
    pub(super) async fn start(&mut self) -> Result<Option<Signal>, String> {
        if !self.dial {
            return Ok(None);
        }
        let offer = self.peer.create_offer(None).await.map_err(|error| format!("no offer can be made: {error}"))?;
        self.describe_self(offer).await.map(|sdp| Some(Signal::Offer { sdp }))
    }

    /// Applies one signal; an offer has an answer.
    ///
    /// A description that cannot be used is an error, for nothing can come of the link. A candidate that cannot be used
    /// is ignored, for others may do.
    pub(super) async fn apply(&mut self, signal: Signal) -> Result<Option<Signal>, String> {
        match signal {
            Signal::Offer { sdp } if !self.dial && !self.described => {
                self.describe_other(RTCSessionDescription::offer, &sdp, "offer").await?;
                let answer =
                    self.peer.create_answer(None).await.map_err(|error| format!("no answer can be made: {error}"))?;
                self.describe_self(answer).await.map(|sdp| Some(Signal::Answer { sdp }))
            }
            Signal::Answer { sdp } if self.dial && !self.described => {
                self.describe_other(RTCSessionDescription::answer, &sdp, "answer").await?;
                Ok(None)
            }
            Signal::Offer { .. } => Err("the other end made an offer out of turn".into()),
            Signal::Answer { .. } => Err("the other end made an answer out of turn".into()),
            Signal::Candidate { candidate, sdp_mid, sdp_m_line_index } => {
                self.add(RTCIceCandidateInit {
                    candidate,
                    sdp_mid,
                    sdp_mline_index: sdp_m_line_index,
                    ..RTCIceCandidateInit::default()
                })
                .await;
                Ok(None)
            }
        }
    }

    /// Heeds what the connection told: a signal to be sent, or why there will be no connection.
    pub(super) async fn heed(&mut self, notice: Option<Notice>) -> Result<Option<Signal>, String> {
        match notice {
            Some(Notice::Candidate(candidate)) => Ok(Some(candidate)),
            Some(Notice::Connected) => {
                self.nudge().await;
                Ok(None)
            }
            Some(Notice::Lost(reason)) => Err(reason.into()),
            Some(Notice::SecondChannel) => Err("the other end opened a second channel".into()),
            None => Err("the connection broke down".into()),
        }
    }

    /// Wakes the crate's driver.
    ///
    /// When DTLS is through, the driver has SCTP make its first packet, *after* it has looked for packets to send, and
    /// goes to sleep: the packet leaves with the next timer, up to 200 ms later. Setting a threshold, here to what it
    /// is, wakes it. Remove this when set-up is no slower without.
    async fn nudge(&self) {
        if let Err(error) = self.channel.set_buffered_amount_low_threshold(0).await {
            tracing::debug!(%error, "nudging a driver");
        }
    }

    async fn describe_self(&self, description: RTCSessionDescription) -> Result<String, String> {
        let sdp = description.sdp.clone();
        self.peer
            .set_local_description(description)
            .await
            .map_err(|error| format!("our description cannot be used: {error}"))?;
        Ok(with_attributes(&sdp))
    }

    async fn describe_other(
        &mut self,
        parse: fn(String) -> webrtc::error::Result<RTCSessionDescription>,
        sdp: &str,
        what: &str,
    ) -> Result<(), String> {
        self.gathers.store(may_gather_acks(sdp), Ordering::Relaxed);
        let (sdp, candidates) = split_candidates(sdp);
        let unusable = |error| format!("the other end's {what} cannot be used: {error}");
        let description = parse(sdp).map_err(unusable)?;
        self.peer.set_remote_description(description).await.map_err(unusable)?;
        self.described = true;
        for candidate in candidates {
            self.add(RTCIceCandidateInit { candidate, ..RTCIceCandidateInit::default() }).await;
        }
        for candidate in std::mem::take(&mut self.early) {
            self.add_described(candidate).await;
        }
        Ok(())
    }

    /// Takes a candidate of the other end, now or when its description is there.
    async fn add(&mut self, candidate: RTCIceCandidateInit) {
        if !is_usable_candidate(&candidate.candidate) || self.candidates == CANDIDATES_MAX {
            tracing::debug!(candidate = candidate.candidate, "ignored a candidate");
            return;
        }
        self.candidates += 1;
        if self.described {
            self.add_described(candidate).await;
        } else {
            self.early.push(candidate);
        }
    }

    async fn add_described(&self, candidate: RTCIceCandidateInit) {
        if let Err(error) = self.peer.add_ice_candidate(candidate).await {
            tracing::debug!(%error, "ignored a candidate");
        }
    }
}

/// Callbacks of the crate. They run on the task that moves the packets, so they only leave a note.
struct Handler {
    notify: mpsc::Sender<Notice>,
}

impl Handler {
    fn note(&self, notice: Notice) {
        if let Err(error) = self.notify.try_send(notice) {
            tracing::debug!(%error, "dropped a notice");
        }
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        match event.candidate.to_json() {
            // A machine without a network has a candidate at `0.0.0.0`, which is of no use to anyone.
            Ok(found) if is_usable_candidate(&found.candidate) => self.note(Notice::Candidate(Signal::Candidate {
                candidate: found.candidate,
                sdp_mid: found.sdp_mid,
                sdp_m_line_index: found.sdp_mline_index,
            })),
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "dropped a local candidate"),
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        tracing::debug!(%state, "peer connection");
        match state {
            RTCPeerConnectionState::Connected => self.note(Notice::Connected),
            RTCPeerConnectionState::Disconnected => self.note(Notice::Lost("the other end fell silent")),
            RTCPeerConnectionState::Failed => self.note(Notice::Lost("the other end cannot be reached")),
            // `Closed` is told by the channel, after the messages that came before it.
            _ => {}
        }
    }

    async fn on_data_channel(&self, _: Arc<dyn DataChannel>) {
        self.note(Notice::SecondChannel);
    }
}

fn saturate(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn settings(config: &LinkConfig, granted: Granted) -> SettingEngine {
    let at_once = Some(Duration::ZERO);
    SettingEngineBuilder::new()
        // The crate could neither start without a multicast route nor gain from names: see `is_usable_candidate`.
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_include_loopback_candidate(config.loopback)
        .with_host_acceptance_min_wait(at_once)
        .with_srflx_acceptance_min_wait(at_once)
        .with_prflx_acceptance_min_wait(at_once)
        .with_relay_acceptance_min_wait(at_once)
        .with_ice_connection_attempts(Some(ICE_CHECK_INTERVAL), Some(ICE_CHECKS_PER_PAIR_MAX))
        .with_ice_timeouts(Some(ICE_DISCONNECTED_AFTER), Some(ICE_FAILED_AFTER), Some(ICE_KEEPALIVE_INTERVAL))
        .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(saturate(config.max_message_bytes)))
        .with_sctp_max_receive_buffer_size(saturate(granted.receive_window_bytes(config)))
        .build()
}

fn servers(ice_servers: &[IceServer]) -> Vec<RTCIceServer> {
    ice_servers
        .iter()
        .map(|server| RTCIceServer {
            urls: vec![server.url.clone()],
            username: server.username.clone(),
            credential: server.credential.clone(),
        })
        .collect()
}

impl LinkConfig {
    /// What to bind, as the crate takes it: a wildcard stands for every interface except loopback.
    fn bind_addresses(&self) -> Vec<(IpAddr, u16)> {
        use std::net::{Ipv4Addr, Ipv6Addr};
        let mut addresses: Vec<IpAddr> = self.bind.clone();
        if addresses.is_empty() {
            addresses.push(Ipv4Addr::UNSPECIFIED.into());
            addresses.push(Ipv6Addr::UNSPECIFIED.into());
        }
        if self.loopback && !addresses.contains(&Ipv4Addr::LOCALHOST.into()) {
            addresses.push(Ipv4Addr::LOCALHOST.into());
        }
        addresses.into_iter().map(|address| (address, 0)).collect()
    }
}
