//! The rules under which a bank takes files, in TOML: what columns mean, which accounts are opened, whose release a
//! file waits for, and which days it is done on. A key that is not known is refused.

use crate::figure;
use fen_book::{AccountFlags, Code};
use serde::Deserialize;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The rules as they are written; the example that comes with Fen, `ops/examples/batch.toml`, explains each key.
#[derive(Deserialize, Clone, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Names of accounts and loans that are no numbers become ids under this; without it they are refused.
    pub namespace: Option<String>,
    /// What is true of every item that does not say otherwise: field names and their values.
    pub every: BTreeMap<String, String>,
    /// The outer form of CSV files.
    pub csv: CsvForm,
    /// Plain transfers.
    pub transfer: TransferRule,
    /// Accounts that are opened when money comes for them.
    pub open: Option<OpenRule>,
    /// Four eyes.
    pub release: ReleaseRule,
    /// Days.
    pub dates: DateRule,
    /// Direct debits and collections.
    pub collect: CollectRule,
}

/// The outer form of CSV files.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct CsvForm {
    /// Between columns; one ASCII character.
    pub delimiter: char,
    /// Around texts; one ASCII character.
    pub quote: char,
    /// Fields of an item, and the columns (by their names in the header) where they stand; a column with a field's
    /// own name needs no entry.
    pub columns: BTreeMap<String, String>,
    /// Columns that mean nothing here.
    pub ignore: Vec<String>,
}

impl Default for CsvForm {
    fn default() -> Self {
        Self { delimiter: ',', quote: '"', columns: BTreeMap::new(), ignore: Vec::new() }
    }
}

/// Plain transfers.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct TransferRule {
    /// The reason's code in the bank's chart.
    pub code: u16,
}

impl Default for TransferRule {
    fn default() -> Self {
        Self { code: 1 }
    }
}

/// Accounts that are opened when money comes for them.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub struct OpenRule {
    /// Their code in the bank's chart.
    pub code: u16,
    /// Their flags, by the names of `fen exec`.
    #[serde(default)]
    pub flags: Vec<String>,
}

/// Four eyes.
#[derive(Deserialize, Clone, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct ReleaseRule {
    /// A file that comes to more than this, in major units, waits for a second person; nothing is never.
    pub above: Option<String>,
}

/// What is done with a day that is past.
#[derive(Deserialize, Clone, Copy, Default, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum PastDates {
    /// On the bank's day.
    #[default]
    Today,
    /// Loan events count from the day that they state.
    AsStated,
    /// It is refused.
    Refuse,
}

/// Days.
#[derive(Deserialize, Clone, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct DateRule {
    /// What is done with a day that is past.
    pub past: PastDates,
    /// After this time of the day (`16:30`), by the bank's zone, a file is done on the next day.
    pub cut_off: Option<String>,
    /// The bank's zone, as hours from Greenwich.
    pub zone_hours: i8,
}

/// Direct debits and collections.
#[derive(Deserialize, Clone, Copy, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct CollectRule {
    /// Whether a repayment takes what is there, if it is not all.
    pub partly: bool,
    /// On how many later days what was not there is asked for again.
    pub retry_days: u16,
}

impl CollectRule {
    /// Whether more is done about a repayment that was short.
    pub(crate) fn goes_on(self) -> bool {
        self.partly || self.retry_days > 0
    }
}

impl Rules {
    /// Reads rules.
    ///
    /// # Errors
    /// In words, with the place.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rules: Self = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        rules.check()?;
        Ok(rules)
    }

    fn check(&self) -> Result<(), String> {
        if !self.csv.delimiter.is_ascii() || !self.csv.quote.is_ascii() {
            return Err("csv: delimiter and quote must be ASCII characters".into());
        }
        if self.transfer.code == 0 || self.open.as_ref().is_some_and(|open| open.code == 0) {
            return Err("transfer.code, open.code: no code may be 0".into());
        }
        let known = |name: &String| crate::rows::FIELDS.contains(&name.as_str());
        if let Some(name) = self.csv.columns.keys().chain(self.every.keys()).find(|name| !known(name)) {
            return Err(format!("'{name}' is no field; fields are {}", crate::rows::FIELDS.join(", ")));
        }
        self.open_flags()?;
        self.cut_off_minutes()?;
        if let Some(above) = &self.release.above {
            crate::item::Sum::parse(above).ok_or_else(|| format!("release.above: '{above}' is no amount"))?;
        }
        if !(-12..=14).contains(&self.dates.zone_hours) {
            return Err("dates.zone_hours: from -12 to 14".into());
        }
        Ok(())
    }

    /// The id that a name stands for.
    pub(crate) fn id(&self, name: &str) -> Option<u128> {
        if let Some(id) = figure::id(name) {
            return Some(id);
        }
        let namespace = self.namespace.as_deref().filter(|_| !name.is_empty())?;
        let namespace = Uuid::parse_str(namespace)
            .unwrap_or_else(|_| Uuid::new_v5(&Uuid::NAMESPACE_OID, namespace.as_bytes()));
        Some(Uuid::new_v5(&namespace, name.as_bytes()).as_u128())
    }

    /// The flags of accounts that are opened.
    ///
    /// # Errors
    /// Names one that is none.
    pub(crate) fn open_flags(&self) -> Result<AccountFlags, String> {
        let mut flags = AccountFlags::NONE;
        for name in self.open.iter().flat_map(|open| &open.flags) {
            let set_by_others = [AccountFlags::LINKED, AccountFlags::IMPORTED, AccountFlags::CLOSED];
            let found = AccountFlags::NAMES
                .iter()
                .find(|(known, flag)| known == name && !set_by_others.contains(flag));
            let (_, flag) = found.ok_or_else(|| format!("open.flags: '{name}' is no flag here"))?;
            flags = flags.with(*flag);
        }
        Ok(flags)
    }

    /// The code of plain transfers.
    pub(crate) fn transfer_code(&self) -> Code {
        Code::new(self.transfer.code)
    }

    /// Whether a file that comes to so much waits for a second person.
    pub(crate) fn needs_release(&self, sum: crate::item::Sum) -> bool {
        let above = self.release.above.as_deref().and_then(crate::item::Sum::parse);
        above.is_some_and(|above| sum > above)
    }

    /// The cut-off, in minutes of the day.
    pub(crate) fn cut_off_minutes(&self) -> Result<Option<u16>, String> {
        let Some(text) = &self.dates.cut_off else { return Ok(None) };
        let parts = text.split_once(':').and_then(|(hours, minutes)| {
            let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
            (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
        });
        parts.map(Some).ok_or_else(|| format!("dates.cut_off: '{text}' is no time like 16:30"))
    }

    /// The default of a field, if it has one.
    pub(crate) fn default_of(&self, field: &str) -> &str {
        self.every.get(field).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named() {
        assert!(Rules::parse("colour = 1").unwrap_err().contains("colour"));
        assert!(Rules::parse("[every]\nshoe = \"1\"").unwrap_err().contains("'shoe' is no field"));
        assert!(Rules::parse("[dates]\ncut_off = \"25:00\"").unwrap_err().contains("cut_off"));
        assert!(Rules::parse("[open]\ncode = 1\nflags = [\"linked\"]").unwrap_err().contains("linked"));
        assert!(Rules::parse("[release]\nabove = \"x\"").unwrap_err().contains("release.above"));
        assert_eq!(Rules::parse("").unwrap().transfer.code, 1);
    }

    #[test]
    fn names_become_ids_only_under_a_namespace() {
        assert_eq!(Rules::default().id("7"), Some(7));
        assert_eq!(Rules::default().id("Anna"), None);
        let named = Rules::parse("namespace = \"bank\"").unwrap();
        assert!(named.id("Anna").is_some_and(|id| Some(id) != named.id("Bo")));
    }
}
