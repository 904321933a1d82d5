//! Small charts and meters as SVG, drawn here and coloured by the stylesheet.

use std::fmt::Write;

/// A column: how high, how much of it in the colour of what is bad, and what it says when somebody points at it.
pub(super) struct Column {
    pub(super) height: u64,
    pub(super) bad: u64,
    pub(super) says: String,
    /// What stands below its right end, if anything.
    pub(super) label: String,
}

const WIDTH: u64 = 600;
const HEIGHT: u64 = 120;
const BELOW: u64 = 16;

/// Columns side by side; `None` when all are empty. All texts are this server's own.
pub(super) fn columns(columns: &[Column], label: &str) -> Option<String> {
    let highest =
        columns.iter().map(|column| column.height).max().filter(|highest| *highest > 0)?;
    let step = WIDTH / (columns.len() as u64).max(1);
    let mut svg = format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{label}\">",
        HEIGHT + BELOW
    );
    let scaled = |value: u64| (value * (HEIGHT - 14)).div_ceil(highest);
    for (column, at) in columns.iter().zip(0..) {
        let (x, high, bad) = (at * step, scaled(column.height), scaled(column.bad));
        let width = step.saturating_sub(3).max(1);
        // Writing to a string cannot fail.
        let _ = write!(svg, "<g><title>{}</title>", column.says);
        let _ = write!(
            svg,
            "<rect class=\"column\" x=\"{x}\" y=\"{}\" width=\"{width}\" height=\"{high}\" rx=\"1\"/>",
            HEIGHT - high
        );
        if bad > 0 {
            let _ = write!(
                svg,
                "<rect class=\"bad\" x=\"{x}\" y=\"{}\" width=\"{width}\" height=\"{bad}\" rx=\"1\"/>",
                HEIGHT - bad
            );
        }
        let _ = write!(
            svg,
            "<text class=\"below\" x=\"{}\" y=\"{}\">{}</text></g>",
            x + width,
            HEIGHT + BELOW - 3,
            column.label
        );
    }
    let _ = write!(
        svg,
        "<line x1=\"0\" y1=\"{HEIGHT}\" x2=\"{WIDTH}\" y2=\"{HEIGHT}\"/><text x=\"0\" y=\"9\">{highest}</text></svg>"
    );
    Some(svg)
}

/// How much of something is used up.
pub(super) fn meter(used: u64, of: u64) -> Option<String> {
    let percent = (used * 100).checked_div(of)?;
    let class = if percent >= 90 { "over" } else { "full" };
    Some(format!(
        "<svg class=\"meter\" viewBox=\"0 0 100 3\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{percent} % of its time\">\
         <rect width=\"100\" height=\"3\"/><rect class=\"{class}\" width=\"{}\" height=\"3\"/></svg>",
        percent.min(100)
    ))
}
