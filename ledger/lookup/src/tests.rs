//! The index against a plain map, with its files damaged, cut off and gone.
#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use crate::{Entry, Kind, Lookup, Source, UNIT_PLACES, UnitName};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

/// Units as plain lists.
#[derive(Default, Clone)]
struct Units {
    units: Vec<Vec<Entry>>,
    /// Part of every name: books that differ.
    books: u8,
}

impl Source for Units {
    type Fault = String;

    fn units(&self) -> Result<u32, String> {
        Ok(u32::try_from(self.units.len()).unwrap())
    }

    fn name(&self, unit: u32) -> Result<Option<UnitName>, String> {
        let mut name = [self.books; 32];
        name[..4].copy_from_slice(&unit.to_le_bytes());
        Ok(Some(name))
    }

    fn entries(&self, unit: u32) -> Result<Vec<Entry>, String> {
        self.units.get(unit as usize).cloned().ok_or_else(|| format!("there is no unit {unit}"))
    }
}

impl Units {
    /// Units with keys below `keys`, each of them in many places; every fifth unit has none.
    fn drawn(count: u32, entries: u32, keys: u32) -> Self {
        let mut seed = 1u64;
        let mut draw = |below: u32| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            u32::try_from((seed >> 33) % u64::from(below)).unwrap()
        };
        let mut unit = |number: u32| {
            let entries = if number % 5 == 4 { 0 } else { entries };
            (0..entries).map(|_| (u128::from(draw(keys)) << 60, draw(UNIT_PLACES))).collect()
        };
        Self { units: (0..count).map(&mut unit).collect(), books: 0 }
    }

    fn places(&self, key: u128) -> BTreeSet<u64> {
        let mut places = BTreeSet::new();
        for (unit, entries) in (0u64..).zip(&self.units) {
            let of_key = entries.iter().filter(|(other, _)| *other == key);
            places.extend(of_key.map(|(_, place)| unit * u64::from(UNIT_PLACES) + u64::from(*place)));
        }
        places
    }
}

const KIND: Kind = Kind::Reference;

fn feed(lookup: &Lookup, units: &Units) {
    lookup.feed(KIND, units, &|| true).unwrap();
}

/// The answers are a part of what the plain lists say, and all of it where the index says that it covers all.
fn check(lookup: &Lookup, units: &Units, keys: u32) {
    for key in (0..keys).map(|key| u128::from(key) << 60) {
        for is_reversed in [false, true] {
            let Ok(found) = lookup.find(KIND, key, is_reversed) else { return };
            let covered = found.covered();
            let mut told = Vec::new();
            for places in found {
                let Ok(places) = places else { return };
                told.extend(places);
            }
            // Another key's hash may be the same: more may be told, never less.
            let told_set: BTreeSet<u64> = told.iter().copied().collect();
            let mut wanted = units.places(key).into_iter().filter(|place| *place < covered);
            assert!(wanted.all(|place| told_set.contains(&place)), "key {key:x} is told short");
            assert!(told.is_sorted_by(|one, next| if is_reversed { one >= next } else { one <= next }));
        }
    }
}

fn is_whole(lookup: &Lookup, units: &Units) -> bool {
    lookup.covered(KIND) == units.units.len() as u64 * u64::from(UNIT_PLACES)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn the_index_tells_what_a_plain_map_tells(
        steps in prop::collection::vec((0u32..30, 0u32..300, any::<bool>()), 1..6),
        keys in 1u32..40,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let mut lookup = Lookup::new(directory.path());
        let mut units = Units::default();
        for (count, entries, closes) in steps {
            units.units.extend(Units::drawn(count, entries, keys).units);
            feed(&lookup, &units);
            if closes {
                drop(lookup);
                lookup = Lookup::new(directory.path());
                feed(&lookup, &units);
            }
            prop_assert!(is_whole(&lookup, &units));
            check(&lookup, &units, keys);
        }
    }
}

#[test]
fn runs_grow_and_a_key_that_is_everywhere_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let lookup = Lookup::new(directory.path());
    let mut units = Units::drawn(70, 40, 7);
    units.units[3] = (0..UNIT_PLACES).map(|place| (1 << 60, place)).collect();
    feed(&lookup, &units);
    assert!(is_whole(&lookup, &units));
    let found: Vec<u64> = lookup.find(KIND, 1 << 60, false).unwrap().flat_map(Result::unwrap).collect();
    assert!(found.len() > 65_536);
    check(&lookup, &units, 7);
}

#[test]
fn other_books_are_not_answered_from_this_index() {
    let directory = tempfile::tempdir().unwrap();
    let units = Units::drawn(9, 50, 9);
    feed(&Lookup::new(directory.path()), &units);
    for other in [Units { books: 1, ..units.clone() }, Units { units: units.units[..4].to_vec(), books: 0 }] {
        let lookup = Lookup::new(directory.path());
        assert_eq!(lookup.covered(KIND), 0, "nothing is told before it was held against the books");
        assert!(lookup.feed(KIND, &other, &|| true).is_err());
        assert!(lookup.find(KIND, 0, false).is_err());
        feed(&lookup, &other);
        assert!(is_whole(&lookup, &other));
        check(&lookup, &other, 9);
    }
}

#[test]
fn a_folder_that_is_gone_costs_only_time() {
    let directory = tempfile::tempdir().unwrap();
    let units = Units::drawn(20, 100, 9);
    feed(&Lookup::new(directory.path()), &units);
    fs::remove_dir_all(directory.path()).unwrap();
    let lookup = Lookup::new(directory.path());
    feed(&lookup, &units);
    assert!(is_whole(&lookup, &units));
    check(&lookup, &units, 9);
}

fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all.sort();
    all
}

/// Whatever the files say: nothing is told short, and after two feedings the index is whole.
fn survives(directory: &Path, units: &Units, keys: u32, what: &str) {
    let lookup = Lookup::new(directory);
    let _first = lookup.feed(KIND, units, &|| true);
    check(&lookup, units, keys);
    let _second = lookup.feed(KIND, units, &|| true);
    feed(&lookup, units);
    assert!(is_whole(&lookup, units), "{what}");
    check(&lookup, units, keys);
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, target).unwrap();
    }
}

#[test]
fn a_damaged_file_is_noticed_and_the_index_made_again() {
    let origin = tempfile::tempdir().unwrap();
    let units = Units::drawn(10, 300, 60);
    feed(&Lookup::new(origin.path()), &units);
    for (file, path) in files(origin.path()).into_iter().enumerate() {
        let bytes = fs::read(&path).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let step = (used / 24).max(1);
        for at in (0..used).step_by(step) {
            let directory = tempfile::tempdir().unwrap();
            copy(origin.path(), directory.path());
            let mut bytes = bytes.clone();
            for byte in bytes.iter_mut().skip(at).take(1 + at % 64) {
                *byte ^= 0x40;
            }
            fs::write(directory.path().join(path.strip_prefix(origin.path()).unwrap()), bytes).unwrap();
            survives(directory.path(), &units, 60, &format!("file {file} damaged at {at}"));
        }
    }
}

#[test]
fn cut_off_at_any_moment_it_begins_where_its_list_ends() {
    let origin = tempfile::tempdir().unwrap();
    let units = Units::drawn(18, 200, 30);
    let copies: Mutex<Vec<tempfile::TempDir>> = Mutex::default();
    let lookup = Lookup::new(origin.path());
    // What the disk has between two units, while sled is at work.
    let photograph = || {
        let directory = tempfile::tempdir().unwrap();
        copy(origin.path(), directory.path());
        copies.lock().unwrap().push(directory);
        true
    };
    lookup.feed(KIND, &units, &photograph).unwrap();
    for (moment, directory) in copies.into_inner().unwrap().into_iter().enumerate() {
        if moment % 2 == 1 {
            // A write that was under way is torn.
            for path in files(directory.path()).into_iter().filter(|path| path.ends_with("db")) {
                let file = fs::OpenOptions::new().write(true).open(path).unwrap();
                let length = file.metadata().unwrap().len();
                file.set_len(length - length / 7).unwrap();
            }
        }
        survives(directory.path(), &units, 30, &format!("cut off at moment {moment}"));
    }
}
