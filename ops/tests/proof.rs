//! `fen proof` as an operator and an auditor use it: keys, digests, proofs, and everything that must be refused.

#![allow(clippy::unwrap_used, reason = "a panic is a test's report")]

mod fen;

use fen::{code, err, out, run, text};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

const OPEN: &str =
    r#"{"op":"create_accounts","events":[{"id":1,"ledger":156,"code":1},{"id":2,"ledger":156,"code":1}]}"#;

/// A place with a key, and books in it.
struct Bank {
    place: tempfile::TempDir,
}

impl Bank {
    fn new(transfers: u32) -> Self {
        let bank = Self { place: tempfile::tempdir().unwrap() };
        bank.exec(OPEN);
        bank.post(1, transfers);
        bank.fen(&["key", "--name", "ledger.bank.example/retail", "--out", "@bank.key"]);
        bank
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn exec(&self, lines: &str) {
        let output = run(&["exec", "--data", text(&self.path("books"))], lines.as_bytes());
        assert_eq!(code(&output), 0, "{}", err(&output));
    }

    fn post(&self, first: u32, count: u32) {
        let mut lines = Vec::new();
        for begin in (first..first + count).step_by(5_000) {
            let event = |id| {
                format!(
                    r#"{{"id":{id},"debit_account_id":1,"credit_account_id":2,"amount":{id},"ledger":156,"code":1}}"#
                )
            };
            let events: Vec<String> = (begin..(first + count).min(begin + 5_000)).map(event).collect();
            lines.push(format!("{{\"op\":\"create_transfers\",\"events\":[{}]}}\n", events.join(",")));
        }
        self.exec(&lines.concat());
    }

    /// `fen proof` with these arguments, `@name` being a file of this place: exit code, output, errors.
    fn try_fen(&self, arguments: &[&str]) -> (i32, String, String) {
        let path = |argument: &&str| match argument.strip_prefix('@') {
            Some(name) => text(&self.path(name)).to_owned(),
            None => (*argument).to_owned(),
        };
        let arguments: Vec<String> = arguments.iter().map(path).collect();
        let arguments: Vec<&str> =
            ["proof"].into_iter().chain(arguments.iter().map(String::as_str)).collect();
        let output = run(&arguments, b"");
        (code(&output), out(&output), err(&output))
    }

    fn fen(&self, arguments: &[&str]) -> String {
        let (exit, said, faults) = self.try_fen(arguments);
        assert_eq!(exit, 0, "{arguments:?}: {faults}");
        said
    }

    fn refused(&self, arguments: &[&str], words: &str) {
        let (exit, _, faults) = self.try_fen(arguments);
        assert_eq!(exit, 1, "{arguments:?}: {faults}");
        assert!(faults.contains(words), "{arguments:?}: {faults}");
    }

    fn digest(&self, name: &str) {
        self.fen(&["digest", "--data", "@books", "--key", "@bank.key", "--out", name]);
    }

    fn verify(&self) -> (i32, Value) {
        let output = run(&["verify", "--json", "--data", text(&self.path("books"))], b"");
        (code(&output), serde_json::from_str(&out(&output)).unwrap_or_default())
    }

    /// Changes a file's text.
    fn edit(&self, name: &str, other: &str, change: impl FnOnce(&str) -> String) {
        fs::write(self.path(other), change(&fs::read_to_string(self.path(name)).unwrap())).unwrap();
    }
}

#[test]
fn a_transfer_is_proved_to_someone_who_has_no_ledger() {
    let bank = Bank::new(10);
    bank.refused(&["make", "--data", "@books", "--transfer", "7"], "no digest of these books was signed yet");
    bank.digest("@monday.digest");
    bank.fen(&["make", "--data", "@books", "--transfer", "0x7", "--out", "@7.proof"]);
    bank.post(11, 70_000);
    bank.refused(
        &["make", "--data", "@books", "--transfer", "12"],
        "record 11, the digest covers the 10 records",
    );
    bank.refused(&["make", "--data", "@books", "--transfer", "99999999"], "no transfer 99999999");
    bank.digest("@tuesday.digest");
    // Sealed, and young.
    for (id, index) in [("12", 11), ("65536", 65_535), ("70010", 70_009)] {
        bank.fen(&["make", "--data", "@books", "--transfer", id, "--out", "@later.proof"]);
        let told = bank.fen(&["check", "@later.proof", "--key", "@bank.key.pub", "--json"]);
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!((&told["proves"], &told["record"]), (&"inclusion".into(), &index.into()));
        assert_eq!((&told["transfer"]["id"], &told["digest"]["records"]), (&id.into(), &70_010.into()));
    }
    let growth = ["make", "--data", "@books", "--from", "@monday.digest", "--to", "@tuesday.digest"];
    fs::write(bank.path("growth.proof"), bank.fen(&growth)).unwrap();
    let books = bank.path("books");
    fs::remove_dir_all(books).unwrap();
    let told = bank.fen(&["check", "@7.proof", "--key", "@bank.key.pub", "--digest", "@monday.digest"]);
    assert!(told.contains("This transfer is record 6") && told.contains("amount 0.07 CNY"), "{told}");
    let told = bank.fen(&["check", "@growth.proof", "--key", "@bank.key.pub", "--digest", "@monday.digest"]);
    assert!(told.contains("Nothing was changed or removed"), "{told}");
    let public = fs::read_to_string(bank.path("bank.key.pub")).unwrap();
    assert!(bank.fen(&["check", "@monday.digest", "--key", public.trim()]).contains("\n10\n"));
    bank.refused(
        &["check", "@7.proof", "--key", "@bank.key.pub", "--digest", "@tuesday.digest"],
        "is not about",
    );
}

#[test]
fn what_is_not_so_is_named() {
    let bank = Bank::new(20);
    bank.digest("@one.digest");
    bank.fen(&["make", "--data", "@books", "--transfer", "7", "--out", "@7.proof"]);
    bank.fen(&["key", "--name", "ledger.bank.example/retail", "--out", "@other.key"]);
    let check = |file, words| bank.refused(&["check", file, "--key", "@bank.key.pub"], words);
    bank.refused(&["check", "@7.proof", "--key", "@other.key.pub"], "is not signed by the key");
    bank.edit("7.proof", "a", |text| text.replace("index 6", "index 5"));
    check("@a", "the record, its number or the path was changed");
    bank.edit("7.proof", "b", |text| text.replace("extra B", "extra C"));
    check("@b", "the record, its number or the path was changed");
    bank.edit("7.proof", "c", |text| text.replace("total 156 2 210 210", "total 156 2 211 211"));
    check("@c", "was changed after signing");
    bank.edit("7.proof", "d", |text| text.replace("\n\n", "\n"));
    check("@d", "a blank line, then a signed digest is expected");
    check("@bank.key", "its first line names none");
    let (exit, _, faults) = bank.try_fen(&["check", "@one.digest", "--key", "@bank.key"]);
    assert!(exit == 2 && faults.contains("it is the private one"), "{faults}");
    let (exit, _, faults) = bank.try_fen(&["check", "@missing", "--key", "@bank.key.pub"]);
    assert!(exit == 3 && faults.contains("missing"), "{faults}");
    let (exit, _, faults) = bank.try_fen(&["key", "--name", "x", "--out", "@bank.key"]);
    assert!(exit == 3 && faults.contains("bank.key"), "{faults}");
    // A digest of other books.
    let other = Bank::new(21);
    other.digest("@other.digest");
    fs::copy(other.path("other.digest"), bank.path("other.digest")).unwrap();
    let make = ["make", "--data", "@books", "--transfer", "7", "--digest", "@other.digest"];
    bank.refused(&make, "not the history that was signed");
}

#[test]
fn verify_holds_the_books_against_every_digest() {
    let bank = Bank::new(66_000);
    bank.digest("@one.digest");
    bank.fen(&["digest", "--data", "@books", "--key", "@bank.key", "--books", "--out", "@two.digest"]);
    assert_eq!(bank.verify().0, 0);
    let kept = fs::read_dir(bank.path("books/digests")).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&kept).unwrap();
    let root = text.lines().nth(2).unwrap();
    fs::write(&kept, text.replace(root, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")).unwrap();
    let (exit, finding) = bank.verify();
    assert_eq!(exit, 1);
    assert!(finding["faults"][0].as_str().unwrap().contains("history was changed"), "{finding}");
    fs::write(&kept, text.replace("\n66000\n", "\n66001\n")).unwrap();
    assert!(bank.verify().1["faults"][0].as_str().unwrap().contains("history was cut off"));
    fs::write(&kept, Path::new("").to_str().unwrap()).unwrap();
    assert_eq!(bank.verify().0, 1);
}
