//! What a shard's log entry carries: the commands of one or many clients, one after the other.
//!
//! Small commands are gathered before consensus, across clients, so that one write and one round trip serve them
//! all. They stay commands of their own: a chain that one client left open never links to the next client's event,
//! and each gets its own answer.
//!
//! ```text
//! parcel:  version u16, commands u16, 12 zeros, then for each command:
//! command: kind u16, 2 zeros, body length u32, 8 zeros, body, zeros up to a multiple of 16
//! answers: for each command, length u32 and its bytes
//! ```

use bytes::{Buf, BufMut, Bytes, BytesMut};
use fen_raft::PARCEL_BYTES_MAX;

const VERSION: u16 = 1;
const HEAD_BYTES: usize = 16;
/// Commands in one parcel, at most.
pub const COMMANDS_MAX: usize = 1_024;
/// The longest body of a command that fits a parcel alone.
pub const BODY_BYTES_MAX: usize = PARCEL_BYTES_MAX - 2 * HEAD_BYTES;

/// A command as the log carries it: the kind's number and the records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PackedCommand {
    /// Which command.
    pub kind: u16,
    /// Its records, one after the other.
    pub body: Bytes,
}

fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(HEAD_BYTES)
}

/// Gathers commands into one parcel.
#[derive(Debug)]
pub struct Packer {
    bytes: BytesMut,
    commands: u16,
}

impl Default for Packer {
    fn default() -> Self {
        let mut bytes = BytesMut::with_capacity(4_096);
        bytes.put_bytes(0, HEAD_BYTES);
        Self { bytes, commands: 0 }
    }
}

impl Packer {
    /// Whether a command with such a body still fits.
    pub fn fits(&self, body_bytes: usize) -> bool {
        usize::from(self.commands) < COMMANDS_MAX
            && self.bytes.len() + HEAD_BYTES + padded(body_bytes) <= PARCEL_BYTES_MAX
    }

    /// Adds a command, which must fit.
    pub fn add(&mut self, command: &PackedCommand) {
        assert!(self.fits(command.body.len()), "a parcel keeps to its size");
        let length = u32::try_from(command.body.len()).expect("a parcel is shorter than 4 GiB");
        self.bytes.put_u16_le(command.kind);
        self.bytes.put_u16_le(0);
        self.bytes.put_u32_le(length);
        self.bytes.put_u64_le(0);
        self.bytes.put_slice(&command.body);
        self.bytes.put_bytes(0, padded(command.body.len()) - command.body.len());
        self.commands += 1;
    }

    /// The parcel's bytes.
    pub fn finish(mut self) -> Bytes {
        self.bytes[0..2].copy_from_slice(&VERSION.to_le_bytes());
        self.bytes[2..4].copy_from_slice(&self.commands.to_le_bytes());
        self.bytes.freeze()
    }
}

/// A parcel's commands; in words, why the bytes are none.
pub fn unpack(mut parcel: Bytes) -> Result<Vec<PackedCommand>, String> {
    if parcel.len() < HEAD_BYTES {
        return Err("a parcel without a head".to_owned());
    }
    let (version, count) = (parcel.get_u16_le(), parcel.get_u16_le());
    parcel.advance(HEAD_BYTES - 4);
    if version != VERSION {
        return Err(format!("a parcel of version {version}; this release knows {VERSION}"));
    }
    let mut commands = Vec::with_capacity(usize::from(count).min(COMMANDS_MAX));
    for _command in 0..count {
        if parcel.len() < HEAD_BYTES {
            return Err("a parcel that ends within a command's head".to_owned());
        }
        let kind = parcel.get_u16_le();
        parcel.advance(2);
        let length = usize::try_from(parcel.get_u32_le()).unwrap_or(usize::MAX);
        parcel.advance(8);
        let taken = length.checked_next_multiple_of(HEAD_BYTES).filter(|taken| *taken <= parcel.len());
        let taken = taken.ok_or("a parcel that ends within a command's body")?;
        let body = parcel.split_to(taken).slice(..length);
        commands.push(PackedCommand { kind, body });
    }
    if parcel.is_empty() { Ok(commands) } else { Err("a parcel with more bytes than commands".to_owned()) }
}

/// Adds one command's answer to a parcel's.
pub fn add_answer(answers: &mut BytesMut, answer: &[u8]) {
    answers.put_u32_le(u32::try_from(answer.len()).expect("an answer is shorter than 4 GiB"));
    answers.put_slice(answer);
}

/// The answers to a parcel's commands, in their order.
pub fn split_answers(mut answers: Bytes) -> Option<Vec<Bytes>> {
    let mut all = Vec::new();
    while !answers.is_empty() {
        if answers.len() < 4 {
            return None;
        }
        let length = usize::try_from(answers.get_u32_le()).ok()?;
        if answers.len() < length {
            return None;
        }
        all.push(answers.split_to(length));
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_and_cut_or_grown_parcels_do_not() {
        let mut packer = Packer::default();
        let commands: Vec<PackedCommand> = [0_usize, 1, 16, 128, 300]
            .iter()
            .map(|size| PackedCommand { kind: 7, body: Bytes::from(vec![9; *size]) })
            .collect();
        for command in &commands {
            packer.add(command);
        }
        let parcel = packer.finish();
        assert_eq!(unpack(parcel.clone()).unwrap(), commands);
        for cut in 0..parcel.len() {
            assert!(unpack(parcel.slice(..cut)).is_err(), "cut at {cut}");
        }
        let mut grown = BytesMut::from(&parcel[..]);
        grown.put_u8(0);
        assert!(unpack(grown.freeze()).is_err());
    }

    #[test]
    fn a_full_batch_fits_alone() {
        let mut packer = Packer::default();
        assert!(packer.fits(fen_book::EVENTS_MAX * 128));
        packer.add(&PackedCommand { kind: 1, body: Bytes::from(vec![0; fen_book::EVENTS_MAX * 128]) });
        assert!(packer.finish().len() <= PARCEL_BYTES_MAX);
    }
}
