//! Random commands while the journal's chunks fill up, are forgotten, and are recalled.

use crate::random::{Seed, Story, seeds};
use fen_book::{
    Account, AccountId, Amount, CHUNK_RECORDS, Code, Command, EVENTS_MAX, LedgerCode, Recall, Reply, Stamp,
    Transfer, TransferId,
};

/// A ledger of their own for the transfers that only fill chunks.
const FILLER_LEDGER: u32 = 999;
const FILLER_ACCOUNTS: [u128; 2] = [1 << 90, (1 << 90) + 1];
const FILLER_IDS: u128 = 1 << 100;

fn filler_account(id: u128) -> Account {
    Account {
        id: AccountId::new(id),
        ledger: LedgerCode::new(FILLER_LEDGER),
        code: Code::new(1),
        ..Account::default()
    }
}

/// Fills the open chunk but for `left` records. The model sees the last transfer of each batch only, which is all
/// that its rules about stamps need.
fn fill(story: &mut Story, left: usize) {
    let pair = &mut story.pair;
    let mut room = CHUNK_RECORDS - pair.book.young().open_chunk().records.len();
    while room > left {
        let count = (room - left).min(EVENTS_MAX);
        let next = u128::from(pair.book.young().next_number().get());
        let filler = |index: usize| Transfer {
            id: TransferId::new(FILLER_IDS + next + index as u128),
            debit_account_id: AccountId::new(FILLER_ACCOUNTS[0]),
            credit_account_id: AccountId::new(FILLER_ACCOUNTS[1]),
            amount: Amount::new(1),
            ledger: LedgerCode::new(FILLER_LEDGER),
            code: Code::new(1),
            ..Transfer::default()
        };
        let events: Vec<Transfer> = (0..count).map(filler).collect();
        // Whatever lapses meanwhile lapses before, so that both write it at one moment.
        let stamp = Stamp::new(pair.clock.get() + count as u64);
        pair.tick(count as u64);
        pair.clock = stamp;
        let stamp = Stamp::new(stamp.get() + count as u64);
        let reply = pair.book.apply(&Command::CreateTransfers(&events), stamp, &Recall::nothing());
        assert!(matches!(reply, Reply::Transfers(_)));
        pair.model.apply(&Command::CreateTransfers(&events[count - 1..]), stamp);
        pair.clock = stamp;
        pair.tick(0);
        room = CHUNK_RECORDS - pair.book.young().open_chunk().records.len();
    }
}

#[test]
fn a_forgotten_past_changes_no_answer() {
    let mut sealed = 0;
    for seed in seeds(3) {
        let _named = Seed(seed);
        let mut story = Story::new(seed);
        story.pair.create_accounts(&FILLER_ACCOUNTS.map(filler_account));
        for _ in 0..4 {
            let left = 40 + usize::try_from(story.dice.below(20)).unwrap();
            fill(&mut story, left);
            for _ in 0..60 {
                story.step();
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
