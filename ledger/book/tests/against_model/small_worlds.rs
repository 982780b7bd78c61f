//! Every short sequence of commands from a small alphabet, each in a world of its own: three accounts (limited on
//! either side, or not), amounts of nothing, one and all there is.
//!
//! All worlds live in one book, on ids of their own; each has a new model. So the book must also keep them apart.

use fen_book::{
    Account, AccountFlags, AccountId, Amount, Book, Code, Command, LedgerCode, Recall, Stamp, TimeoutSeconds,
    Transfer, TransferFlags, TransferId,
};
use fen_model::Model;

/// What can happen. Accounts are 0 (may not be overdrawn), 1 (no limit), 2 (may not be overpaid); a pending
/// transfer is named by the place of its command in the sequence.
#[derive(Clone, Copy, Debug)]
enum Act {
    Pay(usize, usize, Much),
    Pend(usize, usize, Much),
    PendShortly(usize, usize),
    Close(usize, usize),
    Sweep(usize, usize),
    Fill(usize, usize),
    Post(usize, Much),
    Void(usize),
    /// There and on: the second leg needs the first.
    Chain(usize, usize, usize),
    /// The last command once more.
    Retry,
    Wait,
}

#[derive(Clone, Copy, Debug)]
enum Much {
    Nothing,
    One,
    All,
}

use Act::{Chain, Close, Fill, Pay, Pend, PendShortly, Post, Retry, Sweep, Void, Wait};
use Much::{All, Nothing, One};

const FEW: &[Act] = &[
    Pay(1, 0, One),
    Pay(0, 1, One),
    Pay(1, 0, All),
    Pend(0, 1, One),
    Pend(1, 0, All),
    PendShortly(1, 0),
    Close(0, 1),
    Sweep(0, 1),
    Post(0, One),
    Post(1, All),
    Void(0),
    Void(2),
    Chain(1, 0, 2),
    Wait,
];

const MANY: &[Act] = &[
    Pay(1, 0, Nothing),
    Pay(1, 0, One),
    Pay(1, 0, All),
    Pay(0, 1, Nothing),
    Pay(0, 1, One),
    Pay(0, 1, All),
    Pay(2, 1, One),
    Pay(1, 2, One),
    Pay(1, 2, All),
    Pay(0, 2, One),
    Pend(1, 0, Nothing),
    Pend(1, 0, One),
    Pend(1, 0, All),
    Pend(0, 1, One),
    Pend(1, 2, One),
    Pend(2, 0, One),
    PendShortly(1, 0),
    PendShortly(2, 0),
    Close(0, 1),
    Close(1, 0),
    Close(2, 0),
    Sweep(0, 1),
    Sweep(1, 0),
    Fill(1, 2),
    Fill(2, 0),
    Post(0, Nothing),
    Post(0, One),
    Post(0, All),
    Post(1, One),
    Post(1, All),
    Void(0),
    Void(1),
    Chain(1, 0, 1),
    Chain(1, 0, 2),
    Chain(0, 1, 2),
    Retry,
    Wait,
];

const SECOND: u64 = 1_000_000_000;

/// All worlds.
struct Worlds {
    book: Book,
    clock: Stamp,
    count: u128,
}

/// One sequence being lived through.
struct World {
    model: Model,
    first_id: u128,
    last: Vec<Transfer>,
}

impl World {
    fn account(&self, which: usize) -> AccountId {
        AccountId::new(self.first_id + which as u128)
    }

    /// The id of the transfer that the command in this place makes; a chain's second has one a hundred above.
    fn transfer(&self, place: usize) -> TransferId {
        TransferId::new(self.first_id + 10 + place as u128)
    }

    fn movement(&self, place: usize, debit: usize, credit: usize, much: Much) -> Transfer {
        Transfer {
            id: self.transfer(place),
            debit_account_id: self.account(debit),
            credit_account_id: self.account(credit),
            amount: amount(much),
            ledger: LedgerCode::new(156),
            code: Code::new(1),
            ..Transfer::default()
        }
    }

    fn pending(
        &self,
        place: usize,
        debit: usize,
        credit: usize,
        much: Much,
        more: TransferFlags,
    ) -> Transfer {
        let flags = TransferFlags::PENDING.with(more);
        Transfer { flags, ..self.movement(place, debit, credit, much) }
    }

    fn ending(&self, place: usize, pending: usize, flags: TransferFlags, amount: Amount) -> Transfer {
        let pending_id = self.transfer(pending);
        Transfer { id: self.transfer(place), pending_id, flags, amount, ..Transfer::default() }
    }

    fn events(&self, place: usize, act: Act) -> Vec<Transfer> {
        let all = |movement: Transfer, flags| Transfer { flags, amount: Amount::MAX, ..movement };
        match act {
            Pay(debit, credit, much) => vec![self.movement(place, debit, credit, much)],
            Pend(debit, credit, much) => {
                vec![self.pending(place, debit, credit, much, TransferFlags::NONE)]
            }
            PendShortly(debit, credit) => {
                let pending = self.pending(place, debit, credit, One, TransferFlags::NONE);
                vec![Transfer { timeout: TimeoutSeconds::new(1), ..pending }]
            }
            Close(debit, credit) => {
                vec![self.pending(place, debit, credit, Nothing, TransferFlags::CLOSING_DEBIT)]
            }
            Sweep(debit, credit) => {
                vec![all(self.movement(place, debit, credit, One), TransferFlags::BALANCING_DEBIT)]
            }
            Fill(debit, credit) => {
                vec![all(self.movement(place, debit, credit, One), TransferFlags::BALANCING_CREDIT)]
            }
            Post(pending, much) => {
                vec![self.ending(place, pending, TransferFlags::POST_PENDING_TRANSFER, amount(much))]
            }
            Void(pending) => {
                vec![self.ending(place, pending, TransferFlags::VOID_PENDING_TRANSFER, Amount::ZERO)]
            }
            Chain(from, over, to) => {
                let first =
                    Transfer { flags: TransferFlags::LINKED, ..self.movement(place, from, over, One) };
                let second = self.movement(place + 100, over, to, One);
                vec![first, second]
            }
            Retry => self.last.clone(),
            Wait => Vec::new(),
        }
    }
}

fn amount(much: Much) -> Amount {
    match much {
        Nothing => Amount::ZERO,
        One => Amount::new(1),
        All => Amount::MAX,
    }
}

impl Worlds {
    fn new() -> Self {
        Self { book: Book::new(), clock: Stamp::new(SECOND), count: 0 }
    }

    fn apply(&mut self, world: &mut World, command: &Command<'_>) {
        self.clock = Stamp::new(self.clock.get() + u64::try_from(command.stamp_count()).unwrap());
        let of_book = self.book.apply(command, self.clock, &Recall::nothing());
        let of_model = world.model.apply(command, self.clock);
        assert_eq!(of_book, of_model, "book (left) and model answer differently to {command:?}");
    }

    /// Lives through one sequence, compared after every command.
    fn live(&mut self, acts: &[Act]) {
        self.count += 1;
        let mut world = World { model: Model::new(), first_id: self.count << 16, last: Vec::new() };
        let kinds = [
            AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS,
            AccountFlags::NONE,
            AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS,
        ];
        let accounts: Vec<Account> = (0..3)
            .map(|which| Account {
                id: world.account(which),
                ledger: LedgerCode::new(156),
                code: Code::new(1),
                flags: kinds[which],
                ..Account::default()
            })
            .collect();
        self.apply(&mut world, &Command::CreateAccounts(&accounts));
        let ids: Vec<AccountId> = accounts.iter().map(|account| account.id).collect();
        for (place, act) in acts.iter().enumerate() {
            let events = world.events(place, *act);
            if events.is_empty() {
                self.clock = Stamp::new(self.clock.get() + SECOND);
                self.apply(&mut world, &Command::Pulse);
            } else {
                self.apply(&mut world, &Command::CreateTransfers(&events));
                world.last = events;
            }
            for (id, of_model) in ids.iter().zip(world.model.lookup_accounts(&ids)) {
                assert_eq!(self.book.account(*id), of_model, "book (left) and model differ in account {id}");
            }
        }
        self.forget();
    }

    /// No world looks back into another's, so a full chunk can go.
    fn forget(&mut self) {
        let oldest = self.book.young().full_chunks().next().map(|chunk| chunk.number);
        if let Some(number) = oldest {
            self.book.forget_chunk(number);
        }
    }

    /// Every sequence of exactly `length` acts.
    fn every_sequence(&mut self, alphabet: &[Act], length: usize) {
        let mut places = vec![0; length];
        loop {
            let acts: Vec<Act> = places.iter().map(|place| alphabet[*place]).collect();
            let told = Told(&acts);
            self.live(&acts);
            drop(told);
            let Some(next) = places.iter().rposition(|place| place + 1 < alphabet.len()) else { return };
            places[next] += 1;
            places[next + 1..].fill(0);
        }
    }
}

/// Tells the sequence when something went wrong in it.
struct Told<'a>(&'a [Act]);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in the world of {:?}", self.0);
        }
    }
}

#[test]
fn every_four_of_a_few_acts() {
    Worlds::new().every_sequence(FEW, 4);
}

#[test]
fn every_three_of_many_acts() {
    let mut worlds = Worlds::new();
    for length in 1..=3 {
        worlds.every_sequence(MANY, length);
    }
}
