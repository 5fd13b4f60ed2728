//! The report as Markdown tables.

use super::{Report, table};

pub(super) fn text(report: &Report) -> String {
    let mut text = format!("{}\n\n", report.machine.text());
    text += &rows(&table::GOALS, report.checks.iter().map(|check| table::goal(check).into()));
    text += "\n";
    text += &rows(&table::FIGURES, report.rows.iter().map(|row| table::figures(row).into()));
    for failure in &report.failures {
        text += &format!("\nNot measured: {}: {}\n", failure.workload, failure.reason);
    }
    text
}

fn rows(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let head: Vec<String> = head.iter().map(|title| (*title).to_owned()).collect();
    let rule = format!("|{}\n", "---|".repeat(head.len()));
    line(&head) + &rule + &rows.map(|row| line(&row)).collect::<String>()
}

#[cfg(test)]
mod tests {
    use crate::bench::report::sample;

    #[test]
    fn every_row_has_the_columns_of_its_head() {
        let text = super::text(&sample());
        let bars = |line: &str| line.matches('|').count();
        for (head, rows) in [("| goal | workload |  | measured", 3), ("| goal | workload |  | a second", 2)] {
            let mut lines = text.lines().skip_while(|line| !line.starts_with(head));
            let head = lines.next().unwrap();
            let table: Vec<_> = lines.take_while(|line| line.starts_with('|')).collect();
            assert_eq!(table.len(), rows + 1, "{text}");
            assert!(table.iter().all(|line| bars(line) == bars(head)), "{text}");
        }
    }
}
