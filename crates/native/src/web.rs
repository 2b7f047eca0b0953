//! Fetches from web servers, as the engine asks for them: one request for one range, whose bytes are handed over as they
//! come.
//!
//! The engine decides what is asked for, when to give up and when to ask again; [`judge`] tells what an answer is good
//! for. Here is only what a socket needs: a task a fetch, few redirects, a limit on connecting. A body that is not read
//! stays in the server's socket: the queue into the loop is bounded, and its writers wait.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use pleach_core::content::ByteRange;
use pleach_core::ids::FetchId;
use pleach_core::wire::range::{Answer, FetchOutcome, judge, range_header};
use reqwest::{Client, Response, header, redirect};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::http::innermost;
use crate::tls;

/// Longest wait for a connection.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(10);
/// Most redirects that are followed.
const REDIRECTS_MAX: usize = 5;

/// What comes of a fetch.
#[derive(Debug)]
pub(crate) enum WebEvent {
    /// The next bytes.
    Came(Bytes),
    /// Nothing more comes.
    Ended(FetchOutcome),
}

/// All fetches under way. Dropped, it gives them up.
#[derive(Debug)]
pub(crate) struct Web {
    /// One that has certificates, and one for plain `http`, which must work without any.
    clients: BTreeMap<&'static str, Client>,
    tasks: BTreeMap<FetchId, AbortHandle>,
    events: mpsc::Sender<(FetchId, WebEvent)>,
}

impl Web {
    pub(crate) fn new(events: mpsc::Sender<(FetchId, WebEvent)>) -> Self {
        Self { clients: BTreeMap::new(), tasks: BTreeMap::new(), events }
    }

    /// Begins a fetch.
    pub(crate) fn fetch(&mut self, fetch: FetchId, url: String, range: ByteRange, size_bytes: u64) {
        let client = self.client(&url);
        let events = self.events.clone();
        let task = tokio::spawn(async move {
            let outcome = match client {
                Ok(client) => run(client, url, range, size_bytes, fetch, &events).await,
                Err(reason) => FetchOutcome::unfit(reason),
            };
            // Fails when the node has ended.
            let _ = events.send((fetch, WebEvent::Ended(outcome))).await;
        });
        self.tasks.insert(fetch, task.abort_handle());
    }

    /// Gives a fetch up, or forgets one that has ended.
    pub(crate) fn end(&mut self, fetch: FetchId) {
        if let Some(task) = self.tasks.remove(&fetch) {
            task.abort();
        }
    }

    fn client(&mut self, url: &str) -> Result<Client, String> {
        let scheme = if url.starts_with("https:") { "https" } else { "http" };
        if let Some(client) = self.clients.get(scheme) {
            return Ok(client.clone());
        }
        let client = new_client(scheme)?;
        self.clients.insert(scheme, client.clone());
        Ok(client)
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.tasks.values().for_each(AbortHandle::abort);
    }
}

fn new_client(scheme: &str) -> Result<Client, String> {
    let tls = tls::client_config_for(scheme).map_err(|error| error.to_string())?;
    Client::builder()
        .user_agent(crate::AGENT)
        .connect_timeout(CONNECT_WAIT_MAX)
        .redirect(redirect::Policy::limited(REDIRECTS_MAX))
        .no_proxy()
        .tls_backend_preconfigured(rustls::ClientConfig::clone(&tls))
        .build()
        .map_err(|error| innermost(&error))
}

async fn run(
    client: Client,
    url: String,
    range: ByteRange,
    size_bytes: u64,
    fetch: FetchId,
    events: &mpsc::Sender<(FetchId, WebEvent)>,
) -> FetchOutcome {
    let request = client.get(url).header(header::RANGE, range_header(range));
    let mut response = match request.send().await {
        Ok(response) => response,
        Err(error) => return explain(&error),
    };
    let mut skip_bytes = match judge(&answer_of(&response), range, size_bytes) {
        Ok(skip_bytes) => skip_bytes,
        Err(outcome) => return outcome,
    };
    let mut left_bytes = range.len();
    while left_bytes > 0 {
        let mut bytes = match response.chunk().await {
            Ok(Some(bytes)) => bytes,
            // The engine counts, and sees that it was less.
            Ok(None) => return FetchOutcome::Done,
            Err(error) => return explain(&error),
        };
        let skipped = usize::try_from(skip_bytes).unwrap_or(usize::MAX).min(bytes.len());
        drop(bytes.split_to(skipped));
        skip_bytes -= skipped as u64;
        bytes.truncate(usize::try_from(left_bytes).unwrap_or(usize::MAX));
        left_bytes -= bytes.len() as u64;
        if !bytes.is_empty() && events.send((fetch, WebEvent::Came(bytes))).await.is_err() {
            break;
        }
    }
    FetchOutcome::Done
}

fn answer_of(response: &Response) -> Answer<'_> {
    let field = |name| response.headers().get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    Answer {
        status: response.status().as_u16(),
        content_range: field(header::CONTENT_RANGE),
        content_length: field(header::CONTENT_LENGTH),
        retry_after: field(header::RETRY_AFTER),
    }
}

fn explain(error: &reqwest::Error) -> FetchOutcome {
    if error.is_redirect() {
        FetchOutcome::unfit("it sends from one address to the next without an end")
    } else if error.is_builder() {
        FetchOutcome::unfit(format!("its address can't be used: {}", innermost(error)))
    } else if error.is_connect() {
        FetchOutcome::Unreachable { reason: format!("it can't be reached: {}", innermost(error)) }
    } else {
        FetchOutcome::busy(format!("the connection broke: {}", innermost(error)))
    }
}
