//! Files of every form: what is read, what is refused and why, and that no bytes at all bring a reader down.

#![allow(clippy::unwrap_used, reason = "a panic is a test's report")]

mod golden;

use fen_batch::check::{Checked, check};
use fen_batch::item::{Act, Item, Piece};
use fen_batch::open::open;
use fen_batch::reason::{FileFault, Reason};
use fen_batch::rules::Rules;
use fen_book::batches::Acceptance;
use fen_terms::Day;
use proptest::prelude::*;

fn pieces(bytes: &[u8], rules: &Rules) -> Result<Vec<Piece>, FileFault> {
    let mut source = open(bytes, rules)?;
    let mut pieces = Vec::new();
    while let Some(piece) = source.next_piece()? {
        pieces.push(piece);
    }
    Ok(pieces)
}

fn items(text: &str, rules: &Rules) -> Vec<Item> {
    let pieces = pieces(text.as_bytes(), rules).unwrap();
    pieces
        .into_iter()
        .filter_map(|piece| if let Piece::Item(item) = piece { Some(item) } else { None })
        .collect()
}

fn checked(text: &str) -> Result<Checked, FileFault> {
    let rules = Rules::default();
    let mut source = open(text.as_bytes(), &rules)?;
    check(source.as_mut(), &mut |_| {})
}

fn refused(text: &str) -> FileFault {
    checked(text).unwrap_err()
}

/// A transfer with a loan, its amount and the rest of its block as they are given.
fn transfer(id: &str, amount: &str) -> String {
    format!(
        "<CdtTrfTxInf><PmtId><InstrId>I-{id}</InstrId><EndToEndId>{id}</EndToEndId></PmtId>\
         <Amt><InstdAmt Ccy=\"CNY\">{amount}</InstdAmt></Amt>\
         <CdtrAcct><Id><Othr><Id>77</Id></Othr></Id></CdtrAcct>\
         <Purp><Cd>LOAN</Cd></Purp>\
         <RmtInf><Strd><CdtrRefInf><Ref>501</Ref></CdtrRefInf>\
         <AddtlRmtInf>periods=12 annual_rate=7.2</AddtlRmtInf></Strd></RmtInf></CdtTrfTxInf>"
    )
}

fn credit_transfers(count: &str, sum: &str, items: &[String]) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pain.001.001.09\"><CstmrCdtTrfInitn>\
         <GrpHdr><MsgId>M-1</MsgId><CreDtTm>2026-03-02T10:00:00</CreDtTm>\
         <Authstn><Prtry>ALL-OR-NOTHING</Prtry></Authstn><NbOfTxs>{count}</NbOfTxs><CtrlSum>{sum}</CtrlSum>\
         <InitgPty><Nm>Bank &amp; Sons</Nm></InitgPty></GrpHdr>\
         <PmtInf><PmtInfId>B-1</PmtInfId><PmtMtd>TRF</PmtMtd>\
         <PmtTpInf><LclInstrm><Prtry>101</Prtry></LclInstrm></PmtTpInf>\
         <ReqdExctnDt><Dt>2026-03-03</Dt></ReqdExctnDt><Dbtr><Nm>Bank</Nm></Dbtr>\
         <DbtrAcct><Id><Othr><Id>0x10</Id></Othr></Id></DbtrAcct><DbtrAgt><FinInstnId/></DbtrAgt>\
         {}</PmtInf></CstmrCdtTrfInitn></Document>",
        items.concat()
    )
}

fn plain() -> String {
    credit_transfers("2", "30.50", &[transfer("a", "10.50"), transfer("b", "20")])
}

#[test]
fn a_credit_transfer_is_read_with_its_loan() {
    let found = checked(&plain()).unwrap();
    assert_eq!((found.items, found.minor, found.ledger), (2, 3_050, 156));
    assert_eq!((found.head.message_id.as_str(), found.head.initiator.as_str()), ("M-1", "Bank & Sons"));
    assert_eq!((found.head.acceptance, found.first_on), (Acceptance::Whole, Day::parse("2026-03-03")));
    let item = &items(&plain(), &Rules::default())[0];
    assert_eq!((item.act, item.debit, item.credit, item.loan_id), (Act::Disburse, 16, 77, 501));
    assert_eq!((item.product_id, item.amount, item.fault.as_ref()), (101, 1_050, None));
    assert_eq!(item.terms.as_ref().unwrap().periods, Some(12));
    assert_eq!((item.end_to_end_id.as_str(), item.instruction_id.as_str()), ("a", "I-a"));
}

#[test]
fn every_form_says_the_same() {
    let rules =
        Rules::parse("[every]\nact = \"disburse\"\ncurrency = \"CNY\"\nproduct_id = \"101\"\n").unwrap();
    let csv = "id,instruction_id,debit_account,credit_account,amount,loan_id,periods,annual_rate,on\n\
               a,I-a,16,77,10.50,501,12,7.2,2026-03-03\n";
    let ndjson = "{\"message_id\": \"M\"}\n{\"id\": \"a\", \"instruction_id\": \"I-a\", \"debit_account\": 16, \
                  \"credit_account\": \"77\", \"amount\": \"10.50\", \"loan_id\": \"501\", \"periods\": 12, \
                  \"annual_rate\": \"7.2\", \"on\": \"2026-03-03\"}\n";
    let from_xml = items(&plain(), &rules).remove(0);
    assert_eq!(items(csv, &rules), std::slice::from_ref(&from_xml));
    assert_eq!(items(ndjson, &rules), [from_xml]);
}

#[test]
fn a_file_must_come_to_what_it_says() {
    let one = [transfer("a", "10.50")];
    assert_eq!(refused(&credit_transfers("2", "10.50", &one)).reason, Reason::CountWrong);
    assert_eq!(refused(&credit_transfers("1", "10.51", &one)).reason, Reason::ControlSumWrong);
    assert!(checked(&credit_transfers("1", "10.5", &one)).is_ok(), "10.5 is 10.50");
    assert_eq!(refused("id,act,amount,currency\n").reason, Reason::FormatInvalid);
    assert_eq!(refused("").reason, Reason::FormatInvalid);
}

#[test]
fn what_is_wrong_with_an_item_refuses_that_item() {
    let both = credit_transfers("2", "21", &[transfer("a", "1.001"), transfer("b", "21")]);
    let found = checked(&both).unwrap();
    assert_eq!(found.faults, 1);
    assert_eq!((found.named[0].0, found.named[0].2.reason), (1, Reason::AmountInvalid));
    let twice = credit_transfers("2", "2", &[transfer("a", "1"), transfer("a", "1")]);
    assert_eq!(checked(&twice).unwrap().twice.len(), 1);
    let unnamed = credit_transfers("2", "2", &[transfer("NOTPROVIDED", "1"), transfer("NOTPROVIDED", "1")]);
    assert_eq!(checked(&unnamed.replacen("I-NOT", "J-NOT", 1)).unwrap().twice.len(), 0);
}

#[test]
fn what_breaks_the_schema_is_refused_with_its_place() {
    let cases = [
        ("<MsgId>M-1</MsgId>", "", "<CreDtTm> stands where <MsgId> must be"),
        ("<MsgId>M-1</MsgId>", "<MsgId></MsgId>", "must have 1 to 35"),
        ("<PmtMtd>TRF</PmtMtd>", "<PmtMtd>CARD</PmtMtd>", "must have 1 to 3"),
        ("<Dt>2026-03-03</Dt>", "<Dt>2026-02-30</Dt>", "is no date"),
        ("<Purp><Cd>LOAN</Cd></Purp>", "<Purp><Cd>LOAN</Cd><Prtry>x</Prtry></Purp>", "another choice"),
        ("<Purp><Cd>LOAN</Cd></Purp>", "<Purp/>", "nothing was chosen"),
        ("<DbtrAgt><FinInstnId/></DbtrAgt>", "", "where <DbtrAgt> must be"),
        ("</PmtInf>", "<Shoe/></PmtInf>", "<Shoe> must not stand here"),
        ("<NbOfTxs>2</NbOfTxs>", "<NbOfTxs>two</NbOfTxs>", "no number of items"),
        ("<InitgPty>", "words<InitgPty>", "text between the elements"),
        ("pain.001.001.09", "pain.001.001.03", "the message is 'pain.001.001.03'"),
        ("</Document>", "", "cut off"),
        ("</Document>", "</Document><Document/>", "second"),
        ("encoding=\"UTF-8\"", "encoding=\"ISO-8859-1\"", "only UTF-8"),
        ("<MsgId>M-1", "<MsgId>&owner;", "not known"),
        ("<Document", "<!DOCTYPE d [<!ENTITY a \"b\">]><Document", "DOCTYPE"),
        ("<GrpHdr>", "<?php run() ?><GrpHdr>", "processing instruction"),
    ];
    for (from, to, words) in cases {
        let fault = refused(&plain().replacen(from, to, 1));
        assert!(fault.to_string().contains(words), "{to}: {fault}");
    }
}

#[test]
fn hazards_are_refused_within_limits() {
    let bomb =
        "<!DOCTYPE lolz [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>".to_owned() + &plain();
    assert!(
        refused(&bomb.replacen("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", "", 1))
            .what
            .contains("DOCTYPE")
    );
    let deep = format!("<SplmtryData>{}", "<a>".repeat(100_000));
    let fault = refused(&plain().replacen("</PmtInf>", &format!("</PmtInf>{deep}"), 1));
    assert!(fault.what.contains("deeper"), "{fault}");
    for long in [
        format!("<GrpHdr a=\"{}\">", "x".repeat(10 << 20)),
        format!("<{}>", "g".repeat(10 << 20)),
        format!("<!-- {} --><GrpHdr>", "x".repeat(10 << 20)),
        format!(
            "<GrpHdr {}>",
            (0..40).map(|number| format!("a{number}=\"\" ")).fold(String::new(), |all, one| all + &one)
        ),
    ] {
        let fault = refused(&plain().replacen("<GrpHdr>", &long, 1));
        assert_eq!(fault.reason, Reason::FormatInvalid);
    }
    let text = plain().replacen("M-1", &"x".repeat(10 << 20), 1);
    assert_eq!(refused(&text).reason, Reason::FormatInvalid);
    let utf16: Vec<u8> =
        std::iter::once(0xfeff).chain(plain().encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let rules = Rules::default();
    assert!(pieces(&utf16, &rules).unwrap_err().what.contains("UTF-8"));
    let latin = plain().replace("Bank &amp; Sons", "B\u{1}nk");
    assert_eq!(refused(&latin).reason, Reason::FormatInvalid);
    let mut broken = plain().into_bytes();
    let at = broken.windows(4).position(|window| window == b"Sons").unwrap();
    broken[at] = 0xfc;
    assert!(pieces(&broken, &rules).is_err());
    let row = format!("id,act,amount,currency\n\"{}", "x".repeat(10 << 20));
    assert_eq!(refused(&row).reason, Reason::FormatInvalid);
    let line = format!("{{\"id\": \"{}\"}}", "x".repeat(10 << 20));
    assert!(refused(&line).what.contains("longer"));
}

#[test]
fn a_column_without_meaning_refuses_the_file() {
    let fault = refused("id,act,amount,currency,colour\n");
    assert!(fault.what.contains("colour") && fault.mend.unwrap().contains("csv.ignore"));
    assert!(refused("id,amount,currency\n").what.contains("no column is 'act'"));
    assert!(refused("id,act,amount,currency,id\n").what.contains("twice"));
    let uneven = refused("id,act,amount,currency\na,transfer,1.00,CNY\nb,transfer\n");
    assert_eq!(uneven.place, "line 3");
}

proptest! {
    #[test]
    fn no_bytes_bring_a_reader_down(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _either = pieces(&bytes, &Rules::default());
    }

    #[test]
    fn no_change_of_a_message_brings_the_reader_down(
        at in 0_usize..1_500, with in proptest::collection::vec(any::<u8>(), 0..12), drop in 0_usize..40
    ) {
        let mut bytes = plain().into_bytes();
        let at = at.min(bytes.len());
        let end = (at + drop).min(bytes.len());
        bytes.splice(at..end, with);
        let rules = Rules::default();
        if let Ok(mut source) = open(bytes.as_slice(), &rules) {
            let _either = check(source.as_mut(), &mut |_| {});
        }
    }

    #[test]
    fn no_line_brings_a_reader_down(line in "\\{.{0,80}\\}", row in ".{0,80}") {
        let rules = Rules::default();
        let _either = pieces(line.as_bytes(), &rules);
        let _either = pieces(format!("id,act,amount,currency\n{row}\n").as_bytes(), &rules);
    }
}
