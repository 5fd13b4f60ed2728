//! The report as an SVG image: attainment of each goal, and the rates of all contenders. The values are
//! on logarithmic axes.

use super::{Report, short, tables};
use anyhow::Result;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const WIDTH: u32 = 1160;
/// Height of a bar with its gap.
const LINE: u32 = 20;
/// Height of a panel's title and axis.
const FRAME: u32 = 80;
const COLORS: [RGBColor; 6] = [
    RGBColor(31, 111, 139),
    RGBColor(201, 162, 39),
    RGBColor(138, 138, 138),
    RGBColor(123, 94, 167),
    RGBColor(181, 101, 29),
    RGBColor(79, 121, 66),
];
const MET: RGBColor = RGBColor(46, 125, 50);
const MISSED: RGBColor = RGBColor(198, 40, 40);

/// Name to the left of a bar, its length, the text at its end, and its color.
struct Bar {
    name: String,
    value: f64,
    text: String,
    color: RGBColor,
}

pub(super) fn text(report: &Report) -> Result<String> {
    let (goals, rates) = (goals(report), rates(report));
    let [first, second] = [&goals, &rates].map(|bars| FRAME + LINE * u32::try_from(bars.len()).unwrap_or(u32::MAX));
    let mut svg = String::new();
    {
        let image = SVGBackend::with_string(&mut svg, (WIDTH, first.saturating_add(second))).into_drawing_area();
        image.fill(&WHITE)?;
        let (upper, lower) = image.split_vertically(first);
        panel(&upper, "Share of the goal that is reached (1 = goal, higher is better)", &goals, Some(1.0))?;
        panel(&lower, "Operations per second", &rates, None)?;
        image.present()?;
    }
    Ok(svg)
}

fn goals(report: &Report) -> Vec<Bar> {
    let bars = report.checks.iter().filter_map(|check| {
        let [goal, workload, what, value, target, _] = tables::goal(check);
        Some(Bar {
            name: format!("{goal} {workload}: {what}"),
            value: check.bound.attainment(check.value?),
            text: format!("{value} ({target})"),
            color: if check.met == Some(true) { MET } else { MISSED },
        })
    });
    bars.collect()
}

fn rates(report: &Report) -> Vec<Bar> {
    let mut contenders: Vec<&str> = Vec::new();
    let bars = report.rows.iter().filter_map(|row| {
        let value = row.figures.rate?;
        if !contenders.contains(&row.contender.as_str()) {
            contenders.push(&row.contender);
        }
        let place = contenders.iter().position(|name| *name == row.contender)?;
        let color = COLORS.get(place % COLORS.len()).copied()?;
        let name = format!("{} {}: {}", row.goal, row.workload, row.contender);
        Some(Bar { name, value, text: short(value), color })
    });
    bars.collect()
}

/// Draws bars below each other, and a line at `goal`.
fn panel(area: &DrawingArea<SVGBackend<'_>, Shift>, title: &str, bars: &[Bar], goal: Option<f64>) -> Result<()> {
    let (low, high) = axis(bars.iter().map(|bar| bar.value).chain(goal));
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 20))
        .margin_left(470)
        .margin_right(210)
        .x_label_area_size(30)
        .build_cartesian_2d((low..high).log_scale(), RangedCoordf64::from(0.0..crate::measure::number(bars.len())))?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .label_style(("sans-serif", 15))
        .x_label_formatter(&|value| short(*value))
        .draw()?;
    let label = ("sans-serif", 15).into_font().color(&BLACK);
    let (left, right) = [HPos::Right, HPos::Left].map(|side| label.pos(Pos::new(side, VPos::Center))).into();
    for (bar, middle) in bars.iter().rev().zip((0_u32..).map(|place| f64::from(place) + 0.5)) {
        let (value, from, to) = (bar.value.clamp(low, high), middle - 0.35, middle + 0.35);
        chart.draw_series([Rectangle::new([(low, from), (value, to)], bar.color.filled())])?;
        let name = EmptyElement::at((low, middle)) + Text::new(bar.name.clone(), (-8, 0), &left);
        chart.draw_series([name])?;
        let text = EmptyElement::at((value, middle)) + Text::new(bar.text.clone(), (6, 0), &right);
        chart.draw_series([text])?;
    }
    let height = crate::measure::number(bars.len());
    chart.draw_series(goal.map(|goal| PathElement::new([(goal, 0.0), (goal, height)], BLACK)))?;
    Ok(())
}

/// Returns the powers of ten around all values.
fn axis(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let low = values.clone().filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
    let high = values.fold(0.0, f64::max);
    let (low, high) = if low <= high { (low, high) } else { (1.0, 1.0) };
    let floor = low.log10().floor();
    (10_f64.powf(floor), 10_f64.powf(high.log10().ceil().max(floor + 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn an_axis_ends_at_powers_of_ten() {
        assert_eq!(axis([0.3, 250.0].into_iter()), (0.1, 1000.0));
        assert_eq!(axis([0.0].into_iter()), (1.0, 10.0));
    }

    #[test]
    fn each_measured_value_has_its_bar() {
        let svg = text(&sample()).unwrap();
        let bars = |color: RGBColor| {
            let RGBColor(red, green, blue) = color;
            svg.matches(&format!("fill=\"#{red:02X}{green:02X}{blue:02X}\" stroke=\"none\"")).count()
        };
        assert_eq!((bars(MET), bars(MISSED)), (1, 1), "two checks were measured");
        assert_eq!((bars(COLORS[0]), bars(COLORS[1])), (1, 1), "two contenders have a rate");
        assert!(svg.contains("refresh &lt;16&gt;") && !svg.contains("<16>"));
    }
}
