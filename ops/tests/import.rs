//! `fen import` of a small bank's files, made up here, with everything that real ones have.

#![allow(clippy::unwrap_used, reason = "a panic is a test's report")]

mod fen;

use fen::{code, err, fen, out, run, text};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;

const MAP: &str = r#"
namespace = "small-bank"
key = ["Nr", "Datum"]
order = "by running balance"

[file]
delimiter = ";"
encoding = "latin-1"

[ledger]
column = "Währung"
values = { EUR = 978, CZK = 203 }

[date]
column = "Datum"
format = "%d.%m.%Y"

[amount]
credit_column = "Haben"
debit_column = "Soll"
decimals = 2
decimal = ","
thousands = "."

[account]
column = "Konto"
id = "derived"
code = 7
flags = ["history"]

[[contra]]
name = "fees"
number = 2
code = 9
when = { Text = ["Gebühr"] }

[[contra]]
name = "cash"
number = 1
code = 8

[[code]]
number = 3

[balance]
column = "Saldo"
rounding = "0.05"
"#;

const HEAD: &str = "Nr;Datum;Konto;Währung;Text;Soll;Haben;Saldo\r\n";

/// Two accounts; account A's second day stands in the wrong order, B's last row breaks, one balance is rounded.
const ROWS: &str = "1;02.01.2024;A;EUR;Einzahlung;;1.000,00;1.000,00\r\n\
    2;02.01.2024;B;CZK;Einzahlung;;50;50,00\r\n\
    3;03.01.2024;A;EUR;\"Gebühr\";2,50;;1.097,50\r\n\
    4;03.01.2024;A;EUR;Einzahlung;;100,00;1.100,00\r\n\
    5;04.01.2024;A;EUR;Zinsen;;0,03;1.097,50\r\n\
    6;04.01.2024;B;CZK;Auszahlung;80,00;;-30,00\r\n\
    7;05.01.2024;B;CZK;Auszahlung;1,00;;-35,00\r\n\
    8;05.01.2024;A;EUR;Einzahlung;;5,00;\r\n";

/// A directory with a mapping and a file in latin-1.
struct Bank {
    directory: TempDir,
}

impl Bank {
    fn new(rows: &str) -> Self {
        let bank = Self { directory: tempfile::tempdir().unwrap() };
        fs::write(bank.path("map.toml"), MAP).unwrap();
        bank.write("bank.csv", &format!("{HEAD}{rows}"));
        bank
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        let latin: Vec<u8> =
            content.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect();
        fs::write(self.path(name), latin).unwrap();
    }

    /// The arguments of an import into `books`.
    fn arguments(&self, books: &str) -> Vec<String> {
        let path = |name: &str| text(&self.path(name)).to_owned();
        let words = ["import", "--json", "--map"].map(str::to_owned);
        words.into_iter().chain([path("map.toml"), "--data".into(), path(books), path("bank.csv")]).collect()
    }

    /// Imports and gives the summary.
    fn import(&self, books: &str, more: &[&str]) -> Value {
        let arguments = self.arguments(books);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(more.iter().copied()).collect();
        let output = run(&arguments, b"");
        assert_eq!(code(&output), 0, "{}", err(&output));
        serde_json::from_str(&out(&output)).unwrap()
    }

    /// Imports what must fail; gives the exit code and what was said.
    fn refused(&self) -> (i32, String) {
        let arguments = self.arguments("books");
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = run(&arguments, b"");
        (code(&output), err(&output))
    }
}

#[test]
fn rows_are_posted_in_their_order_and_differences_are_named() {
    let bank = Bank::new(ROWS);
    let summary = bank.import("books", &[]);
    assert_eq!(summary["rows"], json!(8));
    assert_eq!(summary["posted"], json!(8));
    assert_eq!(summary["accounts"], json!(2));
    assert_eq!(summary["accounts_agree"], json!(2));
    assert_eq!(
        summary["balances"],
        json!({"agree": 5, "rounding": 1, "breaks": 1, "unprinted": 1, "below_zero": 2})
    );
    let named = &summary["breaks"][0];
    assert_eq!(
        (&named["row"], &named["line"], &named["key"]),
        (&json!(7), &json!(8), &json!("7 05.01.2024"))
    );
    assert_eq!((&named["expected"], &named["printed"]), (&json!("-31.00"), &json!("-35.00")));
    assert_eq!(summary["ledgers"][0]["debits"], summary["ledgers"][0]["credits"]);
    let report = fs::read_to_string(summary["report"].as_str().unwrap()).unwrap();
    assert_eq!(report.lines().count(), 3, "{report}");
    assert!(
        report.contains("5,6,5 04.01.2024,A,2024-01-04,0.03,1097.53,1097.50,-0.03,rounding,1097.53"),
        "{report}"
    );
}

#[test]
fn importing_again_posts_nothing_and_changes_nothing() {
    let bank = Bank::new(ROWS);
    let first = bank.import("books", &[]);
    let again = bank.import("books", &[]);
    assert_eq!((&again["posted"], &again["present"]), (&json!(0), &json!(8)));
    fs::remove_dir_all(bank.path("books").join("imports")).unwrap();
    let without_mark = bank.import("books", &["--batch", "3"]);
    assert_eq!((&without_mark["posted"], &without_mark["present"]), (&json!(0), &json!(8)));
    assert_eq!(first["digest"], again["digest"]);
    assert_eq!(first["digest"], without_mark["digest"]);
    assert_eq!(first["balances"], without_mark["balances"]);
    assert_eq!(first["breaks"], without_mark["breaks"]);
}

#[test]
fn the_order_of_the_file_and_the_size_of_batches_leave_no_trace() {
    let bank = Bank::new(ROWS);
    let sorted = bank.import("sorted", &[]);
    let mut rows: Vec<&str> = ROWS.split_inclusive("\r\n").collect();
    rows.rotate_left(4);
    bank.write("bank.csv", &format!("{HEAD}{}", rows.concat()));
    let mixed = bank.import("mixed", &["--batch", "1"]);
    assert_eq!(mixed["digest"], sorted["digest"]);
    assert_eq!(mixed["balances"], sorted["balances"]);
}

#[test]
fn a_row_that_comes_twice_is_named() {
    let twice = ROWS.to_owned() + "8;05.01.2024;A;EUR;Einzahlung;;5,00;\r\n";
    let summary = Bank::new(&twice).import("books", &[]);
    assert_eq!((&summary["posted"], &summary["repeated"]), (&json!(8), &json!(1)));
    assert_eq!(
        summary["not_posted"],
        json!([{"row": 9, "line": 10, "key": "8 05.01.2024", "status": "exists"}])
    );
}

#[test]
fn a_file_that_cannot_be_read_leaves_the_books_alone() {
    for (wrong, said) in [
        ("x;05.01.2024;A;EUR;t;;1,000;\r\nx", "line 11: has 1 columns"),
        ("9;31.02.2024;A;EUR;t;;1,00;\r\n", "column \"Datum\": '31.02.2024' is no date"),
        ("9;05.01.1969;A;EUR;t;;1,00;\r\n", "1969-01-05 is before 1970-01-02"),
        ("9;05.01.2024;A;USD;t;;1,00;\r\n", "'USD' is not among ledger.values"),
        ("9;05.01.2024;A;CZK;t;;1,00;\r\n", "account 'A' is in ledger 978"),
        ("9;05.01.2024;A;EUR;t;;1.00x;\r\n", "column \"Haben\": '1.00x' is no figure"),
        ("9;05.01.2024;A;EUR;t;;1,005;\r\n", "nothing is rounded"),
        ("9;05.01.2024;A;EUR;t;1,00;1,00;\r\n", "exactly one"),
        ("9;05.01.2024;;EUR;t;1,00;;\r\n", "names no account"),
    ] {
        let bank = Bank::new(&(ROWS.to_owned() + wrong));
        let (exit, what) = bank.refused();
        assert_eq!(exit, 1, "{what}");
        assert!(what.contains(said), "{wrong}: {what}");
        assert!(what.contains("nothing was imported"), "{what}");
        assert!(!bank.path("books").exists());
    }
}

#[test]
fn a_wrong_mapping_is_wrong_usage() {
    for (from, to, said) in [
        ("column = \"Konto\"", "column = \"Konton\"", "account.column: there is no column \"Konton\""),
        ("code = 7", "code = 0", "no code may be 0"),
        ("\"history\"", "\"linked\"", "account.flags: 'linked' is no flag here"),
        ("rounding = \"0.05\"", "rounding = \"x\"", "balance.rounding"),
        ("number = 3", "numbr = 3", "numbr"),
    ] {
        let bank = Bank::new(ROWS);
        fs::write(bank.path("map.toml"), MAP.replace(from, to)).unwrap();
        let (exit, what) = bank.refused();
        assert_eq!(exit, 2, "{what}");
        assert!(what.contains(said), "{what}");
    }
    let bank = Bank::new(ROWS);
    fs::remove_file(bank.path("bank.csv")).unwrap();
    assert_eq!(bank.refused().0, 3);
}

#[test]
fn a_kill_in_the_middle_leaves_no_trace() {
    let mut rows = String::new();
    for row in 0..3_000 {
        let (day, account) = (row / 100 + 1, row % 7);
        writeln!(rows, "{row};{day:02}.01.2024;K{account};EUR;t;;0,01;\r").unwrap();
    }
    let bank = Bank::new(&rows);
    let whole = bank.import("whole", &[]);

    let mut import =
        fen(&[]).args(bank.arguments("killed")).args(["--batch", "5"]).stdout(Stdio::null()).spawn().unwrap();
    while !has_mark(&bank.path("killed/imports")) && import.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    import.kill().unwrap();
    import.wait().unwrap();

    let resumed = bank.import("killed", &[]);
    assert_eq!(resumed["digest"], whole["digest"]);
    assert_eq!(resumed["ledgers"], whole["ledgers"]);
    let (posted, present) = (resumed["posted"].as_u64().unwrap(), resumed["present"].as_u64().unwrap());
    assert_eq!(posted + present, 3_000);
    assert!(present > 0, "nothing had been posted before the kill");
}

fn has_mark(imports: &Path) -> bool {
    let entries = fs::read_dir(imports).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.path().extension().is_some_and(|extension| extension == "mark"))
}

#[test]
fn without_a_directory_it_is_a_rehearsal() {
    let bank = Bank::new(ROWS);
    let output = run(&["import", text(&bank.path("bank.csv")), "--map", text(&bank.path("map.toml"))], b"");
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert!(out(&output).contains("rehearsed in memory"), "{}", out(&output));
    assert!(out(&output).contains("EUR: debits 1,107.53 = credits 1,107.53"), "{}", out(&output));
}

#[test]
fn accounts_are_imported_and_then_used_by_transfers() {
    let bank = Bank::new(ROWS);
    let map = "records = \"accounts\"\nnamespace = \"small-bank\"\nkey = [1]\n[ledger]\nnumber = 978\n\
        [date]\ncolumn = 2\nformat = \"%Y-%m-%d\"\n[account]\ncolumn = 1\ncode = 5\n[file]\nheader = false\n";
    let map = format!("{map}[[contra]]\nname = \"cash\"\nnumber = 1\ncode = 8\n");
    let map = format!("{map}[[contra]]\nname = \"fees\"\nnumber = 2\ncode = 9\n");
    fs::write(bank.path("accounts.toml"), map).unwrap();
    fs::write(bank.path("accounts.csv"), "C,2024-01-02\nA,2023-12-31\nA,2023-12-30\n").unwrap();
    let import = || {
        let (file, map, data) = (bank.path("accounts.csv"), bank.path("accounts.toml"), bank.path("books"));
        let output = run(&["import", "--json", text(&file), "--map", text(&map), "--data", text(&data)], b"");
        assert_eq!(code(&output), 0, "{}", err(&output));
        serde_json::from_str::<Value>(&out(&output)).unwrap()
    };
    let summary = import();
    assert_eq!((&summary["posted"], &summary["repeated"]), (&json!(2), &json!(1)));
    assert_eq!(summary["not_posted"][0]["row"], json!(2), "the older row opens the account");
    assert_eq!(import()["posted"], json!(0));

    let transfers = bank.import("books", &[]);
    assert_eq!((&transfers["posted"], &transfers["accounts_opened"]), (&json!(8), &json!(2)));
}
