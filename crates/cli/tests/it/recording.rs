//! A proxy that keeps what passes through it, for tests that look for what must not travel.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What went one way over one connection.
type Stream = Arc<Mutex<Vec<u8>>>;

/// A TCP proxy on the loopback. Its threads end with their connections; the one that accepts ends with the tests.
pub(crate) struct Recorder {
    pub(crate) address: SocketAddr,
    to_server: Arc<Mutex<Vec<Stream>>>,
    said_by_server: Arc<Mutex<Vec<Stream>>>,
}

impl Recorder {
    /// Passes on to `server`, which may go and come back meanwhile.
    pub(crate) fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has ports");
        let address = listener.local_addr().expect("it is bound");
        let recorder = Self { address, to_server: Arc::default(), said_by_server: Arc::default() };
        let (to_server, said_by_server) = (Arc::clone(&recorder.to_server), Arc::clone(&recorder.said_by_server));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // Without a server the client's connection closes, as it would without the proxy.
                let Ok(upstream) = TcpStream::connect(server) else { continue };
                let (Ok(client_end), Ok(server_end)) = (client.try_clone(), upstream.try_clone()) else { continue };
                carry(client_end, upstream, &to_server);
                carry(server_end, client, &said_by_server);
            }
        });
        recorder
    }

    /// All that clients said so far, connection by connection; of a WebSocket what its frames hold.
    pub(crate) fn to_server(&self) -> Vec<Vec<u8>> {
        read(&self.to_server)
    }

    /// All that the server said so far.
    pub(crate) fn said_by_server(&self) -> Vec<Vec<u8>> {
        read(&self.said_by_server)
    }
}

/// Whether a text is in what passed.
pub(crate) fn is_in(text: &str, bytes: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn read(streams: &Mutex<Vec<Stream>>) -> Vec<Vec<u8>> {
    let streams = streams.lock().expect("nobody panics with it");
    streams.iter().map(|stream| unmask(&stream.lock().expect("nobody panics with it"))).collect()
}

/// Moves bytes until an end, and keeps them before they go on.
fn carry(mut from: TcpStream, mut to: TcpStream, streams: &Mutex<Vec<Stream>>) {
    let stream = Stream::default();
    streams.lock().expect("nobody panics with it").push(Arc::clone(&stream));
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            stream.lock().expect("nobody panics with it").extend_from_slice(&buffer[..count]);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
        let _ = from.shutdown(Shutdown::Read);
    });
}

/// Takes the masks off the frames of a WebSocket's client (RFC 6455, 5.2): what is masked is not found by looking for it.
fn unmask(stream: &[u8]) -> Vec<u8> {
    let mut open = stream.to_vec();
    let is_upgrade = |head: &[u8]| String::from_utf8_lossy(head).to_ascii_lowercase().contains("upgrade: websocket");
    let end_of_head = stream.windows(4).position(|four| four == b"\r\n\r\n");
    let Some(mut at) = end_of_head.filter(|end| is_upgrade(&stream[..*end])).map(|end| end + 4) else { return open };
    while let Some(&[_, second]) = stream.get(at..at + 2) {
        let len_bytes = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some(extended) = stream.get(at + 2..at + 2 + len_bytes) else { break };
        let len = match len_bytes {
            0 => usize::from(second & 0x7f),
            _ => extended.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)),
        };
        at += 2 + len_bytes;
        let mask = (second & 0x80 != 0).then(|| stream.get(at..at + 4)).flatten();
        at += mask.map_or(0, <[u8]>::len);
        let end = (at + len).min(stream.len());
        if let Some(mask) = mask {
            open[at..end].iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        }
        at = end;
    }
    open
}
