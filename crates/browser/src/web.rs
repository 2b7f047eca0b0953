//! Fetches from web servers, as the engine asks for them: the page's own `fetch`, whose bytes are handed over as they come.
//!
//! [`judge`] tells what an answer is good for. Of another origin's server a page sees the headers that it is shown, and of
//! one that does not allow other sites to read it nothing at all: `fetch` fails as if it were out of reach. To say which
//! of the two it was, the address is then asked for once more in a way that gives nothing to read and fails only if
//! nobody answers.
//!
//! Bound: what is under way is what the engine asked for, 4 MiB a fetch. It waits as arrivals of the driver.

use std::rc::Rc;

use bytes::Bytes;
use js_sys::{Array, Object, Reflect, Uint8Array};
use pleach_core::content::ByteRange;
use pleach_core::ids::FetchId;
use pleach_core::wire::range::{Answer, FetchOutcome, judge, range_header};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{AbortController, AbortSignal, RequestInit, Response};

use crate::page;

/// What comes of a fetch.
pub(crate) enum WebEvent {
    /// The next bytes.
    Came(Bytes),
    /// Nothing more comes.
    Ended(FetchOutcome),
}

/// Where a fetch's events go.
pub(crate) type WebEvents = Rc<dyn Fn(FetchId, WebEvent)>;

#[wasm_bindgen]
extern "C" {
    /// The reader of a body, as much of it as is used.
    type Reader;

    #[wasm_bindgen(method, catch)]
    async fn read(this: &Reader) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method)]
    async fn cancel(this: &Reader);

    /// A body.
    type Body;

    #[wasm_bindgen(method, js_name = getReader)]
    fn get_reader(this: &Body) -> Reader;
}

/// A fetch under way. Dropping it gives it up and tells nothing.
pub(crate) struct WebFetch(AbortController);

impl WebFetch {
    pub(crate) fn begin(
        fetch: FetchId,
        url: String,
        range: ByteRange,
        size_bytes: u64,
        events: WebEvents,
    ) -> Result<Self, String> {
        let controller = AbortController::new().map_err(|thrown| page::message_of(&thrown))?;
        let signal = controller.signal();
        spawn_local(async move {
            let came = |bytes| {
                if !signal.aborted() {
                    events(fetch, WebEvent::Came(bytes));
                }
            };
            let outcome = run(&url, range, size_bytes, &signal, came).await;
            if !signal.aborted() {
                events(fetch, WebEvent::Ended(outcome));
            }
        });
        Ok(Self(controller))
    }
}

impl Drop for WebFetch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn run(url: &str, range: ByteRange, size_bytes: u64, signal: &AbortSignal, came: impl Fn(Bytes)) -> FetchOutcome {
    let response = match request(url, Some(range), signal).await {
        Ok(response) => response,
        Err(thrown) => return out_of_reach(url, &thrown, signal).await,
    };
    let field = |name: &str| response.headers().get(name).ok().flatten();
    let (content_range, content_length) = (field("content-range"), field("content-length"));
    let retry_after = field("retry-after");
    let answer = Answer {
        status: response.status(),
        content_range: content_range.as_deref(),
        content_length: content_length.as_deref(),
        retry_after: retry_after.as_deref(),
    };
    match judge(&answer, range, size_bytes) {
        Ok(skip_bytes) => read_all(&response, skip_bytes, range.len(), came).await,
        Err(outcome) => outcome,
    }
}

/// Hands over `left_bytes` of the body, after `skip_bytes` of it.
async fn read_all(response: &Response, mut skip_bytes: u64, mut left_bytes: u64, came: impl Fn(Bytes)) -> FetchOutcome {
    let Some(body) = response.body() else { return FetchOutcome::busy("it sent nothing") };
    let reader = body.unchecked_into::<Body>().get_reader();
    while left_bytes > 0 {
        let piece = match reader.read().await {
            Ok(piece) => piece,
            Err(thrown) => return FetchOutcome::busy(format!("the connection broke: {}", page::message_of(&thrown))),
        };
        let value = Reflect::get(&piece, &"value".into()).ok().and_then(|value| value.dyn_into::<Uint8Array>().ok());
        // The engine counts, and sees that it was less.
        let Some(value) = value else { return FetchOutcome::Done };
        let mut bytes = Bytes::from(value.to_vec());
        let skipped = (skip_bytes.min(bytes.len() as u64)) as usize;
        drop(bytes.split_to(skipped));
        skip_bytes -= skipped as u64;
        bytes.truncate(left_bytes.min(bytes.len() as u64) as usize);
        left_bytes -= bytes.len() as u64;
        if !bytes.is_empty() {
            came(bytes);
        }
    }
    // What follows is not wanted.
    reader.cancel().await;
    FetchOutcome::Done
}

/// Asks for a range; without one, only whether anybody answers.
async fn request(url: &str, range: Option<ByteRange>, signal: &AbortSignal) -> Result<Response, JsValue> {
    let init = RequestInit::new();
    let set = |name: &str, value: &JsValue| Reflect::set(&init, &name.into(), value).map(drop);
    set("signal", signal)?;
    set("credentials", &"omit".into())?;
    set("referrerPolicy", &"no-referrer".into())?;
    // What comes is stored by the engine's store, and need not be stored twice.
    set("cache", &"no-store".into())?;
    match range {
        Some(range) => {
            let headers = Object::from_entries(&Array::of1(&Array::of2(&"Range".into(), &range_header(range).into())))?;
            set("headers", &headers)?;
        }
        None => {
            set("method", &"HEAD".into())?;
            set("mode", &"no-cors".into())?;
        }
    }
    JsFuture::from(page::fetch(url, &init)).await?.dyn_into()
}

async fn out_of_reach(url: &str, thrown: &JsValue, signal: &AbortSignal) -> FetchOutcome {
    if request(url, None, signal).await.is_ok() {
        return FetchOutcome::unfit("the web server does not allow other sites to read it (CORS)");
    }
    FetchOutcome::Unreachable { reason: format!("it can't be reached: {}", page::message_of(thrown)) }
}
