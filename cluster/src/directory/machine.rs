//! The directory as a replicated machine: its state is one JSON file, replaced by rename.

use super::change::Change;
use super::{Directory, VERSION};
use bytes::Bytes;
use fen_raft::{Answer, Audience, Image, LogPlace, Machine, Mark, Parcel};
use fen_store::disk::Disk;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// The directory as a replicated machine.
pub struct DirectoryMachine {
    directory: Directory,
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
        let mut machine =
            Self { directory: Directory::default(), published, mark: Mark::default(), disk, path };
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

    /// The answer is empty, or the reason for a refusal.
    fn apply(&mut self, _place: LogPlace, parcel: &Parcel, _audience: Audience) -> io::Result<Answer> {
        match self.change(&parcel.body) {
            Ok(()) => {
                self.published.send_replace(Arc::new(self.directory.clone()));
                Ok(Answer::default())
            }
            Err(reason) => Ok(Answer(Bytes::from(reason))),
        }
    }

    fn checkpoint(&mut self, mark: Mark) -> io::Result<Image> {
        let bytes = self.bytes(&mark);
        self.write(&bytes)?;
        self.mark = mark.clone();
        Ok(Image { mark, content: Arc::new(Bytes::from(bytes)) })
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

        let mark = Mark { place: Some(place), membership: Bytes::from_static(b"us") };
        machine.checkpoint(mark.clone()).unwrap();
        let (again, changes) = DirectoryMachine::open(disk, Path::new("d")).unwrap();
        assert_eq!((again.mark(), changes.borrow().clone()), (mark, directory));
    }
}
