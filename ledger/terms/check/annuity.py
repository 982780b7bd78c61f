#!/usr/bin/env python3
"""Holds `fen schedule` against an independent annuity calculation.

Needs numpy-financial (https://numpy.org/numpy-financial/), in an environment of its own:

    python3 -m venv venv && venv/bin/pip install numpy-financial
    venv/bin/python annuity.py --fen ../../../target/release/fen

Without --fen it prints what it reckons, so that the figures can be frozen in a test. The level is numpy-financial's
`pmt` on decimals of 50 digits; the schedule is rolled forward row by row, interest rounded half to even to the cent.
"""

import argparse
import json
import subprocess
import sys
from decimal import ROUND_HALF_EVEN, Decimal, getcontext

import numpy_financial as npf

getcontext().prec = 50
CENT = Decimal("0.01")

# principal, annual per cent, instalments, months between them
LOANS = [
    ("300000.00", "3.7", 96, 1),
    ("300000.00", "6.5", 360, 1),
    ("162000.00", "3.875", 360, 1),
    ("10000.00", "24", 12, 1),
    ("50000000.00", "4.35", 36, 1),
    ("12345.67", "7.123456789", 20, 3),
    ("0.07", "36", 5, 1),
    ("99999999999.99", "0.01", 1200, 1),
]


def to_cents(amount):
    return amount.quantize(CENT, ROUND_HALF_EVEN)


def reckon(principal, annual, instalments, every):
    """The rows of the loan: (principal, interest, outstanding)."""
    owed = Decimal(principal)
    rate = Decimal(annual) / 100 * every / 12
    level = to_cents(-npf.pmt(rate, instalments, owed, Decimal(0)))
    rows = []
    for number in range(1, instalments + 1):
        # Divided last: 162,000 x 3.875 / 1200 is 523.125 exactly, a tie, and a rate cut at 50 digits would hide it.
        interest = to_cents(owed * Decimal(annual) * every / 1200)
        repaid = owed if number == instalments else min(max(level - interest, Decimal(0)), owed)
        owed -= repaid
        rows.append((repaid, interest, owed))
    return level, rows


def ask(fen, principal, annual, instalments, every):
    """The same rows from `fen schedule`."""
    terms = {
        "principal": principal,
        "currency": "CNY",
        "annual_rate": annual,
        "periods": instalments,
        "period": {"unit": "month", "every": every},
        "amortisation": "equal_instalment",
        "interest": "declining",
        "interest_accrual": "per_period",
        "day_count": "act/365",
        "disbursed_on": "2026-01-31",
        "rounding": {"mode": "half_even", "to": "0.01"},
    }
    answer = subprocess.run(
        [fen, "schedule", "--json"], input=json.dumps(terms), capture_output=True, text=True, check=True
    )
    rows = json.loads(answer.stdout)["instalments"]
    return [tuple(Decimal(row[part]) for part in ("principal", "interest", "outstanding")) for row in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fen", help="the binary to hold against it")
    arguments = parser.parse_args()
    wrong = 0
    for loan in LOANS:
        level, rows = reckon(*loan)
        total = sum(interest for _, interest, _ in rows)
        verdict = ""
        if arguments.fen:
            agrees = ask(arguments.fen, *loan) == rows
            wrong += not agrees
            verdict = "agrees" if agrees else "DIFFERS"
        first, last = rows[0], rows[-1]
        print(*loan, "level", level, "interest", total, "first", *first, "last", *last, verdict)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
