//! In which order the rows of one account and day follow each other, judged by the balances that the source
//! printed, and how well each of them agrees.
//!
//! A day's order is best when it has the fewest breaks (differences beyond the source's own rounding), then the
//! fewest roundings, then when it is nearest to the file's order. Up to [`EXACT_MAX`] rows every order is weighed;
//! beyond, the row whose printed balance is nearest to what is expected comes next, which finds the same order
//! wherever no two rows fit equally well.
//!
//! **Invariant.** The answer depends on the rows and the balance before them only, so an import that is repeated
//! or resumed finds the same order.

use std::collections::BTreeSet;

/// Days with at most so many rows are solved exactly: 2^10 sets x 10 x 10 steps, a fraction of a millisecond.
const EXACT_MAX: usize = 10;

/// What the search needs of a row, in minor units.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Printed {
    /// What the row moves; credits to the account are positive.
    pub(crate) amount: i128,
    /// What the source printed as the balance after it.
    pub(crate) balance: i128,
}

/// How a printed balance compares with the one before it plus the row's amount.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Agreement {
    /// Exactly.
    Agrees,
    /// Within the source's own rounding.
    Rounded,
    /// Neither: the order is ambiguous, or a row is missing.
    Breaks,
}

/// Compares a difference with the source's rounding.
pub(crate) fn agreement(difference: i128, rounding: i128) -> Agreement {
    match difference.unsigned_abs() {
        0 => Agreement::Agrees,
        size if size <= rounding.unsigned_abs() => Agreement::Rounded,
        _ => Agreement::Breaks,
    }
}

/// Breaks and roundings of an order, the fewer the better, breaks first.
type Cost = (u32, u32);

fn cost(before: i128, row: Printed, rounding: i128) -> Cost {
    match agreement(before + row.amount - row.balance, rounding) {
        Agreement::Agrees => (0, 0),
        Agreement::Rounded => (0, 1),
        Agreement::Breaks => (1, 0),
    }
}

/// The order of `rows`, as indices: `before` is the balance before the first of them.
pub(crate) fn running_order(before: i128, rows: &[Printed], rounding: i128) -> Vec<usize> {
    if runs_exactly(before, rows) {
        return (0..rows.len()).collect();
    }
    if rows.len() <= EXACT_MAX { exact(before, rows, rounding) } else { nearest(before, rows) }
}

/// Whether the file's own order leaves nothing to mend.
fn runs_exactly(mut before: i128, rows: &[Printed]) -> bool {
    for row in rows {
        if before + row.amount != row.balance {
            return false;
        }
        before = row.balance;
    }
    true
}

/// The best order of all, by dynamic programming over the sets of rows that are still to come.
fn exact(before: i128, rows: &[Printed], rounding: i128) -> Vec<usize> {
    let count = rows.len();
    let sets = 1_usize << count;
    // best[set * (count + 1) + last]: the cost of placing the rows of `set` after row `last` (`count`: after none).
    let width = count + 1;
    let mut best: Vec<Cost> = vec![(0, 0); sets * width];
    let balance_after = |last: usize| rows.get(last).map_or(before, |row| row.balance);
    let via = |best: &[Cost], set: usize, last: usize, next: usize| {
        let here = cost(balance_after(last), rows[next], rounding);
        let rest = best[(set & !(1 << next)) * width + next];
        (here.0 + rest.0, here.1 + rest.1)
    };
    for set in 1..sets {
        for last in 0..width {
            let members = (0..count).filter(|next| set >> next & 1 == 1);
            let least = members.map(|next| via(&best, set, last, next)).min();
            best[set * width + last] = least.unwrap_or_default();
        }
    }
    let mut order = Vec::with_capacity(count);
    let (mut set, mut last) = (sets - 1, count);
    while set != 0 {
        let fits =
            |next: &usize| set >> next & 1 == 1 && via(&best, set, last, *next) == best[set * width + last];
        let next = (0..count).find(fits).expect("the least cost is the cost of one of the rows");
        order.push(next);
        set &= !(1 << next);
        last = next;
    }
    order
}

/// The row whose balance before it is nearest to the balance that runs, each time; the earlier row of two.
fn nearest(before: i128, rows: &[Printed]) -> Vec<usize> {
    let mut left: BTreeSet<(i128, usize)> =
        rows.iter().enumerate().map(|(index, row)| (row.balance - row.amount, index)).collect();
    let mut order = Vec::with_capacity(rows.len());
    let mut running = before;
    while !left.is_empty() {
        let above = left.range((running, 0)..).next().copied();
        let below =
            left.range(..(running, 0)).next_back().and_then(|(start, _)| left.range((*start, 0)..).next());
        let chosen = match (below.copied(), above) {
            (Some(below), Some(above)) => {
                let (down, up) = (running - below.0, above.0 - running);
                if down < up || (down == up && below.1 < above.1) { below } else { above }
            }
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => break,
        };
        left.remove(&chosen);
        order.push(chosen.1);
        running = rows[chosen.1].balance;
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(pairs: &[(i128, i128)]) -> Vec<Printed> {
        pairs.iter().map(|(amount, balance)| Printed { amount: *amount, balance: *balance }).collect()
    }

    #[test]
    fn a_shuffled_day_is_put_right() {
        let day = rows(&[(-30, 100), (50, 130), (30, 80), (10, 110)]);
        // 50 +30 = 80, +50 = 130, -30 = 100, +10 = 110
        assert_eq!(running_order(50, &day, 0), [2, 1, 0, 3]);
        assert_eq!(nearest(50, &day), [2, 1, 0, 3]);
    }

    #[test]
    fn the_files_order_breaks_ties() {
        let day = rows(&[(5, 5), (-5, 0), (5, 5), (-5, 0)]);
        assert_eq!(running_order(0, &day, 0), [0, 1, 2, 3]);
        let crossed = rows(&[(-5, 0), (5, 5), (-5, 0), (5, 5)]);
        assert_eq!(running_order(0, &crossed, 0), [1, 0, 3, 2]);
    }

    #[test]
    fn fewest_breaks_come_before_fewest_roundings() {
        // Taking row 1 first rounds once and then agrees; taking row 0 first breaks once.
        let day = rows(&[(10, 109), (90, 99)]);
        assert_eq!(running_order(10, &day, 1), [1, 0]);
        assert_eq!(agreement(1, 1), Agreement::Rounded);
        assert_eq!(agreement(-2, 1), Agreement::Breaks);
        assert_eq!(agreement(0, 0), Agreement::Agrees);
    }

    #[test]
    fn large_days_are_ordered_too() {
        let mut balance = 1_000;
        let mut day = Vec::new();
        for step in 1..200_i128 {
            balance += step * step;
            day.push(Printed { amount: step * step, balance });
        }
        day.reverse();
        let expected: Vec<usize> = (0..day.len()).rev().collect();
        assert_eq!(running_order(1_000, &day, 0), expected);
    }

    #[test]
    fn every_small_day_is_solved_as_well_as_by_trying_every_order() {
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            i128::from((seed >> 33) % below)
        };
        for _ in 0..300 {
            let day: Vec<Printed> =
                (0..5).map(|_| Printed { amount: random(7) - 3, balance: random(9) }).collect();
            let order = running_order(2, &day, 1);
            let mut least = (u32::MAX, u32::MAX);
            try_all(&mut (0..5).collect(), 0, &mut |permutation| {
                least = least.min(total(2, &day, permutation));
            });
            assert_eq!(total(2, &day, &order), least);
        }
    }

    fn total(mut before: i128, day: &[Printed], order: &[usize]) -> Cost {
        let mut sum = (0, 0);
        for index in order {
            let step = cost(before, day[*index], 1);
            sum = (sum.0 + step.0, sum.1 + step.1);
            before = day[*index].balance;
        }
        sum
    }

    fn try_all(order: &mut Vec<usize>, from: usize, visit: &mut impl FnMut(&[usize])) {
        if from == order.len() {
            return visit(order);
        }
        for index in from..order.len() {
            order.swap(from, index);
            try_all(order, from + 1, visit);
            order.swap(from, index);
        }
    }
}
