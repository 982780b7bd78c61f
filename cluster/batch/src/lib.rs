//! Payment and loan files: read as streams, checked whole, then carried out item by item, each exactly once.
//!
//! A file's way: [`open`] finds its format; [`check`] reads it to its end and says whether it is taken at all; then it
//! is entered in the registry of the books and [`run`] sends its items to them in full commands, and keeps their
//! outcomes in a [`spool`]. [`report`] makes the bank's answers of file and spool.
//!
//! **Invariants.** An item's id follows from the file's initiator and message id and the item's own, so an item that is
//! sent again answers `exists`: nothing is done twice, and a lost spool is made again by sending the file again. Memory
//! does not grow with what stands in a file, and by 8 bytes an item with how long it is.
//! **Deliberately absent.** Parquet, character sets other than UTF-8, exchange of currencies.

pub mod books;
pub mod check;
mod collect;
pub mod csv;
pub mod desk;
pub mod figure;
mod gauge;
pub mod ids;
pub mod iso;
pub mod item;
pub mod ndjson;
pub mod open;
pub mod outcome;
mod plan;
pub mod reason;
pub mod report;
pub mod rows;
pub mod rules;
pub mod run;
pub mod spool;
