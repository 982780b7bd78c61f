//! The scenarios that drive a durable ledger in this process.

use super::{Plan, Scenario, conclude, weigh};
use crate::Watch;
use crate::check::Expected;
use crate::drive::{Driven, Load, drive, open_accounts};
use crate::fault::Run;
use crate::measure::{figure, process_cpu, ratio, resident, written_bytes};
use crate::place::Place;
use crate::report::{Report, rate, rounded};
use crate::workload::Workload;
use fen_ledger::Ledger;

const SETTING: &str = "client and ledger in one process; one node, on disk before it is answered";

/// Runs a scenario from an empty directory to the check.
///
/// # Errors
/// A fault of the place or the ledger. Books that do not hold what was acknowledged are in the report.
pub(super) fn run(plan: &Plan, watch: &dyn Watch) -> Run<Report> {
    plan.check()?;
    let place = Place::open(plan.data.as_deref())?;
    let mut report = plan.report(place.path());
    SETTING.clone_into(&mut report.setting);
    let ledger = Ledger::open(place.path())?;
    let workload = plan.workload();

    report.rss_empty_bytes = resident().now;
    open_accounts(&ledger, &workload, watch)?;
    let grown = resident().now.saturating_sub(report.rss_empty_bytes);
    report.rss_bytes_per_account = rounded(ratio(figure(grown), figure(plan.accounts)));

    let warm_up = Load { end: plan.warm_up_batches(), ..measured(plan, &workload) };
    let warm_up = drive(&ledger, &warm_up, watch_step(watch, "warm-up", plan))?;
    let load = Load { end: warm_up.end + plan.batches(), first: warm_up.end, ..measured(plan, &workload) };
    let cpu_before = process_cpu();
    let driven = drive(&ledger, &load, watch_step(watch, plan.scenario.name(), plan))?;
    report.cpu_seconds = (process_cpu().saturating_sub(cpu_before)).as_secs_f64();
    let resident = resident();
    (report.rss_bytes, report.rss_peak_bytes) = (resident.now, resident.peak);
    fill(&mut report, &warm_up, &driven);

    watch.step("check", 1);
    let expected = expected(plan, &warm_up, &driven);
    report.faults = expected.compare(&ledger)?;
    conclude(&mut report);
    drop(ledger);
    let written = written_bytes().map(|bytes| ratio(figure(bytes), figure(expected.created())));
    report.written_bytes_per_record = written.map(rounded);
    weigh(&mut report, place.path(), expected.created());
    Ok(report)
}

fn watch_step<'a>(watch: &'a dyn Watch, name: &'static str, plan: &Plan) -> &'a dyn Watch {
    watch.step(name, plan.transfers);
    watch
}

pub(super) fn measured<'a>(plan: &Plan, workload: &'a Workload) -> Load<'a> {
    Load {
        stream: workload,
        clients: plan.clients,
        under_way: plan.under_way,
        first: 0,
        end: 0,
        rate: plan.rate,
        seconds_max: plan.seconds_max,
        stop: None,
        reads: plan.scenario == Scenario::Mixed,
    }
}

pub(super) fn fill(report: &mut Report, warm_up: &Driven, driven: &Driven) {
    report.warm_up = warm_up.created;
    report.done = driven.created;
    report.seconds = driven.taken.as_secs_f64();
    report.per_second = rate(driven.created, driven.taken);
    report.latency_ms = Some(driven.timing.latency());
    report.reads = driven.reads.count();
    report.read_latency_ms = (report.reads > 0).then(|| driven.reads.latency());
    report.cpu_client_seconds = driven.client_cpu.as_secs_f64();
    report.refused = driven.answers.refused();
    report.per_second_series = driven.timing.per_second();
    report.slices = driven.timing.slices().to_vec();
}

/// What the books must hold, by the answers.
pub(super) fn expected(plan: &Plan, warm_up: &Driven, driven: &Driven) -> Expected {
    let mut expected = Expected::new(plan.workload());
    for batch in 0..warm_up.end {
        expected.add(batch, &warm_up.answers);
    }
    for batch in warm_up.end..driven.end {
        expected.add(batch, &driven.answers);
    }
    expected
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unwatched;

    #[test]
    fn small_runs_are_verified() {
        for (scenario, clients) in [(Scenario::Transfers, 2), (Scenario::Singles, 8), (Scenario::Mixed, 2)] {
            let place = tempfile::Builder::new().prefix("fen-bench-").tempdir_in(".").unwrap();
            let plan = Plan {
                accounts: 1_000,
                transfers: if scenario == Scenario::Singles { 200 } else { 100_000 },
                clients,
                data: Some(place.path().to_owned()),
                ..Plan::of(scenario)
            };
            let report = run(&plan, &Unwatched).unwrap();
            assert_eq!(report.faults, Vec::<String>::new());
            assert!(report.verified && report.done > 0 && report.disk_bytes > 0);
            assert_eq!(report.per_second.is_none(), cfg!(debug_assertions), "a debug build has no rate");
            assert_eq!(report.refused.is_empty(), scenario != Scenario::Mixed);
            assert_eq!(report.reads > 0, scenario == Scenario::Mixed);
        }
    }
}
