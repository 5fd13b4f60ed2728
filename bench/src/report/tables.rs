//! The report as tables, for the terminal and for Markdown.

use super::{Check, Report, Row, short, short_or};
use comfy_table::presets::{ASCII_MARKDOWN, NOTHING};
use comfy_table::{CellAlignment, Table, TableStyle};

const FIGURES: [&str; 8] = ["goal", "workload", "", "a second", "CPU ms", "p50 ms", "p99 ms", "shed"];
const GOALS: [&str; 6] = ["goal", "workload", "", "measured", "target", "met"];

/// Formats the machine, the figures, the goals and the failures for the terminal.
pub(super) fn text(report: &Report) -> String {
    let (figures, goals) = (figures(report, NOTHING), goals(report, NOTHING));
    let count = |met| report.checks.iter().filter(|check| check.met == met).count();
    let [met, missed, open] = [Some(true), Some(false), None].map(count);
    let (machine, failed, failures) = (report.machine.text(), report.failures.len(), failures(report));
    format!(
        "{machine}\n\n{figures}\n{goals}{failures}\n{met} met, {missed} missed, {open} not measured, {failed} failed\n"
    )
}

/// Formats the machine, the goals, the figures and the failures as Markdown.
pub(super) fn markdown(report: &Report) -> String {
    let (figures, goals) = (figures(report, ASCII_MARKDOWN), goals(report, ASCII_MARKDOWN));
    format!("{}\n\n{goals}\n{figures}{}", report.machine.text(), failures(report))
}

fn failures(report: &Report) -> String {
    let lines =
        report.failures.iter().map(|failure| format!("\nNot measured: {}: {}\n", failure.workload, failure.reason));
    lines.collect()
}

fn figures(report: &Report, style: TableStyle) -> String {
    table(style, &FIGURES, 3..8, report.rows.iter().map(row))
}

fn goals(report: &Report, style: TableStyle) -> String {
    table(style, &GOALS, 3..4, report.checks.iter().map(goal))
}

fn row(row: &Row) -> [String; 8] {
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

/// Formats a table. The columns of `numbers` are right-aligned.
fn table<const N: usize>(
    style: TableStyle,
    head: &[&str; N],
    numbers: std::ops::Range<usize>,
    rows: impl Iterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(style).set_header(head);
    // A bar would end the cell in Markdown; no name in a terminal has one.
    table.add_rows(rows.map(|cells| cells.map(|cell| cell.replace('|', "\\|"))));
    for index in numbers {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_missed_goal_and_a_failure_are_seen() {
        let text = text(&sample());
        let missed = text.lines().find(|line| line.contains("0.200 ms")).unwrap();
        assert!(missed.contains("  at most 0.15 ms  ") && missed.ends_with("  NO"), "{text}");
        assert!(text.contains("Not measured: purge: no such command"), "{text}");
        assert!(text.ends_with("1 met, 1 missed, 1 not measured, 1 failed\n"), "{text}");
    }

    #[test]
    fn every_row_in_markdown_has_the_columns_of_its_head() {
        let mut report = sample();
        report.rows[0].contender = "a|b".to_owned();
        let text = markdown(&report);
        let bars = |line: &str| line.replace("\\|", "").matches('|').count();
        for (title, rows) in [("measured", 3), ("a second", 2)] {
            let mut lines = text.lines().skip_while(|line| !line.contains(title));
            let head = lines.next().unwrap();
            let table: Vec<_> = lines.take_while(|line| line.starts_with('|')).collect();
            assert_eq!(table.len(), rows + 1, "{text}");
            assert!(table.iter().all(|line| bars(line) == bars(head)), "{text}");
        }
    }
}
