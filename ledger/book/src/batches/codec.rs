//! Orders to the registry as bytes in the log, and the registry as bytes in a checkpoint: fields one after the other,
//! little-endian, texts behind their length.

use super::{
    Acceptance, BatchEntry, BatchFile, BatchOrder, BatchProgress, BatchReply, BatchState, BatchStatus,
    Batches, Decision, Next, TEXT_BYTES_MAX,
};
use crate::command::Outcome;
use crate::loan::codec::{Reader, Writer};
use crate::quantity::{Amount, BusinessDate, LedgerCode, Stamp};

const ENTER: u8 = 1;
const RELEASE: u8 = 2;
const CANCEL: u8 = 3;
const REPORT: u8 = 4;
const DECIDE: u8 = 5;

const GOES_ON: u8 = 0;
const WAITS_FOR: u8 = 1;
const DONE: u8 = 2;

impl Writer {
    fn text(&mut self, text: &str) {
        self.u16(u16::try_from(text.len()).unwrap_or(u16::MAX));
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn file(&mut self, file: &BatchFile) {
        self.u128(file.key);
        for text in [&file.message_id, &file.initiator, &file.format, &file.submitted_by] {
            self.text(text);
        }
        self.bytes.extend_from_slice(&file.content);
        self.u8(match file.acceptance {
            Acceptance::Items => 0,
            Acceptance::Whole => 1,
            Acceptance::Held => 2,
        });
        self.u64(file.items);
        self.u128(file.sum.get());
        self.u32(file.ledger.get());
        self.i32(file.first_on.get());
        self.u8(u8::from(file.needs_release));
    }

    fn progress(&mut self, progress: &BatchProgress) {
        self.u64(progress.position);
        self.u64(progress.taken);
        self.u128(progress.taken_sum.get());
        self.u64(progress.refused);
    }

    fn entry(&mut self, entry: &BatchEntry) {
        self.file(&entry.file);
        self.u16(entry.state.number());
        self.i32(entry.next_on.get());
        self.text(&entry.released_by);
        self.text(&entry.cancelled_by);
        self.progress(&entry.progress);
        self.u64(entry.submitted_at.get());
        self.u64(entry.changed_at.get());
        self.u64(entry.goes_since.get());
        self.u64(entry.goes_from);
    }
}

impl Reader<'_> {
    fn text(&mut self) -> Option<String> {
        let count = usize::from(self.u16()?);
        // A longer one may be in the log, where it is refused, but not without end.
        let bytes = (0..count).map(|_| self.u8()).collect::<Option<Vec<u8>>>()?;
        String::from_utf8(bytes).ok()
    }

    fn file(&mut self) -> Option<BatchFile> {
        let key = self.u128()?;
        let [message_id, initiator, format, submitted_by] =
            [self.text()?, self.text()?, self.text()?, self.text()?];
        let mut content = [0_u8; 32];
        for byte in &mut content {
            *byte = self.u8()?;
        }
        Some(BatchFile {
            key,
            message_id,
            initiator,
            format,
            content,
            submitted_by,
            acceptance: match self.u8()? {
                0 => Acceptance::Items,
                1 => Acceptance::Whole,
                2 => Acceptance::Held,
                _ => return None,
            },
            items: self.u64()?,
            sum: Amount::new(self.u128()?),
            ledger: LedgerCode::new(self.u32()?),
            first_on: BusinessDate::new(self.i32()?),
            needs_release: self.flag()?,
        })
    }

    fn progress(&mut self) -> Option<BatchProgress> {
        Some(BatchProgress {
            position: self.u64()?,
            taken: self.u64()?,
            taken_sum: Amount::new(self.u128()?),
            refused: self.u64()?,
        })
    }

    fn entry(&mut self) -> Option<BatchEntry> {
        Some(BatchEntry {
            file: self.file()?,
            state: BatchState::from_number(self.u16()?)?,
            next_on: BusinessDate::new(self.i32()?),
            released_by: self.text()?,
            cancelled_by: self.text()?,
            progress: self.progress()?,
            submitted_at: Stamp::new(self.u64()?),
            changed_at: Stamp::new(self.u64()?),
            goes_since: Stamp::new(self.u64()?),
            goes_from: self.u64()?,
        })
    }
}

impl BatchOrder {
    /// The order's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        match self {
            Self::Enter(file) => {
                writer.u8(ENTER);
                writer.file(file);
            }
            Self::Release { key, by } | Self::Cancel { key, by } => {
                writer.u8(if matches!(self, Self::Release { .. }) { RELEASE } else { CANCEL });
                writer.u128(*key);
                writer.text(by);
            }
            Self::Report { key, progress, next } => {
                writer.u8(REPORT);
                writer.u128(*key);
                writer.progress(progress);
                let (number, day) = match next {
                    Next::GoesOn => (GOES_ON, BusinessDate::ZERO),
                    Next::WaitsFor(day) => (WAITS_FOR, *day),
                    Next::Done => (DONE, BusinessDate::ZERO),
                };
                writer.u8(number);
                writer.i32(day.get());
            }
            Self::Decide { key, decision } => {
                writer.u8(DECIDE);
                writer.u128(*key);
                writer.u8(u8::from(*decision == Decision::Post));
            }
        }
        writer.bytes
    }

    /// The order of some bytes.
    ///
    /// # Errors
    /// In words, where they are none of this release.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let mut reader = Reader::new(bytes);
        let order = Self::read(&mut reader);
        let order = order.filter(|_| reader.is_at_end());
        order.ok_or_else(|| format!("{} bytes are no order to the registry of this release", bytes.len()))
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        match reader.u8()? {
            ENTER => Some(Self::Enter(Box::new(reader.file()?))),
            RELEASE => Some(Self::Release { key: reader.u128()?, by: reader.text()? }),
            CANCEL => Some(Self::Cancel { key: reader.u128()?, by: reader.text()? }),
            REPORT => {
                let (key, progress) = (reader.u128()?, reader.progress()?);
                let next = match (reader.u8()?, BusinessDate::new(reader.i32()?)) {
                    (GOES_ON, _) => Next::GoesOn,
                    (WAITS_FOR, day) => Next::WaitsFor(day),
                    (DONE, _) => Next::Done,
                    _ => return None,
                };
                Some(Self::Report { key, progress, next })
            }
            DECIDE => {
                let key = reader.u128()?;
                let decision = if reader.flag()? { Decision::Post } else { Decision::Void };
                Some(Self::Decide { key, decision })
            }
            _ => None,
        }
    }
}

impl BatchReply {
    /// The reply's bytes, for the way between two nodes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u64(self.outcome.timestamp.get());
        writer.u16(self.outcome.status.number());
        if let Some(entry) = &self.entry {
            writer.entry(entry);
        }
        writer.bytes
    }

    /// The reply of some bytes, if they are one of this release.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let timestamp = Stamp::new(reader.u64()?);
        let status = BatchStatus::from_number(reader.u16()?)?;
        let entry = if reader.is_at_end() { None } else { Some(Box::new(reader.entry()?)) };
        reader.is_at_end().then_some(Self { outcome: Outcome { timestamp, status }, entry })
    }
}

impl Batches {
    /// The registry as bytes behind their count; none for an empty one.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        if self.by_key.is_empty() {
            return writer.bytes;
        }
        writer.u32(u32::try_from(self.by_key.len()).unwrap_or(u32::MAX));
        for entry in self.by_key.values() {
            assert!(entry.file.message_id.len() <= TEXT_BYTES_MAX, "what was entered is short enough");
            writer.entry(entry);
        }
        writer.bytes
    }

    /// What makes two registries equal: each file and what became of it, however often it was stopped on the way.
    pub fn feed(&self, take: &mut dyn FnMut(&[u8])) {
        for entry in self.by_key.values() {
            let mut writer = Writer::default();
            writer.file(&entry.file);
            writer.u16(entry.state.number());
            writer.text(&entry.released_by);
            writer.text(&entry.cancelled_by);
            writer.progress(&entry.progress);
            take(&writer.bytes);
        }
    }

    /// The registry of some bytes; zeros behind it, up to the end of a page, are no part of it.
    ///
    /// # Errors
    /// In words, where they are not what [`Batches::to_bytes`] makes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let mut reader = Reader::new(bytes);
        let batches = Self::read(&mut reader).filter(|_| reader.has_only_zeros());
        batches.ok_or_else(|| "the batches of the checkpoint make no sense".into())
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let mut batches = Self::default();
        for _ in 0..reader.u32()? {
            let entry = reader.entry()?;
            batches.by_key.insert(entry.file.key, entry);
        }
        Some(batches)
    }
}
