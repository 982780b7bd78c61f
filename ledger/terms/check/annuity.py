#!/usr/bin/env python3
"""Holds `fen schedule` against the annuity formulas of numpy-financial: level instalments of monthly loans.

    python3 -m venv venv && venv/bin/pip install numpy-financial
    venv/bin/python annuity.py --fen ../../../target/release/fen

The level is what `pmt` gives, to the cent; it is reckoned with decimals of fifty digits, as numpy-financial allows, so
that no half cent is decided by a float. Interest and principal of each row are then what a borrower's sheet has:
interest on what is owed, rounded half to even, and the last instalment takes the rest.
"""

import argparse
import json
import random
import subprocess
import sys
from decimal import ROUND_HALF_EVEN, Decimal, getcontext

import numpy_financial

getcontext().prec = 50
CENT = Decimal("0.01")


def cents(amount):
    return amount.quantize(CENT, rounding=ROUND_HALF_EVEN)


def sheet(principal, rate, periods):
    """The rows as (principal, interest, owed after it), and all interest."""
    monthly = rate / Decimal(1200)
    level = cents(-numpy_financial.pmt(monthly, periods, principal, Decimal(0)))
    owed, rows = principal, []
    for number in range(1, periods + 1):
        interest = cents(owed * monthly)
        part = owed if number == periods else min(level - interest, owed)
        owed -= part
        rows.append((part, interest, owed))
    return rows, sum(interest for _, interest, _ in rows)


def schedule(fen, principal, rate, periods, disbursed_on):
    terms = {
        "principal": str(principal),
        "currency": "CNY",
        "annual_rate": str(rate),
        "periods": periods,
        "period": {"unit": "month", "every": 1},
        "amortisation": "equal_instalment",
        "interest": "declining",
        "interest_accrual": "per_period",
        "day_count": "30/360",
        "disbursed_on": disbursed_on,
        "rounding": {"mode": "half_even", "to": "0.01"},
    }
    told = subprocess.run([fen, "schedule"], input=json.dumps(terms), text=True, capture_output=True, check=True)
    return json.loads(told.stdout)


def check(fen, principal, rate, periods, disbursed_on):
    rows, total_interest = sheet(principal, rate, periods)
    told = schedule(fen, principal, rate, periods, disbursed_on)
    where = f"{principal} over {periods} months at {rate} %"
    got = [tuple(Decimal(row[name]) for name in ("principal", "interest", "outstanding")) for row in told["instalments"]]
    for number, (mine, theirs) in enumerate(zip(rows, got, strict=True), 1):
        assert mine == theirs, f"{where}: instalment {number} is {theirs}, the annuity has {mine}"
    assert Decimal(told["total_interest"]) == total_interest, f"{where}: interest {told['total_interest']}"
    return rows[0][0] + rows[0][1], total_interest


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fen", required=True)
    parser.add_argument("--count", type=int, default=300, help="how many random loans beside the published one")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    level, interest = check(arguments.fen, Decimal("300000.00"), Decimal("3.7"), 96, "2026-01-15")
    print(f"300000.00 over 96 months at 3.7 %: {level} a month, {interest} of interest, to the cent")
    draw = random.Random(arguments.seed)
    for _ in range(arguments.count):
        principal = Decimal(draw.randrange(10_000, 100_000_000)) / 100
        rate = Decimal(draw.randrange(1, 3_600)) / 100
        check(arguments.fen, principal, rate, draw.randrange(2, 361), f"2026-{draw.randrange(1, 13):02}-15")
    print(f"{arguments.count} random loans (seed {arguments.seed}): every row to the cent")


if __name__ == "__main__":
    sys.exit(main())
