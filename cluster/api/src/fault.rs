//! Why a client got no answer.

use thiserror::Error;

/// Nothing is known of what was asked, unless it says so: ask again with the same ids.
#[derive(Clone, Debug, Error)]
pub enum ClientFault {
    /// No node answered in all the time that was given.
    #[error("no node of {endpoints} answered within {seconds} s; the last said: {last}")]
    Unreachable {
        /// Whom it asked.
        endpoints: String,
        /// For how long.
        seconds: u64,
        /// The last node's reason.
        last: String,
    },
    /// The cluster says that the request itself is wrong; asking again does not help.
    #[error("refused: {0}")]
    Refused(String),
    /// A node's disk is full, and it takes no writes until there is room: nothing was done.
    #[error("no room: {0}")]
    NoRoom(String),
    /// An address, a certificate or a key that cannot be used.
    #[error("{0}")]
    Setup(String),
    /// The answer is not what the protocol promises: another version, or damage.
    #[error("the answer cannot be read: {0}")]
    Garbled(&'static str),
}
