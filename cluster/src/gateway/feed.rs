//! The change feed over all shards: each shard's changes in its own order, one stream.
//!
//! For each shard a task asks its leader for page after page, and waits there for what comes; what it has found goes
//! into one queue, and from there to the reader. A position names every shard's own: `1:POSITION,2:POSITION`.
//!
//! **Invariants.** Every change is told once a stream, with the position behind it; a reader that goes on from the
//! position of what it has dealt with misses nothing. A slow reader makes the tasks wait: what lies in memory for it
//! is one page a shard and two more, whatever happens meanwhile.

use super::{Call, Gateway, not_founded};
use crate::ask::{self, Read};
use crate::directory::Directory;
use crate::fault::ServeFault;
use fen_api::wire;
use fen_ledger::FeedPosition;
use fen_raft::GroupId;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Pages without changes are told so often at most: they move the position on.
const SILENCE: Duration = Duration::from_secs(1);
/// Before a shard that cannot answer is asked again.
const PAUSE: Duration = Duration::from_millis(50);

type Told = Result<wire::FeedPage, ServeFault>;

/// Where a reader is, shard by shard.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Marks(BTreeMap<u32, FeedPosition>);

impl fmt::Display for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (shard, position)) in self.0.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            write!(f, "{comma}{shard}:{position}")?;
        }
        Ok(())
    }
}

impl Marks {
    fn parse(text: &str) -> Result<Self, String> {
        let refused = |what: &str| format!("the position is refused: {what}: give the text as it was given");
        let mut marks = BTreeMap::new();
        for mark in text.split(',').filter(|mark| !mark.is_empty()) {
            let (shard, position) = mark.split_once(':').ok_or_else(|| refused("it names no shard"))?;
            let shard: u32 = shard.parse().map_err(|_| refused("it names no shard"))?;
            let position = position.parse().map_err(|_| refused("it is no position of a feed"))?;
            marks.insert(shard, position);
        }
        Ok(Self(marks))
    }

    /// Moves a shard's mark on.
    fn advance(&mut self, shard: u32, position: &str) -> Result<(), ServeFault> {
        let position = position.parse().map_err(|_| super::unreadable())?;
        self.0.insert(shard, position);
        Ok(())
    }
}

fn shards(directory: &Directory) -> BTreeSet<u32> {
    directory.shards.iter().map(|shard| shard.group).collect()
}

impl Gateway {
    /// Begins a feed; it ends when the reader lets go of it, when all is told and nothing is to be waited for, or with
    /// a fault.
    pub(crate) fn feed(&self, asked: &wire::FeedRequest) -> Result<mpsc::Receiver<Told>, ServeFault> {
        let marks = Marks::parse(&asked.from).map_err(ServeFault::Refused)?;
        let changes = self.office.router.directory_changes();
        let shards = shards(&changes.borrow());
        if shards.is_empty() {
            return Err(not_founded());
        }
        if let Some(unknown) = marks.0.keys().find(|shard| !shards.contains(shard)) {
            return Err(ServeFault::Refused(format!(
                "the position is refused: it names shard {unknown}, and this cluster has none of that number"
            )));
        }
        let (found, parts) = mpsc::channel(1);
        for shard in &shards {
            let from = marks.0.get(shard).copied().unwrap_or(FeedPosition::BEGIN).to_string();
            let asked = wire::FeedRequest { from, ..asked.clone() };
            tokio::spawn(self.clone().tell_shard(*shard, asked, found.clone()));
        }
        let (pages, told) = mpsc::channel(1);
        tokio::spawn(join(Joined { marks, shards, ended: BTreeSet::new() }, parts, changes, pages));
        Ok(told)
    }

    /// Tells a shard's changes, page after page.
    async fn tell_shard(self, shard: u32, mut asked: wire::FeedRequest, pages: mpsc::Sender<(u32, Told)>) {
        let mut told_at = Instant::now();
        loop {
            let call = Call::within(None, false);
            let question = Read::Feed(asked.clone());
            let page = tokio::select! {
                page = self.look(GroupId(shard), &question, &call) => page,
                () = pages.closed() => return,
            };
            let page = page.and_then(|page| ask::read(page).map_err(ServeFault::Unavailable));
            let page: wire::FeedPage = match page {
                Ok(page) => page,
                Err(ServeFault::Busy) => {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                // Who follows has patience: a leader will be found.
                Err(ServeFault::Unavailable(_) | ServeFault::NotLeader(_)) if asked.follow => {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                Err(fault) => {
                    // The reader may have gone.
                    let _gone = pages.send((shard, Err(fault))).await;
                    return;
                }
            };
            asked.from.clone_from(&page.position);
            let is_last = page.is_end && !asked.follow;
            let says_something = !page.changes.is_empty() || !page.gaps.is_empty();
            if says_something || is_last || told_at.elapsed() >= SILENCE {
                told_at = Instant::now();
                if pages.send((shard, Ok(page))).await.is_err() {
                    return;
                }
            }
            if is_last {
                return;
            }
        }
    }
}

/// What a joined stream knows.
struct Joined {
    marks: Marks,
    shards: BTreeSet<u32>,
    /// Those of which all was told with their last page.
    ended: BTreeSet<u32>,
}

impl Joined {
    /// A shard's page with the positions of all.
    fn page(&mut self, shard: u32, mut page: wire::FeedPage) -> Told {
        for change in &mut page.changes {
            self.marks.advance(shard, &change.position)?;
            change.position = self.marks.to_string();
        }
        self.marks.advance(shard, &page.position)?;
        page.position = self.marks.to_string();
        if page.is_end {
            self.ended.insert(shard);
        } else {
            self.ended.remove(&shard);
        }
        page.is_end = self.ended == self.shards;
        Ok(page)
    }
}

async fn join(
    mut joined: Joined,
    mut parts: mpsc::Receiver<(u32, Told)>,
    mut changes: watch::Receiver<Arc<Directory>>,
    pages: mpsc::Sender<Told>,
) {
    loop {
        let told = tokio::select! {
            part = parts.recv() => match part {
                None => return,
                Some((shard, page)) => page.and_then(|page| joined.page(shard, page)),
            },
            changed = changes.changed() => {
                let is_same = changed.is_ok() && shards(&changes.borrow()) == joined.shards;
                if is_same {
                    continue;
                }
                Err(ServeFault::Unavailable(
                    "the cluster has another shard now: go on from the last position".to_owned(),
                ))
            }
            () = pages.closed() => return,
        };
        let is_over = told.is_err();
        if pages.send(told).await.is_err() || is_over {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_names_every_shard() {
        let text = "1:5.2.77,3:0.0.0";
        assert_eq!(Marks::parse(text).unwrap().to_string(), text);
        assert_eq!(Marks::parse("").unwrap(), Marks::default());
        for text in ["5.2.77", "x:5.2.77", "1:5.2", "1"] {
            assert!(Marks::parse(text).unwrap_err().contains("refused"), "{text}");
        }
    }

    #[test]
    fn each_change_bears_the_position_behind_it() {
        let marks = Marks::parse("1:1.1.10").unwrap();
        let mut joined = Joined { marks, shards: [1, 2].into(), ended: BTreeSet::new() };
        let change =
            |position: &str| wire::Change { position: position.to_owned(), ..wire::Change::default() };
        let page = |changes: &[&str], position: &str| wire::FeedPage {
            changes: changes.iter().map(|position| change(position)).collect(),
            position: position.to_owned(),
            is_end: true,
            ..wire::FeedPage::default()
        };
        let told = joined.page(2, page(&["1.0.5", "2.0.6"], "3.0.7")).unwrap();
        assert_eq!(told.changes[0].position, "1:1.1.10,2:1.0.5");
        assert_eq!((told.position.as_str(), told.is_end), ("1:1.1.10,2:3.0.7", false));
        let told = joined.page(1, page(&[], "2.1.11")).unwrap();
        assert_eq!((told.position.as_str(), told.is_end), ("1:2.1.11,2:3.0.7", true));
        assert!(joined.page(1, page(&["?"], "2.1.11")).is_err());
    }
}
