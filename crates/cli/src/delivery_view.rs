//! How a delivery looks: a bar for each machine while they are few, else one for all; and who failed, at the end.

use std::time::Duration;

use indicatif::HumanBytes;
use pleach_core::wire::fleet::api::{DeliveryStatus, TargetState, TargetStatus};
use serde_json::json;
use tokio::time::Instant;

use crate::telling::write_line;
use crate::ui::{self, Progress, Ui};

/// Machines up to which each has a bar.
const BARS_MAX: usize = 12;
/// Failures that are listed one by one.
const LISTED_MAX: usize = 40;
/// How often programs are told.
const JSON_INTERVAL: Duration = Duration::from_secs(1);

/// What is shown while it is under way.
pub(crate) struct View {
    ui: Ui,
    is_json: bool,
    told_at: Instant,
    /// One for each machine, by name; or a single one.
    bars: Vec<Progress>,
}

impl View {
    /// Tells the delivery's id, and begins to show.
    pub(crate) fn begin(status: &DeliveryStatus, is_json: bool, ui: &Ui) -> Self {
        let count = ui::machines(status.targets.len());
        let (title, size) = (&status.title, HumanBytes(status.size_bytes));
        ui.say(format_args!("{title}, {size}, to {count} of group {}", status.group));
        if is_json {
            write_line(json!({ "event": "delivery", "delivery": status }));
        } else {
            write_line(status.id);
        }
        let mut view = Self { ui: ui.clone(), is_json, told_at: Instant::now(), bars: Vec::new() };
        view.show(status);
        view
    }

    /// Shows how it stands.
    pub(crate) fn show(&mut self, status: &DeliveryStatus) {
        if self.is_json && self.told_at.elapsed() >= JSON_INTERVAL {
            self.told_at = Instant::now();
            write_line(json!({ "event": "progress", "delivery": status }));
        }
        let is_each = self.ui.is_terminal() && status.targets.len() <= BARS_MAX;
        let wanted = if is_each { status.targets.len() } else { 1 };
        if self.bars.len() != wanted {
            // A machine has joined.
            let size_bytes = if is_each { status.size_bytes } else { all_bytes(status) };
            self.bars.clear();
            self.bars.extend((0..wanted).map(|_| self.ui.bar(size_bytes)));
        }
        if is_each {
            let width = status.targets.iter().map(|target| target.name.as_str().chars().count()).max().unwrap_or(0);
            for (bar, target) in self.bars.iter_mut().zip(&status.targets) {
                bar.show(target.have_bytes, format_args!("{:width$} · {}", target.name.as_str(), describe(target)));
            }
        } else if let Some(bar) = self.bars.first_mut() {
            let have_bytes = status.targets.iter().map(|target| target.have_bytes).sum();
            bar.show(have_bytes, summary(status));
        }
    }

    /// Takes the bars away.
    pub(crate) fn end(self, status: &DeliveryStatus) {
        if self.is_json {
            write_line(json!({ "event": "end", "delivery": status }));
        }
    }
}

fn all_bytes(status: &DeliveryStatus) -> u64 {
    status.size_bytes.saturating_mul(status.targets.len() as u64)
}

/// `8 of 12 machines have it · 1 failed`.
fn summary(status: &DeliveryStatus) -> String {
    let done = status.targets.iter().filter(|target| target.state == TargetState::Done).count();
    let failed = match failed(status).count() {
        0 => String::new(),
        count => format!(" · {count} failed"),
    };
    format!("{done} of {} have it{failed}", ui::machines(status.targets.len()))
}

fn describe(target: &TargetStatus) -> String {
    match (target.state, target.connected) {
        (TargetState::Done, _) => "has it".to_owned(),
        (TargetState::Failed, _) => format!("failed: {}", target.reason.as_deref().unwrap_or("no reason given")),
        (_, false) => "not connected".to_owned(),
        (TargetState::Waiting, true) => "told".to_owned(),
        (_, true) => HumanBytes(target.have_bytes).to_string(),
    }
}

/// Whether nobody is waited for.
pub(crate) fn is_settled(status: &DeliveryStatus) -> bool {
    status.targets.iter().all(|target| target.state.is_settled())
}

/// Those who did not get it.
pub(crate) fn failed(status: &DeliveryStatus) -> impl Iterator<Item = &TargetStatus> {
    status.targets.iter().filter(|target| target.state == TargetState::Failed)
}

/// Says how it ended, and who failed and why.
pub(crate) fn tell_end(status: &DeliveryStatus, time: Duration, ui: &Ui) {
    ui.say(format_args!("{}: {} in {}", status.title, summary(status), ui::duration(time)));
    for target in failed(status).take(LISTED_MAX) {
        ui.say(format_args!("  {}: {}", target.name, target.reason.as_deref().unwrap_or("no reason given")));
    }
    let more = failed(status).count().saturating_sub(LISTED_MAX);
    if more > 0 {
        ui.say(format_args!("  and {more} more: `pleach report` tells all"));
    }
}
