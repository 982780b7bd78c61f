//! The scenarios of transfers: large batches, single ones, and reservations with reads beside them.

use super::{Plan, Scenario, conclude, kill, weigh};
use crate::Watch;
use crate::check::Expected;
use crate::clients;
use crate::drive::{Driven, Load, drive, open_accounts};
use crate::fault::Run;
use crate::measure::{figure, loopback_bytes, process_cpu, ratio};
use crate::report::{Report, rate, rounded};
use crate::site::{Host, Site};
use crate::workload::Workload;

/// Runs a scenario from empty books to the check.
///
/// # Errors
/// A fault of the place, the ledger or the cluster. Books that do not hold what was acknowledged are in the report.
pub(super) fn run(plan: &Plan, host: Host<'_>, watch: &dyn Watch) -> Run<Report> {
    plan.check()?;
    let site = Site::open(plan, host)?;
    site.check_unused(plan)?;
    let mut report = site.report(plan)?;
    let workload = plan.workload();

    report.rss_empty_bytes = site.usage().resident;
    open_accounts(site.books(), &workload, watch)?;
    if site.place().is_some() {
        let grown = site.usage().resident.saturating_sub(report.rss_empty_bytes);
        let records = figure(plan.accounts) * f64::from(plan.replicas);
        report.rss_bytes_per_account = rounded(ratio(figure(grown), records));
    }
    let warm_up = Load { end: plan.warm_up_batches(), ..load(plan, &workload) };
    watch.step("warm-up", plan.transfers / 10);
    let warm_up = drive(site.books(), &warm_up, watch)?;
    let first = warm_up.batches().count() as u64;
    let load = Load { first, end: first + plan.batches(), ..load(plan, &workload) };

    watch.step(plan.scenario.name(), plan.transfers);
    let (before, client_before, sent_before) = (site.usage(), process_cpu(), loopback_bytes());
    let driven = match (&site, plan.scenario) {
        (Site::Nodes { processes, cluster, .. }, Scenario::Failover | Scenario::Restart) => {
            let mut processes = processes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            kill::in_mid_load(plan, &mut processes, cluster, &load, &mut report, watch)?
        }
        (site, _) if plan.processes > 1 => {
            clients::drive(host.program, site, plan.processes, &load, &workload, watch)?
        }
        (site, _) => drive(site.books(), &load, watch)?,
    };
    let used = site.usage();
    fill(&mut report, &warm_up, &driven);
    let ours = process_cpu().saturating_sub(client_before);
    report.cpu_seconds = used.cpu.saturating_sub(before.cpu).as_secs_f64();
    if site.is_apart() {
        let clients = if plan.processes > 1 { ours + driven.client_cpu } else { ours };
        report.cpu_client_seconds = clients.as_secs_f64();
        report.cpu_seconds += report.cpu_client_seconds;
        let sent = loopback_bytes().zip(sent_before).map(|(after, before)| after.saturating_sub(before));
        report.network_bytes_per_record =
            sent.map(|sent| rounded(ratio(figure(sent), figure(driven.created))));
    }
    (report.rss_bytes, report.rss_peak_bytes) = (used.resident, used.resident_peak);

    watch.step("check", 1);
    let expected = expected(&workload, &[&warm_up, &driven]);
    report.faults = expected.compare(site.books())?;
    conclude(&mut report);
    weigh(&mut report, site, expected.created());
    Ok(report)
}

fn load<'a>(plan: &Plan, workload: &'a Workload) -> Load<'a> {
    Load {
        stream: workload,
        clients: plan.clients,
        under_way: plan.under_way,
        first: 0,
        end: 0,
        stride: 1,
        rate: plan.rate,
        seconds_max: plan.seconds_max,
        stop: None,
        reads: plan.scenario == Scenario::Mixed,
    }
}

fn fill(report: &mut Report, warm_up: &Driven, driven: &Driven) {
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
fn expected(workload: &Workload, runs: &[&Driven]) -> Expected {
    let mut expected = Expected::new(*workload);
    for driven in runs {
        for batch in driven.batches() {
            expected.add(batch, &driven.answers);
        }
    }
    expected
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unwatched;
    use std::path::Path;

    #[test]
    fn small_runs_are_verified() {
        for (scenario, clients) in [(Scenario::Transfers, 2), (Scenario::Singles, 8), (Scenario::Mixed, 2)] {
            let place = tempfile::Builder::new().prefix("fen-bench-").tempdir_in(".").unwrap();
            let plan = Plan {
                accounts: 1_000,
                transfers: if scenario == Scenario::Singles { 200 } else { 100_000 },
                clients,
                refused_percent: if scenario == Scenario::Transfers { 3 } else { 0 },
                data: Some(place.path().to_owned()),
                ..Plan::of(scenario)
            };
            let host = Host { program: Path::new("fen"), elsewhere: None };
            let report = run(&plan, host, &Unwatched).unwrap();
            assert_eq!(report.faults, Vec::<String>::new());
            assert!(report.verified && report.done > 0 && report.disk_bytes > 0);
            assert_eq!(report.per_second.is_none(), cfg!(debug_assertions), "a debug build has no rate");
            assert_eq!(report.refused.is_empty(), scenario == Scenario::Singles);
            assert_eq!(report.reads > 0, scenario == Scenario::Mixed);
        }
    }
}
