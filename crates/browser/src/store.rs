//! The page's store: an object of the page with three methods, see `Store` in `types.d.ts`.

use bytes::Bytes;
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::page;

#[wasm_bindgen]
extern "C" {
    /// An object with the three methods.
    #[wasm_bindgen(typescript_type = "Store")]
    #[derive(Clone)]
    pub type Store;

    #[wasm_bindgen(method, catch)]
    fn write(this: &Store, offset_bytes: f64, bytes: &[u8]) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn read(this: &Store, offset_bytes: f64, len_bytes: f64) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch, js_name = appendRecord)]
    fn append_record(this: &Store, bytes: &[u8]) -> Result<(), JsValue>;
}

/// Writes. The store is lent the bytes where they lie, and copies them to where it wants them.
pub(crate) async fn write(store: Store, offset_bytes: u64, bytes: Bytes) -> Result<(), String> {
    let begun = store.write(offset_bytes as f64, &bytes);
    drop(bytes);
    settle(begun).await?;
    Ok(())
}

/// Reads; fewer bytes come where the store ends.
pub(crate) async fn read(store: Store, offset_bytes: u64, len_bytes: u32) -> Result<Bytes, String> {
    let bytes = settle(store.read(offset_bytes as f64, f64::from(len_bytes))).await?;
    let bytes: Uint8Array = bytes.dyn_into().map_err(|_| "the store gave something else than bytes".to_owned())?;
    if bytes.length() > len_bytes {
        return Err("the store gave more than was asked for".to_owned());
    }
    Ok(Bytes::from(bytes.to_vec()))
}

/// Appends to the record. What is lost of it is fetched again, so a failure is only told in the console.
pub(crate) fn append_record(store: &Store, bytes: &[u8]) {
    if let Err(thrown) = store.append_record(bytes) {
        page::complain("Pleach could not note what it has:", &thrown);
    }
}

/// Waits for what a method gave, whether it is a promise or not.
async fn settle(begun: Result<JsValue, JsValue>) -> Result<JsValue, String> {
    let promise = begun.map(|value| Promise::resolve(&value)).map_err(|thrown| page::message_of(&thrown))?;
    JsFuture::from(promise).await.map_err(|thrown| page::message_of(&thrown))
}
