//! Tables: aligned text for a terminal, GitHub's Markdown for documents.

use super::Report;

/// Rows of cells under a heading; all rows have as many cells as the heading.
#[derive(Debug, Clone, Default)]
pub struct Table {
    heading: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with this heading.
    #[must_use]
    pub fn new(heading: &[&str]) -> Self {
        Self { heading: heading.iter().map(|c| (*c).to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row; missing cells are empty.
    pub fn row(&mut self, mut cells: Vec<String>) {
        cells.resize(self.heading.len(), String::new());
        self.rows.push(cells);
    }

    /// Columns padded to their widest cell; all but the first are aligned to the right.
    #[must_use]
    pub fn text(&self) -> String {
        let widths = self.widths();
        let line = |cells: &Vec<String>| {
            let mut out = String::new();
            for (i, (cell, width)) in cells.iter().zip(&widths).enumerate() {
                let gap = " ".repeat(width - cell.chars().count());
                out += &if i == 0 { format!("{cell}{gap}") } else { format!("  {gap}{cell}") };
            }
            out.trim_end().to_owned() + "\n"
        };
        std::iter::once(&self.heading).chain(&self.rows).map(line).collect()
    }

    /// The same as a Markdown table.
    #[must_use]
    pub fn markdown(&self) -> String {
        let line = |cells: &Vec<String>| format!("| {} |\n", cells.join(" | "));
        let rule = format!("|---|{}\n", "--:|".repeat(self.heading.len().saturating_sub(1)));
        line(&self.heading) + &rule + &self.rows.iter().map(line).collect::<String>()
    }

    fn widths(&self) -> Vec<usize> {
        let width = |i: usize| {
            let cells = std::iter::once(&self.heading).chain(&self.rows);
            cells.map(|r| r[i].chars().count()).max().unwrap_or(0)
        };
        (0..self.heading.len()).map(width).collect()
    }
}

/// Three significant digits, without an exponent.
#[must_use]
pub fn number(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 99.95 || v == 0.0 => 0,
        v if v >= 9.995 => 1,
        v if v >= 0.9995 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

/// A report for the terminal.
#[must_use]
pub fn of(report: &Report) -> String {
    let parameters: Vec<String> = report.parameters.iter().map(|(k, v)| format!("{k} {v}")).collect();
    let mut out = format!("{} · {} · {}\n\n", report.scenario, report.protocol, parameters.join(", "));
    let mut figures = Table::new(&["figure", "value", "unit"]);
    for figure in &report.figures {
        figures.row(vec![figure.name.replace('_', " "), number(figure.value), figure.unit.clone()]);
    }
    out += &figures.text();
    let mut latencies = Table::new(&["latency, ms", "p50", "p95", "p99", "p99.9", "max", "count"]);
    for (name, q) in &report.latencies {
        let mut row = vec![name.replace('_', " ")];
        row.extend([q.p50, q.p95, q.p99, q.p999, q.max].map(|micros| number(micros / 1000.0)));
        row.push(q.count.to_string());
        latencies.row(row);
    }
    out += &format!("\n{}\n{}", latencies.text(), counts(report));
    for check in &report.checks {
        let verdict = if check.kept { "kept  " } else { "BROKEN" };
        out += &format!("{verdict}  {} ({})\n", check.what, number(check.value));
    }
    out
}

/// The counters that are not zero, and the troubles.
fn counts(report: &Report) -> String {
    let Some(counts) = report.counts.as_object() else { return String::new() };
    let mut out = String::new();
    for (name, value) in counts {
        match value {
            serde_json::Value::Array(troubles) => {
                out += &troubles.iter().map(|t| format!("trouble: {t}\n")).collect::<String>();
            }
            value if value.as_u64() != Some(0) => out += &format!("{}: {value}\n", name.replace('_', " ")),
            _ => {}
        }
    }
    out + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_in_characters() {
        let mut table = Table::new(&["what", "µs"]);
        table.row(vec!["relay".into(), "5.30".into()]);
        table.row(vec!["x".into()]);
        assert_eq!(table.text(), "what     µs\nrelay  5.30\nx\n");
        assert_eq!(table.markdown(), "| what | µs |\n|---|--:|\n| relay | 5.30 |\n| x |  |\n");
    }

    #[test]
    fn numbers_have_three_significant_digits() {
        let shown = [0.0, 0.04567, 0.9999, 1.234, 12.345, 99.96, 123.4, 12345.6].map(number);
        assert_eq!(shown, ["0", "0.046", "1.00", "1.23", "12.3", "100", "123", "12346"]);
    }

    #[test]
    fn a_report_shows_what_went_wrong() {
        let mut report = Report::new("relay", "ws").parameter("rooms", 2);
        report.figure("cpu_per_message", 5.3, "µs");
        report.counts = serde_json::json!({"lost": 0, "corrupt": 3, "troubles": ["refused: x"]});
        report.check("fast", 9.0, false);
        let shown = of(&report);
        for part in ["relay · ws · rooms 2", "cpu per message", "corrupt: 3", "trouble: \"refused: x\"", "BROKEN  fast"]
        {
            assert!(shown.contains(part), "{part} is not in\n{shown}");
        }
        assert!(!shown.contains("lost"));
    }
}
