//! Bytes and finished peers over time, each as a share of what it comes to, with the bounds as lines.

use super::{MARGIN, WIDTH, card, line, put, text};
use crate::record::{Look, Record};
use crate::report::Report;

const HEIGHT: f64 = 300.0;
/// Points of a curve, at most: more can't be seen.
const POINTS_MAX: usize = 600;
/// Lines across, at most.
const TICKS_MAX: f64 = 9.0;

/// Where things are.
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    end_s: f64,
}

impl Frame {
    fn x(&self, at_s: f64) -> f64 {
        self.left + (self.right - self.left) * (at_s / self.end_s).clamp(0.0, 1.0)
    }

    fn y(&self, share: f64) -> f64 {
        self.bottom - (self.bottom - self.top) * share.clamp(0.0, 1.0)
    }
}

/// Draws it from `top` on; how high it is.
pub(super) fn draw(out: &mut String, report: &Report, record: &Record, top: f64) -> f64 {
    card(out, MARGIN / 2.0, top, WIDTH - MARGIN, HEIGHT);
    let frame = Frame {
        left: MARGIN + 26.0,
        right: WIDTH - MARGIN - 8.0,
        top: top + 44.0,
        bottom: top + HEIGHT - 40.0,
        end_s: (report.makespan_s.max(report.fluid_bound_s).max(report.discrete_bound_s) * 1.04).max(0.1),
    };
    grid(out, &frame);
    curves(out, &frame, record);
    bounds(out, &frame, report);
    if let Some(moment) = &record.moment {
        let x = frame.x(moment.at.as_micros() as f64 / 1e6);
        line(out, "moment", (x, frame.top), (x, frame.bottom));
        text(out, "soft small", x, frame.top - 6.0, "middle", "picture below");
    }
    legend(out, top);
    HEIGHT + MARGIN / 2.0
}

fn legend(out: &mut String, top: f64) {
    let y = top + 25.0;
    line(out, "bytes-line", (MARGIN, y - 4.0), (MARGIN + 22.0, y - 4.0));
    text(out, "small", MARGIN + 28.0, y, "start", "bytes delivered");
    line(out, "peers", (MARGIN + 130.0, y - 4.0), (MARGIN + 152.0, y - 4.0));
    text(out, "small", MARGIN + 158.0, y, "start", "peers that have everything");
}

fn grid(out: &mut String, frame: &Frame) {
    for percent in [0, 25, 50, 75, 100] {
        let y = frame.y(f64::from(percent) / 100.0);
        line(out, "grid", (frame.left, y), (frame.right, y));
        text(out, "soft small", frame.left - 8.0, y + 3.5, "end", &format!("{percent} %"));
    }
    let step_s = nice_step(frame.end_s / TICKS_MAX);
    let ticks = (frame.end_s / step_s) as usize;
    for tick in 0..=ticks {
        let at_s = tick as f64 * step_s;
        line(out, "grid", (frame.x(at_s), frame.bottom), (frame.x(at_s), frame.bottom + 4.0));
        let label = if step_s < 1.0 { format!("{at_s:.1} s") } else { format!("{at_s:.0} s") };
        text(out, "soft small", frame.x(at_s), frame.bottom + 17.0, "middle", &label);
    }
}

/// The next of 1, 2, 5, 10, … that is not less.
fn nice_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power).into_iter().find(|step| *step >= least * 0.999).unwrap_or(least)
}

fn curves(out: &mut String, frame: &Frame, record: &Record) {
    let seconds = |look: &Look| look.at.as_micros() as f64 / 1e6;
    let stride = record.looks.len().div_ceil(POINTS_MAX).max(1);
    let shown: Vec<&Look> = record.looks.iter().filter(|look| seconds(look) <= frame.end_s).collect();
    let Some(last) = shown.last() else { return };
    let points = |value: fn(&Look) -> f64| {
        let most = value(last).max(1.0);
        let point = |look: &Look| format!("{:.1},{:.1}", frame.x(seconds(look)), frame.y(value(look) / most));
        shown.iter().step_by(stride).chain([last]).map(|look| point(look)).collect::<Vec<_>>().join(" ")
    };
    let (bytes, peers) = (points(|look| look.groups as f64), points(|look| look.finished as f64));
    let (left, right, bottom) = (frame.left, frame.x(seconds(last)), frame.bottom);
    put(
        out,
        format_args!("<polygon class=\"bytes\" points=\"{left:.1},{bottom:.1} {bytes} {right:.1},{bottom:.1}\"/>\n"),
    );
    put(out, format_args!("<polyline class=\"bytes-line\" points=\"{bytes}\"/>\n"));
    put(out, format_args!("<polyline class=\"peers\" points=\"{peers}\"/>\n"));
    line(out, "axis", (left, bottom), (frame.right, bottom));
}

fn bounds(out: &mut String, frame: &Frame, report: &Report) {
    let (fluid, discrete) = (frame.x(report.fluid_bound_s), frame.x(report.discrete_bound_s));
    for (x, name, side, anchor) in [(fluid, "fluid bound", -5.0, "end"), (discrete, "discrete", 5.0, "start")] {
        line(out, "bound", (x, frame.top - 8.0), (x, frame.bottom));
        // What would run into the axis goes to the other side, below.
        let (side, anchor, y) =
            if anchor == "end" && x - frame.left < 70.0 { (5.0, "start", 14.0) } else { (side, anchor, 2.0) };
        text(out, "small", x + side, frame.top + y, anchor, name);
    }
}

#[cfg(test)]
mod tests {
    use super::nice_step;

    #[test]
    fn steps_are_round() {
        assert_eq!([0.03, 0.5, 1.1, 6.0, 30.0].map(nice_step), [0.05, 0.5, 2.0, 10.0, 50.0]);
    }
}
