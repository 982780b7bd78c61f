//! `pain.002.001.12`: what became of a file, its blocks and items. A file that was refused is answered by its group
//! alone.

use super::{ReportFault, Tally, Told, group_word, side_by_side};
use crate::desk::Filed;
use crate::iso::print::Print;
use crate::item::{Head, Item, Sum};
use crate::outcome::{Outcome, Word};
use crate::reason::FileFault;
use fen_book::batches::{BatchEntry, BatchState};
use std::io::Write;

/// The message and its version.
pub const NAME: &str = "pain.002.001.12";

/// The longest additional information, in characters.
const WORDS_MAX: usize = 105;

/// About a file that was refused as a whole. `created` is the instant of the answer, in ISO 8601.
///
/// # Errors
/// Where `out` can't be written.
pub fn refused(
    out: impl Write,
    (head, format): (&Head, &str),
    fault: &FileFault,
    created: &str,
) -> std::io::Result<()> {
    let mut print = begin(out, &head.message_id, created)?;
    print.open("OrgnlGrpInfAndSts")?;
    print.text("OrgnlMsgId", if head.message_id.is_empty() { "NOTPROVIDED" } else { &head.message_id })?;
    print.text("OrgnlMsgNmId", format)?;
    print.maybe("OrgnlCreDtTm", &head.created)?;
    if let Some(items) = head.items {
        print.text("OrgnlNbOfTxs", &items.to_string())?;
    }
    if let Some(sum) = head.sum {
        print.text("OrgnlCtrlSum", &sum.to_string())?;
    }
    print.text("GrpSts", "RJCT")?;
    reason(&mut print, fault.reason.code(), &fault.to_string())?;
    print.end()?;
    Ok(())
}

/// About a file in the registry: its group, and with their outcomes all its items.
///
/// # Errors
/// See [`ReportFault`].
pub fn write(out: impl Write, entry: &BatchEntry, filed: &Filed, created: &str) -> Result<(), ReportFault> {
    let is_cancelled = entry.state == BatchState::Cancelled;
    let (head, groups) = tallies(filed, is_cancelled)?;
    let mut whole = Tally::default();
    for tally in &groups {
        for (sum, part) in whole.iter_mut().zip(tally) {
            *sum = (sum.0 + part.0, sum.1.saturating_add(part.1));
        }
    }
    let mut print = begin(out, &entry.file.message_id, created)?;
    print.open("OrgnlGrpInfAndSts")?;
    print.text("OrgnlMsgId", &entry.file.message_id)?;
    print.text("OrgnlMsgNmId", &entry.file.format)?;
    print.maybe("OrgnlCreDtTm", &head.created)?;
    print.text("OrgnlNbOfTxs", &entry.file.items.to_string())?;
    print.text("OrgnlCtrlSum", &Sum(whole.iter().map(|(_, sum)| *sum).sum()).to_string())?;
    print.text("GrpSts", group_word(&whole))?;
    per_status(&mut print, &whole)?;
    print.close()?;
    let mut groups = groups.into_iter();
    let mut is_open = false;
    side_by_side(filed, is_cancelled, |told| {
        match told {
            Told::Block(block) => {
                if std::mem::replace(&mut is_open, true) {
                    print.close()?;
                }
                let tally = groups.next().unwrap_or_default();
                print.open("OrgnlPmtInfAndSts")?;
                print.text("OrgnlPmtInfId", if block.id.is_empty() { "NOTPROVIDED" } else { &block.id })?;
                print.text("OrgnlNbOfTxs", &tally.iter().map(|(count, _)| count).sum::<u64>().to_string())?;
                print.text("PmtInfSts", group_word(&tally))?;
                per_status(&mut print, &tally)?;
            }
            Told::Item(_, item, outcome) => self::item(&mut print, &item, &outcome)?,
        }
        Ok(())
    })?;
    print.end()?;
    Ok(())
}

/// What the file says of itself, and for each block how many items came to what.
fn tallies(filed: &Filed, is_cancelled: bool) -> Result<(Head, Vec<Tally>), ReportFault> {
    let mut groups: Vec<Tally> = Vec::new();
    side_by_side(filed, is_cancelled, |told| {
        match told {
            Told::Block(_) => groups.push(Tally::default()),
            Told::Item(_, item, outcome) => {
                let word = outcome.status.word();
                let place = Word::ALL.iter().position(|known| *known == word).unwrap_or(0);
                let sum = Sum::of(item.amount, item.ledger).unwrap_or_default();
                if let Some((count, total)) = groups.last_mut().and_then(|tally| tally.get_mut(place)) {
                    (*count, *total) = (*count + 1, total.saturating_add(sum.0));
                }
            }
        }
        Ok(())
    })?;
    let head = match filed.source()?.next_piece()? {
        Some(crate::item::Piece::Head(head)) => *head,
        Some(_) | None => Head::default(),
    };
    Ok((head, groups))
}

fn begin<W: Write>(out: W, message_id: &str, created: &str) -> std::io::Result<Print<W>> {
    let mut print = Print::message(out, NAME, "CstmrPmtStsRpt")?;
    print.open("GrpHdr")?;
    let id: String = format!("STS-{message_id}").chars().take(35).collect();
    print.text("MsgId", &id)?;
    print.text("CreDtTm", created)?;
    print.close()?;
    Ok(print)
}

fn per_status<W: Write>(print: &mut Print<W>, tally: &Tally) -> std::io::Result<()> {
    for (word, (count, sum)) in Word::ALL.into_iter().zip(tally).filter(|(_, (count, _))| *count > 0) {
        print.open("NbOfTxsPerSts")?;
        print.text("DtldNbOfTxs", &count.to_string())?;
        print.text("DtldSts", word.code())?;
        print.text("DtldCtrlSum", &Sum(*sum).to_string())?;
        print.close()?;
    }
    Ok(())
}

fn item<W: Write>(print: &mut Print<W>, item: &Item, outcome: &Outcome) -> std::io::Result<()> {
    print.open("TxInfAndSts")?;
    print.maybe("OrgnlInstrId", &item.instruction_id)?;
    print.maybe("OrgnlEndToEndId", &item.end_to_end_id)?;
    print.text("TxSts", outcome.status.word().code())?;
    if let Some(why) = outcome.status.reason() {
        let words = item.fault.as_ref().map_or(outcome.status.name(), |fault| &fault.what);
        reason(print, why.code(), words)?;
    }
    print.open("OrgnlTxRef")?;
    print.open("Amt")?;
    print.amount("InstdAmt", item.amount, item.ledger)?;
    print.close()?;
    print.close()?;
    print.close()
}

fn reason<W: Write>(print: &mut Print<W>, code: &str, words: &str) -> std::io::Result<()> {
    print.open("StsRsnInf")?;
    print.nested(&["Rsn", "Cd"], code)?;
    let words: String = words.chars().take(WORDS_MAX).collect();
    print.maybe("AddtlInf", &words)?;
    print.close()
}
