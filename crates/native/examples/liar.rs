//! A peer that lies, for the tests: it has the file, says so, and sends every packet with one bit turned.
//!
//! ```text
//! cargo run --release -p pleach-native --example liar -- FILE TRACKER_URL
//! ```

use std::path::Path;

use bytes::Bytes;
use pleach_core::content::{Link, Manifest, TreeBuilder, WebPlaces};
use pleach_core::peer::contract::{Output, Start};
use pleach_native::http;
use pleach_native::link::LinkConfig;
use pleach_native::node::{Node, NodeConfig, TrackerUrls};
use pleach_native::store::{SourceFiles, Store};
use url::Url;

/// The type byte of a message with payload; see `docs/protocol.md`.
const DATA: u8 = 8;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(file), Some(tracker)) = (args.next(), args.next()) else {
        return Err("expected: FILE TRACKER_URL".into());
    };
    let source = SourceFiles::open([file.clone().into()])?;
    let mut builder = TreeBuilder::new();
    source.read_all(|bytes| builder.push(bytes))?;
    let (geometry, tree) = builder.finish()?;
    let name = Path::new(&file).file_name().ok_or("no file name")?.to_string_lossy().into_owned();
    let manifest = Manifest::of_file(&name, None, tree.root(), geometry.size_bytes())?;
    let link = Link::new(&tracker, manifest.id(), Some(manifest.digest()))?;
    let manifest_url = Url::parse(&link.manifest_url())?;
    http::put_manifest(&manifest_url, manifest.as_bytes().to_vec()).await?;
    let config = NodeConfig {
        manifest,
        start: Start::Complete(tree),
        store: Store::Source(source),
        tracker: Some(TrackerUrls { socket: Url::parse(&link.tracker_url())?, manifest: manifest_url }),
        web: WebPlaces::default(),
        source_bytes_per_s: None,
        identity: None,
        slots: 4,
        upload_bytes_per_s: None,
        beside: None,
        link: LinkConfig::default(),
        output_filter: Some(Box::new(|output| Some(lie(output)))),
    };
    let (_node, mut events) = Node::start(config)?;
    println!("{link}");
    while events.next().await.is_some() {}
    Ok(())
}

fn lie(output: Output) -> Output {
    match output {
        Output::SendLink { link, message } if message.first() == Some(&DATA) => {
            let mut message = message.to_vec();
            if let Some(last) = message.last_mut() {
                *last ^= 1;
            }
            Output::SendLink { link, message: Bytes::from(message) }
        }
        honest => honest,
    }
}
