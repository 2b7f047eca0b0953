//! The task behind a [`Link`](super::Link): four loops that run side by side until one of them has a reason to stop.
//!
//! * `signalling` applies signals and passes on those that are made here;
//! * `receive` takes messages from the channel and hands them to the adapter, waiting for it as long as it takes: a
//!   message that is not taken is what closes SCTP's window and holds the sender;
//! * `transmit` hands queued messages to the channel, waiting while too much is in flight, and reports room;
//! * `deadlines` ends a link that does not open, or does not finish closing.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use tokio::{
    sync::{Notify, mpsc, watch},
    time::sleep,
};
use webrtc::data_channel::{DataChannel, DataChannelEvent};

use super::{
    Ending, IceServer, LinkConfig, LinkEvent, SEND_SLACK_BYTES,
    connection::{Connection, Negotiation, Notice},
    signal::Signal,
};

/// Why a loop stopped: words for [`LinkEvent::Closed`].
type Reason = String;

/// What is queued for sending, and what room the owner was told of.
///
/// Room is reported when the queue has fallen to the low-water mark and there is more than was last told by as much,
/// or when the queue is empty and there is any more. So an owner that counts down from the last report never waits for a
/// report that does not come, and one that sends steadily has a report for every low-water mark's worth of bytes.
#[derive(Debug)]
pub(super) struct Gauge {
    high_water_bytes: usize,
    low_water_bytes: usize,
    state: Mutex<GaugeState>,
}

#[derive(Debug)]
struct GaugeState {
    queued_bytes: usize,
    /// The last reported room, less what was sent since.
    told_bytes: usize,
}

impl Gauge {
    /// Counted for each message beside its bytes, so that empty messages cannot queue without bound.
    const MESSAGE_OVERHEAD_BYTES: usize = 64;

    pub(super) fn new(config: &LinkConfig) -> Self {
        let high_water_bytes = config.send_high_water_bytes;
        let state = GaugeState { queued_bytes: 0, told_bytes: high_water_bytes };
        Self { high_water_bytes, low_water_bytes: config.send_low_water_bytes, state: Mutex::new(state) }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, GaugeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a message in. False if that is beyond every bound.
    pub(super) fn add(&self, message_bytes: usize) -> bool {
        let bytes = message_bytes + Self::MESSAGE_OVERHEAD_BYTES;
        let mut state = self.state();
        state.queued_bytes += bytes;
        state.told_bytes = state.told_bytes.saturating_sub(bytes);
        state.queued_bytes <= 2 * self.high_water_bytes + SEND_SLACK_BYTES
    }

    /// Counts a message out. Some room, if it is to be reported.
    fn remove(&self, message_bytes: usize) -> Option<usize> {
        let mut state = self.state();
        state.queued_bytes -= message_bytes + Self::MESSAGE_OVERHEAD_BYTES;
        let room = self.high_water_bytes.saturating_sub(state.queued_bytes);
        let news = room.saturating_sub(state.told_bytes);
        let is_low = state.queued_bytes <= self.low_water_bytes && news >= self.low_water_bytes;
        let is_empty = state.queued_bytes == 0 && news > 0;
        (is_low || is_empty).then(|| {
            state.told_bytes = room;
            room
        })
    }

    pub(super) fn room(&self) -> usize {
        self.high_water_bytes.saturating_sub(self.state().queued_bytes)
    }
}

/// One end of a link, until it is over.
pub(super) struct Session {
    pub(super) config: Arc<LinkConfig>,
    pub(super) key: u32,
    pub(super) events: mpsc::Sender<(u32, LinkEvent)>,
    pub(super) signals: mpsc::Receiver<Signal>,
    pub(super) outbox: mpsc::UnboundedReceiver<Bytes>,
    pub(super) ending: watch::Receiver<Ending>,
    pub(super) gauge: Arc<Gauge>,
}

impl Session {
    /// Runs the link and tells its end, also if the crate should panic on something that a stranger sent.
    pub(super) async fn run(self, dial: bool, ice_servers: Vec<IceServer>) {
        let (key, events, mut ending) = (self.key, self.events.clone(), self.ending.clone());
        let reason = match tokio::spawn(self.connect(dial, ice_servers)).await {
            Ok(reason) => reason,
            Err(error) if error.is_panic() => "an internal error".into(),
            // The runtime is shutting down, and nobody is there to be told.
            Err(_) => return,
        };
        tracing::debug!(key, reason, "link closed");
        tokio::select! {
            biased;
            () = dropped(&mut ending) => {}
            // Fails if the adapter reads no more events, which is its choice.
            _ = events.send((key, LinkEvent::Closed(reason))) => {}
        }
    }

    async fn connect(mut self, dial: bool, ice_servers: Vec<IceServer>) -> Reason {
        match Connection::new(&self.config, dial, &ice_servers).await {
            Ok(mut connection) => {
                let reason = self.carry(&mut connection).await;
                connection.close().await;
                reason
            }
            Err(reason) => reason,
        }
    }

    async fn carry(&mut self, connection: &mut Connection) -> Reason {
        let channel = connection.channel.clone();
        let (negotiation, notices, driver_ended) = connection.parts();
        let (opened_sender, opened) = watch::channel(false);
        let drained = Notify::new();
        let out = Outlet { key: self.key, events: self.events.clone(), ending: self.ending.clone() };
        tokio::select! {
            reason = signalling(negotiation, notices, &mut self.signals, out.clone()) => reason,
            reason = receive(&*channel, out.clone(), &self.gauge, opened_sender, &drained) => reason,
            reason = transmit(&*channel, out.clone(), &self.gauge, &mut self.outbox, opened.clone(), &drained) => reason,
            reason = deadlines(&self.config, self.ending.clone(), opened) => reason,
            _ = driver_ended.wait_for(|ended| *ended) => "the connection broke down".into(),
        }
    }
}

/// Where events go, until the link's owner has ended it.
#[derive(Clone)]
struct Outlet {
    key: u32,
    events: mpsc::Sender<(u32, LinkEvent)>,
    ending: watch::Receiver<Ending>,
}

impl Outlet {
    /// Hands over an event, waiting for a slow adapter. After the owner has ended the link, events have no reader: they
    /// are dropped, so that a full channel cannot hold up the end.
    async fn put(&mut self, event: LinkEvent) -> Result<(), Reason> {
        tokio::select! {
            biased;
            _ = ended(&mut self.ending) => Ok(()),
            sent = self.events.send((self.key, event)) => sent.map_err(|_| "nobody reads its events".into()),
        }
    }
}

async fn signalling(
    negotiation: &mut Negotiation,
    notices: &mut mpsc::Receiver<Notice>,
    signals: &mut mpsc::Receiver<Signal>,
    mut out: Outlet,
) -> Reason {
    let result: Result<Infallible, Reason> = async {
        let mut ours = negotiation.start().await?;
        loop {
            if let Some(signal) = ours.take() {
                out.put(LinkEvent::Signal(signal)).await?;
            }
            ours = tokio::select! {
                // An answer goes before the candidates that it leads to, which is kinder to the other end.
                biased;
                Some(signal) = signals.recv() => negotiation.apply(signal).await?,
                notice = notices.recv() => negotiation.heed(notice).await?,
            };
        }
    }
    .await;
    match result {
        Err(reason) => reason,
    }
}

async fn receive(
    channel: &dyn DataChannel,
    mut out: Outlet,
    gauge: &Gauge,
    opened: watch::Sender<bool>,
    drained: &Notify,
) -> Reason {
    while let Some(event) = channel.poll().await {
        let put = match event {
            DataChannelEvent::OnOpen => {
                let told = out.put(LinkEvent::Open).await;
                let told = told.and(out.put(LinkEvent::Room(gauge.room())).await);
                opened.send_replace(true);
                told
            }
            DataChannelEvent::OnMessage(message) => out.put(LinkEvent::Message(message.data.freeze())).await,
            DataChannelEvent::OnBufferedAmountLow => {
                drained.notify_one();
                Ok(())
            }
            DataChannelEvent::OnClose => break,
            _ => Ok(()),
        };
        if let Err(reason) = put {
            return reason;
        }
    }
    "closed by the other end".into()
}

async fn transmit(
    channel: &dyn DataChannel,
    mut out: Outlet,
    gauge: &Gauge,
    outbox: &mut mpsc::UnboundedReceiver<Bytes>,
    mut opened: watch::Receiver<bool>,
    drained: &Notify,
) -> Reason {
    let mut ending = out.ending.clone();
    let result: Result<Reason, Reason> = async {
        let _ = opened.wait_for(|opened| *opened).await;
        loop {
            let message = tokio::select! {
                biased;
                message = outbox.recv() => message,
                () = ended_well(&mut ending) => None,
            };
            let Some(message) = message else { break };
            let message_bytes = message.len();
            channel.send(message.into()).await.map_err(|error| format!("a message cannot be sent: {error}"))?;
            if let Some(room) = gauge.remove(message_bytes) {
                out.put(LinkEvent::Room(room)).await?;
            }
        }
        // Told of every time that the channel's buffer runs empty, so a look after each is enough.
        while channel.outstanding_bytes().await.is_ok_and(|bytes| bytes > 0) {
            drained.notified().await;
        }
        Ok("closed here".into())
    }
    .await;
    result.unwrap_or_else(|reason| reason)
}

async fn deadlines(
    config: &LinkConfig,
    mut ending: watch::Receiver<Ending>,
    mut opened: watch::Receiver<bool>,
) -> Reason {
    tokio::select! {
        _ = ended(&mut ending) => {}
        _ = opened.wait_for(|opened| *opened) => {}
        () = sleep(config.open_timeout) => return "the other end could not be reached in time".into(),
    }
    if let Ending::Fault(reason) = ended(&mut ending).await {
        return reason;
    }
    if *opened.borrow() {
        sleep(config.drain_timeout).await;
    }
    "closed here".into()
}

/// Resolves when the link's owner has ended it, one way or another.
async fn ended(ending: &mut watch::Receiver<Ending>) -> Ending {
    match ending.wait_for(|ending| *ending != Ending::No).await {
        Ok(ending) => ending.clone(),
        Err(_) => Ending::Dropped,
    }
}

/// Resolves when the link's owner wants no more than to have delivered what was sent.
async fn ended_well(ending: &mut watch::Receiver<Ending>) {
    // An error means that the sender is gone, which goes with the link.
    let _ = ending.wait_for(|ending| matches!(ending, Ending::Close | Ending::Dropped)).await;
}

/// Resolves when the link's owner has dropped it.
async fn dropped(ending: &mut watch::Receiver<Ending>) {
    let _ = ending.wait_for(|ending| *ending == Ending::Dropped).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauge() -> Gauge {
        Gauge::new(&LinkConfig { send_high_water_bytes: 1000, send_low_water_bytes: 500, ..LinkConfig::default() })
    }

    #[test]
    fn room_is_reported_at_the_low_water_mark_and_when_empty() {
        let gauge = gauge();
        for _ in 0..3 {
            assert!(gauge.add(236));
        }
        assert_eq!(gauge.room(), 100);
        assert_eq!(gauge.remove(236), None, "600 are queued still");
        assert_eq!(gauge.remove(236), Some(700));
        assert_eq!(gauge.remove(236), Some(1000));
    }

    #[test]
    fn an_owner_that_counts_down_from_the_last_report_never_waits_in_vain() {
        for message_bytes in [0, 1, 100, 436, 900] {
            let gauge = gauge();
            let (mut told, mut queued) = (1000, 0);
            for _ in 0..1000 {
                let bytes = message_bytes + Gauge::MESSAGE_OVERHEAD_BYTES;
                if told >= bytes {
                    assert!(gauge.add(message_bytes));
                    told -= bytes;
                    queued += 1;
                } else {
                    assert!(queued > 0, "nothing is queued, and no room was reported for {message_bytes} bytes");
                    queued -= 1;
                    told = gauge.remove(message_bytes).unwrap_or(told);
                }
            }
        }
    }

    #[test]
    fn sending_without_regard_to_room_hits_a_cap() {
        let gauge = gauge();
        let messages = (0..).take_while(|_| gauge.add(10_000)).count();
        assert_eq!(messages, (2 * 1000 + SEND_SLACK_BYTES) / (10_000 + Gauge::MESSAGE_OVERHEAD_BYTES));
    }
}
