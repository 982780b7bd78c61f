//! Repayments that an account can't pay in full: what is there is taken, if the rules ask for it and the
//! loan's product allows it, and the rest is asked for
//! again on later days.
//!
//! **Invariants.** Each attempt has an id that follows from the item's, the day and its number, so that a run that is
//! stopped and begun again finds what its attempts took by asking the loan.

use crate::books::{Books, Work};
use crate::ids::Names;
use crate::outcome::{Outcome, Status, Word};
use crate::run::{Asked, Run, RunFault};
use fen_book::Stamp;
use fen_book::loan::status::LoanStatus;
use fen_terms::Day;

/// Attempts to take what is there, where others take from the account at the same moment.
const ATTEMPTS_MAX: u32 = 3;

/// Whether there was not enough money. A burnt id is one that was short when it was first asked.
pub(crate) fn is_short(status: Status) -> bool {
    [LoanStatus::ExceedsCredits, LoanStatus::IdAlreadyFailed]
        .iter()
        .any(|short| status == Status::Loan(short.number()))
}

impl<B: Books + ?Sized> Run<'_, B> {
    /// Takes what is there of a repayment that was short, under an id of the day's own; what such an id took before,
    /// the loan tells.
    pub(crate) fn collect(&mut self, asked: &Asked) -> Result<Outcome, RunFault> {
        let rule = self.job.rules.collect;
        let (item, today) = (&asked.item, self.planner.today);
        let begun = self.begun(item.on).min(today);
        let last = begun.plus_days(i64::from(rule.retry_days)).unwrap_or(today);
        // A run that comes too late for its last day asks once more; one of a file that has ended only gathers.
        let is_ended = self.has_ended();
        let end = if is_ended { last.min(today) } else { today };
        let mut ids = Vec::new();
        let mut day = Some(begun);
        while let Some(on) = day {
            if on <= last || on == today {
                ids.extend(
                    (0..ATTEMPTS_MAX)
                        .map(|attempt| (on, Names::further(asked.id, &format!("{on} {attempt}")))),
                );
            }
            day = if on < last { on.plus_days(1) } else { Some(today) };
            day = day.filter(|next| *next > on && *next <= end);
        }
        let events: Vec<u128> = ids.iter().map(|(_, id)| *id).collect();
        let collected = self.books.collected(item.loan_id, &events)?;
        let partly = rule.partly && !collected.is_in_full_only;
        let taken = collected.amounts;
        let mut moved: u128 = taken.iter().flatten().sum();
        let mut stamp = asked.before.stamp;
        for ((on, id), taken) in ids.into_iter().zip(taken) {
            if on < today || taken.is_some() || moved >= item.amount || is_ended {
                continue;
            }
            match self.attempt(asked, id, item.amount - moved, partly)? {
                Attempt::Nothing => break,
                Attempt::Again => {}
                Attempt::Took(amount, at) => (moved, stamp) = (moved + amount, at),
                Attempt::Refused(status) => {
                    let status = if moved > 0 { Status::Partly } else { status };
                    return Ok(Outcome { status, stamp, moved });
                }
            }
        }
        let status = if moved >= item.amount {
            Status::Loan(LoanStatus::Created.number())
        } else if today < last && !is_ended {
            let tomorrow = today.plus_days(1).unwrap_or(today);
            self.later = Some(self.later.map_or(tomorrow, |later| later.min(tomorrow)));
            Status::Short
        } else if moved > 0 {
            Status::Partly
        } else {
            Status::Loan(LoanStatus::ExceedsCredits.number())
        };
        Ok(Outcome { status, stamp, moved })
    }

    /// The first day on which an item of this day was asked for.
    fn begun(&self, on: Option<Day>) -> Day {
        let entry = self.job.entry;
        let first_on = Day::from_number(entry.file.first_on.get()).filter(|_| entry.file.first_on.get() != 0);
        let first = first_on.unwrap_or_else(|| day_of(entry.submitted_at));
        on.map_or(first, |on| on.max(first))
    }

    /// Asks for what is missing, or for what is there.
    fn attempt(&mut self, asked: &Asked, id: u128, missing: u128, partly: bool) -> Result<Attempt, RunFault> {
        let there = self.books.available(asked.item.debit, asked.item.loan_id)?.unwrap_or(missing);
        let amount = if there >= missing || partly { missing.min(there) } else { 0 };
        if amount == 0 {
            return Ok(Attempt::Nothing);
        }
        let order = self.planner.order(&asked.item, id, amount);
        let outcomes = self.books.send(Vec::new(), Work::Orders(vec![order]))?()?;
        let outcome = outcomes.first().expect("every event of a command has its answer");
        let status = outcome.status;
        Ok(if status.word() == Word::Settled {
            Attempt::Took(amount, outcome.timestamp)
        } else if is_short(status) {
            Attempt::Again
        } else {
            Attempt::Refused(status)
        })
    }
}

/// What an attempt came to.
enum Attempt {
    /// There is nothing to take.
    Nothing,
    /// Somebody else was faster.
    Again,
    /// So much, when.
    Took(u128, Stamp),
    /// The loan takes none.
    Refused(Status),
}

/// The day of an instant, in Greenwich.
fn day_of(stamp: Stamp) -> Day {
    let days = stamp.get() / (fen_book::quantity::NANOSECONDS_PER_SECOND * 86_400);
    i32::try_from(days).ok().and_then(Day::from_number).unwrap_or(Day::MIN)
}
