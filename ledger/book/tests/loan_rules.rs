//! What a product adds to the life of a loan: fees, days off, third parties, spreading anew, sale.

#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

mod world;

use fen_book::loan::allocation::InAdvance;
use fen_book::loan::contract::{DownPaymentFrom, InterestOn, Prepayment, SettlementDay};
use fen_book::loan::control::Role;
use fen_book::loan::event::ChargeKind;
use fen_book::loan::fees::{FeeRule, Fees, LateFee};
use fen_book::loan::holidays::{Holidays, Roll};
use fen_book::loan::money::Money;
use fen_book::loan::order::{LoanAct, LoanOrder, Opening, Reschedule};
use fen_book::loan::product::{Funder, LineKind, Product, StatedTerms};
use fen_book::loan::row::RowKind;
use fen_book::loan::status::LoanStatus;
use fen_book::loan::subsidy::{Compensation, Subsidy};
use fen_book::loan::view::LoanState;
use fen_book::{AccountId, Amount};
use fen_terms::{Day, Period, PeriodUnit, Weekday};
use std::sync::Arc;
use world::{ANNA, World, date, microloan, opening, percent};

fn rule(amount: i128, share: &str) -> FeeRule {
    FeeRule { amount: Money::new(amount), percent: percent(share) }
}

fn due_days(world: &World) -> Vec<String> {
    world.view().rows.iter().map(|row| row.due_on.to_string()).collect()
}

fn settle(world: &mut World, on: &str, amount: u128) -> LoanStatus {
    let amount = Amount::new(amount);
    world.act(on, LoanAct::Prepay { account_id: AccountId::ZERO, amount })
}

fn restructure(first_due_on: &str, periods: u16) -> LoanAct {
    let first_due_on = Some(date(first_due_on));
    LoanAct::Reschedule(Reschedule { periods: Some(periods), first_due_on, ..Reschedule::default() })
}

#[test]
fn fees_are_kept_back_billed_and_charged_once_for_lateness() {
    let fees = Fees {
        disbursement: Some(rule(0, "1")),
        instalment: Some(rule(300, "0")),
        late: Some(LateFee { rule: rule(1_000, "0"), after_days: 3 }),
    };
    let mut world = World::new(&Product { fees, ..microloan() });
    world.lend("2018-09-11", 1_000_000);
    assert_eq!(world.held(ANNA), -990_000, "one per cent is kept back");
    assert_eq!((world.control(Role::FeeIncome), world.control(Role::FeeReceivable)), (-10_000, 0));
    world.day_end("2018-10-10");
    assert_eq!(world.control(Role::FeeReceivable), 300, "the first instalment's fee, and no other's");
    world.day_end("2018-10-12");
    assert_eq!(world.control(Role::FeeIncome), -10_300);
    world.day_end("2018-10-13");
    assert_eq!(world.control(Role::FeeIncome), -11_300, "three days late");
    world.day_end("2018-10-20");
    assert_eq!(world.control(Role::FeeIncome), -11_300, "once for each instalment");
    let forgive =
        |amount| LoanAct::Waive { event_id: 0, forgive: Some((ChargeKind::Fee, Amount::new(amount))) };
    assert_eq!(world.act("2018-10-21", forgive(9_000)), LoanStatus::ExceedsOwed);
    assert_eq!(world.act("2018-10-21", forgive(1_000)), LoanStatus::Created);
    assert_eq!(world.control(Role::Waived), 1_000);
    let owed = world.view().payoff.get();
    world.book_money(100_000);
    assert_eq!(settle(&mut world, "2018-10-21", u128::try_from(owed).unwrap() - 1), LoanStatus::Created);
    assert_eq!(world.view().state, LoanState::Active);
    let reversed = LoanAct::Reverse { event_id: world.next_id };
    assert_eq!(world.act("2018-10-21", reversed), LoanStatus::Created);
    assert_eq!(world.view().payoff.get(), owed);
}

#[test]
fn later_instalments_fees_fall_away_with_a_full_settlement() {
    let fees = Fees { instalment: Some(rule(300, "0")), ..Fees::default() };
    let mut world = World::new(&Product { fees, ..microloan() });
    world.lend("2018-09-11", 1_000_000);
    let payoff = world.view().payoff.get();
    assert_eq!(payoff, 1_000_300, "the instalment under way bears its fee");
    world.book_money(300);
    assert_eq!(settle(&mut world, "2018-09-11", 1_000_300), LoanStatus::Created);
    assert_eq!(world.view().state, LoanState::Closed);
    assert_eq!(world.control(Role::FeeIncome), -300);
}

#[test]
fn a_loan_is_not_given_up_as_of_a_day_before_it_was_drawn() {
    let mut world = World::new(&microloan());
    world.lend("2018-09-11", 1_000_000);
    world.day_end("2018-09-20");
    world.lend("2018-09-21", 500_000);
    for act in [LoanAct::ChargeOff, LoanAct::WriteOff, LoanAct::Sell { owner: 9 }] {
        assert_eq!(world.act("2018-09-15", act), LoanStatus::EventMustNotPrecedeDisbursement);
    }
    assert_eq!(world.act("2018-09-21", LoanAct::ChargeOff), LoanStatus::Created);
    assert_eq!(world.control(Role::WrittenOff), 1_500_000);
}

#[test]
fn a_prepayment_beyond_the_principal_pays_what_else_is_owed() {
    let prepayment = Prepayment::ShortenTerm;
    let mut world = World::new(&Product { prepayment, ..microloan() });
    world.lend("2018-09-11", 1_000_000);
    let charge =
        LoanAct::Charge { kind: ChargeKind::Fee, amount: Amount::new(5_000), due_on: date("2018-12-11") };
    assert_eq!(world.act("2018-09-11", charge), LoanStatus::Created);
    world.book_money(10_000);
    assert_eq!(settle(&mut world, "2018-09-11", 1_002_000), LoanStatus::Created);
    let view = world.view();
    assert_eq!((view.outstanding.principal, view.outstanding.fees), (Money::ZERO, Money::new(3_000)));
    assert_eq!(settle(&mut world, "2018-09-11", 3_000), LoanStatus::Created);
    assert_eq!(world.view().state, LoanState::Closed);
}

#[test]
fn instalments_paid_in_advance_keep_their_principal_when_the_term_is_shortened() {
    let prepayment = Prepayment::ShortenTerm;
    let mut world =
        World::new(&Product { prepayment, in_advance: InAdvance::LastInstalments, ..microloan() });
    world.lend("2018-09-11", 1_000_000);
    let last = LoanAct::Repay { account_id: AccountId::ZERO, amount: Amount::new(400_000), in_advance: None };
    assert_eq!(world.act("2018-09-11", last), LoanStatus::Created);
    let paid: Vec<i128> = world.view().rows.iter().map(|row| row.paid.principal.get()).collect();
    assert_eq!(settle(&mut world, "2018-09-11", 500_000), LoanStatus::Created);
    let view = world.view();
    assert!(view.rows.iter().all(|row| row.outstanding().principal >= Money::ZERO), "{:?}", view.rows);
    assert_eq!(view.outstanding.principal.get(), 500_000 - paid.iter().sum::<i128>());
}

#[test]
fn the_opening_of_a_line_is_taken_back_while_nothing_is_drawn() {
    let mut world = World::new(&microloan());
    let line = LoanAct::OpenLine(Box::new(opening(1_000_000)));
    assert_eq!(world.act("2018-09-11", line.clone()), LoanStatus::Created);
    let opened = world.next_id;
    assert_eq!(world.lend("2018-09-11", 100_000), LoanStatus::Created);
    let drawn = world.next_id;
    let reverse = |event_id| LoanAct::Reverse { event_id };
    assert_eq!(world.act("2018-09-11", reverse(opened)), LoanStatus::LineDrawn);
    assert_eq!(world.act("2018-09-11", reverse(drawn)), LoanStatus::Created);
    assert_eq!(world.view().state, LoanState::Approved);
    assert_eq!(world.act("2018-09-11", reverse(opened)), LoanStatus::Created);
    assert_eq!(world.view().state, LoanState::Cancelled);
    assert_eq!(world.book.portfolio().products[0].approved, 0);
    assert_eq!(world.lend("2018-09-11", 100_000), LoanStatus::LoanClosed);
    assert_eq!(world.act("2018-09-11", line), LoanStatus::LoanExists);
    assert_eq!(world.act("2018-09-11", reverse(opened)), LoanStatus::EventAlreadyReversed);
}

#[test]
fn what_is_owed_is_spread_by_another_period_or_over_what_is_to_come() {
    let mut world = World::new(&microloan());
    world.lend("2018-09-11", 1_000_000);
    world.day_end("2018-11-20");
    assert_eq!(world.view().standing.days_past_due, 41);
    let again = Reschedule { is_reamortisation: true, ..Reschedule::default() };
    assert_eq!(world.act("2018-11-21", LoanAct::Reschedule(again)), LoanStatus::Created);
    let view = world.view();
    assert_eq!(view.standing.days_past_due, 0);
    let to_come: Vec<_> = view.rows.iter().filter(|row| row.due.principal.is_positive()).collect();
    let told: Vec<_> = to_come
        .iter()
        .map(|row| (row.due_on.to_string(), row.due.principal.get(), row.due.interest.get()))
        .collect();
    // 20 days of 0.05 % on everything, then 31 and 31 days on two thirds and one third.
    let expected =
        [("2018-12-11", 333_333, 10_000), ("2019-01-11", 333_333, 10_333), ("2019-02-11", 333_334, 5_167)];
    assert_eq!(told, expected.map(|(due, principal, interest)| (due.to_owned(), principal, interest)));
    let arrears = view.rows.iter().find(|row| row.kind == RowKind::Arrears).unwrap();
    assert_eq!(arrears.due.interest.get(), 15_000 + 12_400 + 3_000, "two instalments and ten days");
    let weekly = Period { unit: PeriodUnit::Week, every: 2 };
    let by_weeks = Reschedule {
        first_due_on: Some(date("2018-12-03")),
        periods: Some(3),
        period: Some(weekly),
        ..Reschedule::default()
    };
    let alone = Reschedule { first_due_on: None, ..by_weeks };
    assert_eq!(world.act("2018-11-21", LoanAct::Reschedule(alone)), LoanStatus::RescheduleMustNameOne);
    assert_eq!(world.act("2018-11-21", LoanAct::Reschedule(by_weeks)), LoanStatus::Created);
    let instalments = world.view().rows.into_iter().filter(|row| row.due.principal.is_positive());
    let days: Vec<String> = instalments.map(|row| row.due_on.to_string()).collect();
    assert_eq!(days, ["2018-12-03", "2018-12-17", "2018-12-31"]);
}

#[test]
fn a_settlement_may_bear_interest_to_the_next_due_day() {
    let product = Product { settlement_day: SettlementDay::BearsToNextDueDay, ..microloan() };
    for interest_on in [InterestOn::Schedule, InterestOn::Balance] {
        let mut world = World::new(&Product { interest_on, ..product.clone() });
        world.lend("2018-09-11", 1_000_000);
        assert_eq!(world.view().payoff.get(), 1_000_000, "nothing has begun to run");
        world.day_end("2018-09-20");
        assert_eq!(world.view().payoff.get(), 1_015_000, "thirty days, not ten");
        world.book_money(15_000);
        assert_eq!(settle(&mut world, "2018-09-21", 1_015_000), LoanStatus::Created);
        assert_eq!(world.view().state, LoanState::Closed);
        world.day_end("2018-10-20");
        assert_eq!(world.control(Role::InterestIncome), -15_000);
    }
}

#[test]
fn a_draw_after_the_last_due_day_has_a_schedule_of_its_own() {
    let mut world = World::new(&microloan());
    let line = LoanAct::OpenLine(Box::new(opening(1_000_000)));
    assert_eq!(world.act("2018-09-11", line), LoanStatus::Created);
    world.lend("2018-09-11", 1_000_000);
    world.book_money(45_700);
    assert_eq!(world.repay("2018-09-11", 1_045_700), LoanStatus::Created);
    world.day_end("2019-02-27");
    assert_eq!(world.lend("2019-02-28", 500_000), LoanStatus::Created);
    let rows: Vec<_> = world.view().rows[5..]
        .iter()
        .map(|row| (row.due_on.to_string(), row.due.principal.get(), row.due.interest.get()))
        .collect();
    let expected = [
        ("2019-03-28", 100_000, 7_000),
        ("2019-04-28", 100_000, 6_200),
        ("2019-05-28", 100_000, 4_500),
        ("2019-06-28", 100_000, 3_100),
        ("2019-07-28", 100_000, 1_500),
    ];
    assert_eq!(rows, expected.map(|(due, principal, interest)| (due.to_owned(), principal, interest)));
    world.day_end("2019-03-09");
    assert_eq!(world.control(Role::InterestAccrued), 10 * 250, "ten days of the new draw");
    assert_eq!(world.lend("2019-03-10", 400_000), LoanStatus::Created);
    let principal: Vec<i128> = world.view().rows[5..].iter().map(|row| row.due.principal.get()).collect();
    assert_eq!(principal, [180_000; 5]);
    assert_eq!(world.lend("2019-03-10", 100_001), LoanStatus::ExceedsLine);
}

#[test]
fn a_down_payment_may_be_kept_back_of_its_draw() {
    let terms = StatedTerms { down_payment: Some(percent("20")), ..microloan().terms };
    let fees = Fees { disbursement: Some(rule(1_000, "0")), ..Fees::default() };
    let mut world =
        World::new(&Product { terms, fees, down_payment_from: DownPaymentFrom::Draw, ..microloan() });
    world.lend("2018-09-11", 1_000_000);
    assert_eq!(world.held(ANNA), -(1_000_000 - 200_000 - 1_000));
    let view = world.view();
    assert_eq!(view.outstanding.principal.get(), 800_000);
    let row = view.rows.iter().find(|row| row.kind == RowKind::DownPayment).unwrap();
    assert_eq!((row.paid.principal.get(), row.outstanding().total().get()), (200_000, 0));
    let reversed = LoanAct::Reverse { event_id: world.next_id };
    assert_eq!(world.act("2018-09-11", reversed), LoanStatus::Created);
    assert_eq!(world.held(ANNA), 0);
}

#[test]
fn interest_of_a_loan_that_is_settled_within_the_day_is_income_once() {
    let funders = vec![Funder { id: 1, share: percent("50") }];
    let mut world = World::new(&Product { funders, ..microloan() });
    world.lend("2018-09-11", 1_000_000);
    world.day_end("2018-09-20");
    assert_eq!((world.control(Role::InterestAccrued), world.control(Role::InterestIncome)), (5_000, -5_000));
    world.book_money(5_000);
    assert_eq!(settle(&mut world, "2018-09-21", 1_005_000), LoanStatus::Created);
    assert_eq!((world.control(Role::InterestAccrued), world.control(Role::InterestIncome)), (0, -2_500));
    let reversed = LoanAct::Reverse { event_id: world.next_id };
    assert_eq!(world.act("2018-09-21", reversed), LoanStatus::Created);
    assert_eq!((world.control(Role::InterestAccrued), world.control(Role::InterestIncome)), (5_000, -5_000));
    assert_eq!(world.act("2018-09-21", LoanAct::WriteOff), LoanStatus::Created);
    assert_eq!((world.control(Role::InterestAccrued), world.control(Role::InterestIncome)), (0, 0));
    assert_eq!(world.view().payoff, Money::ZERO, "what was given up is settled by nothing");
    let recover = LoanAct::Recover { account_id: AccountId::ZERO, amount: Amount::new(400_000) };
    assert_eq!(world.act("2018-09-21", recover), LoanStatus::Created);
    let portfolio = world.book.portfolio();
    assert_eq!(portfolio.products[0].recovered.get(), 400_000, "the funder's half too");
}

#[test]
fn due_days_avoid_days_off() {
    let holidays = Holidays {
        roll: Roll::Following,
        weekend: vec![Weekday::Saturday, Weekday::Sunday],
        days_off: vec![Day::parse("2018-12-11").unwrap()],
        working_days: vec![],
    };
    let mut world = World::new(&Product { holidays: Some(Arc::new(holidays)), ..microloan() });
    world.lend("2018-09-11", 1_000_000);
    assert_eq!(due_days(&world), ["2018-10-11", "2018-11-12", "2018-12-12", "2019-01-11", "2019-02-11"]);
    let interest: Vec<i128> = world.view().rows.iter().map(|row| row.due.interest.get()).collect();
    assert_eq!(interest, [15_000, 12_800, 9_000, 6_000, 3_100], "by the days that the periods then have");
    let shift = Some((date("2018-11-12"), date("2018-11-17")));
    let act = LoanAct::Reschedule(Reschedule { shift, ..Reschedule::default() });
    assert_eq!(world.act("2018-09-11", act), LoanStatus::Created);
    assert_eq!(due_days(&world)[1..3], ["2018-11-19", "2018-12-17"], "a Saturday moves on");
}

#[test]
fn a_subsidy_lowers_what_is_owed_within_the_borrowers_cap() {
    let subsidy = Subsidy {
        party: 9,
        points: percent("1"),
        share_max: percent("50"),
        borrower_max: Some(Money::new(2_000)),
    };
    let mut world = World::new(&Product { subsidy: Some(subsidy), ..microloan() });
    world.lend("2018-09-11", 1_000_000);
    // 1 of 18.25 points a year: 15,000 / 18.25 = 821.9 and so on, 2,504 in all; 2,000 is the most.
    let borne: Vec<i128> = world.view().rows.iter().map(|row| row.subsidised.get()).collect();
    assert_eq!(borne, [821, 679, 493, 7, 0]);
    world.day_end("2018-10-10");
    assert_eq!(world.control(Role::SubsidyReceivable), 821);
    assert_eq!(world.control(Role::InterestReceivable), 15_000 - 821);
    assert_eq!(world.control(Role::InterestIncome), -15_000);
    assert_eq!(world.repay("2018-10-11", 214_179), LoanStatus::Created);
    assert_eq!(world.view().rows[0].outstanding().total().get(), 0);
    let second = |world: &mut World| {
        world.next_id += 1;
        let act = LoanAct::Disburse(Box::new(opening(100_000)));
        world.order(LoanOrder { id: world.next_id, loan_id: 2, effective_on: date("2018-10-11"), act })
    };
    assert_eq!(second(&mut world), LoanStatus::Created);
    let of_second = world.book.loans().view(2, world.book.accounts()).unwrap();
    assert!(
        of_second.rows.iter().all(|row| row.subsidised.is_zero()),
        "the cap is the borrower's, and used up"
    );
}

#[test]
fn at_most_so_large_a_share_of_interest_is_subsidised() {
    let subsidy = Subsidy { party: 9, points: percent("10"), share_max: percent("50"), borrower_max: None };
    let mut world = World::new(&Product { subsidy: Some(subsidy), ..microloan() });
    world.lend("2018-09-11", 1_000_000);
    assert_eq!(world.view().rows[0].subsidised, Money::new(7_500), "half, not ten points of 18.25");
    world.day_end("2018-09-20");
    let payoff = world.view().payoff.get();
    assert_eq!(payoff, 1_000_000 + 2_500, "ten days bear 5,000, of which half is the borrower's");
    world.book_money(2_500);
    assert_eq!(settle(&mut world, "2018-09-21", 1_002_500), LoanStatus::Created);
    assert_eq!(world.view().state, LoanState::Closed);
}

#[test]
fn losses_are_made_good_and_shared_and_so_is_what_comes_back() {
    let compensation = Compensation { party: 8, share: percent("80"), loan_max: Some(Money::new(700_000)) };
    let funders = vec![Funder { id: 1, share: percent("50") }];
    let mut world = World::new(&Product { compensation: Some(compensation), funders, ..microloan() });
    world.lend("2018-09-11", 1_000_000);
    assert_eq!(world.act("2018-09-11", LoanAct::WriteOff), LoanStatus::Created);
    assert_eq!(world.control(Role::CompensationReceivable), 700_000, "80 %, but no more than the cap");
    assert_eq!((world.control(Role::WrittenOff), world.control(Role::Funder0)), (150_000, 150_000));
    let recover = LoanAct::Recover { account_id: AccountId::ZERO, amount: Amount::new(500_000) };
    assert_eq!(world.act("2018-09-11", recover), LoanStatus::Created);
    assert_eq!(world.control(Role::CompensationReceivable), 400_000, "80 % of what is still lost");
    assert_eq!(world.control(Role::WrittenOff) + world.control(Role::Recovery), 50_000);
    assert_eq!(world.control(Role::Funder0), 50_000);
    let of_recovery = LoanAct::Reverse { event_id: world.next_id };
    assert_eq!(world.act("2018-09-11", of_recovery), LoanStatus::Created);
    assert_eq!(world.control(Role::Funder0), 150_000, "a reversal takes the funder back too");
}

#[test]
fn what_is_past_due_is_spread_anew() {
    let mut world = World::new(&microloan());
    world.lend("2018-09-11", 1_000_000);
    world.day_end("2018-12-20");
    let before = world.view();
    assert_eq!(before.standing.days_past_due, 71);
    let early = restructure("2018-12-21", 10);
    let must_follow = LoanStatus::Terms(fen_terms::TermsStatus::FirstDueMustFollowDisbursement);
    assert_eq!(world.act("2018-12-21", early), must_follow);
    assert_eq!(world.act("2018-12-21", restructure("2019-01-21", 10)), LoanStatus::Created);
    let after = world.view();
    assert_eq!(after.standing.days_past_due, 0);
    assert_eq!(after.outstanding.principal, before.outstanding.principal);
    assert_eq!(after.outstanding.penalties, before.outstanding.penalties, "nothing is forgiven");
    let arrears: Vec<_> = after.rows.iter().filter(|row| row.kind.name() == "arrears").collect();
    let was_past_due = before.overdue.interest + before.accrued;
    assert_eq!(arrears[0].due.interest, was_past_due, "past due, and accrued up to the day");
    let rows: Vec<_> = after.rows.iter().filter(|row| row.due.principal.is_positive()).collect();
    assert_eq!((rows.len(), rows[0].due_on.to_string().as_str()), (10, "2019-01-21"));
    assert_eq!(rows[0].due.interest, Money::new(15_500), "31 days of all principal");
    world.day_end("2019-01-21");
    assert_eq!(world.view().standing.days_past_due, 1);
    let incomplete =
        LoanAct::Reschedule(Reschedule { first_due_on: Some(date("2019-03-01")), ..Reschedule::default() });
    assert_eq!(world.act("2019-01-22", incomplete), LoanStatus::RescheduleMustNameOne);
}

#[test]
fn what_is_earned_after_a_sale_is_the_buyers() {
    let mut world = World::new(&microloan());
    world.lend("2018-09-11", 1_000_000);
    world.day_end("2018-10-10");
    assert_eq!(world.act("2018-10-11", LoanAct::Sell { owner: 77 }), LoanStatus::Created);
    assert_eq!(world.control(Role::InterestIncome), -15_000);
    assert_eq!(world.control(Role::Sold), 1_015_000);
    world.day_end("2018-11-10");
    assert_eq!(world.control(Role::InterestIncome), -15_000, "billed later, for the buyer");
    assert_eq!(world.repay("2018-11-11", 400_000), LoanStatus::Created);
    assert_eq!(world.control(Role::Sold), 1_015_000 - 400_000);
    assert_eq!(world.act("2018-11-11", LoanAct::Sell { owner: 78 }), LoanStatus::LoanSold);
}

#[test]
fn day_end_writes_off_by_the_products_rule() {
    let mut world = World::new(&Product { write_off_days: Some(400), ..microloan() });
    world.lend("2018-09-11", 1_000_000);
    world.day_end("2019-11-13");
    assert_eq!(world.view().state, LoanState::Active);
    world.day_end("2019-11-14");
    assert_eq!(world.view().state, LoanState::WrittenOff, "400 days after 11 October");
    assert_eq!(world.control(Role::Principal), 0);
}

#[test]
fn a_line_may_be_closed_and_draws_are_counted() {
    let mut world = World::new(&Product { line: LineKind::ClosedEnd, draws_max: Some(2), ..microloan() });
    world.act("2018-09-11", LoanAct::OpenLine(Box::new(opening(1_000_000))));
    let planned = world.view();
    assert_eq!((planned.state, planned.rows.len()), (LoanState::Approved, 5));
    assert_eq!(planned.rows[0].due.interest, Money::new(15_000), "as it would be");
    assert_eq!(planned.outstanding.total(), Money::ZERO);
    assert_eq!(world.lend("2018-09-11", 600_000), LoanStatus::Created);
    assert_eq!(world.repay("2018-09-11", 500_000), LoanStatus::Created);
    assert_eq!(
        world.lend("2018-09-11", 500_000),
        LoanStatus::ExceedsLine,
        "what is repaid is not drawn again"
    );
    assert_eq!(world.lend("2018-09-11", 100_000), LoanStatus::Created);
    assert_eq!(world.lend("2018-09-11", 100_000), LoanStatus::ExceedsDraws);
}

#[test]
fn a_retry_is_told_the_first_difference() {
    let mut world = World::new(&microloan());
    let opening = opening(1_000_000);
    let act = LoanAct::Disburse(Box::new(opening.clone()));
    let order = LoanOrder { id: 9, loan_id: 1, effective_on: date("2018-09-11"), act };
    assert_eq!(world.order(order.clone()), LoanStatus::Created);
    let mut with = |act: LoanAct| world.order(LoanOrder { act, ..order.clone() });
    let lend = |opening: Opening| LoanAct::Disburse(Box::new(opening));
    let mut other_terms = opening.clone();
    other_terms.terms.periods = Some(10);
    let mut other_facts = opening.clone();
    other_facts.facts.score = 700;
    assert_eq!(with(LoanAct::WriteOff), LoanStatus::ExistsWithDifferentOp);
    assert_eq!(
        with(lend(Opening { product_id: 8, ..opening.clone() })),
        LoanStatus::ExistsWithDifferentProductId
    );
    let elsewhere = Opening { account_id: AccountId::new(2), ..opening.clone() };
    assert_eq!(with(lend(elsewhere)), LoanStatus::ExistsWithDifferentAccountId);
    assert_eq!(
        with(lend(Opening { amount: Amount::new(1), ..opening.clone() })),
        LoanStatus::ExistsWithDifferentAmount
    );
    assert_eq!(with(lend(other_terms)), LoanStatus::ExistsWithDifferentTerms);
    assert_eq!(with(lend(other_facts)), LoanStatus::ExistsWithDifferentFacts);
    let later = LoanOrder { effective_on: date("2018-09-12"), ..order.clone() };
    assert_eq!(world.order(later), LoanStatus::ExistsWithDifferentEffectiveOn);
    assert_eq!(world.order(order), LoanStatus::Exists);
}
