//! Durable storage for one node: write-ahead log, journal segments, id index, checkpoints.

pub mod checkpoint;
pub mod disk;
mod index;
pub mod journal;
pub mod room;
pub mod segment;
pub mod wal;
