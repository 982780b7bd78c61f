//! What can go wrong between two nodes.

use std::io;
use thiserror::Error;

/// Why a frame did not get through, or why a peer was turned away.
#[derive(Debug, Error)]
pub enum NetFault {
    /// The other side cannot be reached, or went away before it answered.
    #[error("{peer} cannot be reached: {because}")]
    Unreachable {
        /// Its address.
        peer: String,
        /// The operating system's or the protocol's word for it.
        because: String,
    },
    /// No answer in time.
    #[error("no answer within {milliseconds} ms")]
    Late {
        /// How long the caller was willing to wait.
        milliseconds: u64,
    },
    /// The bytes are no frame, or not one of ours.
    #[error("garbled frame: {0}")]
    Garbled(&'static str),
    /// Longer than the lane allows.
    #[error("a frame of {bytes} bytes, where {limit} is the limit")]
    TooLarge {
        /// As announced.
        bytes: usize,
        /// As allowed.
        limit: usize,
    },
    /// The other side said no, and why.
    #[error("refused: {0}")]
    Refused(String),
    /// Certificates or keys that cannot be used.
    #[error("security: {0}")]
    Security(String),
    /// The operating system's word.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl NetFault {
    /// The kind of fault, for counting.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Late { .. } => "late",
            Self::Garbled(_) => "garbled",
            Self::TooLarge { .. } => "too_large",
            Self::Refused(_) => "refused",
            Self::Security(_) => "stranger",
            Self::Io(_) => "broken_off",
        }
    }
}
