//! What happened in one run: a line for each event of note, a hash of everything, faults and coverage by name.

use crate::dice::mixed;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// See the module. Clones are the same story.
#[derive(Clone)]
pub struct Story {
    begun: Instant,
    told: Arc<Mutex<Told>>,
    aloud: bool,
}

#[derive(Default)]
struct Told {
    hash: u64,
    faults: BTreeMap<String, u64>,
    marks: BTreeMap<String, u64>,
    failures: Vec<String>,
}

impl Story {
    /// Begins now; aloud, every line is printed as it happens.
    pub fn begin(aloud: bool) -> Self {
        Self { begun: Instant::now(), told: Arc::default(), aloud }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Virtual milliseconds since the beginning.
    pub fn milliseconds(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Part of the hash, not worth a line.
    pub fn trace(&self, number: u64) {
        let now = self.milliseconds();
        let mut told = self.told();
        told.hash = mixed(told.hash ^ mixed(number ^ now.rotate_left(40)));
    }

    /// A line.
    pub fn line(&self, words: &str) {
        self.trace(u64::from(crc32c::crc32c(words.as_bytes())));
        if self.aloud {
            println!("{:>9.3} s  {words}", self.begun.elapsed().as_secs_f64());
        }
    }

    /// A fault was done.
    pub fn fault(&self, kind: &str, words: &str) {
        *self.told().faults.entry(kind.to_owned()).or_default() += 1;
        self.line(&format!("FAULT {kind}: {words}"));
    }

    /// Something rare was reached.
    pub fn mark(&self, name: &str) {
        *self.told().marks.entry(name.to_owned()).or_default() += 1;
    }

    /// An oracle speaks.
    pub fn fail(&self, words: &str) {
        self.line(&format!("WRONG {words}"));
        self.told().failures.push(words.to_owned());
    }

    /// Whether an oracle has spoken.
    pub fn has_failed(&self) -> bool {
        !self.told().failures.is_empty()
    }

    /// The first failure, the hash, faults and marks.
    pub fn end(&self) -> (Option<String>, u64, BTreeMap<String, u64>, BTreeMap<String, u64>) {
        let told = self.told();
        (told.failures.first().cloned(), told.hash, told.faults.clone(), told.marks.clone())
    }
}
