//! What both ends of a connection share: the stream, and the half that writes.

use crate::NetFault;
use crate::frame::{Frame, Lane, Writer};
use tokio::io::AsyncWrite;
use tokio::sync::mpsc::Receiver;

/// Frames that may wait to be written before whoever sends has to wait.
pub(crate) const QUEUE_FRAMES_MAX: usize = 64;
/// How long a stranger may take to say who he is.
pub(crate) const GREETING_SECONDS_MAX: u64 = 5;

/// Writes what is queued until the queue is closed: as many frames as wait go out in one flush.
pub(crate) async fn write_all<W: AsyncWrite + Unpin>(
    stream: W,
    lane: Lane,
    queue: &mut Receiver<Frame>,
) -> Result<(), NetFault> {
    let mut writer = Writer::new(stream, lane);
    while let Some(frame) = queue.recv().await {
        writer.write(&frame).await?;
        while let Ok(frame) = queue.try_recv() {
            writer.write(&frame).await?;
        }
        writer.flush().await?;
    }
    Ok(())
}
