//! A command's events in order: their stamps, the rules that hold for a batch as a whole, and linked chains.
//!
//! All commands that create something share one way, [`run`]; what differs between them is a [`Batch`].

mod accounts;
mod envelope;
mod openings;
mod transfers;

use crate::book::Book;
use crate::command::Outcome;
use crate::plan::refuse;
use crate::quantity::Stamp;
use crate::recall::Recall;
use crate::view::{Overlay, View};

pub(crate) use accounts::AccountBatch;
pub(crate) use openings::OpeningBatch;
pub(crate) use transfers::{PostingBatch, ReceiptBatch, TransferBatch};

/// The stamps of a batch whose last bears `last`.
#[derive(Clone, Copy)]
pub(crate) struct Stamps {
    first: u64,
    each: u64,
    pub(crate) last: Stamp,
}

impl Stamps {
    fn of(count: usize, each: u64, last: Stamp) -> Self {
        let taken = u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(each);
        Self { first: last.get().saturating_sub(taken).saturating_add(1), each, last }
    }

    /// The first stamp of event `index`.
    #[inline]
    pub(crate) fn at(self, index: usize) -> Stamp {
        let before = u64::try_from(index).unwrap_or(u64::MAX).saturating_mul(self.each);
        Stamp::new(self.first.saturating_add(before))
    }
}

/// Where an event stands.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) index: usize,
    pub(crate) stamps: Stamps,
    /// The stamp of the first member of its chain; zero where it is the first, or alone.
    pub(crate) chain: Stamp,
}

impl Place {
    #[inline]
    pub(crate) fn stamp(self) -> Stamp {
        self.stamps.at(self.index)
    }
}

/// One kind of command: its events, and the moves that each of them makes.
pub(crate) trait Batch {
    type Event;
    type Plan;
    type Status: Copy;
    type Answer;

    /// Stamps that an event takes.
    const STAMPS_EACH: u64 = 1;
    const LINKED_EVENT_FAILED: Self::Status;
    const LINKED_EVENT_CHAIN_OPEN: Self::Status;

    fn is_linked(event: &Self::Event) -> bool;
    /// Reads only; may refuse.
    fn plan(
        view: View<'_>,
        events: &[Self::Event],
        place: Place,
    ) -> Result<Self::Plan, Outcome<Self::Status>>;
    /// Lets later members of a chain see a plan.
    fn preview(overlay: &mut Overlay, book: &Book, plan: &Self::Plan);
    /// When what is planned will have been made.
    fn stamp(plan: &Self::Plan) -> Stamp;
    /// Writes only; cannot refuse.
    fn post(book: &mut Book, plan: &Self::Plan) -> Self::Answer;
    /// Keeps what a refusal leaves behind, if anything.
    fn note_refusal(book: &mut Book, event: &Self::Event, status: Self::Status);
    fn refused(outcome: Outcome<Self::Status>) -> Self::Answer;
    /// Brings near what the next events need, and says how many it looked at.
    fn look_ahead(_book: &Book, events: &[Self::Event]) -> usize {
        events.len()
    }
}

/// Takes a batch's events in order; one answer for each.
pub(crate) fn run<B: Batch>(
    book: &mut Book,
    events: &[B::Event],
    last: Stamp,
    recall: &Recall,
) -> Vec<B::Answer> {
    let stamps = Stamps::of(events.len(), B::STAMPS_EACH, last);
    let mut answers = Vec::with_capacity(events.len());
    let mut seen = 0usize;
    while let Some(event) = events.get(answers.len()) {
        let index = answers.len();
        if index >= seen {
            seen = index.saturating_add(B::look_ahead(book, &events[index..]));
        }
        if B::is_linked(event) {
            run_chain::<B>(book, events, Place { index, stamps, chain: Stamp::ZERO }, recall, &mut answers);
            continue;
        }
        let view = View { book, recall, overlay: None };
        let planned = B::plan(view, events, Place { index, stamps, chain: Stamp::ZERO });
        answers.push(match planned {
            Ok(plan) => B::post(book, &plan),
            Err(refused) => {
                B::note_refusal(book, event, refused.status);
                B::refused(refused)
            }
        });
    }
    answers
}

/// The chain that starts at an event: up to which event it reaches, and whether its last one is missing.
struct Chain {
    end: usize,
    is_open: bool,
}

impl Chain {
    fn at<B: Batch>(events: &[B::Event], start: usize) -> Self {
        let linked = events[start..].iter().take_while(|event| B::is_linked(event)).count();
        let end = start.saturating_add(linked);
        let is_open = end == events.len();
        Self { end: if is_open { end } else { end.saturating_add(1) }, is_open }
    }

    /// Whether this event should have been followed by one more.
    fn is_unended(&self, index: usize) -> bool {
        self.is_open && index.saturating_add(1) == self.end
    }
}

fn run_chain<B: Batch>(
    book: &mut Book,
    events: &[B::Event],
    start: Place,
    recall: &Recall,
    answers: &mut Vec<B::Answer>,
) {
    let chain = Chain::at::<B>(events, start.index);
    match plan_chain::<B>(book, events, start, &chain, recall) {
        Ok(plans) => answers.extend(plans.iter().map(|plan| B::post(book, plan))),
        Err(broken) => {
            B::note_refusal(book, &events[broken.index], broken.refused.status);
            let outcomes = (start.index..chain.end).map(|index| broken.outcome_of::<B>(index, start, &chain));
            answers.extend(outcomes.map(B::refused));
        }
    }
}

/// The member that broke a chain, and what the members before it would have become.
struct Broken<S> {
    index: usize,
    refused: Outcome<S>,
    planned: Vec<Stamp>,
}

impl<S: Copy> Broken<S> {
    /// What member `index` of the chain answers. One that was not refused itself bears the stamp that it would
    /// have had: only an imported one can tell.
    fn outcome_of<B: Batch<Status = S>>(&self, index: usize, start: Place, chain: &Chain) -> Outcome<S> {
        if index == self.index {
            return self.refused;
        }
        let stamp = start.stamps.at(index);
        if chain.is_unended(index) {
            return refuse(B::LINKED_EVENT_CHAIN_OPEN, stamp);
        }
        let planned = self.planned.get(index.saturating_sub(start.index));
        refuse(B::LINKED_EVENT_FAILED, *planned.unwrap_or(&stamp))
    }
}

/// What a chain that is a whole batch would write; nothing where one of its members is refused.
pub(crate) fn plan_whole<B: Batch>(
    book: &Book,
    events: &[B::Event],
    last: Stamp,
    recall: &Recall,
) -> Option<Vec<B::Plan>> {
    let stamps = Stamps::of(events.len(), B::STAMPS_EACH, last);
    let start = Place { index: 0, stamps, chain: Stamp::ZERO };
    let chain = Chain { end: events.len(), is_open: false };
    plan_chain::<B>(book, events, start, &chain, recall).ok()
}

/// Plans all members, each against what the ones before it would do; or says which one breaks the chain, and why.
fn plan_chain<B: Batch>(
    book: &Book,
    events: &[B::Event],
    start: Place,
    chain: &Chain,
    recall: &Recall,
) -> Result<Vec<B::Plan>, Broken<B::Status>> {
    let mut overlay = Overlay::default();
    let mut plans: Vec<B::Plan> = Vec::with_capacity(chain.end.saturating_sub(start.index));
    for index in start.index..chain.end {
        let head = plans.first().map_or(Stamp::ZERO, B::stamp);
        let view = View { book, recall, overlay: Some(&overlay) };
        let planned = if chain.is_unended(index) {
            Err(refuse(B::LINKED_EVENT_CHAIN_OPEN, start.stamps.at(index)))
        } else {
            B::plan(view, events, Place { index, chain: head, ..start })
        };
        match planned {
            Ok(plan) => {
                B::preview(&mut overlay, book, &plan);
                plans.push(plan);
            }
            Err(refused) => {
                return Err(Broken { index, refused, planned: plans.iter().map(B::stamp).collect() });
            }
        }
    }
    Ok(plans)
}
