//! `pleach deliver FILE|DIR…`: files to the machines of a fleet.

use std::time::Duration;

use pleach_core::content::{Link, Manifest};
use pleach_core::ids::{AgentId, RequestId};
use pleach_core::wire::fleet::FleetName;
use pleach_core::wire::fleet::api::{AgentRecord, DeliveryOrder, DeliveryStatus};
use pleach_native::fleet::api::{ApiError, FleetApi};
use pleach_native::fleet::sealed;
use pleach_native::http;
use pleach_packing::Key;
use rand::TryRngCore;
use rand::rngs::OsRng;
use tokio::time::{Instant, sleep};

use crate::delivery_view::{View, failed, is_settled, tell_end};
use crate::describing::{self, Prepared};
use crate::exit::{Code, Error, Result};
use crate::fleet_args::DeliverArgs;
use crate::interrupt::Interrupt;
use crate::moment::Moment;
use crate::seeding::{Seeder, Seeding};
use crate::source::{parse_url, tracker_base, tracker_socket, tracker_urls};
use crate::telling::Telling;
use crate::ui::Ui;

/// How often the tracker is asked how it stands.
const ASK_INTERVAL: Duration = Duration::from_millis(500);

/// A delivery that was ordered.
struct Delivery<'a> {
    api: FleetApi,
    /// What to say again to a tracker that has forgotten it.
    order: Option<DeliveryOrder>,
    manifest: Option<(&'a Manifest, Link)>,
    status: DeliveryStatus,
}

pub(crate) async fn run(args: DeliverArgs, ui: &Ui, mut interrupt: Interrupt) -> Result {
    let base = tracker_base(&args.fleet.tracker)?;
    let api = FleetApi::new(parse_url(&base)?, args.fleet.token()?);
    let mut prepared = match &args.files[..] {
        [] => None,
        _ => {
            let trackers = [tracker_socket(&base)?];
            let (content, describe) = (args.content(), &args.describe);
            Some(describing::prepare(&content, describe, &trackers, None, ui, &mut interrupt).await?)
        }
    };
    if let Some(prepared) = prepared.as_mut().filter(|_| args.encrypt) {
        tokio::select! {
            sealed = seal(&args, &api, prepared, ui) => prepared.manifest = sealed?,
            error = interrupt.error() => return Err(error),
        }
    }
    let manifest = prepared.as_ref().map(|prepared| prepared.manifest.clone());
    let leaves = manifest.as_ref().map(|manifest| {
        let link = Link::new(&base, manifest.id(), Some(manifest.digest()))?;
        Ok::<_, Error>((manifest, link))
    });
    let leaves = leaves.transpose()?;
    let delivery = tokio::select! {
        delivery = begin(&args, api, leaves) => delivery?,
        error = interrupt.error() => return Err(error),
    };
    let view = View::begin(&delivery.status, args.json, ui);
    match prepared.filter(|_| !args.no_seed) {
        Some(prepared) => give_until_settled(prepared, &args, delivery, view, ui, interrupt).await,
        None => until_settled(delivery, view, ui, &mut interrupt).await,
    }
}

/// The description with the key in it for each machine that is to have it, and is known.
async fn seal(args: &DeliverArgs, api: &FleetApi, prepared: &Prepared, ui: &Ui) -> Result<Manifest> {
    let no_key = || Error::new(Code::Failure, "there is no key to be sealed");
    let key = prepared.key.as_deref().and_then(|key| Key::parse(key).ok()).ok_or_else(no_key)?;
    let is_target = |machine: &AgentRecord| {
        Some(&machine.group) == args.group.as_ref() && (args.targets.is_empty() || args.targets.contains(&machine.name))
    };
    let known = api.report().await.map_err(explain)?.agents.into_iter().map(|ranked| ranked.record);
    let machines: Vec<AgentId> = known.filter(is_target).map(|machine| machine.agent).collect();
    if machines.is_empty() {
        return Err(Error::new(Code::NotFound, "no such machine is known: nobody could open what is encrypted")
            .hint("`pleach report` shows the machines; each has to have been there once"));
    }
    ui.say(format_args!("machines that can open it: {}", machines.len()));
    sealed::with_keys(&prepared.manifest, &key, &machines)
        .map_err(|error| Error::new(Code::Failure, format!("the key could not be sealed: {error}")))
}

/// Leaves the description at the tracker and orders, or repeats.
async fn begin<'a>(args: &DeliverArgs, api: FleetApi, manifest: Option<(&'a Manifest, Link)>) -> Result<Delivery<'a>> {
    if let Some((manifest, link)) = &manifest {
        leave(manifest, link).await?;
    }
    if let Some(which) = args.retry {
        let status = api.retry(which).await.map_err(explain)?;
        if manifest.as_ref().is_some_and(|(manifest, _)| manifest.id() != status.content) {
            return Err(Error::usage(format!("delivery {} was of other files: {}", status.id, status.title)));
        }
        return Ok(Delivery { api, order: None, manifest, status });
    }
    let (Some((described, _)), Some(group)) = (&manifest, &args.group) else {
        return Err(Error::usage("what is to be delivered, and to which group?"));
    };
    let order = order(args, described, group)?;
    let status = api.deliver(&order).await.map_err(explain)?;
    Ok(Delivery { api, order: Some(order), manifest, status })
}

fn order(args: &DeliverArgs, manifest: &Manifest, group: &FleetName) -> Result<DeliveryOrder> {
    let mut id = [0; RequestId::LEN_BYTES];
    let drawn = OsRng.try_fill_bytes(&mut id);
    drawn.map_err(|error| Error::new(Code::Failure, format!("the system gives no random numbers: {error}")))?;
    Ok(DeliveryOrder {
        id: RequestId::from_bytes(id),
        group: group.clone(),
        names: args.targets.clone(),
        content: manifest.id(),
        manifest: manifest.digest(),
        size_bytes: manifest.size_bytes(),
        title: manifest.saved_name().to_owned(),
        sources: args.describe.sources.clone(),
        active_from_ms: args.describe.active_from.map(Moment::as_ms),
        active_until_ms: args.describe.active_until.map(Moment::as_ms),
        away_ms_max: u64::try_from(args.away.as_millis()).unwrap_or(u64::MAX),
    })
}

async fn leave(manifest: &Manifest, link: &Link) -> Result {
    Ok(http::put_manifest(&tracker_urls(link)?.manifest, manifest.as_bytes().to_vec()).await?)
}

/// Gives the files meanwhile.
async fn give_until_settled(
    prepared: Prepared,
    args: &DeliverArgs,
    delivery: Delivery<'_>,
    view: View,
    ui: &Ui,
    mut interrupt: Interrupt,
) -> Result {
    let Some((_, link)) = &delivery.manifest else {
        return Err(Error::new(Code::Failure, "there is nothing to give"));
    };
    let upload_bytes_per_s = args.upload_limit.map(|limit| limit.as_u64());
    let seeding = Seeding { slots: args.slots, upload_bytes_per_s, telling: Telling::new(false) };
    let mut seeder = Seeder::start(prepared, seeding, tracker_urls(link)?)?;
    let settled = tokio::select! {
        settled = until_settled(delivery, view, ui, &mut interrupt) => settled,
        trouble = seeder.trouble() => Err(trouble),
    };
    seeder.stop().await.and(settled)
}

/// Asks how it stands until nobody is waited for.
async fn until_settled(mut delivery: Delivery<'_>, mut view: View, ui: &Ui, interrupt: &mut Interrupt) -> Result {
    let begin = Instant::now();
    let mut trouble: Option<String> = None;
    while !is_settled(&delivery.status) {
        tokio::select! {
            () = sleep(ASK_INTERVAL) => {}
            error = interrupt.error() => {
                let id = delivery.status.id;
                ui.say(format_args!("no longer waited for; `pleach deliver --retry {id}` goes on with it"));
                return Err(error);
            }
        }
        match delivery.ask().await {
            Ok(status) => {
                delivery.status = status;
                trouble = None;
                view.show(&delivery.status);
            }
            // A tracker that has forgotten all knows no machine before they come back.
            Err(error) if error.is_temporary() || (error.is_not_found() && delivery.order.is_some()) => {
                let reason = error.to_string();
                if trouble.as_ref() != Some(&reason) {
                    ui.say(format_args!("{reason}; trying again"));
                    trouble = Some(reason);
                }
            }
            Err(error) => return Err(explain(error)),
        }
    }
    view.end(&delivery.status);
    let status = &delivery.status;
    tell_end(status, begin.elapsed(), ui);
    match failed(status).count() {
        0 => Ok(()),
        count => {
            let of = status.targets.len();
            let message = format!("{count} of {of} machines did not get {}", status.title);
            Err(Error::new(Code::Undelivered, message)
                .hint(format!("`pleach deliver --retry {}` repeats what failed", status.id)))
        }
    }
}

impl Delivery<'_> {
    /// How it stands. A tracker that has forgotten it is told again.
    async fn ask(&self) -> std::result::Result<DeliveryStatus, ApiError> {
        match (self.api.status(self.status.id).await, &self.order) {
            (Err(error), Some(order)) if error.is_not_found() => {
                if let Some((manifest, link)) = &self.manifest
                    && let Err(error) = leave(manifest, link).await
                {
                    tracing::info!(error = error.message(), "the description could not be left");
                }
                self.api.deliver(order).await
            }
            (asked, _) => asked,
        }
    }
}

/// An error of the tracker's, with its exit code.
pub(crate) fn explain(error: ApiError) -> Error {
    let not_found = error.is_not_found();
    match error {
        ApiError::Http(error) => error.into(),
        error => Error::new(if not_found { Code::NotFound } else { Code::Failure }, error.to_string()),
    }
}
