//! The runtime that the `webrtc` crate runs on: tokio's, with UDP sockets tuned for bulk data.
//!
//! Some things are not settings of the crate and are worth a lot:
//!
//! * **Socket buffers.** A burst of a congestion window arrives faster than a task is scheduled; what the kernel cannot
//!   hold is lost, and SCTP takes loss for congestion. 4 MiB instead of the usual 208 KiB is 4.5 times the throughput on
//!   one machine.
//! * **Short bursts.** The crate drains up to 64 datagrams a wake and answers them with *one* SACK. A sender that grows
//!   its window by one packet a SACK, which every browser is (RFC 9260, section 7.2.1), then stays at a few packets a
//!   round trip. So a socket reports `Pending` once after every second datagram, waking itself at once.
//! * **Gathered acknowledgements.** A SACK for every second packet takes a twentieth of what comes in, which on a line of
//!   1 Mbit/s up and 16 down is two thirds of the uplink. A far end that is this crate too grows its window by what is
//!   acknowledged, however few SACKs say so; of such a one a socket takes what came in 5 ms at once, and the driver answers
//!   with one SACK. Of who sends fast nothing is gathered: its window would be empty for as long.
//! * **Checks that wait.** ICE's checks are held back when they come too often: [`checks`](super::checks).
//! * **The driver's end.** A connection whose driver task is gone, whatever the reason, must be reported as closed.

use std::{
    fmt, io,
    io::IoSliceMut,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    sync::watch,
    time::{Instant, Sleep},
};
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta, Runtime, TokioRuntime,
    Transmit,
};

use super::{LinkConfig, checks::Checks};

/// Datagrams that are handed over before the driver gets a turn to acknowledge them. Two, as RFC 9260 (section 6.2)
/// wants a SACK for every second packet.
const DATAGRAMS_PER_TURN: usize = 2;
/// So long datagrams are gathered.
const GATHER: Duration = Duration::from_millis(5);
/// From whom so many or more came in that time nothing is gathered for a while.
const DATAGRAMS_FAST: usize = 16;
const FAST: Duration = Duration::from_millis(100);

/// What the kernel granted, in bytes. Linux doubles what was asked for, to cover its own bookkeeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Granted {
    pub(super) receive_bytes: usize,
    pub(super) send_bytes: usize,
}

impl Granted {
    /// Finds out what a socket gets that asks for `wanted_bytes`.
    pub(super) fn probe(wanted_bytes: usize) -> io::Result<Self> {
        set_buffers(&UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?, wanted_bytes)
    }

    /// Tells the operator if that is little.
    pub(super) fn warn_if_below(self, wanted_bytes: usize) {
        if self.receive_bytes.min(self.send_bytes) < wanted_bytes {
            tracing::warn!(
                receive_bytes = self.receive_bytes,
                send_bytes = self.send_bytes,
                wanted_bytes,
                "small UDP socket buffers: transfers will be slower; on Linux raise them with \
                 `sysctl -w net.core.rmem_max={wanted_bytes} net.core.wmem_max={wanted_bytes}`"
            );
        }
    }

    /// The SCTP receive window that such a socket can stand, see [`LinkConfig::receive_window_bytes_max`].
    pub(super) fn receive_window_bytes(self, config: &LinkConfig) -> usize {
        // The kernel counts its own bookkeeping, which is about as much as a datagram of SCTP.
        let payload_bytes = self.receive_bytes / 2;
        let message_bytes = config.max_message_bytes + config.max_message_bytes / 32;
        payload_bytes.min(config.receive_window_bytes_max).max(message_bytes)
    }
}

/// Asks for buffers of `wanted_bytes` and reads back what was granted; too little is no error.
fn set_buffers(socket: &UdpSocket, wanted_bytes: usize) -> io::Result<Granted> {
    let socket = SockRef::from(socket);
    // Linux grants what it allows and reports success; elsewhere a size above the limit is refused, and the default stays.
    let _ = socket.set_recv_buffer_size(wanted_bytes);
    let _ = socket.set_send_buffer_size(wanted_bytes);
    Ok(Granted { receive_bytes: socket.recv_buffer_size()?, send_bytes: socket.send_buffer_size()? })
}

/// Tokio for one connection. See the module's documentation.
#[derive(Debug)]
pub(super) struct LinkRuntime {
    pub(super) socket_buffer_bytes: usize,
    /// Turns true when the connection's driver task has ended.
    pub(super) driver_ended: watch::Sender<bool>,
    /// Turns true when it is known that acknowledgements may be gathered.
    pub(super) gathers: Arc<AtomicBool>,
}

impl Runtime for LinkRuntime {
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Box<dyn JoinHandle> {
        TokioRuntime.spawn(future)
    }

    /// Asked for the driver only, which stays on the ambient runtime.
    fn spawn_reactor(&self, _: usize, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Box<dyn JoinHandle> {
        let end = TellOnDrop(self.driver_ended.clone());
        TokioRuntime.spawn(Box::pin(async move {
            let _end = end;
            future.await;
        }))
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        set_buffers(&socket, self.socket_buffer_bytes)?;
        let inner = TokioRuntime.wrap_udp_socket(socket)?;
        Ok(Arc::new(TurnTakingSocket {
            inner,
            gathers: self.gathers.clone(),
            turns: Mutex::default(),
            checks: Mutex::default(),
        }))
    }

    fn wrap_tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        TokioRuntime.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(
        &'a self,
        remote: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<Arc<dyn AsyncTcpStream>>> + Send + 'a>> {
        TokioRuntime.connect_tcp(remote)
    }

    fn resolve_host<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        TokioRuntime.resolve_host(host)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        TokioRuntime.sleep(duration)
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }

    fn yield_now(&self) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        TokioRuntime.yield_now()
    }

    fn name(&self) -> &'static str {
        "pleach"
    }
}

struct TellOnDrop(watch::Sender<bool>);

impl Drop for TellOnDrop {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

/// A socket that lets the driver answer after every second datagram, or after all that was gathered.
struct TurnTakingSocket {
    inner: Arc<dyn AsyncUdpSocket>,
    gathers: Arc<AtomicBool>,
    /// Only the driver's task polls, so nobody waits for these.
    turns: Mutex<Turns>,
    checks: Mutex<Checks>,
}

/// What was handed over, and when the next may be.
#[derive(Default)]
struct Turns {
    /// Datagrams in this turn; where they are gathered, since there was none left.
    datagrams: usize,
    /// Ends when enough time to gather some has passed.
    gathering: Option<Pin<Box<Sleep>>>,
    /// Until then nothing is gathered.
    fast_until: Option<Instant>,
}

impl Turns {
    fn is_gathering(&mut self, cx: &mut Context<'_>) -> bool {
        let is_gathering = self.gathering.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_pending());
        if !is_gathering {
            self.gathering = None;
        }
        is_gathering
    }

    /// Nothing is left: some may be gathered, if not much came.
    fn drained(&mut self, cx: &mut Context<'_>) {
        let datagrams = std::mem::take(&mut self.datagrams);
        let now = Instant::now();
        if datagrams >= DATAGRAMS_FAST {
            self.fast_until = Some(now + FAST);
        }
        if datagrams > 0 && self.fast_until.is_none_or(|until| until <= now) {
            let mut sleep = Box::pin(tokio::time::sleep(GATHER));
            // Whoever is woken by a datagram before that finds out that it is to wait.
            let _ = sleep.as_mut().poll(cx);
            self.gathering = Some(sleep);
        }
    }
}

impl TurnTakingSocket {
    fn checks(&self) -> MutexGuard<'_, Checks> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TurnTakingSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl AsyncUdpSocket for TurnTakingSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let is_one = transmit.segment_size.is_none_or(|bytes| bytes >= transmit.contents.len());
        let may_send = !is_one || self.checks().may_send(transmit.contents, transmit.destination, Instant::now());
        if may_send { self.inner.poll_send(cx, transmit) } else { Poll::Ready(Ok(transmit.contents.len())) }
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let gathers = self.gathers.load(Ordering::Relaxed);
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.is_gathering(cx) {
            return Poll::Pending;
        }
        if !gathers && turns.datagrams >= DATAGRAMS_PER_TURN {
            turns.datagrams = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let received = self.inner.poll_recv(cx, bufs, meta);
        match &received {
            Poll::Ready(Ok(messages)) => {
                let mut checks = self.checks();
                for (meta, buf) in meta[..*messages].iter().zip(bufs.iter()) {
                    // Of several in a row the first tells.
                    let stride = if meta.stride == 0 { meta.len } else { meta.stride };
                    checks.came(&buf[..meta.len.min(stride)], meta.addr);
                }
                turns.datagrams += meta[..*messages].iter().map(|m| m.len.div_ceil(m.stride.max(1))).sum::<usize>();
            }
            Poll::Pending if gathers => turns.drained(cx),
            _ => {}
        }
        received
    }

    fn max_gso_segments(&self) -> usize {
        self.inner.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.inner.max_gro_segments()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[tokio::test]
    async fn a_socket_pauses_once_after_two_datagrams() {
        let runtime = LinkRuntime {
            socket_buffer_bytes: 1 << 20,
            driver_ended: watch::channel(false).0,
            gathers: Arc::default(),
        };
        let socket = runtime.wrap_udp_socket(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for byte in 0..5 {
            sender.send_to(&[byte], socket.local_addr().unwrap()).unwrap();
        }
        // The first one by waiting, so that the socket is known to be readable; the others by looking.
        let mut buffer = [0; 2048];
        let mut seen = vec![socket.recv_from(&mut buffer).await.map(|_| buffer[0]).ok()];
        let mut context = Context::from_waker(Waker::noop());
        while seen.len() < 7 {
            let mut meta = [RecvMeta::default()];
            let polled = socket.poll_recv(&mut context, &mut [IoSliceMut::new(&mut buffer)], &mut meta);
            seen.push(matches!(polled, Poll::Ready(Ok(1))).then_some(buffer[0]));
        }
        assert_eq!(seen, [Some(0), Some(1), None, Some(2), Some(3), None, Some(4)]);
    }

    #[tokio::test]
    async fn what_comes_within_a_moment_is_gathered_but_not_of_who_sends_fast() {
        let inner = TokioRuntime.wrap_udp_socket(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
        let gathers = Arc::new(AtomicBool::new(true));
        let socket = TurnTakingSocket { inner, gathers, turns: Mutex::default(), checks: Mutex::default() };
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let send = |count| {
            (0..count).for_each(|_| assert_eq!(sender.send_to(&[1], socket.local_addr().unwrap()).unwrap(), 1));
        };
        let mut buffer = [0; 2048];
        let mut look = || {
            let mut meta = [RecvMeta::default()];
            let mut context = Context::from_waker(Waker::noop());
            let polled = socket.poll_recv(&mut context, &mut [IoSliceMut::new(&mut buffer)], &mut meta);
            matches!(polled, Poll::Ready(Ok(1)))
        };
        let is_gathering = || socket.turns.lock().unwrap().gathering.is_some();
        send(1);
        // By waiting, so that the socket is known to be readable.
        socket.recv_from(&mut [0; 2048]).await.unwrap();
        let drained_at = Instant::now();
        assert!(!look() && is_gathering(), "nothing is left, and what comes next is gathered");
        send(5);
        socket.recv_from(&mut [0; 2048]).await.unwrap();
        assert!(drained_at.elapsed() >= GATHER);
        assert!((1..5).all(|_| look()), "all of it comes at once");
        assert!(!look());
        send(DATAGRAMS_FAST);
        socket.recv_from(&mut [0; 2048]).await.unwrap();
        assert!((1..DATAGRAMS_FAST).all(|_| look()));
        assert!(!look() && !is_gathering(), "who sends fast is not held up");
    }

    #[test]
    fn granted_buffers_are_read_back() {
        let granted = Granted::probe(64 * 1024).unwrap();
        assert!(granted.receive_bytes >= 64 * 1024 && granted.send_bytes >= 64 * 1024, "{granted:?}");
        let granted = Granted::probe(1 << 40).unwrap();
        assert!(granted.receive_bytes < 1 << 40, "{granted:?}");
    }

    #[test]
    fn the_window_fits_the_socket_and_the_longest_message() {
        let window_bytes = |receive_bytes| {
            Granted { receive_bytes, send_bytes: receive_bytes }.receive_window_bytes(&LinkConfig::default())
        };
        assert_eq!(window_bytes(8 << 20), 1 << 20);
        assert_eq!(window_bytes(1 << 20), 512 << 10);
        // What Linux grants by default.
        assert_eq!(window_bytes(425_984), (256 + 8) << 10);
    }
}
