//! A report as one HTML file that needs nothing from elsewhere.

use crate::charts::{Line, bars, line};
use crate::compare;
use crate::measure::figure;
use crate::report::{Report, grouped, lines, things, verified};
use crate::timing::{Latency, SLICE, milliseconds};
use std::fmt::Write as _;

const STYLE: &str = "
:root { color-scheme: light dark; --line: #1466b8; --grid: #8884; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 960px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .3rem; }
.rate { font-size: 2.2rem; margin: .6rem 0 0; } .bad { color: #b3261e; font-weight: 600; }
table { border-collapse: collapse; } td { padding: .15rem 1rem .15rem 0; vertical-align: top; }
th { text-align: left; padding-right: 1rem; } .figure { text-align: right; font-variant-numeric: tabular-nums; }
td:first-child { opacity: .7; white-space: nowrap; }
svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: currentColor; }
.start { text-anchor: start; } .mid { text-anchor: middle; } .end { text-anchor: end; }
.grid { stroke: var(--grid); } .line { fill: none; stroke: var(--line); stroke-width: 1.8; }
.area { fill: var(--line); opacity: .15; } .bar { fill: var(--line); opacity: .8; }
";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The page.
pub fn page(report: &Report) -> String {
    let name = escaped(&report.scenario);
    let mut page = head(&name);
    page += &verdict(report);
    if !report.slices.is_empty() {
        page += &over_time(report);
    }
    if !report.phases.is_empty() {
        page += &phases(report);
    }
    if let Some(latency) = &report.latency_ms {
        page += &latencies("Latency of a command", latency);
    }
    if let Some(latency) = &report.read_latency_ms {
        page += &latencies("Latency of a read", latency);
    }
    if !report.disk_parts.is_empty() {
        let parts: Vec<(&str, f64)> = report
            .disk_parts
            .iter()
            .map(|(name, bytes)| (name.as_str(), figure(*bytes) / 1_048_576.0))
            .collect();
        page += "<h2>Disk after the run</h2>\n";
        page += &bars("Disk after the run", "MiB", &parts);
    }
    page += "<h2>Figures</h2>\n<table>\n";
    for (name, words) in lines(report) {
        let _infallible = writeln!(page, "<tr><td>{name}</td><td>{}</td></tr>", escaped(&words));
    }
    page + "</table>\n</body></html>\n"
}

/// The page of two reports side by side.
pub fn both(first: &Report, second: &Report) -> String {
    let mut page = head(&format!("{} against {}", escaped(&first.scenario), escaped(&second.scenario)));
    let differences = compare::differences(first, second);
    if !differences.is_empty() {
        page += "<h2>What differed</h2>\n<table><tr><th></th><th>first</th><th>second</th></tr>\n";
        for (name, first, second) in differences {
            let (first, second) = (escaped(&first), escaped(&second));
            let _infallible = writeln!(page, "<tr><td>{name}</td><td>{first}</td><td>{second}</td></tr>");
        }
        page += "</table>\n";
    }
    page += "<h2>Figures</h2>\n<table><tr><th></th><th>first</th><th>second</th><th>ratio</th></tr>\n";
    for row in compare::rows(first, second) {
        let ratio = row.ratio().map_or(String::new(), |ratio| format!("{ratio:.2}"));
        let (name, first, second) = (&row.name, compare::short(row.first), compare::short(row.second));
        let _infallible = writeln!(
            page,
            "<tr><td>{name}</td><td class=\"figure\">{first}</td><td class=\"figure\">{second}</td>\
             <td class=\"figure\">{ratio}</td></tr>"
        );
    }
    page += "</table>\n";
    for (place, report) in [("first", first), ("second", second)] {
        let series: Vec<f64> = report.per_second_series.iter().map(|done| figure(*done)).collect();
        let title = format!("Done in each second, {place}");
        let drawn = line(&Line { title: &title, unit: "/s", values: &series, step: 1.0 });
        let _infallible = writeln!(page, "<h2>{title}</h2>\n{drawn}");
    }
    page + "</body></html>\n"
}

fn head(name: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>fen bench {name}</title><style>{STYLE}</style></head><body>\n<h1>fen bench {name}</h1>\n"
    )
}

fn verdict(report: &Report) -> String {
    if !report.verified {
        let faults: Vec<String> = report.faults.iter().map(|fault| escaped(fault)).collect();
        let items = faults.join("</li><li>");
        return format!(
            "<p class=\"bad\">The check failed, so there is no rate.</p><ul><li>{items}</li></ul>\n"
        );
    }
    let rate = match (report.per_second, report.ready_ms) {
        (_, Some(ready)) => format!("ready after {ready:.0} ms"),
        (Some(rate), None) => format!("{} {}/s", grouped(rate), things(report)),
        (None, None) => "no rate: a debug build measures nothing".to_owned(),
    };
    format!("<p class=\"rate\">{rate}</p>\n<p>Verified: {}.</p>\n", verified(report))
}

fn over_time(report: &Report) -> String {
    let step = SLICE.as_secs_f64();
    // The last slice is rarely a whole one; its rate would say nothing.
    let whole = &report.slices[..report.slices.len().saturating_sub(1).max(1)];
    let rates: Vec<f64> = whole.iter().map(|slice| figure(slice.done) / step).collect();
    let longest: Vec<f64> = whole.iter().map(|slice| milliseconds(slice.latency_max)).collect();
    let rate = line(&Line { title: "Transfers per second over time", unit: "/s", values: &rates, step });
    let tail = line(&Line { title: "Longest latency over time", unit: "ms", values: &longest, step });
    format!(
        "<h2>Transfers per second, in tenths of a second</h2>\n{rate}\
         <h2>The longest latency in each tenth of a second</h2>\n{tail}"
    )
}

/// What a scenario of several parts did, and how fast each went.
fn phases(report: &Report) -> String {
    let rates: Vec<(&str, f64)> = report
        .phases
        .iter()
        .map(|phase| (phase.name.as_str(), phase.per_second.map_or(0.0, figure)))
        .collect();
    let mut table = "<h2>Done a second, part by part</h2>\n".to_owned();
    table += &bars("Done a second, part by part", "/s", &rates);
    table += "<table><tr><th></th><th>done</th><th>seconds</th><th>a second</th><th>p50 ms</th><th>p99 ms</th></tr>\n";
    for phase in &report.phases {
        let latency = |at: fn(&Latency) -> f64| {
            phase.latency_ms.as_ref().map_or(String::new(), |latency| format!("{:.2}", at(latency)))
        };
        let _infallible = writeln!(
            table,
            "<tr><td>{}</td><td class=\"figure\">{}</td><td class=\"figure\">{:.2}</td>\
             <td class=\"figure\">{}</td><td class=\"figure\">{}</td><td class=\"figure\">{}</td></tr>",
            escaped(&phase.name),
            grouped(phase.done),
            phase.seconds,
            phase.per_second.map_or(String::new(), grouped),
            latency(|latency| latency.p50),
            latency(|latency| latency.p99),
        );
    }
    table + "</table>\n"
}

fn latencies(title: &str, latency: &Latency) -> String {
    let Latency { p50, p90, p99, p999, max } = *latency;
    let values = [("p50", p50), ("p90", p90), ("p99", p99), ("p99.9", p999), ("max", max)];
    format!("<h2>{title}</h2>\n{}", bars(title, "ms", &values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timing::Slice;

    #[test]
    fn a_page_needs_nothing_from_elsewhere() {
        let report = Report {
            scenario: "a<b".to_owned(),
            verified: true,
            per_second: Some(1_000_000),
            latency_ms: Some(Latency::default()),
            slices: vec![Slice { done: 100, latency_max: 5 }; 20],
            ..Report::default()
        };
        let page = page(&report);
        assert!(
            page.contains("1,000,000 transfers/s") && page.contains("a&lt;b") && page.contains("<polyline")
        );
        for outside in ["http", "src=", "<script", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn two_reports_share_a_page() {
        let first = Report { scenario: "transfers".to_owned(), per_second: Some(100), ..Report::default() };
        let second = Report { per_second: Some(150), accounts: 7, ..first.clone() };
        let page = both(&first, &second);
        assert!(page.contains("1.50") && page.contains("<td>accounts</td>") && !page.contains("http"));
    }

    #[test]
    fn a_failed_check_shows_no_rate() {
        let report = Report { faults: vec!["account 7 is short".to_owned()], ..Report::default() };
        let page = page(&report);
        assert!(page.contains("account 7 is short") && !page.contains("transfers/s"));
    }
}
