//! What the benches share: the workloads of the load generator, made before the clock starts.

use fen_book::{Transfer, TransferId};
use fen_loadgen::workload::{Hot, Order};

pub use fen_loadgen::workload::{Ids, Random, account, account_id};

/// `count` transfers of 1 to 10,000 minor units between evenly drawn accounts.
pub fn transfers(
    random: &mut Random,
    first_id: u128,
    count: usize,
    accounts: u64,
    ids: Ids,
) -> Vec<Transfer> {
    (0..count as u128)
        .map(|n| {
            let order = Order::draw(random, Hot::Uniform, accounts);
            let id = match ids {
                Ids::Time => first_id + n,
                Ids::Random => (u128::from(random.draw()) << 64) | u128::from(random.draw()),
            };
            order.transfer(TransferId::new(id), TransferId::ZERO)
        })
        .collect()
}
