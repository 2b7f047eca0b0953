//! What a page offers instead of a clock, a source of randomness and a scheduler.

use std::cell::Cell;

use js_sys::{Function, Promise, Reflect, Uint8Array};
use pleach_core::time::Time;
use wasm_bindgen::prelude::*;
use web_sys::{MessageChannel, RequestInit, console};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now_ms() -> f64;

    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues, catch)]
    fn get_random_values(array: &Uint8Array) -> Result<JsValue, JsValue>;

    pub(crate) fn fetch(url: &str, init: &RequestInit) -> Promise;

    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &Function, delay_ms: i32) -> i32;

    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(timer: i32);
}

/// Longest sleep of a [`Timer`]: a page's timer counts in 32 bits. Waking early does no harm.
const SLEEP_MS_MAX: u64 = 60_000;

/// The page's clock, which never goes back.
pub(crate) fn now() -> Time {
    Time::from_micros((performance_now_ms() * 1_000.0) as u64)
}

/// 32 bytes that nobody can guess.
pub(crate) fn random_seed() -> Result<[u8; 32], JsValue> {
    let array = Uint8Array::new_with_length(32);
    get_random_values(&array)?;
    let mut seed = [0; 32];
    array.copy_to(&mut seed);
    Ok(seed)
}

/// What a thrown value says, for people.
pub(crate) fn message_of(thrown: &JsValue) -> String {
    Reflect::get(thrown, &"message".into())
        .ok()
        .and_then(|message| message.as_string())
        .or_else(|| thrown.as_string())
        .filter(|message| !message.is_empty())
        .unwrap_or_else(|| "unknown error".to_owned())
}

/// Tells the console about a fault in what the page gave us, which must not stop the engine.
pub(crate) fn complain(what: &str, thrown: &JsValue) {
    console::error_2(&what.into(), thrown);
}

/// A closure as the page takes it.
pub(crate) fn function<T: ?Sized>(closure: &Closure<T>) -> &Function {
    AsRef::<JsValue>::as_ref(closure).unchecked_ref()
}

/// One timer, armed lazily: an earlier moment replaces a later one, while a later one lets the timer fire early and be
/// armed again. So a moment that moves away with every message costs nothing.
pub(crate) struct Timer {
    callback: Closure<dyn Fn()>,
    armed: Cell<Option<(Time, i32)>>,
}

impl Timer {
    pub(crate) fn new(callback: impl Fn() + 'static) -> Self {
        Self { callback: Closure::new(callback), armed: Cell::new(None) }
    }

    /// The callback runs at `due` at the latest, as far as the page lets timers be in time.
    pub(crate) fn arm(&self, due: Time, now: Time) {
        if self.armed.get().is_some_and(|(armed, _)| armed <= due) {
            return;
        }
        self.disarm();
        // Rounded up, or the timer would fire just before its moment and be armed again.
        let delay_ms = (due.since(now).as_micros() as u64).div_ceil(1_000).min(SLEEP_MS_MAX);
        let timer = set_timeout(function(&self.callback), delay_ms as i32);
        self.armed.set(Some((due, timer)));
    }

    /// To be called when the callback runs.
    pub(crate) fn fired(&self) {
        self.armed.set(None);
    }

    pub(crate) fn disarm(&self) {
        if let Some((_, timer)) = self.armed.take() {
            clear_timeout(timer);
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.disarm();
    }
}

/// Runs a callback as a task of its own, soon, after what the page has to do meanwhile (a frame, an event). Made of a
/// message to oneself, because timers are slowed in a background tab and messages are not.
pub(crate) struct Later {
    channel: MessageChannel,
    pending: Cell<bool>,
    _callback: Closure<dyn Fn()>,
}

impl Later {
    pub(crate) fn new(channel: MessageChannel, callback: impl Fn() + 'static) -> Self {
        let callback = Closure::new(callback);
        channel.port1().set_onmessage(Some(function(&callback)));
        Self { channel, pending: Cell::new(false), _callback: callback }
    }

    /// The callback will run once, however often this was called before it does.
    pub(crate) fn request(&self) {
        if !self.pending.replace(true) && self.channel.port2().post_message(&JsValue::NULL).is_err() {
            self.pending.set(false);
        }
    }

    /// To be called when the callback runs.
    pub(crate) fn came(&self) {
        self.pending.set(false);
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.pending.get()
    }
}

impl Drop for Later {
    fn drop(&mut self) {
        self.channel.port1().set_onmessage(None);
        self.channel.port1().close();
    }
}
