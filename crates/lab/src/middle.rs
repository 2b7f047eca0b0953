//! The middle of the network: takes each frame that a namespace sends, and passes it on when its time has come.
//!
//! The kernel has a queue that delays (`netem`), but many kernels are built without it. This needs none: one packet
//! socket sees the frames of all interfaces, and each is sent out again at the right one after the delays of both ends.
//! That costs some four microseconds of processor a frame, a fifth of what WebRTC takes for it.
//!
//! The way to an interface is learnt from what comes from it, as a switch does. Frames that cross two virtual interfaces
//! have no checksums yet, since no wire could harm them; taken out and put in again they would be refused, so they get
//! theirs here.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketAddrAny, SocketFlags, SocketType, recvfrom, sendto,
    socket_with, sockopt,
};

/// Frames that come while this thread waits for the processor; and those that wait in the queues of all downlinks, which
/// the system counts as this socket's until they have gone. (With its usual 208 KiB a hundred frames were all, for sixteen
/// lines: one in six hundred was lost that no queue had dropped, and nobody counted it.)
const SOCKET_BUFFER_BYTES: usize = 16 << 20;
/// The longest frame with room to spare.
const FRAME_BYTES_MAX: usize = 65_600;
/// How exact delays are: to look more often costs more than it brings.
const TICK: Duration = Duration::from_millis(1);
/// How long to wait when nothing is on its way.
const IDLE: Duration = Duration::from_millis(50);
/// `ETH_P_ALL`, as the system wants it.
const ALL_PROTOCOLS: Protocol = rustix::net::eth::ALL;

const ETHERNET_BYTES: usize = 14;
const IPV4: [u8; 2] = [8, 0];
const TCP: u8 = 6;
const UDP: u8 = 17;

/// The far end of a namespace's interface.
#[derive(Clone, Debug)]
pub(crate) struct Port {
    /// Of the namespace's interface.
    pub(crate) mac: [u8; 6],
    pub(crate) ip: Ipv4Addr,
    /// One way from there to here.
    pub(crate) delay: Duration,
}

/// The thread that passes frames on. Ends when dropped.
#[derive(Debug)]
pub(crate) struct Middle {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    stop: AtomicBool,
    frames: AtomicU64,
    /// Frames that this socket did not take.
    unsent: AtomicU64,
    /// By port: where to send, once something came from there.
    ways: Mutex<Vec<Option<SocketAddrAny>>>,
}

impl Shared {
    fn ways(&self) -> MutexGuard<'_, Vec<Option<SocketAddrAny>>> {
        self.ways.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Middle {
    pub(crate) fn start(ports: Vec<Port>) -> Result<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, Some(ALL_PROTOCOLS))
            .context("the system gives no packet socket")?;
        // Above the system's limit only for its real root; what is granted does for most.
        if sockopt::set_socket_recv_buffer_size_force(&socket, SOCKET_BUFFER_BYTES).is_err() {
            sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BUFFER_BYTES)?;
        }
        if sockopt::set_socket_send_buffer_size_force(&socket, SOCKET_BUFFER_BYTES).is_err() {
            sockopt::set_socket_send_buffer_size(&socket, SOCKET_BUFFER_BYTES)?;
        }
        let ways = Mutex::new(vec![None; ports.len()]);
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            frames: AtomicU64::new(0),
            unsent: AtomicU64::new(0),
            ways,
        });
        let mut relay = Relay { socket, ports, shared: shared.clone(), waiting: BinaryHeap::new(), frame_number: 0 };
        let thread = thread::Builder::new().name("middle".into()).spawn(move || relay.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Ports from which nothing came yet.
    pub(crate) fn silent(&self) -> Vec<usize> {
        let ways = self.shared.ways();
        ways.iter().enumerate().filter(|(_, way)| way.is_none()).map(|(port, _)| port).collect()
    }

    /// How many of the frames that were sent to us we never saw, or could not pass on.
    pub(crate) fn lost(&self, sent: u64) -> u64 {
        let unseen = sent.saturating_sub(self.shared.frames.load(Ordering::Relaxed));
        unseen + self.shared.unsent.load(Ordering::Relaxed)
    }
}

impl Drop for Middle {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It does nothing that could fail.
            let _ = thread.join();
        }
    }
}

/// A frame on its way, by when it is due; then in the order in which they came.
type Waiting = Reverse<(Instant, u64, usize, Vec<u8>)>;

struct Relay {
    socket: OwnedFd,
    ports: Vec<Port>,
    shared: Arc<Shared>,
    waiting: BinaryHeap<Waiting>,
    frame_number: u64,
}

impl Relay {
    fn run(&mut self) {
        let mut buffer = vec![0; FRAME_BYTES_MAX];
        while !self.shared.stop.load(Ordering::Relaxed) {
            self.wait();
            while let Ok((len, _, Some(from))) = recvfrom(&self.socket, &mut buffer[..], RecvFlags::empty()) {
                self.take(&buffer[..len], from);
            }
            self.send_due();
            thread::sleep(TICK);
        }
    }

    fn wait(&self) {
        let due_in =
            self.waiting.peek().map_or(IDLE, |Reverse((due, ..))| due.saturating_duration_since(Instant::now()));
        let timeout = Timespec { tv_sec: 0, tv_nsec: due_in.min(IDLE).as_nanos() as i64 };
        // A failure is an interruption, and the next turn comes soon.
        let _ = poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&timeout));
    }

    /// Learns from a frame where it came from, and lets it wait for its time.
    fn take(&mut self, frame: &[u8], from: SocketAddrAny) {
        let Some(source) = self.ports.iter().position(|port| frame.get(6..12) == Some(&port.mac[..])) else { return };
        self.shared.frames.fetch_add(1, Ordering::Relaxed);
        let mut ways = self.shared.ways();
        ways[source].get_or_insert(from);
        drop(ways);
        let Some(target) = destination(frame).and_then(|ip| self.ports.iter().position(|port| port.ip == ip)) else {
            return;
        };
        let mut frame = frame.to_vec();
        frame[..6].copy_from_slice(&self.ports[target].mac);
        mend_checksum(&mut frame[ETHERNET_BYTES..]);
        let due = Instant::now() + self.ports[source].delay + self.ports[target].delay;
        self.frame_number += 1;
        self.waiting.push(Reverse((due, self.frame_number, target, frame)));
    }

    fn send_due(&mut self) {
        let now = Instant::now();
        while self.waiting.peek().is_some_and(|Reverse((due, ..))| *due <= now) {
            let Some(Reverse((_, _, target, frame))) = self.waiting.pop() else { return };
            if let Some(way) = &self.shared.ways()[target] {
                match sendto(&self.socket, &frame, SendFlags::empty(), way) {
                    // The downlink's queue is full, as a real one's may be; it counts that itself.
                    Ok(_) | Err(Errno::NOBUFS) => {}
                    Err(_) => _ = self.shared.unsent.fetch_add(1, Ordering::Relaxed),
                }
            }
        }
    }
}

/// Where a frame of IPv4 wants to go.
fn destination(frame: &[u8]) -> Option<Ipv4Addr> {
    let is_ipv4 = frame.get(12..14)? == IPV4;
    let address: [u8; 4] = frame.get(ETHERNET_BYTES + 16..ETHERNET_BYTES + 20)?.try_into().ok()?;
    is_ipv4.then(|| address.into())
}

/// Fills in the checksum of what an IPv4 packet carries: UDP may go without, TCP may not.
fn mend_checksum(packet: &mut [u8]) {
    let header_bytes = usize::from(packet[0] & 0x0f) * 4;
    let total_bytes = usize::from(u16::from_be_bytes([packet[2], packet[3]])).min(packet.len());
    let protocol = packet[9];
    let addresses = sum(&packet[12..20]);
    let Some(segment) = packet.get_mut(header_bytes..total_bytes) else { return };
    match protocol {
        UDP if segment.len() >= 8 => segment[6..8].fill(0),
        TCP if segment.len() >= 20 => {
            segment[16..18].fill(0);
            let mut folded = addresses + sum(segment) + u32::from(TCP) + segment.len() as u32;
            while folded > 0xffff {
                folded = (folded & 0xffff) + (folded >> 16);
            }
            segment[16..18].copy_from_slice(&(!(folded as u16)).to_be_bytes());
        }
        _ => {}
    }
}

/// The sum of 16-bit words that internet checksums are made of (RFC 1071), not folded yet.
fn sum(bytes: &[u8]) -> u32 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
    bytes.chunks(2).map(word).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A SYN as a real interface sent it.
    const SYN: [u8; 44] = [
        0x45, 0x00, 0x00, 0x2c, 0x00, 0x01, 0x00, 0x00, 0x40, 0x06, 0x7c, 0xc9, 0x7f, 0x00, 0x00, 0x01, 0x7f, 0x00,
        0x00, 0x01, 0x30, 0x39, 0x00, 0x50, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x60, 0x02, 0x20, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x02, 0x04, 0x05, 0xb4,
    ];

    #[test]
    fn a_mended_segment_sums_up_to_nothing() {
        let mut packet = SYN;
        mend_checksum(&mut packet);
        let mut all = sum(&packet[12..20]) + sum(&packet[20..]) + u32::from(TCP) + 24;
        while all > 0xffff {
            all = (all & 0xffff) + (all >> 16);
        }
        assert_eq!(all, 0xffff, "RFC 1071: with its checksum the sum is all ones");
        let mut again = packet;
        mend_checksum(&mut again);
        assert_eq!(again, packet);
    }

    #[test]
    fn short_frames_are_no_harm() {
        assert_eq!(destination(&[0; 20]), None);
        assert_eq!(destination(&[]), None);
    }
}
