//! `pleach report`: what a tracker knows of its fleet.

use std::fmt::Write as _;

use indicatif::HumanBytes;
use pleach_core::wire::fleet::api::{RankedAgent, Report};
use pleach_native::fleet::api::FleetApi;

use crate::commands::deliver::explain;
use crate::exit::Result;
use crate::fleet_args::ReportArgs;
use crate::interrupt::Interrupt;
use crate::moment::Moment;
use crate::source::{parse_url, tracker_base};
use crate::telling::write_line;
use crate::ui;

/// Rows of deliveries and failures that people are shown; `--json` has all.
const ROWS_MAX: usize = 20;

pub(crate) async fn run(args: ReportArgs, mut interrupt: Interrupt) -> Result {
    let api = FleetApi::new(parse_url(&tracker_base(&args.fleet.tracker)?)?, args.fleet.token()?);
    let report = tokio::select! {
        report = api.report() => report.map_err(explain)?,
        error = interrupt.error() => return Err(error),
    };
    if args.json {
        write_line(serde_json::json!(report));
    } else {
        write_line(describe(&report).trim_end());
    }
    Ok(())
}

fn describe(report: &Report) -> String {
    let agents = report.agents.iter().enumerate().map(|(at, agent)| agent_row(at + 1, agent));
    let deliveries = report.deliveries.iter().take(ROWS_MAX).map(|delivery| {
        let so_many = format!("{} of {}", delivery.done, delivery.targets);
        let failed = delivery.failed.to_string();
        let (when, size) = (moment(delivery.created_ms), HumanBytes(delivery.size_bytes).to_string());
        vec![when, delivery.id.to_string(), delivery.group.to_string(), so_many, failed, size, delivery.title.clone()]
    });
    let failures = report.failures.iter().take(ROWS_MAX).map(|failure| {
        let id = failure.request.to_string();
        vec![moment(failure.at_ms), id, failure.name.to_string(), failure.reason.clone()]
    });
    let tables = [
        table("Machines, the best first", &["", "name", "group", "speed", "answers", "got", "failed", "seen"], agents),
        table("Deliveries", &["when", "delivery", "group", "have it", "failed", "size", "what"], deliveries),
        table("Failures", &["when", "delivery", "machine", "why"], failures),
    ];
    tables.concat()
}

fn agent_row(rank: usize, agent: &RankedAgent) -> Vec<String> {
    let record = &agent.record;
    let unknown = || "-".to_owned();
    let seen = if agent.connected { "connected".to_owned() } else { moment(record.last_seen_ms) };
    vec![
        rank.to_string(),
        record.name.to_string(),
        record.group.to_string(),
        record.bytes_per_s.map_or_else(unknown, ui::speed),
        record.response_us.map_or_else(unknown, |response_us| format!("{:.1} ms", response_us as f64 / 1_000.0)),
        record.done.to_string(),
        record.failed.to_string(),
        seen,
    ]
}

/// To the second.
fn moment(since_1970_ms: u64) -> String {
    Moment::new(since_1970_ms / 1_000 * 1_000).to_string()
}

/// Columns as wide as what is in them.
fn table(title: &str, heads: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let heads = heads.iter().map(|head| (*head).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(heads).chain(rows).collect();
    if rows.len() == 1 {
        return format!("{title}: none\n\n");
    }
    let columns = rows[0].len();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = format!("{title}\n");
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {}", line.trim_end());
    }
    text + "\n"
}
