//! A whole cluster in one thread from one seed: the shipped code for log, consensus, checkpoint, images, directory,
//! teller, router and gateway, on simulated time, network and disk.
//!
//! First things go wrong ([`plan`]) while clients go on asking ([`clients`]), and nothing may be wrong; then all is
//! put right, and everything must come to its end; then the [`oracle`]s judge. The same seed gives the same hash of
//! everything that happened, on any machine ([`entropy`]).
//!
//! Deliberately absent: what lies above the gateway's calls (gRPC, TLS), which has tests on real sockets.

pub mod clients;
pub mod dice;
pub mod disk;
pub mod entropy;
pub mod many;
pub mod oracle;
pub mod plan;
#[cfg(feature = "planted")]
pub mod planted;
pub mod run;
pub mod story;
pub mod town;
pub mod wire;
