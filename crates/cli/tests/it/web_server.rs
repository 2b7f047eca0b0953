//! A plain web server on the loopback, which counts what it sends and can be told to misbehave.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request, as far as a test wants to know.
pub(crate) struct Request {
    /// How many came before it for files that are not descriptions or hash lists.
    pub(crate) number: usize,
    /// What is asked for, in bytes; `None`: all.
    pub(crate) range: Option<Range<usize>>,
}

/// How a request for the content is answered.
pub(crate) enum Answer {
    /// As it should be.
    Well,
    /// All of it, whatever was asked for.
    Whole,
    /// The range, from another file.
    Of(Vec<u8>),
    /// So many bytes of the range, then the connection ends.
    Cut(usize),
    /// So many bytes of the range, then nothing, and the connection stays.
    Drip(usize),
    /// The range, and its second half again.
    More,
    /// The first half of the range, and says so.
    Less,
    /// A status and a header line.
    Status(u16, &'static str),
}

/// Decides how a request for the content is answered.
type Answers = Box<dyn FnMut(&Request) -> Answer + Send>;

struct Shared {
    files: BTreeMap<String, Vec<u8>>,
    content: String,
    answer: Mutex<Answers>,
    requests: AtomicUsize,
    sent_bytes: AtomicU64,
    is_down: AtomicBool,
    /// Connections that drip, kept open.
    dripping: Mutex<Vec<TcpStream>>,
}

/// Runs until the test is over.
pub(crate) struct WebServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl WebServer {
    /// Serves these files; requests for the first one, the content, are answered as `answer` says.
    pub(crate) fn start(files: Vec<(&str, Vec<u8>)>, answer: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            content: files[0].0.to_owned(),
            files: files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect(),
            answer: Mutex::new(Box::new(answer)),
            requests: AtomicUsize::new(0),
            sent_bytes: AtomicU64::new(0),
            is_down: AtomicBool::new(false),
            dripping: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let shared = Arc::clone(&serving);
                // A client that goes away in the middle is no concern.
                thread::spawn(move || drop(shared.serve(socket)));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// Bytes of the content that were sent.
    pub(crate) fn sent_bytes(&self) -> u64 {
        self.shared.sent_bytes.load(Ordering::Relaxed)
    }

    /// Requests for the content.
    pub(crate) fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// From now on every connection is closed at once.
    pub(crate) fn go_down(&self) {
        self.shared.is_down.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn serve(&self, mut socket: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(socket.try_clone()?);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let name = line.split(' ').nth(1).unwrap_or("/").trim_start_matches('/').to_owned();
        let mut range = None;
        loop {
            let mut field = String::new();
            reader.read_line(&mut field)?;
            let field = field.trim().to_ascii_lowercase();
            if field.is_empty() {
                break;
            }
            let bytes = field.strip_prefix("range: bytes=").and_then(|value| value.split_once('-'));
            range = bytes.map(|(first, last)| first.parse().unwrap()..last.parse::<usize>().unwrap() + 1).or(range);
        }
        if self.is_down.load(Ordering::Relaxed) {
            return Ok(());
        }
        let Some(file) = self.files.get(&name) else {
            return socket.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        };
        if name != self.content {
            return self.send(&mut socket, file, range, usize::MAX, false);
        }
        let request = Request { number: self.requests.fetch_add(1, Ordering::Relaxed), range: range.clone() };
        let answer = (self.answer.lock().unwrap())(&request);
        match answer {
            Answer::Well => self.send(&mut socket, file, range, usize::MAX, true),
            Answer::Whole => self.send(&mut socket, file, None, usize::MAX, true),
            Answer::Of(other) => self.send(&mut socket, &other, range, usize::MAX, true),
            Answer::Cut(bytes) => self.send(&mut socket, file, range, bytes, true),
            Answer::Drip(bytes) => {
                self.send(&mut socket, file, range, bytes, true)?;
                self.dripping.lock().unwrap().push(socket);
                Ok(())
            }
            Answer::More => {
                let range = range.unwrap_or(0..file.len());
                socket.write_all(b"HTTP/1.1 206 Partial Content\r\nconnection: close\r\n\r\n")?;
                socket.write_all(&file[range.clone()])?;
                socket.write_all(&file[range.start + range.len() / 2..range.end])
            }
            Answer::Less => {
                let range = range.unwrap_or(0..file.len());
                self.send(&mut socket, file, Some(range.start..range.start + range.len() / 2), usize::MAX, true)
            }
            Answer::Status(status, field) => {
                let head = format!("HTTP/1.1 {status} X\r\n{field}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                socket.write_all(head.as_bytes())
            }
        }
    }

    fn send(
        &self,
        socket: &mut TcpStream,
        file: &[u8],
        range: Option<Range<usize>>,
        most_bytes: usize,
        is_counted: bool,
    ) -> std::io::Result<()> {
        let all_bytes = file.len();
        let (status, field, range) = match range {
            Some(range) if range.start >= all_bytes => {
                return socket.write_all(b"HTTP/1.1 416 X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            }
            Some(range) => {
                let range = range.start..range.end.min(all_bytes);
                let field = format!("content-range: bytes {}-{}/{all_bytes}\r\n", range.start, range.end - 1);
                ("206 Partial Content", field, range)
            }
            None => ("200 OK", String::new(), 0..all_bytes),
        };
        let len_bytes = range.len();
        let head = format!("HTTP/1.1 {status}\r\n{field}content-length: {len_bytes}\r\nconnection: close\r\n\r\n");
        socket.write_all(head.as_bytes())?;
        for piece in file[range][..len_bytes.min(most_bytes)].chunks(16 << 10) {
            socket.write_all(piece)?;
            if is_counted {
                self.sent_bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}
