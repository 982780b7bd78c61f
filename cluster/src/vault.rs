//! Where a shard's books lie on disk: its checkpoint and its sealed journal, in a folder that an image from the
//! leader can take the place of, all at once.
//!
//! ```text
//! shards/<group>/CURRENT            the number of the folder in force
//! shards/<group>/<number>/checkpoint
//! shards/<group>/<number>/journal
//! ```

use fen_store::checkpoint::PageStore;
use fen_store::disk::Disk;
use fen_store::journal::Journal;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// Bytes in a vault are not what was written: books of another member may take their place. Everything else that
/// keeps a vault from being opened (a full or failing disk, rights, another release) is for the operator.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Damage(String);

impl Damage {
    /// As an error of the operating system's kind.
    pub fn error(fault: impl std::fmt::Display) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, Self(fault.to_string()))
    }

    /// Whether an error is damage.
    pub fn is(error: &io::Error) -> bool {
        error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()).is_some()
    }
}

/// See the module.
#[derive(Clone)]
pub struct Vault {
    disk: Arc<dyn Disk>,
    base: PathBuf,
    number: u64,
}

impl Vault {
    /// Opens the folder of one shard, or begins it.
    pub fn open(disk: Arc<dyn Disk>, base: PathBuf) -> io::Result<Self> {
        disk.create_dir(&base)?;
        let mut vault = Self { disk, base, number: 0 };
        match vault.disk.open(&vault.base.join("CURRENT")) {
            Ok(file) => {
                let mut word = [0; 8];
                file.read_at(&mut word, 0)?;
                vault.number = u64::from_le_bytes(word);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(vault)
    }

    /// The disk that all paths are on.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// An empty folder beside the one in force.
    pub fn successor(&self) -> io::Result<Self> {
        let next = Self { number: self.number + 1, ..self.clone() };
        // An earlier attempt may have stopped half-way.
        next.clear()?;
        Ok(next)
    }

    /// Puts this folder in force and clears the one before.
    pub fn take_over(&self, before: &Self) -> io::Result<()> {
        let draft = self.base.join("CURRENT.draft");
        match self.disk.remove(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let file = self.disk.create(&draft)?;
        file.write_at(&self.number.to_le_bytes(), 0)?;
        file.sync()?;
        self.disk.rename(&draft, &self.base.join("CURRENT"))?;
        self.disk.sync_dir(&self.base)?;
        before.clear()
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.base.join(self.number.to_string()).join(name)
    }

    /// Where the journal's segments lie.
    pub fn journal_folder(&self) -> PathBuf {
        self.folder("journal")
    }

    /// The checkpoint.
    pub fn store(&self) -> io::Result<PageStore> {
        let folder = self.folder("checkpoint");
        self.disk.create_dir(&folder)?;
        PageStore::open(self.disk.clone(), &folder)
            .map_err(|fault| if fault.is_damage() { Damage::error(fault) } else { io::Error::other(fault) })
    }

    /// The sealed journal.
    pub fn journal(&self) -> io::Result<Journal> {
        Journal::open(self.disk.clone(), &self.folder("journal"))
            .map_err(|fault| if fault.is_damage() { Damage::error(fault) } else { io::Error::other(fault) })
    }

    /// Removes all files; the empty folders stay.
    fn clear(&self) -> io::Result<()> {
        for name in ["checkpoint", "journal"] {
            let folder = self.folder(name);
            self.disk.create_dir(&folder)?;
            for file in self.disk.list(&folder)? {
                remove_file(&*self.disk, &folder.join(file))?;
            }
        }
        Ok(())
    }
}

/// Removes a file; a folder of that name stays.
fn remove_file(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.remove(path) {
        Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => {
            Err(error)
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
