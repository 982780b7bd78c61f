//! `pain.001` and `pain.008` as a stream of a head, blocks and items.
//!
//! What Fen reads beyond accounts and amounts: a purpose or category purpose `LOAN` is a disbursement and `LOAR` a
//! repayment; the creditor's reference (`RmtInf/Strd/CdtrRefInf/Ref`) names the loan; the local instrument
//! (`PmtTpInf/LclInstrm/Prtry`) its product; and `RmtInf/Strd/AddtlRmtInf` what a new loan states, as in
//! `periods=12 annual_rate=7.2`. A group header with the authorisation `ALL-OR-NOTHING` asks to be taken as a whole.
//!
//! Accounts are IBANs, or ids of the bank's own (`Othr/Id`) as numbers, `0x` hexadecimal or, with a namespace in the
//! rules, as names.
//! **Limits.** Those of the XML reader. What is wrong with one item is in the item; what breaks the schema refuses
//! the file.

use super::shape::{CREDIT_TRANSFER, DIRECT_DEBIT, Level, Shape, Tag};
use super::xml::{Token, Xml};
use crate::figure::{self, shown};
use crate::item::{Act, Block, Format, Head, Item, Piece, Source, Sum};
use crate::reason::{FileFault, ItemFault, Reason};
use crate::rules::Rules;
use fen_book::batches::Acceptance;
use fen_terms::Day;
use std::io::Read;

/// The proprietary authorisation that asks for all items or none.
const WHOLE: &str = "ALL-OR-NOTHING";

const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:";

/// What a block says of its items.
#[derive(Clone, Default)]
struct Common {
    account: Option<Result<u128, ItemFault>>,
    on: Option<Day>,
    purpose: String,
    product: Option<Result<u128, ItemFault>>,
    fault: Option<ItemFault>,
}

/// What an item says of itself.
#[derive(Default)]
struct Draft {
    item: Item,
    account: Option<Result<u128, ItemFault>>,
    purpose: String,
    product: Option<Result<u128, ItemFault>>,
    stated: [String; 4],
}

/// See the module's words.
pub struct InitiationFile<'a, R> {
    xml: Xml<R>,
    rules: &'a Rules,
    format: Format,
    levels: Vec<Level>,
    /// The prefix of the message's namespace, with its colon.
    prefix: String,
    /// Whose parts are being read: an account, a purpose, a party.
    owner: Tag,
    head: Option<Box<Head>>,
    block: Block,
    common: Common,
    draft: Option<Draft>,
    /// A block that is not told yet, because its own parts are still being read.
    is_block_untold: bool,
    is_in_block: bool,
    items: u64,
}

impl<'a, R: Read> InitiationFile<'a, R> {
    /// Reads the root, which tells message and version.
    ///
    /// # Errors
    /// Where the file is no XML, or another message than this release knows.
    pub fn open(file: R, rules: &'a Rules) -> Result<Self, FileFault> {
        let mut xml = Xml::new(file);
        if xml.next()? != Token::Open {
            return Err(xml.wrong("there is no message in the file"));
        }
        let (prefix, local) =
            xml.name().split_once(':').map_or(("", xml.name()), |(prefix, local)| (prefix, local));
        let declared = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
        let namespace = xml.attribute(&declared).unwrap_or_default();
        let format = match namespace.strip_prefix(NAMESPACE) {
            Some("pain.001.001.09") => Format::CreditTransfer(9),
            Some("pain.001.001.11") => Format::CreditTransfer(11),
            Some("pain.008.001.08") => Format::DirectDebit(8),
            Some("pain.008.001.10") => Format::DirectDebit(10),
            Some(_) | None => {
                let message = namespace.strip_prefix(NAMESPACE).unwrap_or(namespace);
                return Err(xml.wrong(format!("the message is '{}'", shown(message))).mend(
                    "send pain.001.001.09 or .11 (credit transfers), or pain.008.001.08 or .10 (direct debits)",
                ));
            }
        };
        if local != "Document" {
            return Err(xml.wrong(format!("the root is <{}>, not <Document>", shown(local))));
        }
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}:") };
        let parts = if matches!(format, Format::CreditTransfer(_)) { CREDIT_TRANSFER } else { DIRECT_DEBIT };
        Ok(Self {
            xml,
            rules,
            format,
            levels: vec![Level::new(Shape::Parts(parts), Tag::None)],
            prefix,
            owner: Tag::None,
            head: None,
            block: Block::default(),
            common: Common::default(),
            draft: None,
            is_block_untold: false,
            is_in_block: false,
            items: 0,
        })
    }

    fn is_late(&self) -> bool {
        matches!(self.format, Format::CreditTransfer(11) | Format::DirectDebit(10))
    }

    fn wrong(&self, what: impl Into<String>) -> FileFault {
        let mut fault = self.xml.wrong(what);
        if self.is_in_block {
            fault.place =
                format!("{}, block '{}', item {}", fault.place, shown(&self.block.id), self.items + 1);
        }
        fault
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "each step reads its own tags and leaves the rest")]
    fn opened(&mut self) -> Result<Option<Piece>, FileFault> {
        let is_late = self.is_late();
        let level =
            self.levels.last_mut().ok_or_else(|| FileFault::format("", "there is a second message"))?;
        let has_text = !matches!(level.shape, Shape::Any) && !self.xml.text().trim().is_empty();
        let part = if matches!(level.shape, Shape::Any) {
            level.open("", is_late)
        } else {
            let name = self.xml.name().strip_prefix(self.prefix.as_str()).unwrap_or(self.xml.name());
            level.open(name, is_late)
        };
        let part = part.map_err(|what| self.wrong(what))?;
        if has_text {
            return Err(self.wrong("there is text between the elements"));
        }
        self.levels.push(Level::new(part.shape, part.tag));
        match part.tag {
            Tag::GroupHeader => self.head = Some(Box::default()),
            Tag::Block => {
                (self.block, self.common) = (Block::default(), Common::default());
                (self.is_block_untold, self.is_in_block) = (true, true);
            }
            Tag::Item => {
                self.draft = Some(Draft::default());
                if std::mem::take(&mut self.is_block_untold) {
                    return Ok(Some(Piece::Block(Box::new(self.block.clone()))));
                }
            }
            Tag::Amount => self.amount_opens(),
            Tag::Initiator
            | Tag::DebtorAccount
            | Tag::CreditorAccount
            | Tag::OtherAccount
            | Tag::Purpose
            | Tag::CategoryPurpose
            | Tag::LocalInstrument => self.owner = part.tag,
            _ => {}
        }
        Ok(None)
    }

    fn closed(&mut self) -> Result<Option<Piece>, FileFault> {
        let Some(level) = self.levels.pop() else { return Ok(None) };
        level.close(self.is_late()).map_err(|what| self.wrong(what))?;
        match level.shape {
            Shape::Any => {
                if level.tag == Tag::EquivalentAmount
                    && let Some(draft) = &mut self.draft
                {
                    draft.item.note(ItemFault::new(
                        Reason::CurrencyNotAllowed,
                        "an equivalent amount asks for an exchange, which is not done here",
                    ));
                }
            }
            Shape::Text(most) => {
                let text = self.text_buffer();
                let count = text.chars().count();
                if count == 0 || count > most {
                    return Err(
                        self.wrong(format!("a text has {count} characters, it must have 1 to {most}"))
                    );
                }
                self.leaf(level.tag, &text)?;
            }
            Shape::Parts(_) | Shape::Choice(_) => {
                if !self.xml.text().trim().is_empty() {
                    return Err(self.wrong("there is text between the elements"));
                }
                return Ok(self.composite(level.tag));
            }
        }
        Ok(None)
    }

    /// The text of the element that closes. Schemas trim the blanks of dates and numbers, and so does this.
    fn text_buffer(&self) -> String {
        self.xml.text().trim().to_owned()
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "each step reads its own tags and leaves the rest")]
    fn composite(&mut self, tag: Tag) -> Option<Piece> {
        match tag {
            Tag::GroupHeader => self.head.take().map(Piece::Head),
            Tag::Block => {
                self.is_in_block = false;
                None
            }
            Tag::Item => {
                self.items += 1;
                let draft = self.draft.take()?;
                Some(Piece::Item(self.finish(draft)))
            }
            _ => None,
        }
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "each step reads its own tags and leaves the rest")]
    fn leaf(&mut self, tag: Tag, text: &str) -> Result<(), FileFault> {
        match tag {
            Tag::MessageId => text.clone_into(&mut self.head_mut().message_id),
            Tag::Created => {
                if text.len() < 19 || Day::parse(&text[..10.min(text.len())]).is_none() {
                    return Err(self.wrong(format!("'{}' is no instant", shown(text))));
                }
                text.clone_into(&mut self.head_mut().created);
            }
            Tag::Authorisation if text == WHOLE => self.head_mut().acceptance = Acceptance::Whole,
            Tag::Count => {
                let count: u64 = text
                    .parse()
                    .map_err(|_| self.wrong(format!("'{}' is no number of items", shown(text))))?;
                if self.is_in_block {
                    self.block.items = Some(count);
                } else {
                    self.head_mut().items = Some(count);
                }
            }
            Tag::Sum => {
                let sum =
                    Sum::parse(text).ok_or_else(|| self.wrong(format!("'{}' is no sum", shown(text))))?;
                if self.is_in_block { self.block.sum = Some(sum) } else { self.head_mut().sum = Some(sum) }
            }
            Tag::PartyName if self.owner == Tag::Initiator => text.clone_into(&mut self.head_mut().initiator),
            Tag::PartyId if self.owner == Tag::Initiator && self.head_mut().initiator.is_empty() => {
                text.clone_into(&mut self.head_mut().initiator);
            }
            Tag::BlockId => text.clone_into(&mut self.block.id),
            Tag::Method => self.method(text)?,
            Tag::OnDay | Tag::OnInstant => {
                let day =
                    text.get(..10).filter(|_| tag == Tag::OnInstant || text.len() == 10).and_then(Day::parse);
                self.common.on = Some(day.ok_or_else(|| {
                    let mut fault = self.wrong(format!("'{}' is no date", shown(text)));
                    fault.reason = Reason::DateInvalid;
                    fault
                })?);
            }
            _ => self.leaf_of_item(tag, text),
        }
        Ok(())
    }

    fn method(&mut self, text: &str) -> Result<(), FileFault> {
        match (self.format, text) {
            (Format::CreditTransfer(_), "TRF" | "TRA") | (Format::DirectDebit(_), "DD") => {}
            (Format::CreditTransfer(_), "CHK") => {
                self.common.fault =
                    Some(ItemFault::new(Reason::OperationInvalid, "cheques are not paid from files"));
            }
            _ => return Err(self.wrong(format!("'{}' is no payment method of this message", shown(text)))),
        }
        Ok(())
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "each step reads its own tags and leaves the rest")]
    fn leaf_of_item(&mut self, tag: Tag, text: &str) {
        match tag {
            Tag::Iban => self.account(figure::iban_account(text)),
            Tag::AccountOther => {
                let id = self.rules.id(text).ok_or_else(|| {
                    ItemFault::new(Reason::AccountIncorrect, format!("'{}' is no account's id", shown(text)))
                });
                self.account(id);
            }
            Tag::Code if matches!(self.owner, Tag::Purpose | Tag::CategoryPurpose) => self.purpose(text),
            Tag::Proprietary if self.owner == Tag::LocalInstrument => {
                // Community instruments such as CORE are no products; a loan that needs one says so.
                let product = self.rules.id(text).ok_or_else(|| {
                    ItemFault::new(Reason::Narrative, format!("'{}' is no product's id", shown(text)))
                });
                match &mut self.draft {
                    Some(draft) => draft.product = Some(product),
                    None => self.common.product = Some(product),
                }
            }
            _ => {
                let rules = self.rules;
                if let Some(draft) = &mut self.draft {
                    draft.leaf(tag, text, rules);
                }
            }
        }
    }

    /// A purpose of the item counts before its category purpose, and both before the block's.
    fn purpose(&mut self, text: &str) {
        let is_loan = matches!(text, "LOAN" | "LOAR");
        let place = match &mut self.draft {
            Some(draft) => &mut draft.purpose,
            None => &mut self.common.purpose,
        };
        if place.is_empty() || is_loan {
            text.clone_into(place);
        }
    }

    fn account(&mut self, account: Result<u128, ItemFault>) {
        let wanted = match self.format {
            Format::CreditTransfer(_) => (Tag::CreditorAccount, Tag::DebtorAccount),
            Format::DirectDebit(_) | Format::Csv | Format::Ndjson => {
                (Tag::DebtorAccount, Tag::CreditorAccount)
            }
        };
        match &mut self.draft {
            Some(draft) if self.owner == wanted.0 => draft.account = Some(account),
            None if self.owner == wanted.1 => self.common.account = Some(account),
            Some(_) | None => {}
        }
    }

    fn amount_opens(&mut self) {
        let code = self.xml.attribute("Ccy").unwrap_or_default();
        let currency = figure::currency(code);
        let Some(draft) = &mut self.draft else { return };
        match currency {
            Ok(currency) => draft.item.ledger = currency.number(),
            Err(fault) => draft.item.note(fault),
        }
    }

    fn head_mut(&mut self) -> &mut Head {
        self.head.get_or_insert_default()
    }

    /// The item as its own words and its block's make it.
    fn finish(&self, draft: Draft) -> Item {
        let Draft { mut item, account, purpose, product, stated } = draft;
        if let Some(fault) = &self.common.fault {
            item.note(fault.clone());
        }
        item.on = self.common.on;
        let purpose = if purpose.is_empty() { &self.common.purpose } else { &purpose };
        item.act = match purpose.as_str() {
            "LOAN" => Act::Disburse,
            "LOAR" => Act::Repay,
            _ => Act::Transfer,
        };
        let missing = || Err(ItemFault::new(Reason::AccountIncorrect, "no account is named"));
        let own = account.unwrap_or_else(missing);
        let blocks = self.common.account.clone().unwrap_or_else(missing);
        let (debit, credit) = match self.format {
            Format::CreditTransfer(_) => (blocks, own),
            Format::DirectDebit(_) | Format::Csv | Format::Ndjson => (own, blocks),
        };
        // A disbursement comes out of its product and a repayment goes there, whatever account stands beside.
        for (side, place, is_needed) in [
            (debit, &mut item.debit, item.act != Act::Disburse),
            (credit, &mut item.credit, item.act != Act::Repay),
        ] {
            match side {
                Ok(account) => *place = account,
                Err(fault) if is_needed => {
                    item.fault.get_or_insert_with(|| Box::new(fault));
                }
                Err(_) => {}
            }
        }
        if item.act == Act::Disburse {
            match product.or_else(|| self.common.product.clone()) {
                Some(Ok(product)) => item.product_id = product,
                Some(Err(fault)) => item.note(fault),
                None => item.product_id = self.rules.id(self.rules.default_of("product_id")).unwrap_or(0),
            }
            match crate::rows::stated(&stated.each_ref().map(String::as_str)) {
                Ok(terms) => item.terms = terms,
                Err(fault) => item.note(fault),
            }
        }
        item
    }
}

impl Draft {
    #[allow(clippy::wildcard_enum_match_arm, reason = "each step reads its own tags and leaves the rest")]
    fn leaf(&mut self, tag: Tag, text: &str, rules: &Rules) {
        match tag {
            Tag::InstructionId => text.clone_into(&mut self.item.instruction_id),
            Tag::EndToEndId => text.clone_into(&mut self.item.end_to_end_id),
            Tag::Amount => {
                let Some(currency) = fen_terms::Currency::from_number(self.item.ledger) else { return };
                match figure::amount(text, currency) {
                    Ok(amount) => self.item.amount = amount,
                    Err(fault) => self.item.note(fault),
                }
            }
            Tag::Reference => self.item.loan_id = rules.id(text).unwrap_or(0),
            Tag::Remittance => {
                for (name, value) in text.split_whitespace().filter_map(|word| word.split_once('=')) {
                    let names = ["periods", "annual_rate", "daily_rate", "first_due_on"];
                    if let Some(place) = names.iter().position(|known| *known == name) {
                        value.clone_into(&mut self.stated[place]);
                    }
                }
            }
            _ => {}
        }
    }
}

impl<R: Read> Source for InitiationFile<'_, R> {
    fn next_piece(&mut self) -> Result<Option<Piece>, FileFault> {
        loop {
            let piece = match self.xml.next()? {
                Token::Open => self.opened()?,
                Token::Close => self.closed()?,
                Token::End => return Ok(None),
            };
            if piece.is_some() {
                return Ok(piece);
            }
        }
    }

    fn format(&self) -> Format {
        self.format
    }
}
