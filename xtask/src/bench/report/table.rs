//! The report as tables, for the terminal and for Markdown.

use super::{Check, Report, Row, short, short_or};

pub(super) const FIGURES: [&str; 8] = ["goal", "workload", "", "a second", "CPU ms", "p50 ms", "p99 ms", "shed"];
const NUMBERS: [&str; 6] = ["a second", "CPU ms", "p50 ms", "p99 ms", "shed", "measured"];
pub(super) const GOALS: [&str; 6] = ["goal", "workload", "", "measured", "target", "met"];

/// Formats the machine, the figures, the goals and the failures.
pub(super) fn text(report: &Report) -> String {
    let mut text = format!("{}\n\n", report.machine.text());
    text += &aligned(&FIGURES, &report.rows.iter().map(|row| figures(row).into()).collect::<Vec<_>>());
    text += "\n";
    text += &aligned(&GOALS, &report.checks.iter().map(|check| goal(check).into()).collect::<Vec<_>>());
    for failure in &report.failures {
        text += &format!("\nnot measured: {}: {}", failure.workload, failure.reason);
    }
    let count = |met| report.checks.iter().filter(|check| check.met == met).count();
    let [met, missed, open] = [Some(true), Some(false), None].map(count);
    text + &format!("\n{met} met, {missed} missed, {open} not measured, {} failed\n", report.failures.len())
}

pub(super) fn figures(row: &Row) -> [String; 8] {
    let figures = &row.figures;
    let [rate, cpu, p50, p99] =
        [figures.rate, figures.cpu, figures.p50, figures.p99].map(|figure| short_or(figure, ""));
    let shed = figures.shed.filter(|shed| *shed > 0.0);
    [row.goal.into(), row.workload.clone(), row.contender.clone(), rate, cpu, p50, p99, short_or(shed, "")]
}

pub(super) fn goal(check: &Check) -> [String; 6] {
    let met = match check.met {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "not measured",
    };
    let unit = |text: String| if check.unit.is_empty() { text } else { format!("{text} {}", check.unit) };
    let measured = check.value.map_or_else(String::new, |value| unit(short(value)));
    [check.goal.into(), check.workload.clone(), check.what.clone(), measured, unit(check.bound.text()), met.into()]
}

/// Pads each column to its widest cell; numbers are right-aligned.
fn aligned(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize, title: &str| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([title.chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = head.iter().enumerate().map(|(column, title)| width(column, title)).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&widths).zip(head).map(|((cell, width), title)| {
            if NUMBERS.contains(title) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let lines = rows.iter().map(|row| line(&mut row.iter().map(String::as_str)));
    line(&mut head.iter().copied()) + &lines.collect::<String>()
}

#[cfg(test)]
mod tests {
    use crate::bench::report::sample;

    #[test]
    fn columns_stand_under_their_titles() {
        let table =
            super::aligned(&["name", "shed"], &[vec!["a".into(), "7".into()], vec!["16 b".into(), "42".into()]]);
        assert_eq!(table, "name  shed\na        7\n16 b    42\n");
    }

    #[test]
    fn a_missed_goal_and_a_failure_are_seen() {
        let text = super::text(&sample());
        assert!(text.contains("at most 0.15 ms  NO"), "{text}");
        assert!(text.contains("not measured: purge: no such command"), "{text}");
        assert!(text.ends_with("1 met, 1 missed, 1 not measured, 1 failed\n"), "{text}");
    }
}
