//! That money between shards is nowhere lost and nowhere twice: the parts of every clearing account net to nothing, and
//! both of its shards have settled the same transfers.
//!
//! The shards are asked twice. A clearing account's posted sums never fall, so what was the same both times was so all
//! the while between: one moment of all shards, without stopping any.

use super::{Call, Gateway};
use crate::ask::{self, Read};
use crate::fault::ServeFault;
use crate::reads::pair;
use fen_api::{records, wire};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(100);
/// For so long money may go on moving between shards.
const ROUNDS_MAX: u32 = 20;

/// What is known of one clearing account, by the shard that has a part of it.
type Parts = BTreeMap<u32, wire::ClearingAccount>;

impl Gateway {
    /// How many transfers between shards are settled, and what is wrong.
    pub(super) async fn verify_clearing(&self, call: &Call) -> (u64, Vec<String>) {
        let mut before = None;
        for round in 1.. {
            let now = match self.clearing_parts(call).await {
                Ok(now) => now,
                Err(fault) => {
                    return (0, vec![format!("money between shards could not be added up: {fault}")]);
                }
            };
            let is_quiet = now.iter().all(|(_, part)| part.under_way == 0);
            if is_quiet && before.as_ref() == Some(&now) {
                return settled_once(&now);
            }
            before = Some(now);
            if round >= ROUNDS_MAX || Instant::now() + PAUSE >= call.deadline {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let moving = "money kept moving between shards and could not be compared: ask again when fewer payments come in";
        (0, vec![moving.to_owned()])
    }

    async fn clearing_parts(&self, call: &Call) -> Result<Vec<(u32, wire::ClearingPart)>, ServeFault> {
        let answers = self.ask_all(&Read::Clearing, call).await?;
        let part = |(group, answer): (fen_raft::GroupId, bytes::Bytes)| {
            Ok((group.0, ask::read(answer).map_err(ServeFault::Unavailable)?))
        };
        answers.into_iter().map(part).collect()
    }
}

/// Holds the sides of every clearing account against each other.
fn settled_once(parts: &[(u32, wire::ClearingPart)]) -> (u64, Vec<String>) {
    let mut accounts: BTreeMap<u128, Parts> = BTreeMap::new();
    for (shard, part) in parts {
        for account in &part.accounts {
            let id = account.account.map_or(0, |account| records::wide(account.id));
            accounts.entry(id).or_default().insert(*shard, account.clone());
        }
    }
    let (mut count, mut faults) = (0, Vec::new());
    for (id, parts) in &accounts {
        let (source, target) = pair(*id);
        let posted = |of: fn(&wire::Account) -> Option<wire::Uint128>| {
            let sides = parts.values().filter_map(|part| part.account.as_ref());
            sides.map(|account| records::wide(of(account))).fold(0_u128, u128::wrapping_add)
        };
        let (debits, credits) =
            (posted(|account| account.debits_posted), posted(|account| account.credits_posted));
        let name = format!("clearing account {id} from shard {source} to shard {target}");
        if debits != credits {
            faults.push(format!(
                "{name}: its parts were debited {debits} and credited {credits}, and nothing is under way"
            ));
        }
        let side = |shard: u32| parts.get(&shard).map_or((0, None), |part| (part.settled, Some(&part.mark)));
        let ((sent, sent_mark), (arrived, arrived_mark)) = (side(source), side(target));
        count += sent;
        if sent != arrived {
            faults.push(format!(
                "{name}: {sent} transfers were settled on the source, {arrived} arrived on the target"
            ));
        } else if sent > 0 && sent_mark != arrived_mark {
            faults.push(format!("{name}: the {sent} transfers that were settled are not those that arrived"));
        }
        if parts.keys().any(|shard| ![source, target].contains(shard)) {
            faults.push(format!("{name}: another shard has a part of it"));
        }
    }
    (count, faults)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fen_book::LedgerCode;
    use fen_book::clearing::clearing_account;

    #[test]
    fn sides_that_differ_are_named() {
        let id = clearing_account(1, 2, LedgerCode::new(156)).unwrap().get();
        let part = |debits: u128, credits: u128, settled: u64, mark: u8| wire::ClearingPart {
            accounts: vec![wire::ClearingAccount {
                account: Some(wire::Account {
                    id: records::halves(id),
                    debits_posted: records::halves(debits),
                    credits_posted: records::halves(credits),
                    ..wire::Account::default()
                }),
                settled,
                mark: vec![mark],
            }],
            under_way: 0,
        };
        let of = |source, target| settled_once(&[(1, source), (2, target)]);
        assert_eq!(of(part(0, 9, 2, 7), part(9, 0, 2, 7)), (2, Vec::new()));
        assert!(of(part(0, 9, 2, 7), part(8, 0, 2, 7)).1[0].contains("debited 8 and credited 9"));
        assert!(of(part(0, 9, 2, 7), part(9, 0, 1, 7)).1[0].contains("2 transfers were settled"));
        assert!(of(part(0, 9, 2, 7), part(9, 0, 2, 8)).1[0].contains("not those that arrived"));
        assert!(settled_once(&[(3, part(0, 0, 0, 0))]).1[0].contains("another shard"));
    }
}
