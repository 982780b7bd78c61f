//! What a node tells its watchers: counters and histograms for Prometheus, and whether it is well.
//!
//! Counters are counted where things happen; what a group's state is, such as how far a member lags, is read when
//! somebody asks. One recorder serves the process.

use crate::node::Office;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::fmt::Write as _;
use std::sync::OnceLock;
use tokio::time::Instant;

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Seconds, from a quick write to a stalled disk.
const SECONDS: [f64; 12] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0];

/// Begins to count; once for the process.
pub(crate) fn begin() {
    RECORDER.get_or_init(|| {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .ok()?;
        let handle = builder.install_recorder().ok()?;
        describe();
        Some(handle)
    });
}

fn describe() {
    metrics::describe_counter!("fen_calls_total", "Calls of clients, by call and outcome");
    metrics::describe_histogram!("fen_call_seconds", "From a call's arrival to its answer");
    metrics::describe_histogram!("fen_log_write_seconds", "One durable write of the node's log");
    metrics::describe_histogram!("fen_apply_seconds", "One parcel applied by a group's machine");
    metrics::describe_counter!(
        "fen_connections_refused_total",
        "Connections of peers that were refused or broken off, by reason"
    );
}

/// Counts a call that was answered, by what it was and how it ended.
pub(crate) fn count_call(call: String, begun: Instant, outcome: &'static str) {
    metrics::histogram!("fen_call_seconds", "call" => call.clone()).record(begun.elapsed().as_secs_f64());
    metrics::counter!("fen_calls_total", "call" => call, "outcome" => outcome).increment(1);
}

/// Everything for Prometheus, in its text form.
pub(crate) async fn text(office: &Office) -> String {
    let mut text = of_node(office);
    let crossings = of_crossings(office).await;
    for (name, help, lines) in [
        ("fen_crossings_open", "On the leader: transfers to other shards that are under way or reserved", 0),
        ("fen_in_flight_minor_units", "On the leader: their money, by ledger", 1),
    ]
    .map(|(name, help, place)| (name, help, &crossings[place]))
    {
        if !lines.is_empty() {
            write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{lines}").expect("a string takes it");
        }
    }
    text
}

/// What is on its way from the shards that this node leads: how many transfers, and how much money.
async fn of_crossings(office: &Office) -> [String; 2] {
    let (mut counts, mut sums) = (String::new(), String::new());
    let node = office.node.0;
    for teller in office.router.tellers() {
        let status = teller.group().status();
        if !status.leads {
            continue;
        }
        let of_shard = teller.group().peek(|machine| {
            let crossings = machine.books().crossings();
            (crossings.len(), crossings.in_flight())
        });
        // A shard that has stopped has no figures; its other ones say so.
        let Ok((open, in_flight)) = of_shard.await else { continue };
        let labels = format!("node=\"{node}\",group=\"{}\"", teller.group().id().0);
        writeln!(counts, "fen_crossings_open{{{labels}}} {open}").expect("a string takes it");
        for (ledger, sum) in in_flight {
            writeln!(sums, "fen_in_flight_minor_units{{{labels},ledger=\"{ledger}\"}} {sum}")
                .expect("a string takes it");
        }
    }
    [counts, sums]
}

fn of_node(office: &Office) -> String {
    let mut text = RECORDER.get().and_then(Option::as_ref).map(PrometheusHandle::render).unwrap_or_default();
    let status = office.status();
    let mut gauge = |name: &str, help: &str, values: &mut dyn Iterator<Item = (String, u64)>| {
        let mut lines = String::new();
        for (labels, value) in values {
            writeln!(lines, "{name}{{{labels}}} {value}").expect("a string takes it");
        }
        if !lines.is_empty() {
            write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{lines}").expect("a string takes it");
        }
    };
    let node = status.node;
    let groups = &status.groups;
    let of = |group: u32| format!("node=\"{node}\",group=\"{group}\"");
    gauge(
        "fen_group_leads",
        "1 where this node leads the group",
        &mut groups.iter().map(|group| (of(group.group), u64::from(group.leader == node))),
    );
    gauge(
        "fen_group_has_leader",
        "1 where this node knows a leader of the group",
        &mut groups.iter().map(|group| (of(group.group), u64::from(group.leader != 0))),
    );
    gauge(
        "fen_group_term",
        "The group's term: it rises with every election",
        &mut groups.iter().map(|group| (of(group.group), group.term)),
    );
    gauge(
        "fen_group_last_index",
        "The last entry in this node's log",
        &mut groups.iter().map(|group| (of(group.group), group.last_index)),
    );
    gauge(
        "fen_group_applied_index",
        "The last entry that this node has applied",
        &mut groups.iter().map(|group| (of(group.group), group.applied_index)),
    );
    gauge(
        "fen_group_voters",
        "How many nodes vote",
        &mut groups.iter().map(|group| (of(group.group), group.voters.len() as u64)),
    );
    let lags = groups.iter().flat_map(|group| {
        let label = move |lag: &fen_api::wire::Lag| {
            (format!("{},member=\"{}\"", of(group.group), lag.node), lag.entries)
        };
        group.lags.iter().map(label).collect::<Vec<_>>()
    });
    gauge("fen_member_lag_entries", "On the leader: what a member still lacks", &mut lags.into_iter());
    let tellers = office.router.tellers();
    gauge(
        "fen_shard_waiting_kib",
        "Room that waiting commands take, of 65536",
        &mut tellers.iter().map(|teller| (of(teller.group().id().0), teller.waiting_kib())),
    );
    gauge(
        "fen_shard_waiting_commands",
        "Commands that wait for a parcel, of 1024",
        &mut tellers.iter().map(|teller| (of(teller.group().id().0), teller.waiting_commands())),
    );
    text
}

/// How far behind its own log a shard may be and still count as ready, in entries.
const BEHIND_MAX: u64 = 1_000;

/// Why the node should get no traffic at the moment; nothing where it should.
pub(crate) fn not_ready(office: &Office) -> Vec<String> {
    let status = office.status();
    let mut reasons = Vec::new();
    if !office.router.directory().is_founded() {
        reasons.push("the cluster has not been founded yet: fen cluster init".to_owned());
    }
    for group in &status.groups {
        let name = if group.group == 0 { "directory".to_owned() } else { format!("shard {}", group.group) };
        if group.leader == 0 {
            reasons.push(format!("{name}: nobody leads"));
        }
        let behind = group.last_index.saturating_sub(group.applied_index);
        if behind > BEHIND_MAX {
            reasons.push(format!("{name}: {behind} entries of its log are still to be applied"));
        }
    }
    reasons
}
