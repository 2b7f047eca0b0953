//! A run as a picture: one SVG that stands for itself, light or dark as its reader has it.
//!
//! * `curve`: bytes and finished peers over time, with the bounds
//! * `forest`: who feeds whom, stripe by stripe

mod curve;
mod forest;

use std::fmt::Write;

use crate::record::Record;
use crate::report::Report;

const WIDTH: f64 = 960.0;
const MARGIN: f64 = 48.0;
const HEAD_HEIGHT: f64 = 96.0;
/// Colours of stripes; more stripes begin again.
const COLOURS: usize = 8;

const STYLE: &str = "
svg { --paper: #fbfbf9; --card: #ffffff; --ink: #1f2933; --soft: #66727f; --line: #e3e7eb; --fill: #2f6fde;
  --s0: #2f6fde; --s1: #d9702b; --s2: #21936a; --s3: #b0429a; --s4: #92711a; --s5: #1f94b5; --s6: #cc4255; --s7: #6a5acd;
  background: var(--paper); font-family: ui-sans-serif, system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; }
@media (prefers-color-scheme: dark) {
  svg { --paper: #14181d; --card: #1b2128; --ink: #e7ebef; --soft: #94a1ae; --line: #2c343d; --fill: #6fa3ff;
    --s0: #6fa3ff; --s1: #f2995a; --s2: #4cc596; --s3: #dd82cb; --s4: #d3b155; --s5: #5cc3e0; --s6: #f2818f; --s7: #a79bf5; }
}
.paper { fill: var(--paper); } .card { fill: var(--card); stroke: var(--line); }
text { fill: var(--ink); font-size: 12px; } .soft { fill: var(--soft); } .small { font-size: 10px; } .tiny { font-size: 7px; }
.title { font-size: 22px; font-weight: 650; letter-spacing: -0.01em; } .sub { font-size: 13px; fill: var(--soft); }
.head { font-size: 13px; font-weight: 600; }
.grid { stroke: var(--line); stroke-width: 1; } .axis { stroke: var(--soft); stroke-width: 1; }
.bytes { fill: var(--fill); fill-opacity: 0.14; } .bytes-line { fill: none; stroke: var(--fill); stroke-width: 2; }
.peers { fill: none; stroke: var(--s1); stroke-width: 2.2; stroke-linejoin: round; }
.bound { stroke: var(--ink); stroke-width: 1.2; stroke-dasharray: 5 4; } .moment { stroke: var(--soft); stroke-dasharray: 1 4; }
.edge { fill: none; stroke: currentColor; stroke-opacity: 0.55; } .node { fill: currentColor; stroke: var(--card); stroke-width: 1.5; }
.leaf { fill: var(--card); stroke: currentColor; stroke-width: 1.3; } .bar { fill: currentColor; } .on { fill: var(--card); font-weight: 600; }
";

/// The picture.
pub fn svg(report: &Report, record: &Record) -> String {
    let mut body = String::new();
    head(&mut body, report);
    let mut top = HEAD_HEIGHT;
    top += curve::draw(&mut body, report, record, top);
    if let Some(moment) = &record.moment {
        top += forest::draw(&mut body, moment, top);
    }
    let (style, height) = (STYLE, top + MARGIN / 2.0);
    let numbers: String = (0..COLOURS).map(|colour| format!(".c{colour} {{ color: var(--s{colour}); }}\n")).collect();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" \
         height=\"{height:.0}\" role=\"img\">\n<title>{} over {}</title>\n<style>{style}{numbers}</style>\n\
         <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n{body}</svg>\n",
        report.scenario, report.topology
    )
}

fn head(out: &mut String, report: &Report) {
    text(out, "title", MARGIN, 44.0, "start", &format!("{} over {}", report.scenario, report.topology));
    let outcome = if report.finished { "all have everything" } else { "not all have everything" };
    let line = format!(
        "{} peers · {} packets of 64 KiB · seed {} · {outcome} after {:.1} s: {:.2} × the fluid bound, {:.2} × the discrete",
        report.peers, report.packets, report.seed, report.makespan_s, report.ratio_fluid, report.ratio_discrete
    );
    text(out, "sub", MARGIN, 68.0, "start", &line);
}

fn text(out: &mut String, class: &str, x: f64, y: f64, anchor: &str, what: &str) {
    put(
        out,
        format_args!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{what}</text>\n"),
    );
}

fn line(out: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    put(out, format_args!("<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n"));
}

fn card(out: &mut String, x: f64, y: f64, width: f64, height: f64) {
    put(
        out,
        format_args!(
            "<rect class=\"card\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"10\"/>\n"
        ),
    );
}

fn put(out: &mut String, what: std::fmt::Arguments<'_>) {
    out.write_fmt(what).expect("a string takes everything");
}
