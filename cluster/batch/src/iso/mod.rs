//! ISO 20022 messages: what comes in (`pain.001`, `pain.008`), read as a stream within limits, and what goes out
//! (`pain.002`, `camt.053`, `camt.054`).
//!
//! Of the published schemas this knows the parts that it reads, by name, order, number and version; what lies deeper
//! (addresses, taxes, regulatory reporting) is passed over within the limits.

pub mod initiation;
pub mod print;
mod shape;
mod xml;
