//! The report as an SVG image: attainment of each goal, and the rates of all contenders. Both axes are
//! logarithmic. Written as text, without a drawing library.

use super::{Check, Report, Row, short, table};
use std::fmt::Write;

const WIDTH: f64 = 1160.0;
/// Left end of the bars; names are to the left.
const LEFT: f64 = 470.0;
/// Right end of the axis. Values are to the right of the bars.
const RIGHT: f64 = 950.0;
const LINE: f64 = 20.0;
const COLOURS: [&str; 6] = ["#1f6f8b", "#c9a227", "#8a8a8a", "#7b5ea7", "#b5651d", "#4f7942"];
const MET: &str = "#2e7d32";
const MISSED: &str = "#c62828";

pub(super) fn text(report: &Report) -> String {
    let mut drawing = Drawing { out: String::new(), y: 30.0 };
    drawing.attainments(report);
    drawing.rates(report);
    let height = drawing.y + 10.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{}</svg>\n",
        drawing.out
    )
}

/// Logarithmic axis between two powers of ten, given as exponents.
struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    /// Returns the shortest axis in whole powers of ten that shows all values.
    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let low = values.clone().filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
        let high = values.fold(0.0, f64::max);
        let (low, high) = if low <= high { (low, high) } else { (1.0, 1.0) };
        let floor = low.log10().floor();
        Self { low: floor, high: high.log10().ceil().max(floor + 1.0) }
    }

    fn x(&self, value: f64) -> f64 {
        let share = (value.max(f64::MIN_POSITIVE).log10() - self.low) / (self.high - self.low);
        LEFT + (RIGHT - LEFT) * share.clamp(0.0, 1.0)
    }

    /// Returns the powers of ten on the axis.
    fn ticks(&self) -> impl Iterator<Item = f64> {
        let (first, last) = (self.low, self.high);
        std::iter::successors(Some(first), |power| Some(power + 1.0))
            .take_while(move |power| *power <= last)
            .map(|power| 10_f64.powf(power))
    }
}

struct Drawing {
    out: String,
    y: f64,
}

impl Drawing {
    fn attainments(&mut self, report: &Report) {
        let measured: Vec<(&Check, f64)> =
            report.checks.iter().filter_map(|check| Some((check, check.bound.attainment(check.value?)))).collect();
        self.title("Goal attainment", "Share of the goal that is reached (1 = goal, higher is better)");
        let axis = Axis::of(measured.iter().map(|(_, part)| *part).chain([0.5, 2.0]));
        let (top, start) = (self.y, self.out.len());
        for (check, part) in &measured {
            let [goal, workload, what, value, target, _] = table::goal(check);
            let colour = if check.met == Some(true) { MET } else { MISSED };
            self.bar(&axis, &format!("{goal} {workload}: {what}"), *part, colour);
            self.text(axis.x(*part) + 6.0, "start", &format!("{value} ({target})"));
            self.y += LINE;
        }
        self.axis(&axis, top, start);
        self.line(axis.x(1.0), top, "#000", start);
        self.y += 50.0;
    }

    fn rates(&mut self, report: &Report) {
        let rows: Vec<(&Row, f64)> = report.rows.iter().filter_map(|row| Some((row, row.figures.rate?))).collect();
        if rows.is_empty() {
            return;
        }
        self.title("Rates", "Operations per second");
        let mut contenders: Vec<&str> = Vec::new();
        for (row, _) in &rows {
            if !contenders.contains(&row.contender.as_str()) {
                contenders.push(&row.contender);
            }
        }
        let axis = Axis::of(rows.iter().map(|(_, rate)| *rate));
        let (top, start, mut workload) = (self.y, self.out.len(), "");
        for (row, rate) in rows {
            let place = contenders.iter().position(|name| *name == row.contender).unwrap_or(0);
            let colour = COLOURS.get(place % COLOURS.len()).copied().unwrap_or(MET);
            if workload != row.workload && !workload.is_empty() {
                self.y += LINE / 2.0;
            }
            workload = &row.workload;
            self.bar(&axis, &format!("{} {}: {}", row.goal, row.workload, row.contender), rate, colour);
            self.text(axis.x(rate) + 6.0, "start", &short(rate));
            self.y += LINE;
        }
        self.axis(&axis, top, start);
        self.y += 40.0;
    }

    /// Writes the title of a panel and the label of its axis.
    fn title(&mut self, title: &str, axis: &str) {
        let _ = writeln!(
            self.out,
            "<text x=\"20\" y=\"{:.0}\" font-size=\"18\" font-weight=\"bold\">{}</text>",
            self.y,
            escaped(title)
        );
        self.text(LEFT, "start", axis);
        self.y += 28.0;
    }

    fn bar(&mut self, axis: &Axis, name: &str, value: f64, colour: &str) {
        let (width, height) = (axis.x(value) - LEFT, LINE - 5.0);
        self.text(LEFT - 8.0, "end", name);
        let top = self.y - height + 4.0;
        let _ = writeln!(
            self.out,
            "<rect x=\"{LEFT}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height}\" fill=\"{colour}\"/>"
        );
    }

    /// Draws the scale under the bars. `top` is the position of the first bar, `start` its offset in
    /// the output.
    fn axis(&mut self, axis: &Axis, top: f64, start: usize) {
        for tick in axis.ticks() {
            self.line(axis.x(tick), top, "#bbb", start);
            self.y += 6.0;
            self.text(axis.x(tick), "middle", &short(tick).replace(".00", "").replace(".0", ""));
            self.y -= 6.0;
        }
    }

    fn text(&mut self, x: f64, anchor: &str, text: &str) {
        let text = escaped(text);
        let _ = writeln!(
            self.out,
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" paint-order=\"stroke\" \
             stroke=\"white\" stroke-width=\"3\">{text}</text>",
            self.y
        );
    }

    /// Draws a vertical line from above the bars to below the last one. Inserted before the bars, since
    /// SVG draws in document order and the line must be behind them.
    fn line(&mut self, x: f64, top: f64, colour: &str, start: usize) {
        let (top, bottom) = (top - LINE, self.y - 10.0);
        let line =
            format!("<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top:.1}\" y2=\"{bottom:.1}\" stroke=\"{colour}\"/>\n");
        self.out.insert_str(start, &line);
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::report::sample;

    #[test]
    fn an_axis_ends_at_powers_of_ten() {
        let axis = Axis::of([0.3, 250.0].into_iter());
        assert_eq!((axis.low, axis.high), (-1.0, 3.0));
        assert_eq!(axis.ticks().count(), 5);
        assert_eq!((axis.x(0.1), axis.x(1000.0)), (LEFT, RIGHT));
        assert!(axis.x(1.0) < axis.x(2.0));
        assert_eq!(axis.x(0.0), LEFT, "nothing is drawn as nothing");
    }

    #[test]
    fn each_measured_value_has_its_bar() {
        let svg = text(&sample());
        let bars = |colour: &str| svg.matches(&format!("fill=\"{colour}\"/>")).count();
        assert_eq!((bars(MET), bars(MISSED)), (1, 1), "two checks were measured");
        assert!(svg.find(MET) < svg.find(MISSED), "the first is met");
        assert_eq!((bars(COLOURS[0]), bars(COLOURS[1])), (1, 1), "two contenders have a rate");
        assert!(svg.contains("refresh &lt;16&gt;") && !svg.contains("<16>"));
    }
}
