//! The directory as a replicated machine: its state is one JSON file, replaced by rename.
//!
//! Beside the directory it keeps the registry of payment files, which changes more often and is asked for by its
//! leader's readers only: so it is not published, and a parcel to it is the book's own order behind [`REGISTRY`], where
//! a change of the directory is JSON.

use super::change::Change;
use super::{Directory, VERSION};
use bytes::Bytes;
use fen_book::Stamp;
use fen_book::batches::{BatchOrder, Batches};
use fen_raft::{Answer, Audience, Checkpoint, Image, LogPlace, Machine, Mark, Parcel};
use fen_store::disk::Disk;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// What a parcel to the registry begins with; no JSON does.
const REGISTRY: u8 = 0;

/// A parcel with an order to the registry, whose bytes must be one.
pub(crate) fn registry_parcel(stamp: u64, order: &[u8]) -> Parcel {
    let mut body = Vec::with_capacity(1 + order.len());
    body.push(REGISTRY);
    body.extend_from_slice(order);
    Parcel { stamp, body: Bytes::from(body) }
}

/// The directory as a replicated machine.
pub struct DirectoryMachine {
    directory: Directory,
    batches: Batches,
    /// The last stamp that the registry was given; they rise, whatever leaders' clocks say.
    clock: u64,
    published: watch::Sender<Arc<Directory>>,
    mark: Mark,
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

/// What lies on disk.
#[derive(Serialize, Deserialize)]
struct Kept {
    term: Option<u64>,
    index: Option<u64>,
    membership: Vec<u8>,
    directory: Directory,
    /// The registry's bytes, in hex.
    #[serde(default)]
    batches: String,
    #[serde(default)]
    clock: u64,
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

impl DirectoryMachine {
    /// Opens what was kept in `directory`, or begins with nothing; whatever changes is published.
    pub fn open(
        disk: Arc<dyn Disk>,
        directory: &Path,
    ) -> io::Result<(Self, watch::Receiver<Arc<Directory>>)> {
        disk.create_dir(directory)?;
        let path = directory.join("directory.json");
        let (published, changes) = watch::channel(Arc::default());
        let mut machine = Self {
            directory: Directory::default(),
            batches: Batches::default(),
            clock: 0,
            published,
            mark: Mark::default(),
            disk,
            path,
        };
        if let Some(bytes) = machine.read()? {
            machine.take(&bytes)?;
        }
        Ok((machine, changes))
    }

    fn read(&self) -> io::Result<Option<Vec<u8>>> {
        let file = match self.disk.open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = vec![0; usize::try_from(file.size()?).map_err(io::Error::other)?];
        file.read_at(&mut bytes, 0)?;
        Ok(Some(bytes))
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        let kept: Kept = serde_json::from_slice(bytes).map_err(io::Error::other)?;
        if kept.directory.version > VERSION {
            return Err(io::Error::other(format!(
                "the directory has version {}; this release knows {VERSION}",
                kept.directory.version
            )));
        }
        let place = kept.term.zip(kept.index).map(|(term, index)| LogPlace { term, index });
        self.mark = Mark { place, membership: Bytes::from(kept.membership) };
        let bytes =
            unhex(&kept.batches).ok_or_else(|| io::Error::other("the registry of files is no hex"))?;
        self.batches = Batches::from_bytes(&bytes).map_err(io::Error::other)?;
        self.clock = kept.clock;
        self.directory = kept.directory;
        self.directory.complete();
        self.published.send_replace(Arc::new(self.directory.clone()));
        Ok(())
    }

    fn bytes(&self, mark: &Mark) -> Vec<u8> {
        let kept = Kept {
            term: mark.place.map(|place| place.term),
            index: mark.place.map(|place| place.index),
            membership: mark.membership.to_vec(),
            directory: self.directory.clone(),
            batches: hex(&self.batches.to_bytes()),
            clock: self.clock,
        };
        serde_json::to_vec(&kept).expect("the directory is plain data")
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let draft = self.path.with_extension("draft");
        if let Err(error) = self.disk.remove(&draft)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let file = self.disk.create(&draft)?;
        file.write_at(bytes, 0)?;
        file.sync()?;
        self.disk.rename(&draft, &self.path)?;
        self.disk.sync_dir(self.path.parent().unwrap_or(Path::new("")))
    }

    /// The registry of payment files.
    pub(crate) fn batches(&self) -> &Batches {
        &self.batches
    }

    /// An order to the registry; what is none of this release is answered by nothing.
    fn enter(&mut self, order: &[u8], stamp: u64) -> Answer {
        let Ok(order) = BatchOrder::decode(order) else { return Answer::default() };
        self.clock = stamp.max(self.clock + 1);
        Answer(Bytes::from(self.batches.take(&order, Stamp::new(self.clock)).encode()))
    }

    fn change(&mut self, body: &[u8]) -> Result<(), String> {
        let change: Change = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        // A refusal leaves everything as it was.
        let mut next = self.directory.clone();
        next.change(change)?;
        self.directory = next;
        Ok(())
    }
}

impl Machine for DirectoryMachine {
    fn mark(&self) -> Mark {
        self.mark.clone()
    }

    /// The answer is empty, or the reason for a refusal; from the registry, its reply.
    fn apply(&mut self, _place: LogPlace, parcel: &Parcel, _audience: Audience) -> io::Result<Answer> {
        if let Some((&REGISTRY, order)) = parcel.body.split_first() {
            return Ok(self.enter(order, parcel.stamp));
        }
        match self.change(&parcel.body) {
            Ok(()) => {
                self.published.send_replace(Arc::new(self.directory.clone()));
                Ok(Answer::default())
            }
            Err(reason) => Ok(Answer(Bytes::from(reason))),
        }
    }

    fn checkpoint(&mut self, mark: Mark) -> io::Result<Checkpoint> {
        let bytes = self.bytes(&mark);
        self.write(&bytes)?;
        self.mark = mark.clone();
        Ok(Checkpoint::Whole(Image { mark, content: Arc::new(Bytes::from(bytes)) }))
    }

    fn image(&mut self) -> io::Result<Option<Image>> {
        let bytes = self.read()?;
        Ok(bytes.map(|bytes| Image { mark: self.mark.clone(), content: Arc::new(Bytes::from(bytes)) }))
    }

    fn install(&mut self, image: Image) -> io::Result<()> {
        let mut bytes = vec![0; usize::try_from(image.content.size()).map_err(io::Error::other)?];
        image.content.read(0, &mut bytes)?;
        self.take(&bytes)?;
        self.write(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{NodeEntry, REPLICAS};
    use fen_book::Outcome;
    use fen_book::batches::{BatchFile, BatchReply, BatchStatus};
    use fen_store::disk::MemoryDisk;
    use std::collections::BTreeMap;

    fn founding(shards: u32) -> Parcel {
        let entry =
            |port| NodeEntry { peer_address: format!("h:{port}"), client_address: format!("h:{}", port + 1) };
        let nodes = [(1, entry(10)), (2, entry(20)), (3, entry(30)), (4, entry(40))].into();
        Parcel { stamp: 1, body: Change::Found { nodes, shards }.encode() }
    }

    #[test]
    fn a_cluster_is_founded_once_and_every_slot_has_a_shard() {
        let disk = Arc::new(MemoryDisk::new());
        let (mut machine, changes) = DirectoryMachine::open(disk.clone(), Path::new("d")).unwrap();
        let place = LogPlace { term: 1, index: 1 };
        assert_eq!(machine.apply(place, &founding(7), Audience::Client).unwrap(), Answer::default());
        assert_ne!(machine.apply(place, &founding(2), Audience::Client).unwrap(), Answer::default());
        let directory = changes.borrow().clone();
        assert_eq!(directory.shards.len(), 7);
        assert!(directory.shards.iter().all(|shard| shard.founders.len() == REPLICAS));
        let mut counts = BTreeMap::new();
        for customer in 1..=7_000_u128 {
            let crate::route::Home::Slot(slot) = crate::route::home(fen_book::AccountId::new(customer << 64))
            else {
                panic!("a customer has a slot")
            };
            *counts.entry(directory.shard_of(slot).unwrap()).or_insert(0) += 1;
        }
        assert!(counts.len() == 7 && counts.values().all(|count| (800..1_200).contains(count)), "{counts:?}");

        let file = BatchFile { key: 7, message_id: "M".into(), items: 1, ..BatchFile::default() };
        let enter = BatchOrder::Enter(Box::new(file)).encode();
        let mut answers = Vec::new();
        for stamp in [90, 20] {
            let answer = machine.apply(place, &registry_parcel(stamp, &enter), Audience::Client).unwrap();
            answers.push(BatchReply::decode(&answer.0).unwrap().outcome);
        }
        let stamp = Stamp::new(90);
        assert_eq!(
            answers,
            [BatchStatus::Created, BatchStatus::Exists].map(|status| Outcome { timestamp: stamp, status })
        );
        assert_eq!(
            machine.apply(place, &registry_parcel(1, b"?"), Audience::Client).unwrap(),
            Answer::default()
        );

        let mark = Mark { place: Some(place), membership: Bytes::from_static(b"us") };
        machine.checkpoint(mark.clone()).unwrap();
        let kept = machine.batches().clone();
        let (again, changes) = DirectoryMachine::open(disk, Path::new("d")).unwrap();
        assert_eq!((again.mark(), changes.borrow().clone()), (mark, directory));
        assert_eq!((again.batches(), again.clock), (&kept, 91));
    }
}
