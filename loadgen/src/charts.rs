//! Charts as inline SVG, drawn from figures alone: no script, no font, nothing from elsewhere.

use std::fmt::Write as _;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 80.0;
const BOTTOM: f64 = 28.0;
const TOP: f64 = 12.0;

/// A line over equal steps of time.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    /// What a screen reader says.
    pub title: &'a str,
    /// The values' unit.
    pub unit: &'a str,
    /// One value a step.
    pub values: &'a [f64],
    /// The length of a step, in seconds.
    pub step: f64,
}

/// A round figure at or above the largest value: 1, 2 or 5 times a power of ten.
fn ceiling(largest: f64) -> f64 {
    if largest <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(largest.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    steps.iter().map(|step| step * power).find(|step| *step >= largest).unwrap_or(largest)
}

/// A figure for an axis: `1.5 M`, `200 k`, `0.25`.
pub fn short(value: f64) -> String {
    let trimmed = |value: f64| {
        let text = format!("{value:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match value.abs() {
        size if size >= 1e6 => format!("{} M", trimmed(value / 1e6)),
        size if size >= 1e3 => format!("{} k", trimmed(value / 1e3)),
        _ => trimmed(value),
    }
}

fn begin(title: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\"><title>{title}</title>\n"
    )
}

/// Horizontal lines at quarters of `top`, each with its figure.
fn grid(svg: &mut String, top: f64, unit: &str) {
    for quarter in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let y = HEIGHT - BOTTOM - quarter * (HEIGHT - BOTTOM - TOP);
        let value = short(top * quarter);
        let line = format!("<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{WIDTH}\" y2=\"{y:.1}\"/>");
        let text =
            format!("<text x=\"{:.1}\" y=\"{:.1}\" class=\"end\">{value} {unit}</text>", LEFT - 6.0, y + 4.0);
        let _infallible = writeln!(svg, "{line}{text}");
    }
}

/// Draws a line with the area under it.
pub fn line(chart: &Line<'_>) -> String {
    let largest = chart.values.iter().copied().fold(0.0, f64::max);
    let top = ceiling(largest);
    let mut svg = begin(chart.title);
    grid(&mut svg, top, chart.unit);
    let mut last = 0.0;
    let mut points = String::new();
    let count = chart.values.iter().fold(0.0, |count, _| count + 1.0);
    for value in chart.values {
        let x = LEFT + (last + 0.5) / f64::max(count, 1.0) * (WIDTH - LEFT);
        let y = HEIGHT - BOTTOM - value / top * (HEIGHT - BOTTOM - TOP);
        let _infallible = write!(points, "{x:.1},{y:.1} ");
        last += 1.0;
    }
    let base = HEIGHT - BOTTOM;
    let _infallible = writeln!(
        svg,
        "<polygon class=\"area\" points=\"{LEFT},{base} {points}{WIDTH},{base}\"/>\
         <polyline class=\"line\" points=\"{points}\"/>"
    );
    for quarter in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let x = LEFT + quarter * (WIDTH - LEFT);
        let anchor = if quarter < 1.0 { "start" } else { "end" };
        let seconds = short(count * chart.step * quarter);
        let y = HEIGHT - 8.0;
        let _infallible = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y}\" class=\"{anchor}\">{seconds} s</text>");
    }
    svg + "</svg>\n"
}

/// Draws a bar for each name.
pub fn bars(title: &str, unit: &str, values: &[(&str, f64)]) -> String {
    let top = ceiling(values.iter().map(|(_, value)| *value).fold(0.0, f64::max));
    let mut svg = begin(title);
    grid(&mut svg, top, unit);
    let count = values.iter().fold(0.0, |count, _| count + 1.0);
    let room = (WIDTH - LEFT) / f64::max(count, 1.0);
    let mut x = LEFT;
    for (name, value) in values {
        let height = value / top * (HEIGHT - BOTTOM - TOP);
        let (y, width) = (HEIGHT - BOTTOM - height, room * 0.5);
        let (bar, middle) = (x + room * 0.25, x + room * 0.5);
        let (above, below) = (y.max(TOP + 10.0) - 3.0, HEIGHT - 8.0);
        let figure = short(*value);
        let _infallible = writeln!(
            svg,
            "<rect class=\"bar\" x=\"{bar:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>\
             <text x=\"{middle:.1}\" y=\"{above:.1}\" class=\"mid\">{figure} {unit}</text>\
             <text x=\"{middle:.1}\" y=\"{below}\" class=\"mid\">{name}</text>"
        );
        x += room;
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_figures() {
        let ends = [0.0, 0.3, 1.0, 18.0, 2_100_000.0].map(ceiling);
        assert_eq!(ends.map(short), ["1", "0.5", "1", "20", "5 M"].map(str::to_owned));
    }

    #[test]
    fn an_empty_series_is_an_empty_chart() {
        assert!(line(&Line { title: "nothing", unit: "/s", values: &[], step: 0.1 }).ends_with("</svg>\n"));
        assert!(bars("nothing", "ms", &[]).contains("<title>nothing</title>"));
    }
}
