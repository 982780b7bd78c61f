//! `fen verify`: re-adds everything and checks every invariant; names each fault.
//!
//! Opening the books already checks every checksum that recovery passes; the audit then reads the whole journal,
//! adds every balance up again and compares, and holds the history against every digest that was signed.

mod cluster;

pub(crate) use cluster::found as found_in_cluster;

use crate::desk::{Books, Place};
use crate::exit::{Exit, Failure, say};
use crate::faults::{broken, open_existing};
use crate::print::{self, Column, count};
use crate::proof::faults_of_kept;
use clap::Args;
use fen_ledger::{Audit, Total};
use serde::Serialize;
use std::path::Path;
use std::time::Instant;

/// Re-adds everything and checks every invariant and checksum; names each fault.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen verify --data ./books
  fen verify --endpoint 127.0.0.1:7001 --certificates fen-dev

Of a cluster every member of every shard adds its books up again, and members that have taken the same commands must
have the same books. Exits 0 when the books are right, 1 when something is found wrong, 3 when they cannot be opened.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    books: Books,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let data = match arguments.books.place() {
        Place::Directory(data) => data,
        Place::Cluster(reach) => return cluster::run(&reach, begun, json),
    };
    let ledger = open_existing(data)?;
    let mut audit = ledger.audit().map_err(|fault| broken(&fault))?;
    audit.faults.extend(faults_of_kept(&ledger, data)?);
    let digest = print::hex(&ledger.digest().map_err(|fault| broken(&fault))?);
    let finding = Finding { audit: &audit, digest: &digest, seconds: begun.elapsed().as_secs_f64() };
    say(&if json { finding.json()? } else { finding.words(data) })?;
    Ok(if finding.is_right() { Exit::Done } else { Exit::Refused })
}

/// What the audit found, on its way to a reader.
pub(crate) struct Finding<'a> {
    /// Found.
    pub(crate) audit: &'a Audit,
    /// Of the whole ledger.
    pub(crate) digest: &'a str,
    /// From opening to the digest.
    pub(crate) seconds: f64,
}

#[derive(Serialize)]
struct FindingJson<'a> {
    verified: bool,
    accounts: u64,
    transfers: u64,
    burned_ids: u64,
    expiries: u64,
    open_pendings: u64,
    ledgers: Vec<LedgerJson>,
    faults: &'a [String],
    digest: &'a str,
    seconds: f64,
}

#[derive(Serialize)]
struct LedgerJson {
    ledger: u32,
    accounts: u64,
    debits_posted: String,
    credits_posted: String,
    debits_pending: String,
    credits_pending: String,
}

impl Finding<'_> {
    /// Whether nothing is wrong.
    pub(crate) fn is_right(&self) -> bool {
        let balanced = |totals: &fen_ledger::LedgerTotals| {
            totals.debits_posted == totals.credits_posted && totals.debits_pending == totals.credits_pending
        };
        self.audit.faults.is_empty() && self.audit.ledgers.values().all(balanced)
    }

    fn json(&self) -> Result<String, Failure> {
        let audit = self.audit;
        let ledgers = audit.ledgers.iter().map(|(ledger, totals)| LedgerJson {
            ledger: *ledger,
            accounts: totals.accounts,
            debits_posted: totals.debits_posted.to_string(),
            credits_posted: totals.credits_posted.to_string(),
            debits_pending: totals.debits_pending.to_string(),
            credits_pending: totals.credits_pending.to_string(),
        });
        let finding = FindingJson {
            verified: self.is_right(),
            accounts: audit.accounts,
            transfers: audit.transfers,
            burned_ids: audit.burned_ids,
            expiries: audit.expiries,
            open_pendings: audit.open_pendings,
            ledgers: ledgers.collect(),
            faults: &audit.faults,
            digest: self.digest,
            seconds: self.seconds,
        };
        let text = serde_json::to_string(&finding);
        text.map(|text| text + "\n")
            .map_err(|error| Failure::refused(format!("the finding is no JSON: {error}")))
    }

    fn words(&self, directory: &Path) -> String {
        let audit = self.audit;
        let mut out = format!(
            "{}: {} accounts, {} transfers, {} open pendings, {} expired, {} burned ids\n\n",
            directory.display(),
            count(audit.accounts),
            count(audit.transfers),
            count(audit.open_pendings),
            count(audit.expiries),
            count(audit.burned_ids),
        );
        out.push_str(&self.trial_balance());
        for fault in &audit.faults {
            out.push_str("fault: ");
            out.push_str(fault);
            out.push('\n');
        }
        out.push_str(if self.is_right() {
            "\nThe books are right: every balance is the sum of its entries, debits equal credits.\n"
        } else {
            "\nTHE BOOKS ARE NOT RIGHT. Keep this directory as it is and restore from a backup or another replica.\n"
        });
        out + &format!("digest {} ({:.1} s)\n", self.digest, self.seconds)
    }

    /// Debits and credits, ledger by ledger.
    pub(crate) fn trial_balance(&self) -> String {
        let columns = [
            Column::Text("ledger"),
            Column::Figure("accounts"),
            Column::Figure("debits posted"),
            Column::Figure("credits posted"),
            Column::Figure("debits reserved"),
            Column::Figure("credits reserved"),
        ];
        let rows = self.audit.ledgers.iter().map(|(ledger, totals)| {
            let money = |total: Total| {
                total.get().map_or_else(|| total.to_string(), |minor| print::unsigned_money(*ledger, minor))
            };
            vec![
                print::currency(*ledger),
                count(totals.accounts),
                money(totals.debits_posted),
                money(totals.credits_posted),
                money(totals.debits_pending),
                money(totals.credits_pending),
            ]
        });
        print::table(&columns, rows)
    }
}
