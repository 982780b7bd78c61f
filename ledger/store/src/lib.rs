//! Durable storage for one node: write-ahead log, journal segments, id index, checkpoints.

pub mod disk;
pub mod wal;
