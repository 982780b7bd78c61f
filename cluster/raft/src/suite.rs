//! The replication library's own tests for logs and machines, run against ours on a disk in memory.

use crate::adapter::Adapter;
use crate::crew::Crew;
use crate::log::GroupLog;
use crate::machine::{Audience, Checkpoint, Image, Machine, Mark};
use crate::scribe::Scribe;
use crate::words::{Answer, GroupId, LogPlace, Parcel, Types};
use bytes::Bytes;
use fen_store::disk::MemoryDisk;
use fen_store::wal::WalOptions;
use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Remembers nothing but its last image.
#[derive(Default)]
struct Nothing(Option<Image>);

impl Machine for Nothing {
    fn mark(&self) -> Mark {
        Mark::default()
    }
    fn apply(&mut self, _place: LogPlace, _parcel: &Parcel, _audience: Audience) -> io::Result<Answer> {
        Ok(Answer::default())
    }
    fn checkpoint(&mut self, mark: Mark) -> io::Result<Checkpoint> {
        let image = Image { mark, content: Arc::new(Bytes::new()) };
        self.0 = Some(image.clone());
        Ok(Checkpoint::Whole(image))
    }
    fn image(&mut self) -> io::Result<Option<Image>> {
        Ok(self.0.clone())
    }
    fn install(&mut self, image: Image) -> io::Result<()> {
        self.0 = Some(image);
        Ok(())
    }
}

struct Fresh;

impl StoreBuilder<Types, GroupLog, Adapter<Nothing>, Scribe> for Fresh {
    async fn build(&self) -> Result<(Scribe, GroupLog, Adapter<Nothing>), StorageError<Types>> {
        // A cache of one byte: whatever is durable is read back from the disk.
        let options = WalOptions { segment_bytes: 2 << 20, staging_bytes: 1 << 20, ..WalOptions::new(1) };
        let scribe =
            Scribe::open(&Crew::Threads, Arc::new(MemoryDisk::new()), Path::new("wal"), &options, 1).unwrap();
        let log = scribe.group(GroupId(3));
        let (adapter, _desk) =
            Adapter::start(&Crew::Threads, "machine", Nothing::default(), Arc::default()).unwrap();
        Ok((scribe, log, adapter))
    }
}

#[test]
fn the_librarys_own_suite_passes() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(Suite::test_all(Fresh)).unwrap();
}
