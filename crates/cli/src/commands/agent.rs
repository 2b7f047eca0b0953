//! `pleach agent`: a machine that takes deliveries.

use std::path::Path;
use std::time::Duration;

use indicatif::HumanBytes;
use pleach_core::fleet::{AgentConfig, AgentEvent};
use pleach_native::fleet::service::{self, ServiceConfig, ServiceError, ServiceEvent};
use serde_json::json;
use tokio::sync::mpsc;

use crate::exit::{Code, Error, Result};
use crate::fleet_args::AgentArgs;
use crate::interrupt::Interrupt;
use crate::source::tracker_base;
use crate::telling::write_line;
use crate::ui::{self, Ui};

/// Where an agent keeps what it knows, in the folder that it serves.
const STATE: &str = ".pleach-agent";
/// The file of its key, there.
const IDENTITY: &str = "identity";
/// Deliveries that are got at a time.
const JOBS_MAX: usize = 4;
/// Deliveries that are remembered.
const REMEMBERED_MAX: usize = 1_000;
/// Patience of `--timeout 0`: no end that anybody lives to see.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
/// Events that wait to be told.
const EVENTS_MAX: usize = 64;

pub(crate) async fn run(args: AgentArgs, ui: &Ui, mut interrupt: Interrupt) -> Result {
    let base = tracker_base(&args.fleet.tracker)?;
    let token = args.fleet.token()?;
    let state = args.state.clone().unwrap_or_else(|| args.into.join(STATE));
    let identity = identity(&state)?;
    let mut teller = Teller { is_json: args.json, trouble: None, ui: ui.clone(), base: base.clone() };
    let config = ServiceConfig {
        base,
        agent: AgentConfig {
            name: args.name,
            group: args.group,
            token,
            identity,
            program: pleach_native::AGENT.to_owned(),
            jobs_max: JOBS_MAX,
            remembered_max: REMEMBERED_MAX,
        },
        into: args.into,
        state,
        listen: args.listen.0,
        reached_at: args.reached_at,
        replace: args.replace,
        patience: if args.timeout.is_zero() { FOR_EVER } else { args.timeout },
        linger: args.linger,
        upload_bytes_per_s: args.upload_limit.map(|limit| limit.as_u64()),
    };
    let (told, mut events) = mpsc::channel(EVENTS_MAX);
    let telling = tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            teller.tell(&event);
        }
    });
    let stop = async {
        interrupt.wait().await;
    };
    let ended = service::run(config, told, stop).await;
    let _ = telling.await;
    ui.say("stopped");
    ended.map_err(explain)
}

/// The machine's own key, which is made when it is first started.
fn identity(state: &Path) -> Result<[u8; 32]> {
    let refused = |error: String| Error::new(Code::Storage, error);
    let folder = |error: std::io::Error| {
        refused(format!("cannot use {}: {}", state.display(), pleach_native::store::plain(&error)))
    };
    std::fs::create_dir_all(state).map_err(folder)?;
    pleach_tracker::secret_file::load_or_make(&state.join(IDENTITY)).map_err(refused)
}

fn explain(error: ServiceError) -> Error {
    let code = match error {
        ServiceError::Folder { .. } => Code::Storage,
        ServiceError::Listen { .. } | ServiceError::Refused(_) | ServiceError::System(_) => Code::Failure,
    };
    Error::new(code, error.to_string())
}

/// Tells people, or programs, what happens.
struct Teller {
    is_json: bool,
    ui: Ui,
    base: String,
    /// Why the tracker is not reached, as it was said last.
    trouble: Option<String>,
}

impl Teller {
    fn tell(&mut self, event: &ServiceEvent) {
        let ui = self.ui.clone();
        match event {
            ServiceEvent::Listening(address) => tracing::info!(%address, "takes requests of other machines"),
            ServiceEvent::Agent(AgentEvent::Enlisted) => {
                self.trouble = None;
                ui.say(format_args!("enlisted at {}; Ctrl-C ends it", self.base));
                self.json(json!({ "event": "enlisted" }));
            }
            ServiceEvent::Agent(AgentEvent::Down { reason, .. }) => {
                // Once for each trouble: it is tried again and again.
                if self.trouble.as_ref() != Some(reason) {
                    ui.say(format_args!("the tracker is not reached ({reason}); trying again"));
                    self.trouble = Some(reason.clone());
                }
            }
            // The error that the command ends with says it.
            ServiceEvent::Agent(AgentEvent::Refused { .. }) => {}
            ServiceEvent::Agent(AgentEvent::Requested { terms, passed_on }) => {
                let size = HumanBytes(terms.size_bytes);
                ui.say(format_args!("getting {}, {size}", terms.title));
                let passed_on = *passed_on;
                self.json(json!({ "event": "requested", "delivery": terms.id, "round": terms.round,
                    "name": terms.title, "size_bytes": terms.size_bytes, "passed_on": passed_on }));
            }
            ServiceEvent::Done { terms, path, received_bytes, time } => {
                let size = HumanBytes(terms.size_bytes);
                let speed = ui::speed((*received_bytes as f64 / time.as_secs_f64().max(0.001)) as u64);
                match received_bytes {
                    0 => ui.say(format_args!("{}: {size}, verified, was there already", path.display())),
                    _ => {
                        let time = ui::duration(*time);
                        ui.say(format_args!("{}: {size}, verified, in {time} ({speed})", path.display()));
                    }
                }
                self.json(json!({ "event": "done", "delivery": terms.id, "path": lossy(path),
                    "received_bytes": received_bytes, "time_s": time.as_secs_f64() }));
            }
            ServiceEvent::Failed { terms, reason } => {
                ui.say(format_args!("{} failed: {reason}", terms.title));
                self.json(json!({ "event": "failed", "delivery": terms.id, "reason": reason }));
            }
        }
    }

    fn json(&self, line: serde_json::Value) {
        if self.is_json {
            write_line(line);
        }
    }
}

fn lossy(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
