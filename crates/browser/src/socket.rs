//! The tracker's socket, and where else its URL leads.

use std::cell::Cell;
use std::rc::Rc;

use pleach_core::ids::ContentId;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{CloseEvent, MessageEvent, RequestInit, Url, WebSocket};

use crate::page;

/// What a socket tells its driver.
pub(crate) enum SocketEvent {
    /// It is open.
    Up,
    /// A text frame came.
    Message(String),
    /// It could not be opened, or is closed. Nothing follows.
    Down(String),
}

/// Where a socket's events go.
pub(crate) type SocketEvents = Rc<dyn Fn(SocketEvent)>;

/// Where a tracker is: its socket, its pages, its STUN server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TrackerPlace {
    socket_url: String,
    http_base: String,
    host: String,
}

impl TrackerPlace {
    /// Understands `ws://`, `wss://`, and `http(s)://` in their place.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let url = Url::new(text).map_err(|_| format!("the tracker's address is not a URL: {text}"))?;
        let (socket, http) = match url.protocol().as_str() {
            "ws:" | "http:" => ("ws:", "http:"),
            "wss:" | "https:" => ("wss:", "https:"),
            other => return Err(format!("the tracker's address must begin with ws or wss, not with {other}")),
        };
        url.set_protocol(socket);
        url.set_hash("");
        // A tracker lives at its host, or below a path of it; its socket is `ws` there.
        let path = url.pathname();
        let prefix = path.strip_suffix("/ws").unwrap_or_default();
        Ok(Self { socket_url: url.href(), http_base: format!("{http}//{}{prefix}", url.host()), host: url.hostname() })
    }

    /// The STUN servers among the URLs that the tracker named, complete.
    pub(crate) fn stun_servers(&self, urls: &[String]) -> Vec<String> {
        urls.iter().filter_map(|url| stun_server(url, &self.host)).collect()
    }

    /// Uploads the manifest. A failure is not fatal and only told in the console.
    pub(crate) fn upload_manifest(&self, content: ContentId, manifest: &[u8]) {
        let url = format!("{}/{content}.pleach", self.http_base);
        let init = RequestInit::new();
        init.set_method("PUT");
        init.set_body(&js_sys::Uint8Array::from(manifest));
        spawn_local(async move {
            if let Err(thrown) = JsFuture::from(page::fetch(&url, &init)).await {
                page::complain("Pleach could not upload the manifest:", &thrown);
            }
        });
    }
}

/// `stun::3478` means port 3478 of the tracker's own host, which a tracker behind a proxy does not know itself. TURN
/// is left out: a page refuses it without credentials, which a URL does not carry.
fn stun_server(url: &str, tracker_host: &str) -> Option<String> {
    match url.split_once(':')? {
        ("stun" | "stuns", "") => None,
        (scheme @ ("stun" | "stuns"), rest) => match rest.strip_prefix(':') {
            Some(port) => Some(format!("{scheme}:{tracker_host}:{port}")),
            None => Some(url.to_owned()),
        },
        _ => None,
    }
}

/// The socket. Dropping it closes it and tells nothing.
pub(crate) struct TrackerSocket {
    socket: WebSocket,
    _handlers: Handlers,
}

struct Handlers {
    _open: Closure<dyn Fn()>,
    _message: Closure<dyn Fn(MessageEvent)>,
    _close: Closure<dyn Fn(CloseEvent)>,
}

impl TrackerSocket {
    /// Begins to connect. `Up` or `Down` follows.
    pub(crate) fn open(place: &TrackerPlace, events: &SocketEvents) -> Result<Self, String> {
        let socket = WebSocket::new(&place.socket_url).map_err(|thrown| page::message_of(&thrown))?;
        let was_open = Rc::new(Cell::new(false));
        let open = {
            let (events, was_open) = (Rc::clone(events), Rc::clone(&was_open));
            Closure::<dyn Fn()>::new(move || {
                was_open.set(true);
                events(SocketEvent::Up);
            })
        };
        let message = {
            let events = Rc::clone(events);
            Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
                // A frame that is not text is none of this protocol.
                if let Some(text) = event.data().as_string() {
                    events(SocketEvent::Message(text));
                }
            })
        };
        let close = {
            let events = Rc::clone(events);
            Closure::<dyn Fn(CloseEvent)>::new(move |event: CloseEvent| {
                events(SocketEvent::Down(reason_of(&event, was_open.get())));
            })
        };
        socket.set_onopen(Some(page::function(&open)));
        socket.set_onmessage(Some(page::function(&message)));
        socket.set_onclose(Some(page::function(&close)));
        Ok(Self { socket, _handlers: Handlers { _open: open, _message: message, _close: close } })
    }

    /// Sends a text frame. One that comes while the socket closes is lost with it.
    pub(crate) fn send(&self, text: &str) {
        if self.socket.ready_state() == WebSocket::OPEN {
            // Throws only while the socket is connecting.
            let _ = self.socket.send_with_str(text);
        }
    }
}

impl Drop for TrackerSocket {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        // Without a code it throws nothing.
        let _ = self.socket.close();
    }
}

fn reason_of(event: &CloseEvent, was_open: bool) -> String {
    match (event.reason(), was_open) {
        (reason, _) if !reason.is_empty() => reason,
        (_, false) => "the tracker cannot be reached".to_owned(),
        (_, true) => format!("the tracker's connection broke (code {})", event.code()),
    }
}

#[cfg(test)]
mod tests {
    use super::stun_server;

    #[test]
    fn the_trackers_host_is_filled_in() {
        assert_eq!(stun_server("stun::3478", "example.org").as_deref(), Some("stun:example.org:3478"));
        assert_eq!(stun_server("stun::3478", "[::1]").as_deref(), Some("stun:[::1]:3478"));
        assert_eq!(stun_server("stun:other.org:19302", "x").as_deref(), Some("stun:other.org:19302"));
    }

    #[test]
    fn what_a_page_would_refuse_is_left_out() {
        for url in ["turn:example.org", "turn::3478", "http://example.org", "stun:", "stun", ""] {
            assert_eq!(stun_server(url, "host"), None, "{url}");
        }
    }
}
