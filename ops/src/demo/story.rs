//! One day of a small bank: what posts, what is reserved, what is refused and why.

use super::heading;
use crate::exit::Failure;
use crate::faults::broken;
use crate::print::{self, Column};
use fen_book::{
    Account, AccountFlags, AccountId, Amount, Code, CreateTransferStatus, LedgerCode, TimeoutSeconds,
    Transfer, TransferFlags, TransferId,
};
use fen_ledger::Ledger;

/// The ledger of the story: yuan.
pub(super) const CNY: u32 = 156;
/// The bank's own cash. Ids whose upper half is all ones are the bank's own.
pub(super) const CASH: AccountId = AccountId::new(u128::MAX << 64 | 1);
const ANNA: AccountId = AccountId::new(1 << 64 | 1);
const BAKER: AccountId = AccountId::new(2 << 64 | 1);
const LANDLORD: AccountId = AccountId::new(3 << 64 | 1);

const PEOPLE: [(&str, AccountId, AccountFlags); 4] = [
    ("Bank: cash", CASH, AccountFlags::NONE),
    ("Anna", ANNA, AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS.with(AccountFlags::HISTORY)),
    ("Baker", BAKER, AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS),
    ("Landlord", LANDLORD, AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS),
];

/// A week, after which a card's reservation lapses.
const WEEK: TimeoutSeconds = TimeoutSeconds::new(7 * 86_400);

/// Lives through the day; gives its words.
pub(super) fn tell(ledger: &Ledger) -> Result<String, Failure> {
    let mut day = Day { ledger, out: String::new() };
    day.open_accounts()?;
    day.salary_and_card()?;
    day.refused_rent()?;
    day.partial_post()?;
    day.chain()?;
    Ok(day.out)
}

struct Day<'a> {
    ledger: &'a Ledger,
    out: String,
}

/// An account as everybody in the story has it.
pub(super) fn account(id: AccountId, flags: AccountFlags) -> Account {
    Account { id, ledger: LedgerCode::new(CNY), code: Code::new(1), flags, ..Account::default() }
}

/// A payment of so many fen.
pub(super) fn payment(id: u128, from: AccountId, to: AccountId, fen: u128) -> Transfer {
    Transfer {
        id: TransferId::new(id),
        debit_account_id: from,
        credit_account_id: to,
        amount: Amount::new(fen),
        ledger: LedgerCode::new(CNY),
        code: Code::new(1),
        ..Transfer::default()
    }
}

impl Day<'_> {
    fn say(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// Posts, and holds the ledger to what the story says about it.
    fn post(&mut self, transfers: &[Transfer], expected: &[CreateTransferStatus]) -> Result<(), Failure> {
        let outcomes = self.ledger.create_transfers(transfers).map_err(|fault| broken(&fault))?;
        let statuses: Vec<_> = outcomes.iter().map(|outcome| outcome.status).collect();
        if statuses == expected {
            return Ok(());
        }
        Err(Failure::refused(format!("the tour expected {expected:?}, the ledger said {statuses:?}")))
    }

    fn open_accounts(&mut self) -> Result<(), Failure> {
        self.say(&heading("1. Accounts"));
        let accounts = PEOPLE.map(|(_, id, flags)| account(id, flags));
        self.ledger.create_accounts(&accounts).map_err(|fault| broken(&fault))?;
        self.say("Four accounts in yuan. Only the bank's cash may owe more than it has.\n");
        self.balances()
    }

    fn salary_and_card(&mut self) -> Result<(), Failure> {
        self.say(&heading("2. A salary, and a card at the baker's"));
        self.post(&[payment(1, CASH, ANNA, 500_000)], &[CreateTransferStatus::Created])?;
        self.post(&[payment(1, CASH, ANNA, 500_000)], &[CreateTransferStatus::Exists])?;
        let reserve =
            Transfer { flags: TransferFlags::PENDING, timeout: WEEK, ..payment(2, ANNA, BAKER, 4_000) };
        self.post(&[reserve], &[CreateTransferStatus::Created])?;
        self.say(
            "Anna's salary of 5,000.00 is posted. Sent again under the same id it answers `exists`: once is enough.\n\
             Her card reserves 40.00 for the baker; it would lapse by itself after a week.\n",
        );
        self.balances()
    }

    fn refused_rent(&mut self) -> Result<(), Failure> {
        self.say(&heading("3. The rent does not fit"));
        let rent = payment(3, ANNA, LANDLORD, 498_000);
        self.post(&[rent], &[CreateTransferStatus::ExceedsCredits])?;
        self.post(&[rent], &[CreateTransferStatus::IdAlreadyFailed])?;
        self.say(
            "The landlord asks for 4,980.00. Anna has 5,000.00, but 40.00 are reserved: `exceeds_credits`.\n\
             A retry under the same id answers `id_already_failed`, whatever she has by then: what was refused\n\
             once stays refused.\n",
        );
        Ok(())
    }

    fn partial_post(&mut self) -> Result<(), Failure> {
        self.say(&heading("4. The baker takes less than was reserved"));
        let post = Transfer {
            flags: TransferFlags::POST_PENDING_TRANSFER,
            pending_id: TransferId::new(2),
            ledger: LedgerCode::ZERO,
            code: Code::ZERO,
            ..payment(4, AccountId::ZERO, AccountId::ZERO, 2_500)
        };
        self.post(&[post], &[CreateTransferStatus::Created])?;
        self.say("25.00 of the 40.00 are posted, 15.00 come back to Anna in the same moment.\n");
        self.balances()
    }

    fn chain(&mut self) -> Result<(), Failure> {
        self.say(&heading("5. All or none"));
        let linked = |transfer| Transfer { flags: TransferFlags::LINKED, ..transfer };
        let chain = [
            linked(payment(5, ANNA, LANDLORD, 400_000)),
            linked(payment(6, LANDLORD, BAKER, 100_000)),
            payment(7, BAKER, ANNA, 999_999),
        ];
        let linked_failed = CreateTransferStatus::LinkedEventFailed;
        self.post(&chain, &[linked_failed, linked_failed, CreateTransferStatus::ExceedsCredits])?;
        let chain = [
            linked(payment(8, ANNA, LANDLORD, 400_000)),
            linked(payment(9, LANDLORD, BAKER, 100_000)),
            payment(10, BAKER, ANNA, 1_250),
        ];
        self.post(&chain, &[CreateTransferStatus::Created; 3])?;
        self.say(
            "Three linked transfers, the last of which the baker cannot pay: none is posted. With a sum that he can\n\
             pay all three are, each seeing the ones before it.\n",
        );
        self.balances()
    }

    fn balances(&mut self) -> Result<(), Failure> {
        let ids = PEOPLE.map(|(_, id, _)| id);
        let positions = self.ledger.lookup_positions(&ids).map_err(|fault| broken(&fault))?;
        let columns = [
            Column::Text("account"),
            Column::Figure("posted"),
            Column::Figure("reserved"),
            Column::Figure("available"),
        ];
        let rows = PEOPLE.iter().zip(positions).filter_map(|((name, id, _), position)| {
            let account = position?.account;
            let posted = signed(account.credits_posted) - signed(account.debits_posted);
            let reserved = signed(account.debits_pending);
            let available = if *id == CASH { String::new() } else { print::money(CNY, posted - reserved) };
            Some(vec![(*name).to_owned(), print::money(CNY, posted), print::money(CNY, reserved), available])
        });
        let table = print::table(&columns, rows);
        self.say("\n");
        self.say(&table);
        Ok(())
    }
}

/// The story's amounts are small.
fn signed(amount: Amount) -> i128 {
    i128::try_from(amount.get()).unwrap_or(i128::MAX)
}
