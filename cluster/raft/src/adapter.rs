//! The machine as the replication library wants it: applies in order, gives out images, takes them in.

use crate::codec::{Ink, Reader};
use crate::crew::Crew;
use crate::machine::{Desk, Image, ImageContent, Job, Machine, Mark};
use crate::words::{Answer, LogId, LogPlace, StoredMembership, Types};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::oneshot;

pub(crate) type Snapshot = openraft::type_config::alias::SnapshotOf<Types, Arc<dyn ImageContent>>;
pub(crate) type SnapshotMeta = openraft::type_config::alias::SnapshotMetaOf<Types>;

/// See the module.
pub(crate) struct Adapter<M> {
    desk: Desk<M>,
    last: Option<LogId>,
    membership: StoredMembership,
    /// Bytes applied since the last image: what a restart would have to replay.
    replay_bytes: Arc<AtomicU64>,
}

impl<M: Machine> Adapter<M> {
    /// Starts the machine's worker.
    pub(crate) fn start(
        crew: &Crew,
        name: &str,
        machine: M,
        replay_bytes: Arc<AtomicU64>,
    ) -> io::Result<(Self, Desk<M>)> {
        let mark = machine.mark();
        let (last, membership) = unmark(&mark)?;
        let desk = Desk::start(crew, name, machine)?;
        Ok((Self { desk: desk.clone(), last, membership, replay_bytes }, desk))
    }

    fn mark(&self) -> Mark {
        let membership = Ink::default().stored_membership(&self.membership).done().into();
        Mark { place: self.last.map(LogPlace::of), membership }
    }
}

fn unmark(mark: &Mark) -> io::Result<(Option<LogId>, StoredMembership)> {
    let membership = if mark.membership.is_empty() {
        StoredMembership::default()
    } else {
        Reader(mark.membership.clone()).stored_membership()?
    };
    Ok((mark.place.map(LogPlace::log_id), membership))
}

fn snapshot(image: Image) -> io::Result<Snapshot> {
    let (last_log_id, last_membership) = unmark(&image.mark)?;
    Ok(Snapshot { meta: SnapshotMeta { last_log_id, last_membership }, snapshot: image.content })
}

pub(crate) fn mark_of(meta: &SnapshotMeta) -> Mark {
    let membership: Bytes = Ink::default().stored_membership(&meta.last_membership).done().into();
    Mark { place: meta.last_log_id.map(LogPlace::of), membership }
}

impl<M: Machine> RaftStateMachine<Types> for Adapter<M> {
    type SnapshotData = Arc<dyn ImageContent>;
    type SnapshotBuilder = Builder<M>;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok((self.last, self.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some(item) = entries.next().await {
            let (entry, responder) = item?;
            self.last = Some(entry.log_id);
            match entry.payload {
                EntryPayload::Normal(parcel) => {
                    self.replay_bytes.fetch_add(parcel.body.len() as u64, Ordering::Relaxed);
                    let place = LogPlace::of(entry.log_id);
                    self.desk.send(Job::Apply { place, parcel, answer: responder }).await?;
                }
                EntryPayload::Blank => {
                    if let Some(responder) = responder {
                        responder.send(Answer::default());
                    }
                }
                EntryPayload::Membership(membership) => {
                    self.membership = StoredMembership::new(Some(entry.log_id), membership);
                    if let Some(responder) = responder {
                        responder.send(Answer::default());
                    }
                }
            }
        }
        self.desk.ask(Job::Barrier).await
    }

    async fn get_snapshot_builder(&mut self) -> Builder<M> {
        // Queued here, so that it stands before every entry that is applied later.
        let (sender, image) = oneshot::channel();
        let queued = self.desk.send(Job::Checkpoint(self.mark(), sender)).await;
        self.replay_bytes.store(0, Ordering::Relaxed);
        Builder { image: Some(queued.map(|()| image)), machine: std::marker::PhantomData }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: Arc<dyn ImageContent>,
    ) -> Result<(), io::Error> {
        let image = Image { mark: mark_of(meta), content: snapshot };
        self.desk.ask(|done| Job::Install(image, done)).await?;
        self.last = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.replay_bytes.store(0, Ordering::Relaxed);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        self.desk.ask(Job::Image).await?.map(snapshot).transpose()
    }
}

/// Waits for the image that was asked for.
pub(crate) struct Builder<M> {
    image: Option<io::Result<oneshot::Receiver<io::Result<Image>>>>,
    machine: std::marker::PhantomData<fn(M)>,
}

impl<M: Machine> RaftSnapshotBuilder<Types> for Builder<M> {
    type SnapshotData = Arc<dyn ImageContent>;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let image = self.image.take().ok_or_else(|| io::Error::other("an image is built once"))??;
        snapshot(image.await.map_err(|_| io::Error::other("the machine's worker has stopped"))??)
    }
}
