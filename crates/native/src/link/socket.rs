//! The runtime that the `webrtc` crate runs on: tokio's, with UDP sockets tuned for bulk data.
//!
//! Three things are not settings of the crate and are worth a lot:
//!
//! * **Socket buffers.** A burst of a congestion window arrives faster than a task is scheduled; what the kernel cannot
//!   hold is lost, and SCTP takes loss for congestion. 4 MiB instead of the usual 208 KiB is 4.5 times the throughput on
//!   one machine.
//! * **Short bursts.** The crate drains up to 64 datagrams a wake and answers them with *one* SACK. A sender that grows
//!   its window by one packet a SACK, which every browser is (RFC 9260, section 7.2.1), then stays at a few packets a
//!   round trip. So a socket reports `Pending` once after every second datagram, waking itself at once.
//! * **The driver's end.** A connection whose driver task is gone, whatever the reason, must be reported as closed.

use std::{
    fmt, io,
    io::IoSliceMut,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use socket2::SockRef;
use tokio::sync::watch;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta, Runtime, TokioRuntime,
    Transmit,
};

use super::LinkConfig;

/// Datagrams that are handed over before the driver gets a turn to acknowledge them. Two, as RFC 9260 (section 6.2)
/// wants a SACK for every second packet.
const DATAGRAMS_PER_TURN: usize = 2;

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
        Ok(Arc::new(TurnTakingSocket { inner, datagrams: AtomicUsize::new(0) }))
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

/// A socket that lets the driver answer after every second datagram.
struct TurnTakingSocket {
    inner: Arc<dyn AsyncUdpSocket>,
    /// Datagrams handed over in this turn.
    datagrams: AtomicUsize,
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
        self.inner.poll_send(cx, transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        // Only the driver's task polls, so a plain load and store count right.
        if self.datagrams.load(Ordering::Relaxed) >= DATAGRAMS_PER_TURN {
            self.datagrams.store(0, Ordering::Relaxed);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let received = self.inner.poll_recv(cx, bufs, meta);
        let datagrams = match &received {
            Poll::Ready(Ok(messages)) => meta[..*messages].iter().map(|m| m.len.div_ceil(m.stride.max(1))).sum(),
            _ => 0,
        };
        self.datagrams.fetch_add(datagrams, Ordering::Relaxed);
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
        let runtime = LinkRuntime { socket_buffer_bytes: 1 << 20, driver_ended: watch::channel(false).0 };
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
