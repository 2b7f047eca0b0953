//! The disk: where a node reads what it passes on and writes what it was given.
//!
//! One thread serves one store, request by request in order, so a slow disk never blocks the node's loop, and a read
//! that follows a write sees it. Three kinds of place have the same interface:
//!
//! * [`SourceFiles`]: read-only, for a seeder;
//! * [`Download`]: a file or folder that is being made, and resumed after any kind of end;
//! * [`Scratch`]: content that only passes through on its way to a pipe.
//!
//! The first two lie on one to many files, which [`files`] makes one content of.
//!
//! # Bounds
//!
//! At most [`REQUESTS_MAX`] requests wait for the thread and as many replies for the node; when the first queue is
//! full the node keeps further ones, whose bytes the engine bounds (`store_backlog_bytes_max`). The node always takes
//! replies, so the two queues cannot wait for each other.

mod aligned;
mod download;
mod error;
mod files;
mod folder;
mod hashing;
mod packed;
mod part;
mod positioned;
mod scratch;
mod source;
#[cfg(test)]
mod tests;
mod unpacking;

use std::io;
use std::thread;

use bytes::Bytes;
use pleach_core::ids::{ReadId, WriteId};
use tokio::sync::mpsc;

pub(crate) use download::PARTIAL_SUFFIXES;
pub use download::{Download, DownloadConfig};
pub(crate) use error::io_error;
pub use error::{StoreError, plain};
pub use scratch::{Scratch, ScratchReader};
pub use source::{Change, SourceFiles, SourceWatch};
pub use unpacking::Unpack;
use unpacking::Unpacking;

/// Requests that wait for the store's thread, and replies that wait for the node.
pub(crate) const REQUESTS_MAX: usize = 256;

/// Where the bytes of one node lie.
#[derive(Debug)]
pub enum Store {
    /// Files that are shared.
    Source(SourceFiles),
    /// A file or folder that is being made.
    Download(Download),
    /// A temporary file on the way to a pipe.
    Scratch(Scratch),
}

/// What a node asks of its store; the first three as the engine's outputs of the same names.
#[derive(Debug)]
pub(crate) enum Request {
    Write {
        write: WriteId,
        offset_bytes: u64,
        bytes: Bytes,
    },
    AppendRecord(Bytes),
    Read {
        read: ReadId,
        offset_bytes: u64,
        len_bytes: u32,
    },
    /// Everything is there: make it last, under its final name.
    Finish,
}

/// What the store answers.
#[derive(Debug)]
pub(crate) enum Reply {
    Written(WriteId),
    WriteFailed { write: WriteId, reason: String },
    ReadDone { read: ReadId, bytes: Bytes },
    ReadFailed { read: ReadId, reason: String },
    Finished(Result<(), StoreError>),
}

/// Both ends of a store's thread. Dropping `requests` lets it serve what waits and end, which closes `replies`.
#[derive(Debug)]
pub(crate) struct StoreThread {
    pub(crate) requests: mpsc::Sender<Request>,
    pub(crate) replies: mpsc::Receiver<Reply>,
}

impl Store {
    /// Gives the store a thread of its own.
    pub(crate) fn spawn(self) -> io::Result<StoreThread> {
        let (requests, requested) = mpsc::channel(REQUESTS_MAX);
        let (reply, replies) = mpsc::channel(REQUESTS_MAX);
        thread::Builder::new().name("pleach-store".into()).spawn(move || self.serve(requested, &reply))?;
        Ok(StoreThread { requests, replies })
    }

    fn serve(mut self, mut requests: mpsc::Receiver<Request>, replies: &mpsc::Sender<Reply>) {
        let mut unpacking = None;
        while let Some(request) = requests.blocking_recv() {
            if matches!(request, Request::Finish)
                && let Some(begun) = self.begin_unpacking(replies)
            {
                unpacking = Some(begun);
            } else if let Some(reply) = self.handle(request)
                && replies.blocking_send(reply).is_err()
            {
                break;
            }
        }
        if let Self::Download(download) = self {
            if let Some(unpacking) = unpacking {
                download.cancel_unpacking();
                let _ = unpacking.join();
            }
            download.close();
        }
    }

    /// Of packed content, makes the files on a thread of its own, which answers when they are there. `None` if there is
    /// nothing to unpack, or no thread can be had, which is told when it is asked to finish.
    fn begin_unpacking(&mut self, replies: &mpsc::Sender<Reply>) -> Option<thread::JoinHandle<()>> {
        let Self::Download(download) = self else { return None };
        let (unpacking, replies) = (download.unpacking().transpose()?, replies.clone());
        let work = move || {
            if let Some(done) = unpacking.map_or_else(|error| Some(Err(error)), Unpacking::run) {
                // Fails when nobody waits for it any more.
                let _ = replies.blocking_send(Reply::Finished(done));
            }
        };
        thread::Builder::new().name("pleach-unpack".into()).spawn(work).ok()
    }

    fn handle(&mut self, request: Request) -> Option<Reply> {
        match request {
            Request::Write { write, offset_bytes, bytes } => Some(match self.write(offset_bytes, &bytes) {
                Ok(()) => Reply::Written(write),
                Err(error) => Reply::WriteFailed { write, reason: error.to_string() },
            }),
            Request::Read { read, offset_bytes, len_bytes } => Some(match self.read(offset_bytes, len_bytes) {
                Ok(bytes) => Reply::ReadDone { read, bytes: bytes.into() },
                Err(error) => Reply::ReadFailed { read, reason: error.to_string() },
            }),
            Request::AppendRecord(bytes) => {
                self.append_record(&bytes);
                None
            }
            Request::Finish => Some(Reply::Finished(match self {
                Self::Download(download) => download.finish(),
                Self::Source(_) | Self::Scratch(_) => Ok(()),
            })),
        }
    }

    fn write(&mut self, offset_bytes: u64, bytes: &[u8]) -> Result<(), StoreError> {
        match self {
            Self::Source(source) => Err(source.refuse_write()),
            Self::Download(download) => download.write(offset_bytes, bytes),
            Self::Scratch(scratch) => scratch.write(offset_bytes, bytes),
        }
    }

    fn read(&mut self, offset_bytes: u64, len_bytes: u32) -> Result<Vec<u8>, StoreError> {
        match self {
            Self::Source(source) => source.read(offset_bytes, len_bytes),
            Self::Download(download) => download.files.read(offset_bytes, len_bytes),
            Self::Scratch(scratch) => scratch.read(offset_bytes, len_bytes),
        }
    }

    /// Losing the record only costs fetching again, so a failure is told to the log and nobody else.
    fn append_record(&mut self, bytes: &[u8]) {
        if let Self::Download(download) = self
            && let Err(error) = download.append_record(bytes)
        {
            tracing::warn!(path = %download.part_path().display(), %error, "could not append to the record");
        }
    }
}
