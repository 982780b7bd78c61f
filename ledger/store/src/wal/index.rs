//! Where each group's entries lie: an index in memory over the log, built while it is recovered and kept beside it.

use super::{Control, Entry, Found, GroupId, LogIndex, Position, SegmentNumber};
use std::collections::{BTreeMap, VecDeque};
use thiserror::Error;

/// Where an entry lies, and its term.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placed {
    /// Where.
    pub position: Position,
    /// The term it was proposed in.
    pub term: u64,
}

/// An entry that does not follow the one before it in its group.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("group {group}: entry {found} came where {expected} must follow")]
pub struct IndexFault {
    /// Whose log.
    pub group: GroupId,
    /// The index that must come next.
    pub expected: LogIndex,
    /// The one that came.
    pub found: LogIndex,
}

/// One group's entries, without gaps.
#[derive(Default)]
struct Group {
    /// The index of the first in `placed`.
    first: u64,
    placed: VecDeque<Placed>,
    purged: Option<(LogIndex, u64)>,
}

impl Group {
    /// The index that an entry must have to follow; `None` for any.
    fn next(&self) -> Option<u64> {
        if self.placed.is_empty() {
            return self.purged.map(|(index, _)| index.get() + 1);
        }
        Some(self.first + self.placed.len() as u64)
    }

    fn offset_of(&self, index: LogIndex) -> Option<usize> {
        let offset = usize::try_from(index.get().checked_sub(self.first)?).ok()?;
        (offset < self.placed.len()).then_some(offset)
    }

    fn index_at(&self, offset: usize) -> LogIndex {
        LogIndex::new(self.first + offset as u64)
    }
}

/// The entries of all groups.
#[derive(Default)]
pub struct GroupIndex {
    groups: BTreeMap<GroupId, Group>,
}

impl GroupIndex {
    /// No groups.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a frame that recovery shows.
    pub fn observe(&mut self, position: Position, found: &Found<'_>) -> Result<(), IndexFault> {
        match *found {
            Found::Entry(Entry { group, index, term, .. }) => {
                self.insert(group, index, Placed { position, term })?;
            }
            Found::Control(Control::Truncate { group, from }) => self.truncate(group, from),
            Found::Control(Control::Purge { group, up_to, term }) => self.purge(group, up_to, term),
            Found::Control(Control::Forget { group }) => self.forget(group),
            Found::Control(Control::Keep { .. }) => {}
        }
        Ok(())
    }

    /// Adds a group's next entry. The first one of a group of which nothing is known may have any index. What was
    /// purged already is passed over: it may come again when older segments are read.
    pub fn insert(&mut self, group: GroupId, index: LogIndex, placed: Placed) -> Result<(), IndexFault> {
        let entries = self.groups.entry(group).or_default();
        if entries.purged.is_some_and(|(up_to, _)| index <= up_to) {
            return Ok(());
        }
        match entries.next() {
            Some(expected) if expected != index.get() => {
                return Err(IndexFault { group, expected: LogIndex::new(expected), found: index });
            }
            Some(_) | None => {}
        }
        if entries.placed.is_empty() {
            entries.first = index.get();
        }
        entries.placed.push_back(placed);
        Ok(())
    }

    /// Where an entry lies.
    pub fn get(&self, group: GroupId, index: LogIndex) -> Option<Placed> {
        let entries = self.groups.get(&group)?;
        entries.placed.get(entries.offset_of(index)?).copied()
    }

    /// The first entry of a group.
    pub fn first(&self, group: GroupId) -> Option<(LogIndex, Placed)> {
        let entries = self.groups.get(&group)?;
        Some((entries.index_at(0), *entries.placed.front()?))
    }

    /// The last entry of a group.
    pub fn last(&self, group: GroupId) -> Option<(LogIndex, Placed)> {
        let entries = self.groups.get(&group)?;
        Some((entries.index_at(entries.placed.len().checked_sub(1)?), *entries.placed.back()?))
    }

    /// Up to where a group was purged, and the term there.
    pub fn purged(&self, group: GroupId) -> Option<(LogIndex, u64)> {
        self.groups.get(&group)?.purged
    }

    /// The groups of which anything is known.
    pub fn groups(&self) -> impl Iterator<Item = GroupId> {
        self.groups.keys().copied()
    }

    /// Drops a group's entries from `from` on.
    pub fn truncate(&mut self, group: GroupId, from: LogIndex) {
        if let Some(entries) = self.groups.get_mut(&group) {
            let kept = from.get().saturating_sub(entries.first);
            entries.placed.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
        }
    }

    /// Drops a group's entries up to `up_to`; the next one, if none is left, follows there. Purging never goes back.
    pub fn purge(&mut self, group: GroupId, up_to: LogIndex, term: u64) {
        let entries = self.groups.entry(group).or_default();
        if entries.purged.is_some_and(|(before, _)| before >= up_to) {
            return;
        }
        entries.purged = Some((up_to, term));
        let gone = (up_to.get() + 1).saturating_sub(entries.first);
        let gone = usize::try_from(gone).unwrap_or(usize::MAX).min(entries.placed.len());
        entries.placed.drain(..gone);
        entries.first += gone as u64;
    }

    /// Drops a group.
    pub fn forget(&mut self, group: GroupId) {
        self.groups.remove(&group);
    }

    /// The oldest segment in which an entry of any group lies: those before may be released.
    pub fn oldest_segment(&self) -> Option<SegmentNumber> {
        self.groups
            .values()
            .filter_map(|entries| entries.placed.front())
            .map(|placed| placed.position.segment)
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: GroupId = GroupId::new(4);

    fn placed(segment: u64) -> Placed {
        Placed {
            position: Position { segment: SegmentNumber::new(segment), offset: 64, length: 1 },
            term: segment,
        }
    }

    fn index(value: u64) -> LogIndex {
        LogIndex::new(value)
    }

    fn filled() -> GroupIndex {
        let mut entries = GroupIndex::new();
        for value in 10..20 {
            entries.insert(GROUP, index(value), placed(value / 5)).unwrap();
        }
        entries
    }

    #[test]
    fn entries_follow_without_gaps() {
        let mut entries = filled();
        assert_eq!(entries.get(GROUP, index(13)), Some(placed(2)));
        assert_eq!(entries.get(GROUP, index(9)), None);
        assert_eq!(entries.get(GROUP, index(20)), None);
        assert_eq!(entries.first(GROUP), Some((index(10), placed(2))));
        assert_eq!(entries.last(GROUP), Some((index(19), placed(3))));
        let fault = entries.insert(GROUP, index(21), placed(4)).unwrap_err();
        assert_eq!(fault.to_string(), "group 4: entry 21 came where 20 must follow");
        entries.insert(GroupId::new(1), index(7), placed(1)).unwrap();
        assert_eq!(entries.oldest_segment(), Some(SegmentNumber::new(1)));
        entries.forget(GroupId::new(1));
        assert_eq!(entries.oldest_segment(), Some(SegmentNumber::new(2)));
    }

    #[test]
    fn truncated_entries_are_followed_by_others() {
        let mut entries = filled();
        entries.truncate(GROUP, index(15));
        assert_eq!(entries.last(GROUP).unwrap().0, index(14));
        entries.insert(GROUP, index(15), placed(9)).unwrap();
        assert_eq!(entries.get(GROUP, index(15)), Some(placed(9)));
        entries.truncate(GROUP, index(3));
        assert_eq!(entries.last(GROUP), None);
        entries.truncate(GROUP, index(99));
    }

    #[test]
    fn purging_moves_the_beginning_and_never_back() {
        let mut entries = filled();
        entries.purge(GROUP, index(14), 2);
        entries.purge(GROUP, index(12), 1);
        assert_eq!(entries.purged(GROUP), Some((index(14), 2)));
        assert_eq!(entries.first(GROUP), Some((index(15), placed(3))));
        assert_eq!(entries.oldest_segment(), Some(SegmentNumber::new(3)));
        entries.purge(GROUP, index(100), 7);
        assert_eq!(entries.first(GROUP), None);
        assert!(entries.insert(GROUP, index(20), placed(4)).is_ok(), "what was purged may come again");
        assert_eq!(entries.last(GROUP), None);
        assert!(entries.insert(GROUP, index(102), placed(4)).is_err());
        entries.insert(GROUP, index(101), placed(4)).unwrap();
        assert_eq!(entries.first(GROUP), Some((index(101), placed(4))));
    }
}
