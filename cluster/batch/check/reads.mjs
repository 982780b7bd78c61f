// Has iso20022.js read Fen's camt.053 and pain.002, and write a pain.001 of its own: `node reads.mjs STATEMENT REPORT OUT`
import { readFileSync, writeFileSync } from 'node:fs';
import { CashManagementEndOfDayReport, ISO20022, PaymentStatusReport } from 'iso20022.js';

const [statement, report, out] = process.argv.slice(2);
const read = CashManagementEndOfDayReport.fromXML(readFileSync(statement, 'utf8'));
const status = PaymentStatusReport.fromXML(readFileSync(report, 'utf8'));
const bank = { name: 'Bank & Sons', id: 'BANK', account: { accountNumber: '1' }, agent: { bic: 'DEUTDEFF', bankAddress: { country: 'DE' } } };
const made = new ISO20022({ initiatingParty: bank }).createSWIFTCreditPaymentInitiation({
  paymentInstructions: [{
    type: 'swift', direction: 'credit', amount: 1000, currency: 'EUR',
    creditor: {
      name: 'Jane Smith', account: { iban: 'DE89370400440532013000' }, agent: { bic: 'DEUTDEFF' },
      address: { streetName: 'Street', townName: 'Town', postalCode: '1', country: 'DE' },
    },
  }],
});
writeFileSync(out, made.serialize());
console.log(JSON.stringify({
  statements: read.statements.length,
  entries: read.statements.flatMap(each => each.entries).length,
  original: status.originalMessageId,
  statuses: status.statusInformations.length,
}));
