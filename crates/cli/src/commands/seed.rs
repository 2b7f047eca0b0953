//! `pleach seed FILE|DIR… --tracker URL`: give files to a tracker that runs elsewhere.

use pleach_core::content::{Link, Manifest};
use pleach_native::http;
use pleach_native::store::plain;

use crate::args::SeedArgs;
use crate::exit::{Code, Error, Result};
use crate::interrupt::Interrupt;
use crate::seeding;
use crate::source::{tracker_base, tracker_socket, tracker_urls};
use crate::telling::tell_link;
use crate::ui::Ui;

pub(crate) async fn run(args: SeedArgs, ui: &Ui, mut interrupt: Interrupt) -> Result {
    let base = tracker_base(&args.tracker)?;
    let socket = tracker_socket(&base)?;
    let prepared = seeding::prepare(&args.seeding, Some(socket), ui, &mut interrupt).await?;
    let manifest = prepared.manifest.clone();
    let link = Link::new(&base, manifest.id(), Some(manifest.digest()))?;
    if let Some(path) = &args.save_manifest {
        let written = std::fs::write(path, manifest.as_bytes());
        written.map_err(|error| {
            Error::new(Code::Storage, format!("cannot write {}: {}", path.display(), plain(&error)))
        })?;
    }
    leave_manifest(&manifest, &link, &mut interrupt).await?;
    let told = prepared.with_key(link.clone())?;
    ui.beside_bars(|| tell_link(&told.to_string(), args.seeding.json));
    seeding::give(prepared, &args.seeding, &link, ui, interrupt).await
}

/// Puts the description where the link leads, so that the link works from the moment it is printed.
async fn leave_manifest(manifest: &Manifest, link: &Link, interrupt: &mut Interrupt) -> Result {
    let urls = tracker_urls(link)?;
    let put = http::put_manifest(&urls.manifest, manifest.as_bytes().to_vec());
    tokio::select! {
        put = put => Ok(put?),
        error = interrupt.error() => Err(error),
    }
}
