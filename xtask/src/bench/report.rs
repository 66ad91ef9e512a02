//! The one table, and the same figures as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use super::process::{Memory, Sandbox};
use super::spread::Spread;

/// Figures in the order they were measured.
pub struct Report {
    rows: Vec<[String; 7]>,
    figures: Vec<Value>,
}

const HEADINGS: [&str; 7] = ["FIGURE", "P50", "P99", "MAX", "COUNT", "PER SECOND", "P50 ÷ HEARTH'S"];

impl Report {
    pub fn new() -> Self {
        Self { rows: Vec::new(), figures: Vec::new() }
    }

    pub fn spread(&mut self, figure: &str, spread: &Spread) {
        self.add(figure, spread, None, None);
    }

    pub fn spread_with_rate(&mut self, figure: &str, spread: &Spread, per_second: f64) {
        self.add(figure, spread, Some(per_second), None);
    }

    /// Of one peer, with how many times Hearth's its median is.
    pub fn compared(&mut self, figure: &str, spread: &Spread, per_second: Option<f64>, ratio: Option<f64>) {
        self.add(figure, spread, per_second, ratio);
    }

    /// So many things, and how many a second.
    pub fn rate(&mut self, figure: &str, count: usize, per_second: f64) {
        let mut row: [String; 7] = Default::default();
        (row[0], row[4], row[5]) = (figure.to_owned(), count.to_string(), format!("{per_second:.0}"));
        self.rows.push(row);
        self.figures.push(json!({ "figure": figure, "count": count, "per_second": per_second }));
    }

    fn add(&mut self, figure: &str, spread: &Spread, per_second: Option<f64>, ratio: Option<f64>) {
        let (p50, p99, max) = (spread.percentile(50), spread.percentile(99), spread.max());
        let rate = per_second.map(|rate| format!("{rate:.0}")).unwrap_or_default();
        self.rows.push([
            figure.to_owned(),
            milliseconds(p50),
            milliseconds(p99),
            milliseconds(max),
            spread.count().to_string(),
            rate,
            ratio.map(|ratio| format!("{ratio:.1}")).unwrap_or_default(),
        ]);
        self.figures.push(json!({
            "figure": figure,
            "p50_ms": in_milliseconds(p50),
            "p99_ms": in_milliseconds(p99),
            "max_ms": in_milliseconds(max),
            "count": spread.count(),
            "per_second": per_second,
            "ratio": ratio,
        }));
    }

    /// Memory of each of the server's own processes. PSS counts shared pages once.
    pub fn memory(&mut self, when: &str, processes: &[Memory]) {
        for process in processes {
            let figure = format!("memory {when}, {}", process.name);
            let mib = |kib: u64| format!("{:.1} MiB", kib as f64 / 1024.0);
            let cells = [mib(process.pss_kib), format!("rss {}", mib(process.rss_kib))];
            let [pss, rss] = cells;
            self.row(figure.clone(), [pss, rss]);
            self.figures.push(json!({
                "figure": figure,
                "pss_kib": process.pss_kib,
                "rss_kib": process.rss_kib,
            }));
        }
    }

    /// The mean over sandboxes, which share pages with each other: PSS.
    pub fn mean_memory(&mut self, figure: &str, sandboxes: impl Iterator<Item = Sandbox>) {
        let all: Vec<u64> = sandboxes.map(|sandbox| sandbox.pss_kib).collect();
        if all.is_empty() {
            return;
        }
        let mean_kib = all.iter().sum::<u64>() / all.len() as u64;
        let mib = format!("{:.1} MiB", mean_kib as f64 / 1024.0);
        self.row(figure.to_owned(), [mib, format!("mean of {}", all.len())]);
        self.figures.push(json!({ "figure": figure, "pss_kib": mean_kib, "count": all.len() }));
    }

    fn row(&mut self, figure: String, [first, second]: [String; 2]) {
        let mut row: [String; 7] = Default::default();
        (row[0], row[1], row[2]) = (figure, first, second);
        self.rows.push(row);
    }

    pub fn table(&self) -> String {
        let rows = || std::iter::once(HEADINGS.map(str::to_owned)).chain(self.rows.iter().cloned());
        let widths: [usize; 7] =
            std::array::from_fn(|column| rows().map(|row| row[column].chars().count()).max().unwrap_or(0));
        let lines = rows().map(|row| {
            let [figure, numbers @ ..] = row;
            let mut line = format!("{figure:width$}", width = widths[0]);
            for (number, width) in numbers.iter().zip(&widths[1..]) {
                line.push_str(&format!("  {number:>width$}"));
            }
            line.trim_end().to_owned()
        });
        format!("\n{}\n", lines.collect::<Vec<_>>().join("\n"))
    }

    pub fn json(&self) -> String {
        format!("{:#}\n", Value::from(self.figures.clone()))
    }
}

fn in_milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn milliseconds(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut report = Report::new();
        report.spread("short", &Spread::of(vec![Duration::from_micros(250)]));
        report.spread_with_rate("a longer name", &Spread::of(vec![Duration::from_millis(1250)]), 8000.4);
        let table = report.table();
        let ends: Vec<_> = table.lines().filter_map(|line| line.find(" ms")).collect();
        assert_eq!(ends.len(), 2);
        assert_eq!(ends[0], ends[1], "{table}");
        assert!(table.contains("8000"));
    }
}
