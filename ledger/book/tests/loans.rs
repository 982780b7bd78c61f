//! Loans in the book: what each event posts, what is refused in which order, and that loans and control accounts agree
//! after every command.

#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

mod world;

use fen_book::loan::control::Role;
use fen_book::loan::event::ChargeKind;
use fen_book::loan::money::Money;
use fen_book::loan::order::{LoanAct, LoanOrder, Opening};
use fen_book::loan::product::{Funder, Limits};
use fen_book::loan::product_status::ProductStatus;
use fen_book::loan::status::LoanStatus;
use fen_book::{AccountId, Amount};
use fen_terms::Day;
use world::{ANNA, BOB, World, date, microloan, opening, percent};

#[test]
fn a_microloan_from_disbursement_to_the_last_fen() {
    let mut world = World::new(&microloan());
    assert_eq!(world.lend("2018-09-11", 1_000_000), LoanStatus::Created);
    assert_eq!(world.held(ANNA), -1_000_000);
    assert_eq!(world.control(Role::Principal), 1_000_000);
    assert_eq!(world.day_end("2018-10-10"), LoanStatus::Created);
    assert_eq!(world.control(Role::InterestReceivable), 15_000, "billed on the due day");
    assert_eq!(world.control(Role::InterestIncome), -15_000);
    assert_eq!(world.repay("2018-10-11", 215_000), LoanStatus::Created);
    assert_eq!(world.control(Role::InterestReceivable), 0);
    assert_eq!(world.control(Role::Principal), 800_000);
    assert_eq!(world.repay("2018-10-11", 1_000_000), LoanStatus::ExceedsCredits);
    for (through, on, amount) in [
        ("2018-11-10", "2018-11-11", 212_400),
        ("2018-12-10", "2018-12-11", 209_000),
        ("2019-01-10", "2019-01-11", 206_200),
    ] {
        assert_eq!(world.day_end(through), LoanStatus::Created);
        assert_eq!(world.repay(on, amount), LoanStatus::Created);
    }
    assert_eq!(world.day_end("2019-02-10"), LoanStatus::Created);
    assert_eq!(world.control(Role::InterestIncome), -45_700);
    assert_eq!(
        world.repay("2019-02-11", 203_100),
        LoanStatus::ExceedsCredits,
        "the interest came from elsewhere"
    );
}

#[test]
fn lateness_ages_classes_and_goes_into_suspense() {
    let mut product = microloan();
    product.classes.provision = ["1", "3", "30", "60", "100"].map(percent);
    let mut world = World::new(&product);
    world.lend("2018-09-11", 1_000_000);
    assert_eq!(world.control(Role::Provision), -10_000);
    world.day_end("2018-10-11");
    assert_eq!(world.control(Role::Provision), -30_000, "one day late is special mention");
    assert_eq!(world.control(Role::PenaltyIncome), -150, "one day of 2,000 yuan at 0.075 %");
    world.day_end("2019-01-07");
    assert_eq!(world.control(Role::Suspense), 0, "eighty-nine days late");
    world.day_end("2019-01-08");
    assert_ne!(world.control(Role::Suspense), 0, "ninety days late");
    assert_eq!(world.control(Role::Provision), -30_000, "still special mention");
    world.day_end("2019-01-09");
    assert_eq!(world.control(Role::Provision), -300_000);
    assert_eq!(world.control(Role::InterestIncome), 0);
    let suspended = world.control(Role::InterestReceivable) + world.control(Role::PenaltyReceivable);
    assert_eq!(world.control(Role::Suspense), -suspended);
    assert_eq!(world.repay("2019-01-10", 1_000_000), LoanStatus::Created);
    assert_eq!(world.control(Role::Suspense), 0);
    assert_eq!(world.control(Role::Provision), -((world.control(Role::Principal) + 99) / 100));
}

#[test]
fn a_backdated_repayment_is_as_if_it_had_come_in_time() {
    let life = |late: bool| {
        let mut world = World::new(&microloan());
        world.lend("2018-09-11", 1_000_000);
        if !late {
            world.day_end("2018-10-10");
            world.repay("2018-10-11", 215_000);
        }
        world.day_end("2018-12-20");
        if late {
            assert_ne!(world.control(Role::PenaltyIncome), 0);
            world.repay("2018-10-11", 215_000);
        }
        Role::ALL.iter().map(|role| world.control(*role)).collect::<Vec<_>>()
    };
    assert_eq!(life(true), life(false));
}

#[test]
fn a_reversal_leaves_no_trace_in_any_balance() {
    let mut world = World::new(&microloan());
    world.lend("2018-09-11", 1_000_000);
    world.day_end("2018-10-20");
    let before: Vec<i128> = Role::ALL.iter().map(|role| world.control(*role)).collect();
    world.repay("2018-10-11", 300_000);
    let repaid = world.next_id;
    assert_ne!(world.held(ANNA), -1_000_000);
    assert_eq!(world.act("2018-10-21", LoanAct::Reverse { event_id: repaid }), LoanStatus::Created);
    let reversal = world.next_id;
    assert_eq!(world.held(ANNA), -1_000_000);
    assert_eq!(before, Role::ALL.iter().map(|role| world.control(*role)).collect::<Vec<_>>());
    let again = LoanAct::Reverse { event_id: repaid };
    assert_eq!(world.act("2018-10-21", again), LoanStatus::EventAlreadyReversed);
    let of_reversal = LoanAct::Reverse { event_id: reversal };
    assert_eq!(world.act("2018-10-21", of_reversal), LoanStatus::EventNotReversible);
}

#[test]
fn what_is_given_up_can_be_recovered_but_no_more() {
    let mut world = World::new(&microloan());
    world.lend("2018-09-11", 1_000_000);
    world.day_end("2018-10-10");
    assert_eq!(world.act("2018-10-11", LoanAct::WriteOff), LoanStatus::Created);
    assert_eq!(world.control(Role::WrittenOff), 1_015_000, "principal, and the interest billed so far");
    assert_eq!(world.control(Role::Principal), 0);
    assert_eq!(world.repay("2018-10-11", 1), LoanStatus::LoanWrittenOff);
    let recover = |amount| LoanAct::Recover { account_id: AccountId::ZERO, amount: Amount::new(amount) };
    assert_eq!(world.act("2018-10-11", recover(5_000_000)), LoanStatus::ExceedsWrittenOff);
    assert_eq!(world.act("2018-10-11", recover(40_000)), LoanStatus::Created);
    assert_eq!(world.control(Role::Recovery), -40_000);
}

#[test]
fn a_charged_off_loan_is_repaid_into_recovery() {
    let mut world = World::new(&microloan());
    world.lend("2018-09-11", 1_000_000);
    world.day_end("2018-10-10");
    assert_eq!(world.act("2018-10-11", LoanAct::ChargeOff), LoanStatus::Created);
    assert_eq!(world.act("2018-10-11", LoanAct::ChargeOff), LoanStatus::LoanAlreadyChargedOff);
    assert_eq!((world.control(Role::WrittenOff), world.control(Role::InterestIncome)), (1_000_000, 0));
    assert_eq!(world.repay("2018-10-11", 215_000), LoanStatus::Created);
    assert_eq!(world.control(Role::Recovery), -215_000);
    world.day_end("2018-11-20");
    assert_eq!(world.control(Role::InterestReceivable), 0, "nothing is recognised any more");
}

#[test]
fn charges_waivers_overpayment_and_refund() {
    let mut world = World::new(&microloan());
    world.lend("2018-09-11", 1_000_000);
    let fee = LoanAct::Charge { kind: ChargeKind::Fee, amount: Amount::new(500), due_on: date("2018-09-20") };
    assert_eq!(world.act("2018-09-11", fee), LoanStatus::Created);
    let fee = world.next_id;
    assert_eq!((world.control(Role::FeeReceivable), world.control(Role::FeeIncome)), (500, -500));
    assert_eq!(world.act("2018-09-11", LoanAct::Waive { event_id: fee, forgive: None }), LoanStatus::Created);
    assert_eq!((world.control(Role::FeeReceivable), world.control(Role::Waived)), (0, 500));
    assert_eq!(
        world.act("2018-09-11", LoanAct::Waive { event_id: fee, forgive: None }),
        LoanStatus::ChargeAlreadyPaid
    );
    assert_eq!(
        world.act("2018-09-11", LoanAct::Waive { event_id: 3, forgive: None }),
        LoanStatus::EventNotFound
    );
    let settle = LoanAct::Prepay { account_id: AccountId::ZERO, amount: Amount::new(1_000_000) };
    assert_eq!(world.act("2018-09-11", settle), LoanStatus::Created);
    assert_eq!((world.control(Role::Principal), world.control(Role::Overpaid)), (0, 0));
    assert_eq!(world.repay("2018-09-11", 1), LoanStatus::LoanClosed);
    let refund = |amount| LoanAct::Refund { account_id: AccountId::ZERO, amount: Amount::new(amount) };
    assert_eq!(world.act("2018-09-11", refund(1)), LoanStatus::LoanClosed);
}

#[test]
fn the_same_id_gets_the_first_answer() {
    let mut world = World::new(&microloan());
    let act = LoanAct::Disburse(Box::new(opening(1_000_000)));
    let order = LoanOrder { id: 9, loan_id: 1, effective_on: date("2018-09-11"), act };
    assert_eq!(world.order(order.clone()), LoanStatus::Created);
    assert_eq!(world.order(order.clone()), LoanStatus::Exists);
    let other = LoanOrder { loan_id: 2, ..order };
    assert_eq!(world.order(other), LoanStatus::ExistsWithDifferentLoanId);
    assert_eq!(world.repay("2018-09-11", 2_000_000), LoanStatus::ExceedsCredits);
    world.next_id -= 1;
    assert_eq!(world.repay("2018-09-11", 1_000), LoanStatus::IdAlreadyFailed, "refused for good");
    assert_eq!(world.control(Role::Principal), 1_000_000);
}

#[test]
fn limits_hold_at_the_moment_of_disbursement() {
    let mut product = microloan();
    product.limits = Limits {
        borrowers: Some(1),
        exposure: Some(Money::new(1_500_000)),
        exposure_per_borrower: Some(Money::new(1_200_000)),
        regions: vec![],
        ends_on: Some(Day::parse("2018-12-31").unwrap()),
    };
    let mut world = World::new(&product);
    let lend = |world: &mut World, loan_id: u128, account_id: AccountId, amount: u128| {
        world.next_id += 1;
        let opening = Opening { account_id, ..opening(amount) };
        let act = LoanAct::Disburse(Box::new(opening));
        world.order(LoanOrder { id: world.next_id, loan_id, effective_on: date("2018-09-11"), act })
    };
    assert_eq!(lend(&mut world, 1, ANNA, 1_000), LoanStatus::AmountBelowProductMinimum);
    assert_eq!(lend(&mut world, 1, ANNA, 40_000_000), LoanStatus::AmountAboveProductMaximum);
    assert_eq!(lend(&mut world, 1, ANNA, 1_600_000), LoanStatus::ExceedsExposure);
    assert_eq!(lend(&mut world, 1, ANNA, 1_300_000), LoanStatus::ExceedsExposurePerBorrower);
    assert_eq!(lend(&mut world, 1, ANNA, 1_000_000), LoanStatus::Created);
    assert_eq!(lend(&mut world, 2, BOB, 100_000), LoanStatus::ExceedsBorrowers);
    product.is_stopped = true;
    assert_eq!(world.put(&product), ProductStatus::Created);
    assert_eq!(world.put(&product), ProductStatus::Exists);
    assert_eq!(lend(&mut world, 3, ANNA, 100_000), LoanStatus::ProductStopped);
}

#[test]
fn a_line_is_drawn_and_drawn_again() {
    let mut world = World::new(&microloan());
    assert_eq!(world.act("2018-09-11", LoanAct::OpenLine(Box::new(opening(1_000_000)))), LoanStatus::Created);
    assert_eq!(world.repay("2018-09-11", 1), LoanStatus::EventMustNotPrecedeDisbursement);
    assert_eq!(world.lend("2018-09-11", 600_000), LoanStatus::Created);
    assert_eq!(world.lend("2018-09-12", 100_000), LoanStatus::EffectiveOnMustNotFollowBusinessDate);
    assert_eq!(world.lend("2018-09-11", 500_000), LoanStatus::ExceedsLine);
    assert_eq!(world.repay("2018-09-11", 200_000), LoanStatus::Created);
    assert_eq!(world.lend("2018-09-11", 500_000), LoanStatus::Created);
    assert_eq!(world.control(Role::Principal), 916_440, "16,440 of the repayment was interest in advance");
}

#[test]
fn funders_share_to_the_fen() {
    let mut product = microloan();
    product.funders = vec![Funder { id: 1, share: percent("33.33") }, Funder { id: 2, share: percent("20") }];
    let mut world = World::new(&product);
    world.lend("2018-09-11", 1_000_001);
    assert_eq!(world.control(Role::Funder0), 333_300);
    assert_eq!(world.control(Role::Funder1), 200_000);
    assert_eq!(world.control(Role::Principal), 466_701, "the bank bears the odd fen");
    world.day_end("2018-10-10");
    world.repay("2018-10-11", 215_000);
    let own = world.control(Role::Principal) + world.control(Role::Funder0) + world.control(Role::Funder1);
    assert_eq!(own, 800_001 - 7_999, "less the funders' interest, 33.33 % and 20 % of 15,000");
}

#[test]
fn day_end_is_idempotent_and_collects_where_the_product_says() {
    let mut product = microloan();
    product.collects = true;
    let mut world = World::new(&product);
    world.lend("2018-09-11", 1_000_000);
    assert_eq!(world.day_end("2018-10-11"), LoanStatus::Created);
    assert_eq!(world.held(ANNA), -785_000, "collected on the due day");
    assert_eq!(world.control(Role::PenaltyIncome), 0);
    assert_eq!(world.day_end("2018-10-11"), LoanStatus::DayAlreadyClosed);
    assert_eq!(world.book.loans().business_date(), Some(date("2018-10-12")));
    assert_eq!(world.lend("2018-10-13", 100_000), LoanStatus::EffectiveOnMustNotFollowBusinessDate);
}
