//! One end of a bare data channel, for benchmarks whose other end is another process or a page: signals are lines of
//! JSON on stdin and stdout; the last line on stdout is the report.
//!
//! ```text
//! cargo run --release -p pleach-native --example bare_end -- send|receive dial|answer MESSAGE_BYTES TOTAL_BYTES [WINDOW_BYTES]
//! ```
//!
//! Unacknowledged bytes are bounded by the window of the receiver, which only it is told.

use pleach_native::link::{
    LinkConfig, Signal,
    bare::{self, Blast, Role},
};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::sync::mpsc;

const SIGNALS_MAX: usize = 64;

#[tokio::main]
async fn main() -> Result<(), String> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [role, how, message_bytes, total_bytes, window @ ..] = &args[..] else {
        return Err("expected: send|receive dial|answer MESSAGE_BYTES TOTAL_BYTES [WINDOW_BYTES]".to_owned());
    };
    let role = if role == "send" { Role::Send } else { Role::Receive };
    let number = |text: &String| text.parse::<usize>().map_err(|error| error.to_string());
    let blast = Blast { message_bytes: number(message_bytes)?, total_bytes: number(total_bytes)? };
    let mut config = LinkConfig::default();
    if let Some(window_bytes) = window.first() {
        config.receive_window_bytes_max = number(window_bytes)?;
        config.max_message_bytes = blast.message_bytes;
    }
    let (to_end, inbox) = mpsc::channel(SIGNALS_MAX);
    let (outbox, mut from_end) = mpsc::channel::<Signal>(SIGNALS_MAX);
    tokio::spawn(async move {
        let mut lines = BufReader::new(stdin()).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let Ok(signal) = serde_json::from_str(&line) else { continue };
            if to_end.send(signal).await.is_err() {
                break;
            }
        }
    });
    tokio::spawn(async move {
        while let Some(signal) = from_end.recv().await {
            if let Ok(line) = serde_json::to_string(&signal) {
                println!("{line}");
            }
        }
    });
    let report = bare::end(&config, role, how == "dial", blast, inbox, outbox).await?;
    println!("{{\"mbps\":{:.3},\"setup_ms\":{}}}", report.bytes_per_second() / 1e6, report.setup.as_millis());
    Ok(())
}
