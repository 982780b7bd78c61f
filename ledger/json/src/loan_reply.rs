//! What `exec` answers about loans: outcomes, day-ends, and loans with their instalments.

use super::reply::Answer;
use crate::write_text;
use fen_book::Outcome;
use fen_book::loan::day_end::DayEndReply;
use fen_book::loan::money::Parts;
use fen_book::loan::product_status::ProductStatus;
use fen_book::loan::row::Row;
use fen_book::loan::status::LoanStatus;
use fen_book::loan::view::LoanView;
use fen_terms::Day;
use std::fmt::Write as _;

/// Appends formatted text; writing to a string has no way to fail.
macro_rules! put {
    ($out:expr, $($format:tt)*) => { write!($out, $($format)*).expect("writing to a string cannot fail") };
}

impl Answer for Outcome<ProductStatus> {
    fn write(&self, out: &mut String) {
        put!(out, "{{\"timestamp\":{},\"status\":\"{}\"}}", self.timestamp, self.status.name());
    }
}

impl Answer for Outcome<LoanStatus> {
    fn write(&self, out: &mut String) {
        put!(out, "{{\"timestamp\":{},\"status\":\"{}\"}}", self.timestamp, self.status);
    }
}

impl Answer for DayEndReply {
    fn write(&self, out: &mut String) {
        let Outcome { timestamp, status } = self.outcome;
        put!(out, "{{\"timestamp\":{timestamp},\"status\":\"{status}\",\"business_date\":");
        match Day::from_number(self.business_date.get()) {
            Some(day) => write_text(out, &day.to_string()),
            None => out.push_str("null"),
        }
        put!(out, ",\"loans\":{}}}", self.loans);
    }
}

impl Answer for LoanView {
    fn write(&self, out: &mut String) {
        put!(
            out,
            "{{\"id\":\"{}\",\"product_id\":\"{}\",\"product_version\":{},\"account_id\":\"{}\",\"as_of\":\"{}\",\
             \"state\":\"{}\"",
            self.id,
            self.product_id,
            self.product_version,
            self.account_id,
            self.as_of,
            self.state.name()
        );
        let amounts = [
            ("drawn", self.drawn),
            ("overpaid", self.overpaid),
            ("payoff", self.payoff),
            ("accrued", self.accrued),
        ];
        for (name, amount) in amounts {
            put!(out, ",\"{name}\":\"{}\"", amount.get());
        }
        for (name, value) in [
            ("line", self.line.map(|line| line.get().to_string())),
            ("owner", self.owner.map(|owner| owner.to_string())),
        ] {
            match value {
                Some(value) => put!(out, ",\"{name}\":\"{value}\""),
                None => put!(out, ",\"{name}\":null"),
            }
        }
        write_parts(out, "balances", &self.outstanding);
        write_parts(out, "overdue", &self.overdue);
        write_parts(out, "paid", &self.paid);
        put!(
            out,
            ",\"days_past_due\":{},\"class\":\"{}\",\"stage\":{},\"non_accrual\":{}",
            self.standing.days_past_due,
            self.standing.class.name(),
            self.standing.stage,
            self.standing.is_non_accrual
        );
        let facts = &self.facts;
        put!(
            out,
            ",\"decision\":\"{}\",\"model_version\":{},\"score\":{},\"region\":{},\"first_time_borrower\":{},\
             \"collateral\":\"{}\",\"instalments\":[",
            facts.decision,
            facts.model_version,
            facts.score,
            facts.region,
            facts.is_first_time_borrower,
            facts.collateral
        );
        for (row, n) in self.rows.iter().zip(1_u32..) {
            out.push_str(if n > 1 { "," } else { "" });
            write_row(out, n, row);
        }
        out.push_str("]}");
    }
}

fn write_row(out: &mut String, n: u32, row: &Row) {
    put!(out, "{{\"n\":{n},\"kind\":\"{}\",\"due_on\":\"{}\"", row.kind.name(), row.due_on);
    write_parts(out, "due", &row.due);
    write_parts(out, "paid", &row.paid);
    write_parts(out, "paid_early", &row.paid_early);
    write_parts(out, "paid_late", &row.paid_late);
    write_parts(out, "waived", &row.waived);
    write_parts(out, "written_off", &row.written_off);
    put!(out, ",\"subsidised\":\"{}\"", row.subsidised.get());
    write_parts(out, "outstanding", &row.outstanding());
    out.push('}');
}

fn write_parts(out: &mut String, name: &str, parts: &Parts) {
    let Parts { principal, interest, fees, penalties } = parts;
    put!(
        out,
        ",\"{name}\":{{\"principal\":\"{}\",\"interest\":\"{}\",\"fees\":\"{}\",\"penalties\":\"{}\"}}",
        principal.get(),
        interest.get(),
        fees.get(),
        penalties.get()
    );
}
