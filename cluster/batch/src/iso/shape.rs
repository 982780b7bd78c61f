//! What may stand where in a `pain.001` and a `pain.008`: names, order and number, from the published schemas of
//! versions .09/.11 and .08/.10. Elements whose content Fen does not read are known by name and passed over.

use Shape::{Any, Choice, Parts, Text};

/// What Fen reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tag {
    /// Nothing: it is only checked.
    None,
    GroupHeader,
    MessageId,
    Created,
    Authorisation,
    Count,
    Sum,
    Initiator,
    PartyName,
    PartyId,
    Block,
    BlockId,
    Method,
    OnDay,
    OnInstant,
    DebtorAccount,
    CreditorAccount,
    OtherAccount,
    Iban,
    AccountOther,
    Item,
    InstructionId,
    EndToEndId,
    Amount,
    EquivalentAmount,
    Purpose,
    CategoryPurpose,
    LocalInstrument,
    Code,
    Proprietary,
    Reference,
    Remittance,
}

/// What an element holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// A text of at least one and at most so many characters.
    Text(usize),
    /// These, in this order.
    Parts(&'static [Part]),
    /// One of these.
    Choice(&'static [Part]),
    /// Whatever well-formed XML there is.
    Any,
}

/// The number that stands for "any number".
pub(super) const MANY: u16 = u16::MAX;

/// An element in its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) min: u16,
    pub(super) max: u16,
    pub(super) tag: Tag,
    /// Only the later version knows it.
    pub(super) is_late: bool,
    /// The later version may leave it out.
    pub(super) is_free_late: bool,
}

const fn one(name: &'static str, shape: Shape, tag: Tag) -> Part {
    Part { name, shape, min: 1, max: 1, tag, is_late: false, is_free_late: false }
}

const fn may(name: &'static str, shape: Shape, tag: Tag) -> Part {
    Part { min: 0, ..one(name, shape, tag) }
}

const fn many(name: &'static str, shape: Shape, (min, max): (u16, u16), tag: Tag) -> Part {
    Part { min, max, ..one(name, shape, tag) }
}

const fn late(name: &'static str, shape: Shape) -> Part {
    Part { is_late: true, ..may(name, shape, Tag::None) }
}

const fn skip(name: &'static str) -> Part {
    may(name, Any, Tag::None)
}

const fn skip_many(name: &'static str, max: u16) -> Part {
    many(name, Any, (0, max), Tag::None)
}

/// The whole of a `pain.001`.
pub(super) const CREDIT_TRANSFER: &[Part] = &[one("CstmrCdtTrfInitn", Parts(TRANSFERS), Tag::None)];

/// The whole of a `pain.008`.
pub(super) const DIRECT_DEBIT: &[Part] = &[one("CstmrDrctDbtInitn", Parts(DEBITS), Tag::None)];

const TRANSFERS: &[Part] = &[
    one("GrpHdr", Parts(GROUP_HEADER), Tag::GroupHeader),
    many("PmtInf", Parts(TRANSFER_BLOCK), (1, MANY), Tag::Block),
    skip_many("SplmtryData", MANY),
];

const DEBITS: &[Part] = &[
    one("GrpHdr", Parts(GROUP_HEADER), Tag::GroupHeader),
    many("PmtInf", Parts(DEBIT_BLOCK), (1, MANY), Tag::Block),
    skip_many("SplmtryData", MANY),
];

const GROUP_HEADER: &[Part] = &[
    one("MsgId", Text(35), Tag::MessageId),
    one("CreDtTm", Text(40), Tag::Created),
    many("Authstn", Choice(AUTHORISATION), (0, 2), Tag::None),
    one("NbOfTxs", Text(15), Tag::Count),
    may("CtrlSum", Text(20), Tag::Sum),
    one("InitgPty", Parts(PARTY), Tag::Initiator),
    skip("FwdgAgt"),
    late("InitnSrc", Any),
];

const AUTHORISATION: &[Part] = &[one("Cd", Text(4), Tag::None), one("Prtry", Text(128), Tag::Authorisation)];

const PARTY: &[Part] = &[
    may("Nm", Text(140), Tag::PartyName),
    skip("PstlAdr"),
    may("Id", Choice(PARTY_ID), Tag::None),
    may("CtryOfRes", Text(2), Tag::None),
    skip("CtctDtls"),
];

const PARTY_ID: &[Part] = &[one("OrgId", Parts(ORGANISATION_ID), Tag::None), one("PrvtId", Any, Tag::None)];

const ORGANISATION_ID: &[Part] = &[
    may("AnyBIC", Text(11), Tag::PartyId),
    may("LEI", Text(20), Tag::PartyId),
    many("Othr", Parts(OTHER_PARTY_ID), (0, MANY), Tag::None),
];

const OTHER_PARTY_ID: &[Part] =
    &[one("Id", Text(35), Tag::PartyId), skip("SchmeNm"), may("Issr", Text(35), Tag::None)];

const TRANSFER_BLOCK: &[Part] = &[
    one("PmtInfId", Text(35), Tag::BlockId),
    one("PmtMtd", Text(3), Tag::Method),
    late("ReqdAdvcTp", Any),
    may("BtchBookg", Text(5), Tag::None),
    may("NbOfTxs", Text(15), Tag::Count),
    may("CtrlSum", Text(20), Tag::Sum),
    may("PmtTpInf", Parts(TRANSFER_TYPE), Tag::None),
    one("ReqdExctnDt", Choice(DAY_OR_INSTANT), Tag::None),
    may("PoolgAdjstmntDt", Text(10), Tag::None),
    one("Dbtr", Any, Tag::None),
    one("DbtrAcct", Parts(ACCOUNT), Tag::DebtorAccount),
    one("DbtrAgt", Any, Tag::None),
    may("DbtrAgtAcct", Parts(ACCOUNT), Tag::OtherAccount),
    may("InstrForDbtrAgt", Text(140), Tag::None),
    skip("UltmtDbtr"),
    may("ChrgBr", Text(4), Tag::None),
    may("ChrgsAcct", Parts(ACCOUNT), Tag::OtherAccount),
    skip("ChrgsAcctAgt"),
    many("CdtTrfTxInf", Parts(TRANSFER), (1, MANY), Tag::Item),
];

const DEBIT_BLOCK: &[Part] = &[
    one("PmtInfId", Text(35), Tag::BlockId),
    one("PmtMtd", Text(2), Tag::Method),
    late("ReqdAdvcTp", Any),
    may("BtchBookg", Text(5), Tag::None),
    may("NbOfTxs", Text(15), Tag::Count),
    may("CtrlSum", Text(20), Tag::Sum),
    may("PmtTpInf", Parts(DEBIT_TYPE), Tag::None),
    one("ReqdColltnDt", Text(10), Tag::OnDay),
    one("Cdtr", Any, Tag::None),
    one("CdtrAcct", Parts(ACCOUNT), Tag::CreditorAccount),
    one("CdtrAgt", Any, Tag::None),
    may("CdtrAgtAcct", Parts(ACCOUNT), Tag::OtherAccount),
    skip("UltmtCdtr"),
    may("ChrgBr", Text(4), Tag::None),
    may("ChrgsAcct", Parts(ACCOUNT), Tag::OtherAccount),
    skip("ChrgsAcctAgt"),
    skip("CdtrSchmeId"),
    many("DrctDbtTxInf", Parts(DEBIT), (1, MANY), Tag::Item),
];

const DAY_OR_INSTANT: &[Part] = &[one("Dt", Text(10), Tag::OnDay), one("DtTm", Text(40), Tag::OnInstant)];

const TRANSFER_TYPE: &[Part] = &[
    may("InstrPrty", Text(4), Tag::None),
    skip_many("SvcLvl", MANY),
    may("LclInstrm", Choice(LONG_CODE), Tag::LocalInstrument),
    may("CtgyPurp", Choice(SHORT_CODE), Tag::CategoryPurpose),
];

const DEBIT_TYPE: &[Part] = &[
    may("InstrPrty", Text(4), Tag::None),
    skip_many("SvcLvl", MANY),
    may("LclInstrm", Choice(LONG_CODE), Tag::LocalInstrument),
    may("SeqTp", Text(4), Tag::None),
    may("CtgyPurp", Choice(SHORT_CODE), Tag::CategoryPurpose),
];

const SHORT_CODE: &[Part] = &[one("Cd", Text(4), Tag::Code), one("Prtry", Text(35), Tag::Proprietary)];

const LONG_CODE: &[Part] = &[one("Cd", Text(35), Tag::Code), one("Prtry", Text(35), Tag::Proprietary)];

const ACCOUNT: &[Part] = &[
    Part { is_free_late: true, ..one("Id", Choice(ACCOUNT_ID), Tag::None) },
    skip("Tp"),
    may("Ccy", Text(3), Tag::None),
    may("Nm", Text(70), Tag::None),
    skip("Prxy"),
];

const ACCOUNT_ID: &[Part] =
    &[one("IBAN", Text(34), Tag::Iban), one("Othr", Parts(OTHER_ACCOUNT_ID), Tag::None)];

const OTHER_ACCOUNT_ID: &[Part] =
    &[one("Id", Text(34), Tag::AccountOther), skip("SchmeNm"), may("Issr", Text(35), Tag::None)];

const PAYMENT_ID: &[Part] = &[
    may("InstrId", Text(35), Tag::InstructionId),
    one("EndToEndId", Text(35), Tag::EndToEndId),
    may("UETR", Text(36), Tag::None),
];

const TRANSFER: &[Part] = &[
    one("PmtId", Parts(PAYMENT_ID), Tag::None),
    may("PmtTpInf", Parts(TRANSFER_TYPE), Tag::None),
    one("Amt", Choice(AMOUNT), Tag::None),
    skip("XchgRateInf"),
    may("ChrgBr", Text(4), Tag::None),
    late("MndtRltdInf", Any),
    skip("ChqInstr"),
    skip("UltmtDbtr"),
    skip("IntrmyAgt1"),
    may("IntrmyAgt1Acct", Parts(ACCOUNT), Tag::OtherAccount),
    skip("IntrmyAgt2"),
    may("IntrmyAgt2Acct", Parts(ACCOUNT), Tag::OtherAccount),
    skip("IntrmyAgt3"),
    may("IntrmyAgt3Acct", Parts(ACCOUNT), Tag::OtherAccount),
    skip("CdtrAgt"),
    may("CdtrAgtAcct", Parts(ACCOUNT), Tag::OtherAccount),
    skip("Cdtr"),
    may("CdtrAcct", Parts(ACCOUNT), Tag::CreditorAccount),
    skip("UltmtCdtr"),
    skip_many("InstrForCdtrAgt", MANY),
    skip("InstrForDbtrAgt"),
    may("Purp", Choice(SHORT_CODE), Tag::Purpose),
    skip_many("RgltryRptg", 10),
    skip("Tax"),
    skip_many("RltdRmtInf", 10),
    may("RmtInf", Parts(REMITTANCE), Tag::None),
    skip_many("SplmtryData", MANY),
];

const AMOUNT: &[Part] = &[one("InstdAmt", Text(20), Tag::Amount), one("EqvtAmt", Any, Tag::EquivalentAmount)];

const DEBIT: &[Part] = &[
    one("PmtId", Parts(PAYMENT_ID), Tag::None),
    may("PmtTpInf", Parts(DEBIT_TYPE), Tag::None),
    one("InstdAmt", Text(20), Tag::Amount),
    may("ChrgBr", Text(4), Tag::None),
    skip("DrctDbtTx"),
    skip("UltmtCdtr"),
    one("DbtrAgt", Any, Tag::None),
    may("DbtrAgtAcct", Parts(ACCOUNT), Tag::OtherAccount),
    one("Dbtr", Any, Tag::None),
    one("DbtrAcct", Parts(ACCOUNT), Tag::DebtorAccount),
    skip("UltmtDbtr"),
    may("InstrForCdtrAgt", Text(140), Tag::None),
    may("Purp", Choice(SHORT_CODE), Tag::Purpose),
    skip_many("RgltryRptg", 10),
    skip("Tax"),
    skip_many("RltdRmtInf", 10),
    may("RmtInf", Parts(REMITTANCE), Tag::None),
    skip_many("SplmtryData", MANY),
];

const REMITTANCE: &[Part] =
    &[many("Ustrd", Text(140), (0, MANY), Tag::None), many("Strd", Parts(STRUCTURED), (0, MANY), Tag::None)];

const STRUCTURED: &[Part] = &[
    skip_many("RfrdDocInf", MANY),
    skip("RfrdDocAmt"),
    may("CdtrRefInf", Parts(CREDITOR_REFERENCE), Tag::None),
    skip("Invcr"),
    skip("Invcee"),
    skip("TaxRmt"),
    skip("GrnshmtRmt"),
    many("AddtlRmtInf", Text(140), (0, 3), Tag::Remittance),
];

const CREDITOR_REFERENCE: &[Part] = &[skip("Tp"), may("Ref", Text(35), Tag::Reference)];

/// Where the reader is within an element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    pub(super) shape: Shape,
    pub(super) tag: Tag,
    /// The part that is expected next.
    next: usize,
    /// How many of it there were.
    count: u16,
}

impl Level {
    pub(super) fn new(shape: Shape, tag: Tag) -> Self {
        Self { shape, tag, next: 0, count: 0 }
    }

    /// The part that opens; every part that is passed by had to be there already.
    pub(super) fn open(&mut self, name: &str, is_late: bool) -> Result<Part, String> {
        let (parts, is_choice) = match self.shape {
            Any => return Ok(one("", Any, Tag::None)),
            Text(_) => return Err(format!("<{}> must not stand here", crate::figure::shown(name))),
            Parts(parts) => (parts, false),
            Choice(parts) => (parts, true),
        };
        if is_choice && self.count > 0 {
            return Err(format!("<{}> must not stand beside another choice", crate::figure::shown(name)));
        }
        let (mut place, mut count) = (self.next, self.count);
        while let Some(part) = parts.get(place) {
            if part.name == name && (is_late || !part.is_late) {
                if count >= part.max && part.max != MANY {
                    return Err(format!("<{name}> stands here more than {} times", part.max));
                }
                (self.next, self.count) = (place, count.saturating_add(1));
                return Ok(*part);
            }
            if !is_choice && count < least(part, is_late) {
                return Err(format!("<{}> stands where <{}> must be", crate::figure::shown(name), part.name));
            }
            (place, count) = (place + 1, 0);
        }
        Err(format!("<{}> must not stand here", crate::figure::shown(name)))
    }

    /// Whether the element may close.
    pub(super) fn close(&self, is_late: bool) -> Result<(), String> {
        match self.shape {
            Any | Text(_) => Ok(()),
            Choice(_) if self.count > 0 => Ok(()),
            Choice(_) => Err("nothing was chosen".to_owned()),
            Parts(parts) => {
                let missing = parts.iter().enumerate().skip(self.next).find(|(place, part)| {
                    let there = if *place == self.next { self.count } else { 0 };
                    there < least(part, is_late)
                });
                missing.map_or(Ok(()), |(_, part)| Err(format!("<{}> is missing", part.name)))
            }
        }
    }
}

fn least(part: &Part, is_late: bool) -> u16 {
    if is_late && part.is_free_late { 0 } else { part.min }
}
