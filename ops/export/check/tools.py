#!/usr/bin/env python3
"""Reads exports with DuckDB and pandas, and holds their sums against the trial balance of the same books.

    cargo xtask exports

Makes books of its own in a temporary directory: two currencies, reservations posted in part, voided and open, and an
amount beyond 64 bits.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import duckdb
import pandas

HUGE = 10**30


def events(count):
    for number in range(1, count + 1):
        ledger = 840 if number % 7 == 0 else 156
        first = 11 if ledger == 840 else 1
        event = {
            "id": str(2**90 + number),
            "debit_account_id": first,
            "credit_account_id": first + 1,
            "amount": str(HUGE if number == 3 else number),
            "ledger": ledger,
            "code": 7,
        }
        if number % 10 == 0:
            event["flags"] = ["pending"]
        yield event
        if number % 30 == 0:
            kind = "void_pending_transfer" if number % 60 == 0 else "post_pending_transfer"
            amount = 0 if number % 60 == 0 else number // 2
            yield {"id": str(2**91 + number), "pending_id": event["id"], "amount": amount, "flags": [kind]}


def run(*arguments, text=None):
    return subprocess.run(arguments, input=text, text=True, capture_output=True, check=True).stdout


def books(fen, count):
    accounts = [{"id": id, "ledger": 840 if id > 10 else 156, "code": 1} for id in (1, 2, 11, 12)]
    lines = [{"op": "create_accounts", "events": accounts}]
    posted = list(events(count))
    for first in range(0, len(posted), 8000):
        lines.append({"op": "create_transfers", "events": posted[first : first + 8000]})
    replies = run(fen, "exec", "--data", "books", text="".join(json.dumps(line) + "\n" for line in lines))
    results = [result for line in replies.splitlines() for result in json.loads(line)["results"]]
    assert all(result["status"] == "created" for result in results)
    return len(posted)


MOVED = "kind in ('posted', 'post_pending')"
ENDED = "(select pending_id from rows where kind in ('post_pending', 'void_pending', 'expired'))"


def check_duckdb(source, records, totals):
    with duckdb.connect() as db:
        db.execute(f"create view rows as select * from {source}")
        assert db.execute("select count(*), count(distinct number) from rows").fetchone() == (records, records)
        posted = dict(db.execute(f"select ledger, sum(amount::hugeint) from rows where {MOVED} group by 1").fetchall())
        reserved = "select ledger, sum(amount::hugeint) from rows where kind = 'pending'"
        pending = dict(db.execute(f"{reserved} and id not in {ENDED} group by 1").fetchall())
        for ledger, (debits_posted, debits_pending) in totals.items():
            assert int(posted[ledger]) == debits_posted, (source, ledger, posted[ledger], debits_posted)
            assert int(pending[ledger]) == debits_pending, (source, ledger, pending[ledger], debits_pending)
        types = dict(db.execute("select column_name, column_type from (describe rows)").fetchall())
        assert types["booked_on"] == "DATE", types
        assert db.execute("select max(id::uhugeint) > 2::uhugeint ** 90 from rows").fetchone() == (True,)
        return types


def check_pandas(frame, records, totals):
    assert len(frame) == records
    moved = frame[frame["kind"].isin(["posted", "post_pending"])]
    for ledger, (debits_posted, _) in totals.items():
        amounts = moved[moved["ledger"] == ledger]["amount"]
        assert sum(int(amount) for amount in amounts) == debits_posted


def check_accounts(source, totals):
    with duckdb.connect() as db:
        sums = "select ledger, sum(debits_posted::hugeint), sum(credits_posted::hugeint), sum(debits_pending::hugeint)"
        found = db.execute(f"{sums} from {source} group by 1").fetchall()
        assert len(found) == len(totals), found
        for ledger, debits_posted, credits_posted, debits_pending in found:
            assert (int(debits_posted), int(debits_pending)) == totals[ledger], (ledger, found)
            assert int(credits_posted) == int(debits_posted), (ledger, found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fen", required=True)
    parser.add_argument("--parquet", required=True)
    parser.add_argument("--count", type=int, default=150_000)
    arguments = parser.parse_args()
    fen, parquet = os.path.abspath(arguments.fen), os.path.abspath(arguments.parquet)
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        records = books(fen, arguments.count)
        run(fen, "export", "--data", "books", "--out", "all.csv")
        run(fen, "export", "--data", "books", "--what", "accounts", "--out", "accounts.csv")
        run(parquet, "--data", "books", "--out", "all.parquet")
        found = json.loads(run(fen, "verify", "--data", "books", "--json"))["ledgers"]
        totals = {line["ledger"]: (int(line["debits_posted"]), int(line["debits_pending"])) for line in found}
        check_duckdb("read_csv('all.csv')", records, totals)
        run(parquet, "--data", "books", "--what", "accounts", "--out", "accounts.parquet")
        check_accounts("read_csv('accounts.csv')", totals)
        check_accounts("'accounts.parquet'", totals)
        types = check_duckdb("'all.parquet'", records, totals)
        assert types["amount"] == "DECIMAL(38,0)" and types["timestamp"] == "UBIGINT", types
        check_pandas(pandas.read_csv("all.csv", dtype={"amount": str, "id": str}), records, totals)
        check_pandas(pandas.read_parquet("all.parquet"), records, totals)
        run(parquet, "--data", "books", "--ledger", "840", "--out", "dollars.parquet")
        with duckdb.connect() as db:
            assert db.execute("select distinct ledger from 'dollars.parquet'").fetchall() == [(840,)]
        sizes = [os.path.getsize(name) / records for name in ("all.csv", "all.parquet")]
    print(f"{records} records: sums equal the trial balance; CSV {sizes[0]:.0f}, Parquet {sizes[1]:.0f} bytes a record")


if __name__ == "__main__":
    sys.exit(main())
