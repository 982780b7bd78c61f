//! The loan side over all shards: orders go where their loan is, products and closed days go through the directory,
//! so that a shard that is added later gets them too.

use super::submit::joined;
use super::{Call, Gateway, not_founded, unreadable};
use crate::ask::{self, Read};
use crate::directory::{Change, Directory, ProductEntry};
use crate::fault::ServeFault;
use crate::route::{self, Home};
use crate::shard::kind;
use bytes::Bytes;
use fen_api::{records, wire};
use fen_book::loan::command::LoanCommand;
use fen_book::loan::control::{Role, control_account};
use fen_book::loan::order::LoanOrder;
use fen_book::loan::product::Product;
use fen_book::loan::product_status::ProductStatus;
use fen_book::loan::status::LoanStatus;
use fen_book::{AccountId, BusinessDate, TransferId};
use fen_raft::GroupId;
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// What a shard says whose day-end was carried on by somebody else.
const CLOSED_ALREADY: LoanStatus = LoanStatus::DayAlreadyClosed;

impl Gateway {
    /// One loan command, as its packed bytes say.
    pub(super) async fn loans(&self, command: &[u8], call: &Call) -> Result<wire::LoanReply, ServeFault> {
        match LoanCommand::decode(command).map_err(ServeFault::Refused)? {
            LoanCommand::PutProduct(product) => {
                let result = self.put_product(&product, call).await?;
                Ok(wire::LoanReply { results: vec![result], day_end: None })
            }
            LoanCommand::Orders(orders) => {
                let results = self.loan_orders(orders, call).await?;
                Ok(wire::LoanReply { results, day_end: None })
            }
            LoanCommand::DayEnd { through, loans_max } => {
                let day_end = self.day_end_step(through, loans_max, call).await?;
                Ok(wire::LoanReply { results: Vec::new(), day_end: Some(day_end) })
            }
        }
    }

    /// Puts a product on every shard's shelf, by way of the directory.
    pub(super) async fn put_product(
        &self,
        product: &Product,
        call: &Call,
    ) -> Result<wire::Result, ServeFault> {
        let told = |name: &str| wire::Result {
            timestamp: 0,
            status: u32::from(name != ProductStatus::Created.name()),
            name: name.to_owned(),
        };
        if let Some(status) = product.first_contradiction() {
            return Ok(told(status.name()));
        }
        let command = LoanCommand::PutProduct(Box::new(product.clone())).encode();
        let entry =
            ProductEntry { id: product.id.to_string(), ledger: product.ledger.get(), command: hex(&command) };
        let router = &self.office.router;
        let directory = router.directory();
        let is_known = directory.product(product.id) == Some(&entry);
        if let Some(status) = collision(&directory, product) {
            return Ok(told(status.name()));
        }
        if directory.product(product.id).is_none() && self.has_control_account(product, call).await? {
            return Ok(told(ProductStatus::ControlAccountExists.name()));
        }
        router.change(&Change::PutProduct(entry.clone()), call.deadline).await?;
        // Done when it lies on every shelf: from then on a loan of it is taken wherever the borrower is.
        let is_shelved = |directory: &Directory| {
            let place = directory.products.iter().rposition(|product| *product == entry);
            place.is_some_and(|place| directory.shards.iter().all(|shard| shard.shelved > place))
        };
        if !router.directory_becomes(is_shelved, call.deadline).await {
            return Err(ServeFault::Unavailable(
                "the product is kept, and not on every shard's shelf yet: ask again".to_owned(),
            ));
        }
        let status = if is_known { ProductStatus::Exists } else { ProductStatus::Created };
        Ok(told(status.name()))
    }

    /// Whether some shard has an account open under the id of one of the control accounts of a product to be. One that
    /// is opened after this is asked still keeps the product off that shard's shelf, and loan events there are told so.
    async fn has_control_account(&self, product: &Product, call: &Call) -> Result<bool, ServeFault> {
        let ids = Role::ALL.iter().map(|role| control_account(product.id, *role).get());
        let found = self.lookup_accounts(&super::execute::ids(ids), call).await?.found;
        Ok(found.iter().any(|place| place.account.is_some()))
    }

    /// Loan events, each to the shard that has the loan, or is to have it.
    pub(super) async fn loan_orders(
        &self,
        orders: Vec<LoanOrder>,
        call: &Call,
    ) -> Result<Vec<wire::Result>, ServeFault> {
        let directory = self.office.router.directory();
        self.open_first_day(&directory, &orders, call).await?;
        let count = orders.len();
        let groups = match &directory.shards[..] {
            [] => return Err(not_founded()),
            [only] => vec![GroupId(only.group); count],
            _several => self.shards_of(&directory, &orders, call).await?,
        };
        let mut parts: BTreeMap<GroupId, (Vec<usize>, Vec<LoanOrder>)> = BTreeMap::new();
        for ((place, order), group) in orders.into_iter().enumerate().zip(groups) {
            let part = parts.entry(group).or_default();
            part.0.push(place);
            part.1.push(order);
        }
        let asking = parts.into_iter().map(|(group, (places, orders))| async move {
            let body = Bytes::from(LoanCommand::Orders(orders).encode());
            let (answer, _leader) = self.submit_to(group, kind::LOANS, body, call).await?;
            Ok((places, answer))
        });
        let answers: Vec<(Vec<usize>, Bytes)> =
            join_all(asking).await.into_iter().collect::<Result<_, ServeFault>>()?;
        joined(count, &answers, |part: wire::LoanReply| part.results)
    }

    /// All shards share one business date from the first loan on: the day that it counts from.
    async fn open_first_day(
        &self,
        directory: &Directory,
        orders: &[LoanOrder],
        call: &Call,
    ) -> Result<(), ServeFault> {
        let first = orders.iter().find(|order| order.effective_on != BusinessDate::default());
        let (Some(first), None, true) = (first, directory.closed_through, directory.shards.len() > 1) else {
            return Ok(());
        };
        let Some(eve) = first.effective_on.get().checked_sub(1) else { return Ok(()) };
        self.day_end(BusinessDate::new(eve), call).await.map(|_| ())
    }

    /// Where each order goes: to the loan, if there is one; else to the borrower; a waiver or a reversal to its event.
    async fn shards_of(
        &self,
        directory: &Directory,
        orders: &[LoanOrder],
        call: &Call,
    ) -> Result<Vec<GroupId>, ServeFault> {
        let first = directory.shards.first().map(|shard| GroupId(shard.group)).ok_or_else(not_founded)?;
        let ids = |ids: BTreeSet<u128>| wire::Ids {
            ids: ids.into_iter().map(|id| records::halves(id).unwrap_or_default()).collect(),
        };
        let of_leaders = call.of_leaders();
        let loans: BTreeSet<u128> =
            orders.iter().map(|order| order.loan_id).filter(|loan| *loan != 0).collect();
        let mut loan_homes: BTreeMap<u128, GroupId> = BTreeMap::new();
        for (group, answer) in self.ask_all(&Read::LoansHere(ids(loans)), &of_leaders).await? {
            let here: wire::Ids = ask::read(answer).map_err(ServeFault::Unavailable)?;
            loan_homes.extend(here.ids.into_iter().map(|id| (records::wide(Some(id)), group)));
        }
        let events: BTreeSet<u128> =
            orders.iter().filter(|order| order.loan_id == 0).filter_map(|order| order.act.event()).collect();
        let asked: Vec<TransferId> = events.iter().copied().map(TransferId::new).collect();
        let event_homes =
            if asked.is_empty() { BTreeMap::new() } else { self.find_pendings(&asked, call).await? };
        let home = |order: &LoanOrder| {
            let of_loan = loan_homes.get(&order.loan_id).copied();
            let of_event =
                || order.act.event().and_then(|event| event_homes.get(&TransferId::new(event)).copied());
            let of_borrower = || match route::home(order.act.account().unwrap_or(AccountId::ZERO)) {
                Home::Slot(slot) => directory.shard_of(slot),
                Home::Everywhere | Home::Inherited => None,
            };
            of_loan.or_else(of_event).or_else(of_borrower).unwrap_or(first)
        };
        Ok(orders.iter().map(home).collect())
    }

    /// A chunk of the way to the end of a day, on every shard that is not there yet.
    pub(super) async fn day_end_step(
        &self,
        through: BusinessDate,
        loans_max: u32,
        call: &Call,
    ) -> Result<wire::DayEnd, ServeFault> {
        let directory = self.office.router.directory();
        if !directory.is_founded() {
            return Err(not_founded());
        }
        let is_new = directory.closed_through.is_none_or(|closed| closed < through.get());
        if is_new {
            self.office.router.change(&Change::CloseDay { through: through.get() }, call.deadline).await?;
        }
        let body = Bytes::from(LoanCommand::DayEnd { through, loans_max }.encode());
        let asking = directory.shards.iter().map(|shard| {
            let body = body.clone();
            async move {
                let (answer, _leader) = self.submit_to(GroupId(shard.group), kind::LOANS, body, call).await?;
                let reply: wire::LoanReply = ask::read(answer).map_err(ServeFault::Unavailable)?;
                reply.day_end.ok_or_else(unreadable)
            }
        });
        let steps: Vec<wire::DayEnd> =
            join_all(asking).await.into_iter().collect::<Result<_, ServeFault>>()?;
        let is_created = |step: &&wire::DayEnd| step.result.as_ref().is_some_and(|told| told.status == 0);
        // A shard that was there before the others is no reason to say that the day was closed already.
        let told = steps.iter().find(is_created).or(steps.first()).ok_or_else(unreadable)?;
        let mut result = told.result.clone();
        if let Some(told) = result.as_mut().filter(|told| is_new && told.name == CLOSED_ALREADY.name()) {
            // The day is closed by this very call: others may have helped.
            told.status = u32::from(LoanStatus::Created.number());
            LoanStatus::Created.name().clone_into(&mut told.name);
        }
        Ok(wire::DayEnd {
            result,
            business_date: steps.iter().map(|step| step.business_date).min().unwrap_or_default(),
            loans: steps.iter().map(|step| step.loans).sum(),
            is_done: steps.iter().all(|step| step.is_done),
        })
    }

    /// The end of a day on every shard, chunk after chunk until it is closed or refused.
    pub(super) async fn day_end(
        &self,
        through: BusinessDate,
        call: &Call,
    ) -> Result<wire::DayEnd, ServeFault> {
        let mut first: Option<wire::Result> = None;
        let mut loans = 0;
        loop {
            let step = self.day_end_step(through, 0, call).await?;
            loans += step.loans;
            first = first.or(step.result.clone());
            if step.is_done {
                // The last chunk's stamp, with the first one's word: a chunk may find all closed by others.
                let last = step.result.unwrap_or_default();
                let result = first.map(|first| wire::Result { timestamp: last.timestamp, ..first });
                return Ok(wire::DayEnd { result, loans, ..step });
            }
        }
    }
}

/// What a shard would refuse about a product beside what it says itself.
fn collision(directory: &Directory, product: &Product) -> Option<ProductStatus> {
    use fen_book::loan::control::product_bits;
    let known = directory.product(product.id);
    if known.is_some_and(|known| known.ledger != product.ledger.get()) {
        return Some(ProductStatus::LedgerMustNotChange);
    }
    let has_its_accounts = |other: &ProductEntry| {
        let id = other.id.parse::<u128>().ok();
        id.is_some_and(|id| id != product.id && product_bits(id) == product_bits(product.id))
    };
    directory.products.iter().any(has_its_accounts).then_some(ProductStatus::IdCollides)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}
