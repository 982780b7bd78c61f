//! `fen proof check`: what a file proves, with nothing but a public key.

use crate::exit::{Exit, Failure, say};
use crate::print::{self, count};
use clap::Args;
use fen_json::reply::Answer as _;
use fen_ledger::Transfer;
use fen_proof::{Checked, Digest, PublicKey, RECORD_BYTES, check};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use zerocopy::FromBytes as _;

/// Checks a digest or a proof; needs no ledger.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  fen proof check 4711.tlog-proof --key retail.key.pub
  fen proof check 4711.tlog-proof --key retail.key.pub --digest 2026-03-02.digest

A proof is as good as the digest in it: compare that with the one that was published, or let --digest do it.
Exits 0 where the file proves what is printed, 1 where it proves nothing, with the reason.")]
pub(super) struct Arguments {
    /// The digest or proof.
    file: PathBuf,
    /// The public key: its file, or the key itself.
    #[arg(long, value_name = "FILE or KEY")]
    key: String,
    /// A digest that you hold: the proof must be about this one (a consistency proof must begin or end with it).
    #[arg(long, value_name = "FILE")]
    digest: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    let key = public_key(&arguments.key)?;
    let text = super::read(&arguments.file)?;
    let refused = |path: &Path, what: String| Failure::refused(format!("{}: {what}", path.display()));
    let checked = check(&text, &key).map_err(|fault| refused(&arguments.file, fault.to_string()))?;
    if let Some(path) = &arguments.digest {
        let held =
            Digest::open(&super::read(path)?, &key).map_err(|fault| refused(path, fault.to_string()))?;
        let is_held = |digest: &Digest| digest.head == held.head && digest.origin == held.origin;
        let is_about = match &checked {
            Checked::Digest(digest) | Checked::Inclusion { digest, .. } => is_held(digest),
            Checked::Consistency { older, newer } => is_held(older) || is_held(newer),
        };
        if !is_about {
            let what = format!("it is not about the digest in {}", path.display());
            return Err(refused(&arguments.file, what));
        }
    }
    if json {
        super::say_json(&checked_json(&checked))?;
    } else {
        say(&words(&checked))?;
    }
    Ok(Exit::Done)
}

fn public_key(text: &str) -> Result<PublicKey, Failure> {
    let path = Path::new(text);
    let written = if path.exists() || !text.contains('+') { super::read(path)? } else { text.to_owned() };
    PublicKey::parse(&written).map_err(|fault| Failure::usage(format!("--key: {fault}")))
}

pub(super) fn digest_json(digest: &Digest) -> Value {
    let hex = digest.books.map(|books| print::hex(&books));
    let totals = digest.totals.iter().map(|line| {
        json!({
            "ledger": line.ledger, "accounts": line.accounts,
            "debits_posted": line.debits_posted.to_string(), "credits_posted": line.credits_posted.to_string(),
            "debits_pending": line.debits_pending.to_string(), "credits_pending": line.credits_pending.to_string(),
        })
    });
    json!({
        "origin": digest.origin, "records": digest.head.size, "root": digest.head.root.to_string(),
        "identity": format!("{:016x}", digest.identity), "date": digest.date, "clock": digest.clock,
        "books": hex, "totals": totals.collect::<Vec<_>>(),
    })
}

fn transfer_of(record: &[u8; RECORD_BYTES]) -> Transfer {
    Transfer::read_from_bytes(record).expect("a record has the size of a transfer")
}

fn checked_json(checked: &Checked) -> Value {
    match checked {
        Checked::Digest(digest) => json!({ "proves": "digest", "digest": digest_json(digest) }),
        Checked::Inclusion { record, index, digest } => {
            let mut text = String::new();
            transfer_of(record).write(&mut text);
            let transfer: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
            json!({ "proves": "inclusion", "record": index, "transfer": transfer, "digest": digest_json(digest) })
        }
        Checked::Consistency { older, newer } => {
            json!({ "proves": "consistency", "older": digest_json(older), "newer": digest_json(newer) })
        }
    }
}

fn about(digest: &Digest) -> String {
    let date = digest.date.as_deref().map_or(String::new(), |date| format!(", business date {date}"));
    let records = print::plural(digest.head.size, "record", "records");
    format!("{} {records} of {}{date}", count(digest.head.size), digest.origin)
}

fn words(checked: &Checked) -> String {
    match checked {
        Checked::Digest(digest) => format!("The key signed this digest.\n\n{}", digest.to_text()),
        Checked::Inclusion { record, index, digest } => {
            let transfer = transfer_of(record);
            format!(
                "This transfer is record {index} in the history that was signed: the first {}.\n\n\
                 transfer {}\n  debit  {}\n  credit {}\n  amount {} {}\n  code   {}\n  stamp  {}\n",
                about(digest),
                transfer.id,
                transfer.debit_account_id,
                transfer.credit_account_id,
                print::unsigned_money(transfer.ledger.get(), transfer.amount.get()),
                print::currency(transfer.ledger.get()),
                transfer.code.get(),
                transfer.timestamp,
            )
        }
        Checked::Consistency { older, newer } => format!(
            "Nothing was changed or removed between the two digests: the first {}\nbegin with the first {}.\n",
            about(newer),
            about(older)
        ),
    }
}
