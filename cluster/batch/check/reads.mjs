// Has iso20022.js read Fen's camt.053, and write a pain.001 of its own: `node reads.mjs STATEMENT OUT`
import { readFileSync, writeFileSync } from 'node:fs';
import { CashManagementEndOfDayReport, ISO20022 } from 'iso20022.js';

const [statement, out] = process.argv.slice(2);
// The schema lets the bank that keeps the account go unnamed, as Fen does; this library takes its name for granted.
const named = readFileSync(statement, 'utf8')
  .replace('</Ccy>', '</Ccy><Svcr><FinInstnId><Othr><Id>1</Id></Othr></FinInstnId></Svcr>');
const read = CashManagementEndOfDayReport.fromXML(named);
const bank = { name: 'Bank & Sons', id: 'BANK', account: { accountNumber: '1' }, agent: { bic: 'DEUTDEFF', bankAddress: { country: 'DE' } } };
const made = new ISO20022({ initiatingParty: bank }).createSWIFTCreditPaymentInitiation([{
    type: 'swift', direction: 'credit', amount: 1000, currency: 'EUR',
    creditor: {
      name: 'Jane Smith', account: { iban: 'DE89370400440532013000' }, agent: { bic: 'DEUTDEFF' },
      address: { streetName: 'Street', townName: 'Town', postalCode: '1', country: 'DE' },
    },
}]);
writeFileSync(out, made.serialize());
console.log(JSON.stringify({
  statements: read.statements.length,
  entries: read.statements.flatMap(each => each.entries).length,
}));
