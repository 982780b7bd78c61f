//! All accounts as of a past day against the statement of each, before and after sealing.

use crate::world::{CASH, Posting, SLEEPER, World, posting, world};
use fen_ledger::{AccountId, Balances, BusinessDate, Direction, LoanCommand, Period, StatementAsked};
use std::collections::BTreeMap;

fn roll(world: &World, day: i32) {
    world.ledger.loans(&LoanCommand::DayEnd { through: BusinessDate::new(day), loans_max: 0 }).unwrap();
}

fn balances(account: &fen_ledger::Account) -> Balances {
    Balances {
        debits_pending: account.debits_pending,
        debits_posted: account.debits_posted,
        credits_pending: account.credits_pending,
        credits_posted: account.credits_posted,
    }
}

fn more(world: &mut World, begin: u128, count: u128) {
    let mut seed = u64::try_from(begin).unwrap();
    let more: Vec<Posting> =
        (begin..begin + count).filter(|id| id % 10 != 7).map(|id| posting(id, &mut seed)).collect();
    world.post(&more);
}

fn check(world: &World, days: &[(i32, usize)]) {
    // What each had when the day told before closed.
    let mut before: BTreeMap<u128, (i32, Balances)> = BTreeMap::new();
    for (day, posted) in days {
        let then = world.ledger.accounts_as_of(BusinessDate::new(*day)).unwrap();
        assert_eq!(then.len(), usize::try_from(SLEEPER).unwrap());
        for id in [CASH, 9, SLEEPER] {
            let number = u64::try_from(*posted).unwrap();
            let last = world.entries(id).into_iter().rev().find(|(at, ..)| *at < number);
            let wanted = last.map(|(_, _, balances)| balances).unwrap_or_default();
            let account = then.iter().find(|account| account.id == AccountId::new(id)).unwrap();
            assert_eq!(balances(account), wanted, "account {id} on day {day}");
            let period = Period::Booked { first: BusinessDate::new(*day), last: BusinessDate::new(*day) };
            let asked = StatementAsked {
                account_id: AccountId::new(id),
                period,
                direction: Direction::OldestFirst,
                after: None,
                limit: 0,
            };
            let statement = world.ledger.statement(&asked).unwrap().unwrap();
            assert_eq!(statement.closing, Some(wanted), "account {id} at the end of day {day}");
            if let Some((told, closing)) = before.insert(id, (*day, wanted)) {
                // Of days rolled over in one go, the first has the entries.
                let opening = if told + 1 == *day { closing } else { wanted };
                assert_eq!(statement.opening, Some(opening), "account {id} at the beginning of day {day}");
            }
        }
        let sum = |side: fn(&fen_ledger::Account) -> u128| then.iter().map(side).sum::<u128>();
        assert_eq!(sum(|account| account.debits_posted.get()), sum(|account| account.credits_posted.get()));
        assert_eq!(sum(|account| account.debits_pending.get()), sum(|account| account.credits_pending.get()));
    }
}

#[test]
fn a_past_day_has_one_general_ledger() {
    let mut world = world();
    let mut days = Vec::new();
    for (day, count) in [(20_000, 0u128), (20_001, 300), (20_002, 70_000), (20_005, 500)] {
        more(&mut world, 1_000_000 * u128::try_from(day).unwrap(), count);
        days.push((day, world.posted.len()));
        roll(&world, day);
    }
    more(&mut world, 5_000_000, 2_000);
    // Today, and a day to come.
    days.extend([20_006, 20_009].map(|day| (day, world.posted.len())));
    check(&world, &days);
    let world = world.reopen();
    check(&world, &days);
    // Old segments lie elsewhere, and every day has the balances that it had.
    let old = world.ledger.begin_of(BusinessDate::new(20_002)).unwrap();
    assert!(world.ledger.archive_before(old, |_| {}).unwrap() > 3);
    check(&world, &days);
    let world = world.reopen();
    check(&world, &days);
}
