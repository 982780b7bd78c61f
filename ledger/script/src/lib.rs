//! Golden scripts: the rules of the ledger as stories that a banker can read, with the answers that they must give.
//!
//! The stories are in `scripts/*.fen`. Each is run on every form of the ledger (a [`Subject`]) and must answer the
//! same on all of them, letter for letter; each act ends with an audit that re-adds the books. `cargo xtask bless`
//! writes the answers anew, to be reviewed as one reviews code.
//!
//! ```text
//! day 2026-03-02                                 the clock moves to a day's first moment
//! wait 90s                                       ... or on by a while: d, h, m, s, ns
//! open Customers:Anna CNY                        an account that may not be overdrawn
//!     overdraft=yes | kind=asset  history=yes  closed=yes  code=N  user_data_64=N  at=DAY
//!     limit=50.00  balance=10.00 against=Bank:Cash id=opening
//! limit Customers:Anna 50.00                     how far beyond its flag's rule it may go
//! pay  Bank:Cash -> Customers:Anna 100.00 id=salary
//!     balancing=debit|credit|both  code=N  user_data_64=N  at=DAY (imported)  balances=yes
//! pend Customers:Anna -> Shops:Baker 40.00 id=card-1
//!     timeout=7d|none  closing=debit|credit|both, and the options of `pay`
//! post card-1 25.00                              no amount: all of it
//! void card-1
//! post chain card-1 id=trip; void chain ...     all that was reserved in one chain with it
//! chain ... end                                  what stands between is all or nothing
//! chain open ... end                             ... with its last event linked to nothing
//! batch ... end                                  one command of several events
//! position NAME                                  the balance and its open reservations
//! balance, statement, history NAME               statement and history: debits, credits, reversed, limit=N,
//! query accounts|transfers                           from= to= (a day or a record's name), code=N, user_data_64=N
//! show account|transfer NAME                     its fields
//! account field=value ...                        an event written field by field, in minor units
//! transfer field=value ...
//! again field=value ...                          the last such event, with these fields changed
//! product, disburse, repay, day-end, ...         loans: see the module `loans`
//! ```
//!
//! Stamps are written as a day, as `now`, or as the name of a record, with `+1` or `-1` nanoseconds. Names become
//! ids in the order of their first use. Amounts are in major units with the currency's decimals, or `max`.
//!
//! **Absent on purpose.** Loops, variables, conditions: a script that needs them is a test in Rust.

mod audit;
mod book;
mod events;
mod file;
pub mod golden;
mod loans;
mod look;
mod money;
mod names;
mod raw;
mod run;
mod send;
mod subject;
mod tell;
mod time;
mod words;

pub use book::BookSubject;
pub use run::Run;
pub use subject::Subject;
