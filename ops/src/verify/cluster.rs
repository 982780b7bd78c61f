//! `fen verify --endpoint`: what all members of a cluster found, as one finding.

use super::Finding;
use crate::exit::{Exit, Failure, say};
use crate::print;
use crate::reach::{Reach, failure, wait};
use fen_api::{Client, wire};
use fen_ledger::{Audit, LedgerTotals, Total};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a cluster may take to add its books up.
const PATIENCE: Duration = Duration::from_mins(2);

/// Runs the command.
pub(super) fn run(reach: &Reach, begun: Instant, json: bool) -> Result<Exit, Failure> {
    let bar = crate::progress::items("loans", 0);
    let looked_at = |loans| bar.inc(loans);
    let reply = wait(async { reach.patient_client(PATIENCE)?.verify(&looked_at).await.map_err(failure) });
    bar.finish_and_clear();
    let reply = reply?;
    let (audit, digest) = joined(&reply)?;
    let finding = Finding { audit: &audit, digest: &digest, seconds: begun.elapsed().as_secs_f64() };
    say(&if json { finding.json()? } else { finding.words(Path::new("the cluster")) })?;
    if !json && finding.is_right() && reply.crossed > 0 {
        say(&format!("{} transfers between shards, each settled once\n", print::count(reply.crossed)))?;
    }
    Ok(if finding.is_right() { Exit::Done } else { Exit::Refused })
}

/// What a cluster's members found, as one finding, and the digests of its shards.
pub(crate) async fn found(client: &Client) -> Result<(Audit, String), Failure> {
    joined(&client.verify(&|_loans| ()).await.map_err(failure)?)
}

/// One member's figures for each shard, all members' faults.
fn joined(reply: &wire::VerifyReply) -> Result<(Audit, String), Failure> {
    let garbled = || Failure::unreachable("the cluster's answer cannot be read");
    let mut audit = Audit { faults: reply.faults.clone(), ..Audit::default() };
    let mut digests = Vec::new();
    let mut counted = BTreeSet::new();
    for member in &reply.members {
        let words = |fault: &String| format!("shard {}, node {}: {fault}", member.group, member.node);
        audit.faults.extend(member.faults.iter().map(words));
        if !counted.insert(member.group) {
            continue;
        }
        digests.push(print::hex(&member.digest));
        audit.accounts += member.accounts;
        audit.transfers += member.transfers;
        audit.burned_ids += member.burned_ids;
        audit.expiries += member.expiries;
        audit.open_pendings += member.open_pendings;
        for totals in &member.ledgers {
            let of_ledger = audit.ledgers.entry(totals.ledger).or_default();
            add(of_ledger, totals).ok_or_else(garbled)?;
        }
    }
    if counted.is_empty() {
        audit.faults.push("no member of any shard has answered".to_owned());
    }
    Ok((audit, digests.join(" ")))
}

fn add(sum: &mut LedgerTotals, part: &wire::LedgerTotals) -> Option<()> {
    let total = |text: &str| text.parse::<Total>().ok();
    sum.accounts += part.accounts;
    sum.debits_posted.include(total(&part.debits_posted)?);
    sum.credits_posted.include(total(&part.credits_posted)?);
    sum.debits_pending.include(total(&part.debits_pending)?);
    sum.credits_pending.include(total(&part.credits_pending)?);
    Some(())
}
