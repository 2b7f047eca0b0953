//! The Pleach engine in a page.
//!
//! An adapter and nothing more: [`pleach_core::peer::Peer`] decides, and here is what it moves. [`driver`] is the loop,
//! [`link`] the WebRTC connections, [`socket`] the tracker's WebSocket, [`store`] the page's store, [`web`] fetches from web servers, [`page`] the clock
//! and the scheduler, [`convert`] what JavaScript is told. The surface for JavaScript is in this file, its types in
//! `types.d.ts`.
//!
//! Everything runs on the page's thread, where WebRTC lives, in turns of a few milliseconds.
#![forbid(unsafe_code)]

mod convert;
mod driver;
mod link;
mod page;
mod socket;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod web;

use std::rc::Rc;

use js_sys::{Function, Uint8Array};
use pleach_core::content::{ByteRange, HashTree, Link, Manifest, WebPlaces};
use pleach_core::ids::ManifestDigest;
use pleach_core::peer::contract::{Input, PeerConfig, Start};
use pleach_core::peer::{Want, WebSource};
use pleach_core::wire::tracker::AGENT_BYTES_MAX;
use wasm_bindgen::prelude::*;

use crate::driver::{Driver, Parts};
use crate::socket::TrackerPlace;
use crate::store::Store;

/// Half of what native peers keep: a tab's memory is dear on a phone, and the store reads ahead for who is behind.
const CACHE_BYTES: usize = 4 << 20;
/// What waits for the store is in memory several times: here, on its way to the worker, and there.
const STORE_BACKLOG_BYTES_MAX: usize = 4 << 20;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("types.d.ts");

#[wasm_bindgen]
extern "C" {
    /// See `types.d.ts`.
    #[wasm_bindgen(typescript_type = "PeerOptions")]
    pub type PeerOptions;

    #[wasm_bindgen(method, getter)]
    fn manifest(this: &PeerOptions) -> JsValue;

    #[wasm_bindgen(method, getter, js_name = trackerUrl)]
    fn tracker_url(this: &PeerOptions) -> JsValue;

    #[wasm_bindgen(method, getter, js_name = manifestUrl)]
    fn manifest_url(this: &PeerOptions) -> JsValue;

    #[wasm_bindgen(method, getter)]
    fn sources(this: &PeerOptions) -> Option<Vec<String>>;

    #[wasm_bindgen(method, getter, js_name = sourceLimit)]
    fn source_limit(this: &PeerOptions) -> JsValue;

    #[wasm_bindgen(method, getter)]
    fn store(this: &PeerOptions) -> JsValue;

    #[wasm_bindgen(method, getter)]
    fn record(this: &PeerOptions) -> JsValue;

    #[wasm_bindgen(method, getter)]
    fn slots(this: &PeerOptions) -> JsValue;

    #[wasm_bindgen(method, getter, js_name = uploadLimit)]
    fn upload_limit(this: &PeerOptions) -> JsValue;

    #[wasm_bindgen(method, getter)]
    fn agent(this: &PeerOptions) -> JsValue;

    #[wasm_bindgen(method, getter, js_name = onEvent)]
    fn on_event(this: &PeerOptions) -> JsValue;

    /// See `types.d.ts`.
    #[wasm_bindgen(typescript_type = "Want")]
    pub type WantOptions;

    #[wasm_bindgen(method, getter)]
    fn start(this: &WantOptions) -> f64;

    #[wasm_bindgen(method, getter)]
    fn end(this: &WantOptions) -> f64;

    #[wasm_bindgen(method, getter, js_name = bytesPerS)]
    fn bytes_per_s(this: &WantOptions) -> Option<f64>;

    /// See `types.d.ts`.
    #[wasm_bindgen(typescript_type = "PeerStats")]
    pub type PeerStats;

    /// See `types.d.ts`.
    #[wasm_bindgen(typescript_type = "ManifestInfo")]
    pub type ManifestInfo;

    /// See `types.d.ts`.
    #[wasm_bindgen(typescript_type = "LinkInfo")]
    pub type LinkInfo;
}

/// One peer in one swarm. It runs from its making until `stop()` or a failure, whatever becomes of this object.
#[wasm_bindgen]
pub struct PleachPeer(Rc<Driver>);

#[wasm_bindgen]
impl PleachPeer {
    /// Starts. Throws an `Error` if an option is wrong; whatever goes wrong later is an event.
    #[wasm_bindgen(constructor)]
    pub fn new(options: &PeerOptions) -> Result<Self, JsError> {
        #[cfg(feature = "panic-hook")]
        console_error_panic_hook::set_once();
        let upload_limit = bytes_per_s(&options.upload_limit(), "uploadLimit")?;
        let parts = Parts {
            config: peer_config(options)?,
            place: tracker_place(options)?,
            store: options.store().unchecked_into::<Store>(),
            on_event: options.on_event().dyn_into::<Function>().map_err(|_| wrong("onEvent", "a function"))?,
        };
        let driver = Driver::start(parts).map_err(|thrown| JsError::new(&page::message_of(&thrown)))?;
        if upload_limit.is_some() {
            driver.ask(Input::UploadLimit { bytes_per_s: upload_limit });
        }
        Ok(Self(driver))
    }

    /// What it is doing.
    pub fn stats(&self) -> Result<PeerStats, JsValue> {
        Ok(convert::stats(self.0.stats())?.unchecked_into())
    }

    /// Payload bytes a second to upload at most; 0 uploads nothing, `null` has no limit.
    #[wasm_bindgen(js_name = setUploadLimit)]
    pub fn set_upload_limit(
        &self,
        #[wasm_bindgen(js_name = bytesPerSecond, unchecked_param_type = "number | null")] limit: JsValue,
    ) -> Result<(), JsError> {
        self.0.ask(Input::UploadLimit { bytes_per_s: bytes_per_s(&limit, "uploadLimit")? });
        Ok(())
    }

    /// What is wanted first, the most urgent first, instead of what was wanted before; at most 16. For each packet of it
    /// that comes the event `came` tells.
    pub fn want(&self, wants: Vec<WantOptions>) {
        // Numbers that are none become 0, and what lies outside the content is cut off by the engine.
        let wants = wants.iter().map(|want| {
            let start = want.start() as u64;
            let range = ByteRange { start, end: (want.end() as u64).max(start) };
            Want { range, bytes_per_s: want.bytes_per_s().map(|rate| rate as u64) }
        });
        self.0.ask(Input::Want { wants: wants.collect() });
    }

    /// Up to where the content is there without a gap from `start` on, so that the store gives it; `start` itself if it
    /// is not there.
    #[wasm_bindgen(js_name = heldUntil)]
    pub fn held_until(&self, start: f64) -> f64 {
        self.0.held_until(start as u64) as f64
    }

    /// Leaves the swarm; the event `stopped` follows.
    pub fn stop(&self) {
        self.0.ask(Input::Stop);
    }
}

/// Reads a manifest. Throws an `Error` that says what is wrong with it, or that it is not the one a link promises.
#[wasm_bindgen(js_name = parseManifest)]
pub fn parse_manifest(
    bytes: &[u8],
    #[wasm_bindgen(js_name = digestHex)] digest: Option<String>,
) -> Result<ManifestInfo, JsError> {
    let manifest = Manifest::parse(bytes)?;
    if let Some(digest) = digest {
        let promised: ManifestDigest = digest.parse()?;
        if manifest.digest() != promised {
            return Err(JsError::new("this is not the manifest that the link promises"));
        }
    }
    let info = convert::manifest(&manifest).map_err(|thrown| JsError::new(&page::message_of(&thrown)))?;
    Ok(info.unchecked_into())
}

/// Reads a link. Throws an `Error` that says what is wrong with it.
#[wasm_bindgen(js_name = parseLink)]
pub fn parse_link(text: &str) -> Result<LinkInfo, JsError> {
    let link: Link = text.parse()?;
    let info = convert::link(&link).map_err(|thrown| JsError::new(&page::message_of(&thrown)))?;
    Ok(info.unchecked_into())
}

fn tracker_place(options: &PeerOptions) -> Result<Option<TrackerPlace>, JsError> {
    let Some(url) = optional(options.tracker_url()) else { return Ok(None) };
    TrackerPlace::parse(&text(&url, "trackerUrl")?).map(Some).map_err(|error| JsError::new(&error))
}

fn peer_config(options: &PeerOptions) -> Result<PeerConfig, JsError> {
    let manifest = options.manifest().dyn_into::<Uint8Array>().map_err(|_| wrong("manifest", "a Uint8Array"))?;
    let manifest = Manifest::parse(&manifest.to_vec())?;
    let start = start(&manifest, &options.record())?;
    let manifest_url = optional(options.manifest_url()).map(|url| text(&url, "manifestUrl")).transpose()?;
    let web = WebPlaces::of(&manifest, manifest_url.as_deref());
    // Of several files the bytes are not in one place.
    let more = options.sources().filter(|_| manifest.files().len() == 1).unwrap_or_default();
    let web = web.and_sources(more);
    let limit = bytes_per_s(&options.source_limit(), "sourceLimit")?;
    let mut config = PeerConfig::new(manifest, start);
    config.has_tracker = optional(options.tracker_url()).is_some();
    // What is kept of an earlier visit may be all of it.
    if !config.has_tracker && web.sources.is_empty() && matches!(config.start, Start::Empty) {
        return Err(JsError::new("the manifest names no tracker and no web server"));
    }
    config.sources = web.sources.into_iter().map(|url| WebSource { url, bytes_per_s: limit }).collect();
    config.hash_lists = web.hashes;
    config.cache_bytes = CACHE_BYTES;
    config.store_backlog_bytes_max = STORE_BACKLOG_BYTES_MAX;
    config.window_bytes_max = link::WINDOW_BYTES_MAX;
    if let Some(slots) = optional(options.slots()) {
        let slots = slots.as_f64().filter(|slots| (0.0..=f64::from(u8::MAX)).contains(slots));
        config.slots = slots.ok_or_else(|| wrong("slots", "a number from 0 to 255"))? as u8;
    }
    config.agent = match optional(options.agent()) {
        Some(agent) => within_bytes(text(&agent, "agent")?, AGENT_BYTES_MAX),
        None => concat!("pleach/", env!("CARGO_PKG_VERSION"), " (page)").to_owned(),
    };
    Ok(config)
}

fn start(manifest: &Manifest, record: &JsValue) -> Result<Start, JsError> {
    let Some(record) = optional(record.clone()) else { return Ok(Start::Empty) };
    let record = record.dyn_into::<Uint8Array>().map_err(|_| wrong("record", "a Uint8Array"))?;
    if record.length() == 0 {
        return Ok(Start::Empty);
    }
    let tree = HashTree::restore(manifest.geometry(), manifest.id(), &record.to_vec());
    Ok(Start::Resume(tree))
}

fn bytes_per_s(limit: &JsValue, name: &str) -> Result<Option<u64>, JsError> {
    let Some(limit) = optional(limit.clone()) else { return Ok(None) };
    let limit = limit.as_f64().filter(|limit| *limit >= 0.0);
    Ok(Some(limit.ok_or_else(|| wrong(name, "a number of bytes a second, or null"))? as u64))
}

fn optional(value: JsValue) -> Option<JsValue> {
    (!value.is_null() && !value.is_undefined()).then_some(value)
}

fn text(value: &JsValue, name: &str) -> Result<String, JsError> {
    value.as_string().ok_or_else(|| wrong(name, "a string"))
}

fn wrong(name: &str, expected: &str) -> JsError {
    JsError::new(&format!("the option {name} must be {expected}"))
}

/// The longest beginning that fits.
fn within_bytes(mut text: String, bytes_max: usize) -> String {
    let end = (0..=bytes_max.min(text.len())).rfind(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use super::within_bytes;

    #[test]
    fn a_long_agent_is_cut_between_characters() {
        assert_eq!(within_bytes("Chrome".to_owned(), 64), "Chrome");
        assert_eq!(within_bytes("aßß".to_owned(), 4), "aß");
        assert_eq!(within_bytes("ß".to_owned(), 1), "");
    }
}
