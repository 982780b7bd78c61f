#!/usr/bin/env python3
"""Holds `fen schedule` against the mortgage calculator mortgagemath, over random level mortgages.

    python3 -m venv venv && venv/bin/pip install mortgagemath
    venv/bin/python mortgage.py --fen ../../../target/release/fen --count 200 --seed 7

Every row must agree to the cent: principal, interest and what is still owed.
"""

import argparse
import json
import random
import subprocess
import sys
from decimal import Decimal

from mortgagemath import LoanParams, PaymentRounding, amortization_schedule

MODES = {"half_up": PaymentRounding.ROUND_HALF_UP, "half_even": PaymentRounding.ROUND_HALF_EVEN}


def reckon(principal, annual, months, mode):
    """The rows by mortgagemath; its row 0 is the opening balance."""
    loan = LoanParams(
        principal=principal,
        annual_rate=annual,
        term_months=months,
        payment_rounding=MODES[mode],
        interest_rounding=MODES[mode],
    )
    return [(row.principal, row.interest, row.balance) for row in amortization_schedule(loan)[1:]]


def ask(fen, principal, annual, months, mode):
    """The same rows by `fen schedule`."""
    terms = {
        "principal": str(principal),
        "currency": "USD",
        "annual_rate": str(annual),
        "periods": months,
        "period": {"unit": "month", "every": 1},
        "amortisation": "equal_instalment",
        "interest": "declining",
        "interest_accrual": "per_period",
        "day_count": "30/360",
        "disbursed_on": "2024-01-31",
        "rounding": {"mode": mode, "to": "0.01"},
    }
    answer = subprocess.run([fen, "schedule"], input=json.dumps(terms), capture_output=True, text=True, check=True)
    rows = json.loads(answer.stdout)["instalments"]
    return [tuple(Decimal(row[part]) for part in ("principal", "interest", "outstanding")) for row in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fen", required=True, help="the binary to hold against it")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    wrong = 0
    for _ in range(arguments.count):
        loan = (
            Decimal(chance.randrange(1_000_000, 90_000_000)) / 100,
            Decimal(chance.randrange(50, 12_000)) / 1000,
            chance.choice([12, 36, 60, 180, 240, 300, 360]),
            chance.choice(sorted(MODES)),
        )
        theirs, ours = reckon(*loan), ask(arguments.fen, *loan)
        if theirs != ours:
            wrong += 1
            place = next((n for n, rows in enumerate(zip(theirs, ours), 1) if rows[0] != rows[1]), len(ours))
            print("differs:", *loan, "from instalment", place)
    print(f"{arguments.count - wrong} of {arguments.count} agree (seed {arguments.seed})")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
