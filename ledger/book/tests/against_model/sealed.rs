//! Random commands while the journal's chunks fill up, are forgotten, and are recalled.

use crate::random::{Seed, Story, seeds};
use fen_book::{
    AccountId, CHUNK_RECORDS, Code, Command, CreateTransferStatus, EVENTS_MAX, LedgerCode, Outcome, Reply,
    Stamp, Transfer, TransferId,
};

/// An account that there never is: what it is asked to pay burns an id, which takes a place in the journal.
const NOBODY: AccountId = AccountId::new(1 << 90);
const FILLER_IDS: u128 = 1 << 100;

/// Fills the open chunk but for `left` records, with ids that the model need not know of.
fn fill(story: &mut Story, left: usize) {
    let pair = &mut story.pair;
    let in_chunk = pair.book.young().open_chunk().records.len();
    let mut missing = (CHUNK_RECORDS - left).saturating_sub(in_chunk);
    while missing > 0 {
        let count = missing.min(EVENTS_MAX);
        missing -= count;
        let next = u128::from(pair.book.young().next_number().get());
        let filler = |index: usize| Transfer {
            id: TransferId::new(FILLER_IDS + next + index as u128),
            debit_account_id: NOBODY,
            credit_account_id: AccountId::new(1),
            ledger: LedgerCode::new(156),
            code: Code::new(1),
            ..Transfer::default()
        };
        let events: Vec<Transfer> = (0..count).map(filler).collect();
        pair.tick(0);
        let stamp = Stamp::new(pair.clock.get() + count as u64);
        let command = Command::CreateTransfers(&events);
        let reply = pair.book.apply(&command, stamp, &pair.sealed.recall(&command));
        let Reply::Transfers(outcomes) = &reply else { panic!("transfers were asked for") };
        let is_burned = |outcome: &Outcome<_>| outcome.status == CreateTransferStatus::DebitAccountNotFound;
        assert!(outcomes.iter().all(is_burned));
        pair.disk.note(&command, stamp, &reply);
        pair.clock = stamp;
        pair.tick(0);
    }
}

#[test]
fn a_forgotten_past_changes_no_answer() {
    let mut sealed = 0;
    for seed in seeds(3) {
        let _named = Seed(seed);
        let mut story = Story::new(seed);
        for _ in 0..4 {
            let left = 40 + usize::try_from(story.dice.below(20)).unwrap();
            fill(&mut story, left);
            for _ in 0..60 {
                story.step();
                story.misfortune(50);
                if story.dice.once_in(30) {
                    story.pair.seal_oldest();
                }
            }
            story.look_around();
            if story.dice.once_in(2) {
                story.pair.seal_oldest();
            }
        }
        sealed += story.pair.sealed.chunks.len();
    }
    assert!(sealed > 0, "a test of the forgotten past must forget something");
}
