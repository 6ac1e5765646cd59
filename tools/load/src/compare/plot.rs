//! The comparison as bars: one panel for each measure, one bar for each server, a scale for each panel. Plain SVG that
//! reads on white and on black.

use super::{Contestant, Results, trial::Measure};
use crate::report::table::number;

/// Measures, in pixels.
const PANEL: f64 = 430.0;
const LABEL: f64 = 130.0;
const BAR: f64 = 16.0;
const GAP: f64 = 4.0;
const TITLE: f64 = 24.0;
const MARGIN: f64 = 18.0;
/// Panels beside each other.
const COLUMNS: usize = 2;
/// What is left of a panel for the longest bar, its number behind it.
const LONGEST: f64 = PANEL - LABEL - 70.0;

/// The whole picture.
pub(super) fn svg(results: &Results) -> String {
    let measures = results.measures();
    // The baseline is no server that one could choose instead.
    let contestants: Vec<_> = results.contestants().into_iter().filter(|c| *c != Contestant::Baseline).collect();
    let height = TITLE + contestants.len() as f64 * (BAR + GAP) + MARGIN;
    let rows = measures.len().div_ceil(COLUMNS) as f64;
    let (width, total) = (COLUMNS as f64 * (PANEL + MARGIN) + MARGIN, rows * height + MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{total}\" \
         viewBox=\"0 0 {width} {total}\" font-family=\"system-ui, sans-serif\" font-size=\"11\" fill=\"#777\">\n\
         <title>CPU, memory and latency of signaling servers; less is better</title>\n"
    );
    for (i, measure) in measures.iter().enumerate() {
        let x = MARGIN + (i % COLUMNS) as f64 * (PANEL + MARGIN);
        let y = MARGIN + (i / COLUMNS) as f64 * height;
        out += &panel(results, &contestants, measure, x, y);
    }
    out + "</svg>\n"
}

fn panel(results: &Results, contestants: &[Contestant], measure: &Measure, x: f64, y: f64) -> String {
    let medians: Vec<_> = contestants.iter().map(|c| results.spread(measure.name, *c)).collect();
    let largest = medians.iter().flatten().map(|s| s.median).fold(0.0, f64::max);
    let title = escaped(&format!("{}, {}", measure.title, measure.unit));
    let mut out = format!("<text x=\"{x}\" y=\"{}\" font-weight=\"600\">{title}</text>\n", y + 12.0);
    for (row, (contestant, spread)) in contestants.iter().zip(medians).enumerate() {
        let top = y + TITLE + row as f64 * (BAR + GAP);
        let (start, text) = (x + LABEL, top + BAR - 4.0);
        let name = escaped(contestant.title());
        out += &format!("<text x=\"{}\" y=\"{text}\" text-anchor=\"end\">{name}</text>\n", start - 6.0);
        let Some(spread) = spread else {
            out += &format!("<text x=\"{start}\" y=\"{text}\">—</text>\n");
            continue;
        };
        // What shrank is shown as nothing: memory that a runtime gave back.
        let length = if largest > 0.0 { (spread.median / largest * LONGEST).max(1.0) } else { 1.0 };
        let colour = colour(*contestant);
        out += &format!(
            "<rect x=\"{start}\" y=\"{top}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\" fill=\"{colour}\"/>\n\
             <text x=\"{:.1}\" y=\"{text}\">{}</text>\n",
            start + length + 5.0,
            number(spread.median)
        );
    }
    out
}

fn colour(contestant: Contestant) -> &'static str {
    match contestant {
        Contestant::Switchboard | Contestant::SwitchboardQuiet => "#2f7ed8",
        _ => "#d89a4a",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::results::example;

    #[test]
    fn the_longest_bar_is_the_largest_median_and_the_others_in_proportion() {
        let mut results = example();
        results.add("relay_w1", Contestant::Ws, 10.6);
        results.add("join", Contestant::Ws, 10.0);
        let picture = svg(&results);
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
        // Twice Switchboard's 5.3 is the largest of the first panel; in the second it is alone.
        for length in [LONGEST, LONGEST / 2.0] {
            assert!(picture.contains(&format!("width=\"{length:.1}\"")), "{length}");
        }
        assert_eq!(picture.matches("<rect").count(), 3);
        assert!(picture.contains(">—</text>") && !picture.contains("baseline"));
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escaped("a<b & c"), "a&lt;b &amp; c");
    }
}
