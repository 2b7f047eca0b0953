//! What the transport gives without Pleach: a blast over a bare data channel, with the settings that links have.
//!
//! A figure of the engine means little by itself, for it moves with the machine and its load. So benchmarks run this
//! beside it and report the ratio. [`end`] is one end, the other of which may be a page of a browser; [`both`] is both
//! ends in this process; [`links`] is the same through [`Link`](super::Link)s.
//!
//! The blast: when the channel is open the sender sends messages of `message_bytes` until there are `total_bytes`, and
//! the receiver answers with a message of one byte when it has them all. Times are from open to answer.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::{sync::mpsc, time::timeout};
use webrtc::data_channel::{DataChannel, DataChannelEvent};

use super::{
    LinkConfig, LinkEvent, LinkFactory, Signal,
    connection::{Connection, Negotiation, Notice},
};

/// Signals on their way between two ends; a sender waits when there are more.
const SIGNALS_ON_THE_WAY_MAX: usize = 64;

/// Events on their way from a link to the loop that drives it.
const EVENTS_ON_THE_WAY_MAX: usize = 16;

/// How much is sent, and in what pieces.
#[derive(Clone, Copy, Debug)]
pub struct Blast {
    /// Bytes of each message; the last may be shorter.
    pub message_bytes: usize,
    /// Bytes in all.
    pub total_bytes: usize,
}

/// Which way a blast goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// This end sends.
    Send,
    /// This end receives.
    Receive,
}

/// What one end saw.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// From the first signal to the open channel.
    pub setup: Duration,
    /// From the open channel to the answer.
    pub elapsed: Duration,
    /// Bytes of all messages.
    pub total_bytes: usize,
}

impl Report {
    /// Goodput.
    pub fn bytes_per_second(&self) -> f64 {
        self.total_bytes as f64 / self.elapsed.as_secs_f64()
    }
}

/// Runs one end of a blast over a bare channel. Signals of the other end come by `inbox`, ours go to `outbox`.
pub async fn end(
    config: &LinkConfig,
    role: Role,
    dial: bool,
    blast: Blast,
    mut inbox: mpsc::Receiver<Signal>,
    outbox: mpsc::Sender<Signal>,
) -> Result<Report, String> {
    let begin = Instant::now();
    let mut connection = Connection::new(config, dial, &[]).await?;
    let channel = connection.channel.clone();
    let (negotiation, notices, _) = connection.parts();
    let transfer = async {
        timeout(config.open_timeout, opened(&*channel)).await.map_err(|_| "the channel did not open in time")??;
        let open = Instant::now();
        match role {
            Role::Send => send(&*channel, blast).await?,
            Role::Receive => receive(&*channel, blast).await?,
        }
        Ok(Report { setup: open - begin, elapsed: open.elapsed(), total_bytes: blast.total_bytes })
    };
    let report = tokio::select! {
        report = transfer => report,
        error = signal(negotiation, notices, &mut inbox, outbox) => Err(error),
    };
    connection.close().await;
    report
}

/// Runs a blast over a bare channel with both ends in this process; the receiver's report.
pub async fn both(config: &LinkConfig, blast: Blast) -> Result<Report, String> {
    let (to_receiver, receiver_inbox) = mpsc::channel(SIGNALS_ON_THE_WAY_MAX);
    let (to_sender, sender_inbox) = mpsc::channel(SIGNALS_ON_THE_WAY_MAX);
    let sender_config = config.clone();
    // A task of its own, as the other end of a real connection is no part of this one.
    let sender =
        tokio::spawn(async move { end(&sender_config, Role::Send, true, blast, sender_inbox, to_receiver).await });
    let report = end(config, Role::Receive, false, blast, receiver_inbox, to_sender).await?;
    sender.await.map_err(|error| error.to_string())??;
    Ok(report)
}

/// Runs a blast through two links in this process, driven the way that the engine's adapter does it; the receiver's
/// report.
pub async fn links(config: &LinkConfig, blast: Blast) -> Result<Report, String> {
    let (to_receiver, receiver_inbox) = mpsc::channel(SIGNALS_ON_THE_WAY_MAX);
    let (to_sender, sender_inbox) = mpsc::channel(SIGNALS_ON_THE_WAY_MAX);
    let factory = LinkFactory::new(config.clone()).map_err(|error| error.to_string())?;
    let sender_factory = LinkFactory::new(config.clone()).map_err(|error| error.to_string())?;
    let sender =
        tokio::spawn(async move { link_end(&sender_factory, Role::Send, blast, sender_inbox, to_receiver).await });
    let report = link_end(&factory, Role::Receive, blast, receiver_inbox, to_sender).await?;
    sender.await.map_err(|error| error.to_string())??;
    Ok(report)
}

/// Carries signals until something is wrong.
async fn signal(
    negotiation: &mut Negotiation,
    notices: &mut mpsc::Receiver<Notice>,
    inbox: &mut mpsc::Receiver<Signal>,
    outbox: mpsc::Sender<Signal>,
) -> String {
    let mut ours = match negotiation.start().await {
        Ok(offer) => offer,
        Err(error) => return error,
    };
    loop {
        if let Some(signal) = ours.take() {
            // Fails if the other end's inbox is gone, which is no loss once the channel is open.
            let _ = outbox.send(signal).await;
        }
        let result = tokio::select! {
            Some(signal) = inbox.recv() => negotiation.apply(signal).await,
            notice = notices.recv() => negotiation.heed(notice).await,
        };
        match result {
            Ok(signal) => ours = signal,
            Err(error) => return error,
        }
    }
}

async fn opened(channel: &dyn DataChannel) -> Result<(), String> {
    match channel.poll().await {
        Some(DataChannelEvent::OnOpen) => Ok(()),
        other => Err(format!("the channel did not open: {other:?}")),
    }
}

async fn send(channel: &dyn DataChannel, blast: Blast) -> Result<(), String> {
    let message = vec![0x5a; blast.message_bytes];
    let mut left_bytes = blast.total_bytes;
    while left_bytes > 0 {
        let bytes = left_bytes.min(blast.message_bytes);
        channel.send(BytesMut::from(&message[..bytes])).await.map_err(|error| error.to_string())?;
        left_bytes -= bytes;
    }
    next_message(channel).await.map(|_| ())
}

async fn receive(channel: &dyn DataChannel, blast: Blast) -> Result<(), String> {
    let mut received_bytes = 0;
    while received_bytes < blast.total_bytes {
        received_bytes += next_message(channel).await?;
    }
    channel.send(BytesMut::from(&[1][..])).await.map_err(|error| error.to_string())?;
    // The answer must be out before the connection is closed.
    while channel.outstanding_bytes().await.is_ok_and(|bytes| bytes > 0) {
        if channel.poll().await.is_none() {
            break;
        }
    }
    Ok(())
}

/// The length of the next message.
async fn next_message(channel: &dyn DataChannel) -> Result<usize, String> {
    loop {
        match channel.poll().await {
            Some(DataChannelEvent::OnMessage(message)) => return Ok(message.data.len()),
            Some(DataChannelEvent::OnClose) | None => return Err("the channel was closed".into()),
            Some(_) => {}
        }
    }
}

/// One end of [`links`]. The sender dials.
async fn link_end(
    factory: &LinkFactory,
    role: Role,
    blast: Blast,
    mut inbox: mpsc::Receiver<Signal>,
    outbox: mpsc::Sender<Signal>,
) -> Result<Report, String> {
    let begin = Instant::now();
    let (sender, mut events) = mpsc::channel(EVENTS_ON_THE_WAY_MAX);
    let link = factory.open(0, role == Role::Send, Vec::new(), sender);
    let message = Bytes::from(vec![0x5a; blast.message_bytes]);
    let mut left_bytes = blast.total_bytes;
    let mut open = begin;
    loop {
        let event = tokio::select! {
            Some(signal) = inbox.recv() => {
                link.apply(signal);
                continue;
            }
            event = events.recv() => event,
        };
        match event.map(|(_, event)| event) {
            Some(LinkEvent::Signal(signal)) => {
                // Fails if the other end is gone, which its link will tell.
                let _ = outbox.send(signal).await;
            }
            Some(LinkEvent::Open) => open = Instant::now(),
            Some(LinkEvent::Message(message)) if role == Role::Receive => {
                left_bytes = left_bytes.saturating_sub(message.len());
                if left_bytes == 0 {
                    link.send(Bytes::from_static(&[1]));
                    break;
                }
            }
            Some(LinkEvent::Message(_)) => break,
            Some(LinkEvent::Room(_)) if role == Role::Send => {
                while left_bytes > 0 && link.room() >= blast.message_bytes {
                    let bytes = left_bytes.min(blast.message_bytes);
                    link.send(message.slice(..bytes));
                    left_bytes -= bytes;
                }
            }
            Some(LinkEvent::Room(_)) => {}
            Some(LinkEvent::Closed(reason)) => return Err(reason),
            None => return Err("the link is gone".into()),
        }
    }
    Ok(Report { setup: open - begin, elapsed: open.elapsed(), total_bytes: blast.total_bytes })
}
