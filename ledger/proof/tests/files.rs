//! Digests and proofs as files: what is refused and why, every bit flipped, any bytes read.

#![allow(clippy::unwrap_used, reason = "a panic is a test's report")]

use fen_proof::digest::origin;
use fen_proof::tree::{Head, Subtrees, WholeTree, consistency, inclusion, root};
use fen_proof::{
    Checked, Consistency, Digest, Inclusion, LedgerTotals, ProofFault, PublicKey, RECORD_BYTES, SigningKey,
    Sum, TreeHash, check, note,
};
use proptest::prelude::*;

const NAME: &str = "ledger.bank.example/retail";

fn key() -> SigningKey {
    SigningKey::from_seed(NAME, [7; 32]).unwrap()
}

fn record(number: u64) -> [u8; RECORD_BYTES] {
    let mut bytes = [0; RECORD_BYTES];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes
}

struct History(Vec<TreeHash>);

impl History {
    fn of(records: u64) -> Self {
        Self((0..records).map(|number| TreeHash::leaf(&record(number))).collect())
    }
}

impl Subtrees for History {
    type Fault = std::convert::Infallible;

    fn whole(&mut self, level: u32, index: u64) -> Result<TreeHash, Self::Fault> {
        let first = usize::try_from(index).unwrap() << level;
        Ok(WholeTree::new(self.0[first..first + (1 << level)].to_vec()).root())
    }
}

fn total(ledger: u32, posted: &str) -> LedgerTotals {
    let sum = |text| Sum::parse(text).unwrap();
    LedgerTotals {
        ledger,
        accounts: 12,
        debits_posted: sum(posted),
        credits_posted: sum(posted),
        debits_pending: sum("0"),
        credits_pending: sum("0"),
    }
}

fn digest(size: u64) -> Digest {
    Digest {
        origin: origin(NAME, 0),
        head: Head { size, root: root(&mut History::of(size), size).unwrap() },
        identity: 0x17f3,
        date: Some("2026-03-02".to_owned()),
        clock: 1_000 + size,
        books: Some([0xab; 32]),
        totals: vec![total(156, "680564733841876926926749214863536422912"), total(840, "5")],
    }
}

fn inclusion_file(index: u64, size: u64) -> Inclusion {
    let path = inclusion(&mut History::of(size), index, size).unwrap();
    Inclusion { record: record(index), index, path, note: digest(size).sign(&key()) }
}

fn consistency_file(older: u64, newer: u64) -> Consistency {
    let path = consistency(&mut History::of(newer), older, newer).unwrap();
    Consistency { path, older: digest(older).sign(&key()), newer: digest(newer).sign(&key()) }
}

fn refusal(text: &str) -> ProofFault {
    check(text, key().public()).unwrap_err()
}

#[test]
fn what_is_right_is_told() {
    let public = key().public().clone();
    let text = digest(9).sign(&key());
    assert_eq!(check(&text, &public), Ok(Checked::Digest(digest(9))));
    assert_eq!(Digest::read_unchecked(&text), Ok(digest(9)));
    let proved = check(&inclusion_file(5, 9).to_text(), &public).unwrap();
    let wanted = Checked::Inclusion { record: Box::new(record(5)), index: 5, digest: digest(9) };
    assert_eq!(proved, wanted);
    for (older, newer) in [(0, 0), (0, 4), (3, 9), (8, 9), (9, 9)] {
        let proved = check(&consistency_file(older, newer).to_text(), &public).unwrap();
        assert_eq!(proved, Checked::Consistency { older: digest(older), newer: digest(newer) });
    }
}

#[test]
fn a_note_of_the_first_implementation_is_read_and_written() {
    let public = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let secret = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    let text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    let signed = format!(
        "{text}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    );
    let key = SigningKey::parse(secret).unwrap();
    assert_eq!(key.public().to_string(), public);
    assert_eq!(key.to_secret_text(), secret);
    assert_eq!(key.sign(text), signed);
    assert_eq!(note::open(&signed, 1, &PublicKey::parse(public).unwrap()), Ok(text));
}

#[test]
fn keys_are_checked_before_they_are_used() {
    let generated = SigningKey::generate(NAME).unwrap();
    assert_eq!(SigningKey::parse(&generated.to_secret_text()).unwrap().public(), generated.public());
    let text = generated.public().to_string();
    assert_eq!(PublicKey::parse(&format!("{text}\n")).unwrap(), *generated.public());
    for wrong in ["", "a+b", &text.replace("retail", "corporate"), &generated.to_secret_text(), &text[..50]] {
        assert!(matches!(PublicKey::parse(wrong), Err(ProofFault::Key { .. })), "{wrong}");
    }
    for name in ["", "two words", "a+b", "a\nb"] {
        assert!(matches!(SigningKey::generate(name), Err(ProofFault::Key { .. })), "{name}");
    }
}

#[test]
fn another_keys_signature_is_named() {
    let other = SigningKey::from_seed(NAME, [8; 32]).unwrap();
    let stranger = SigningKey::from_seed("other.example", [7; 32]).unwrap();
    for other in [other, stranger] {
        let fault = check(&inclusion_file(5, 9).to_text(), other.public()).unwrap_err();
        assert!(matches!(fault, ProofFault::OtherKey { .. }), "{fault}");
    }
    // A key speaks for its own ledger only.
    let stranger = SigningKey::from_seed("other.example", [7; 32]).unwrap();
    let fault = check(&digest(3).sign(&stranger), stranger.public()).unwrap_err();
    assert!(matches!(fault, ProofFault::Origin { .. }), "{fault}");
}

#[test]
fn a_witness_may_sign_beside_the_ledger() {
    let witness = SigningKey::from_seed("witness.example", [9; 32]).unwrap();
    let text = digest(9).to_text();
    let line = witness.sign(&text).rsplit_once("\n\n").unwrap().1.to_owned();
    let both = digest(9).sign(&key()) + &line;
    assert_eq!(check(&both, key().public()), Ok(Checked::Digest(digest(9))));
    let own = digest(9).sign(&key());
    let twice = format!("{own}{}", own.rsplit_once("\n\n").unwrap().1);
    assert!(matches!(refusal(&twice), ProofFault::Malformed { .. }));
}

#[test]
fn each_lie_has_its_name() {
    let record_changed = Inclusion { record: record(6), ..inclusion_file(5, 9) };
    assert!(matches!(refusal(&record_changed.to_text()), ProofFault::RecordNotInTree { .. }));
    let elsewhere = Inclusion { index: 4, ..inclusion_file(5, 9) };
    assert!(matches!(refusal(&elsewhere.to_text()), ProofFault::RecordNotInTree { .. }));
    let beyond = Inclusion { index: 9, ..inclusion_file(5, 9) };
    assert_eq!(refusal(&beyond.to_text()), ProofFault::IndexBeyondTree { index: 9, size: 9 });
    let other_note = Inclusion { note: digest(10).sign(&key()), ..inclusion_file(5, 9) };
    assert!(check(&other_note.to_text(), key().public()).is_err());
    let edited = inclusion_file(5, 9).to_text().replace("date 2026-03-02", "date 2026-03-03");
    assert_eq!(refusal(&edited), ProofFault::Signature { name: NAME.to_owned() });
    let backwards = consistency_file(3, 9);
    let backwards = Consistency { older: backwards.newer, newer: backwards.older, ..backwards };
    assert_eq!(refusal(&backwards.to_text()), ProofFault::OlderIsLarger { older: 9, newer: 3 });
    let mut rewritten = digest(9);
    rewritten.head.root = root(&mut History::of(7), 7).unwrap();
    let rewritten = Consistency { newer: rewritten.sign(&key()), ..consistency_file(3, 9) };
    assert_eq!(refusal(&rewritten.to_text()), ProofFault::NotAnExtension { older: 3, newer: 9 });
    let foreign = Digest { identity: 1, ..digest(9) };
    let foreign = Consistency { newer: foreign.sign(&key()), ..consistency_file(3, 9) };
    assert!(matches!(refusal(&foreign.to_text()), ProofFault::TwoLedgers { .. }));
    for (earlier, what) in [
        (Digest { clock: 7, ..digest(9) }, "clock"),
        (Digest { date: Some("2026-03-01".to_owned()), ..digest(9) }, "business date"),
        (Digest { date: None, ..digest(9) }, "business date"),
    ] {
        let earlier = Consistency { newer: earlier.sign(&key()), ..consistency_file(3, 9) };
        assert_eq!(refusal(&earlier.to_text()), ProofFault::GoesBack { what });
    }
    let mut unbalanced = digest(9);
    unbalanced.totals[1].debits_posted = Sum::parse("6").unwrap();
    assert_eq!(refusal(&unbalanced.sign(&key())), ProofFault::Unbalanced { ledger: 840 });
    assert_eq!(refusal(""), ProofFault::UnknownKind);
    assert_eq!(refusal("hello\n"), ProofFault::UnknownKind);
}

#[test]
fn signed_nonsense_is_refused_with_its_line() {
    let text = digest(9).to_text();
    for (from, to, line) in [
        ("\n9\n", "\n09\n", 2),
        ("\n9\n", "\n9223372036854775808\n", 2),
        ("identity 0", "identity x", 4),
        ("date 2026-03-02", "date 2026/03/02", 5),
        ("clock 1009", "clock +1009", 6),
        ("books ab", "books zz", 7),
        ("total 840", "total 155", 9),
        ("total 840 12 5 5 0 0", "total 840 12 5 5 0 0 0", 9),
    ] {
        let nonsense = text.replacen(from, to, 1);
        assert_ne!(nonsense, text);
        let fault = refusal(&key().sign(&nonsense));
        assert!(
            matches!(fault, ProofFault::Malformed { line: found, .. } if found == line),
            "{from}: {fault}"
        );
    }
    let capital = text.replace("books ab", "books AB");
    assert_eq!(refusal(&key().sign(&capital)), ProofFault::Spelling);
}

/// Every file with any one bit changed is refused: the digest bears one signature, and each text has one spelling.
#[test]
fn every_flipped_bit_is_seen() {
    for text in [digest(9).sign(&key()), inclusion_file(5, 9).to_text(), consistency_file(3, 9).to_text()] {
        let mut bytes = text.into_bytes();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(text) = std::str::from_utf8(&bytes) {
                assert!(check(text, key().public()).is_err(), "bit {bit}: {text}");
            }
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(check(std::str::from_utf8(&bytes).unwrap(), key().public()).is_ok());
    }
}

proptest! {
    #[test]
    fn any_file_with_any_bit_changed_is_refused(size in 1u64..200, at: u64, place: usize, bit in 0u8..8, kind in 0..3) {
        let at = at % size;
        let text = match kind {
            0 => digest(size).sign(&key()),
            1 => inclusion_file(at, size).to_text(),
            _ => consistency_file(at, size).to_text(),
        };
        prop_assert!(check(&text, key().public()).is_ok());
        let mut bytes = text.into_bytes();
        let place = place % bytes.len();
        bytes[place] ^= 1 << bit;
        if let Ok(text) = std::str::from_utf8(&bytes) {
            prop_assert!(check(text, key().public()).is_err(), "{}", text);
        }
    }

    #[test]
    fn any_file_cut_anywhere_is_refused(place: usize, kind in 0..3) {
        let text = match kind {
            0 => digest(9).sign(&key()),
            1 => inclusion_file(4, 9).to_text(),
            _ => consistency_file(4, 9).to_text(),
        };
        let cut = place % text.len();
        if let Some(text) = text.get(..cut) {
            prop_assert!(check(text, key().public()).is_err());
        }
    }

    #[test]
    fn any_text_is_read_without_panic(text in "[ -~\n—]{0,400}", head in 0usize..4) {
        let head = ["", "c2sp.org/tlog-proof@v1\n", "fen/consistency-proof@v1\n", "a/shard/0\n"][head];
        let file = format!("{head}{text}");
        prop_assert!(check(&file, key().public()).is_err());
        let _ = PublicKey::parse(&text);
        let _ = SigningKey::parse(&text);
    }
}
