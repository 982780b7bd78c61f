#!/usr/bin/env python3
"""Holds check.py and `fen proof check` against each other over a ledger of its own, whole files and changed ones.

    python3 -m venv venv && venv/bin/pip install cryptography
    venv/bin/python against.py --fen ../../../target/release/fen --changes 300 --seed 7

Both must accept every proof that `fen` makes and refuse every file with a bit changed or a line cut; a fraction goes
to `fen` (a process each), all of them to check.py. check.py's Ed25519 is held against that of `cryptography`.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import check


def books(fen, directory, begin, count):
    """Posts transfers; the accounts are opened with the first."""
    lines = []
    if begin == 1:
        events = [{"id": number, "ledger": 156, "code": 1} for number in (1, 2)]
        lines.append({"op": "create_accounts", "events": events})
    for first in range(begin, begin + count, 8000):
        events = [
            {"id": number, "debit_account_id": 1, "credit_account_id": 2, "amount": number, "ledger": 156, "code": 7}
            for number in range(first, min(first + 8000, begin + count))
        ]
        lines.append({"op": "create_transfers", "events": events})
    text = "".join(json.dumps(line) + "\n" for line in lines)
    run = subprocess.run([fen, "exec", "--data", directory], input=text, text=True, capture_output=True, check=True)
    assert "refused" not in run.stdout


def fen_accepts(fen, path, key):
    return subprocess.run([fen, "proof", "check", path, "--key", key], capture_output=True).returncode == 0


def check_accepts(data, key):
    try:
        check.check(data.decode("utf-8"), key)
    except (check.Refused, UnicodeDecodeError):
        return False
    return True


def changed(data, chance):
    """A file with one bit changed, or a line cut or doubled."""
    kind = chance.randrange(4)
    if kind:
        at = chance.randrange(len(data) * 8)
        return data[: at // 8] + bytes([data[at // 8] ^ 1 << at % 8]) + data[at // 8 + 1 :]
    lines = data.split(b"\n")
    at = chance.randrange(len(lines) - 1)
    return b"\n".join(lines[:at] + (lines[at : at + 1] * 2 if chance.randrange(2) else []) + lines[at + 1 :])


def signatures_agree(chance, count):
    for _ in range(count):
        secret = Ed25519PrivateKey.from_private_bytes(chance.randbytes(32))
        text = chance.randbytes(chance.randrange(200))
        signature, public = secret.sign(text), secret.public_key().public_bytes_raw()
        if chance.randrange(2):
            at = chance.randrange(512)
            signature = bytes(byte ^ (1 << at % 8 if place == at // 8 else 0) for place, byte in enumerate(signature))
        try:
            secret.public_key().verify(signature, text)
            holds = True
        except InvalidSignature:
            holds = False
        assert check.signature_holds(public, text, signature) == holds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fen", required=True)
    parser.add_argument("--changes", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    chance = random.Random(arguments.seed)
    signatures_agree(chance, 60)
    fen = os.path.abspath(arguments.fen)
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        subprocess.run([fen, "proof", "key", "--name", "ledger.example/a", "--out", "a.key"], check=True, capture_output=True)
        digests, begin = [], 1
        for count in (5, 1000, 70_000, 9_000):
            books(fen, "books", begin, count)
            begin += count
            digests.append(f"{begin}.digest")
            subprocess.run([fen, "proof", "digest", "--data", "books", "--key", "a.key", "--out", digests[-1]], check=True)
        files = list(digests)
        for transfer in (1, 5, 1005, 65_536, 65_537, 80_005):
            files.append(f"{transfer}.tlog-proof")
            make = [fen, "proof", "make", "--data", "books", "--transfer", str(transfer), "--out", files[-1]]
            subprocess.run(make, check=True, capture_output=True)
        for older, newer in ((0, 0), (0, 3), (1, 2), (2, 3)):
            files.append(f"{older}-{newer}.proof")
            make = [fen, "proof", "make", "--data", "books", "--from", digests[older], "--to", digests[newer]]
            subprocess.run([*make, "--out", files[-1]], check=True, capture_output=True)
        with open("a.key.pub", encoding="utf-8") as file:
            key = check.Key(file.read())
        for name in files:
            with open(name, "rb") as file:
                data = file.read()
            assert check_accepts(data, key) and fen_accepts(fen, name, "a.key.pub"), name
            for number in range(arguments.changes):
                other = changed(data, chance)
                assert other == data or not check_accepts(other, key), (name, other)
                if number % 20 == 0 and other != data:
                    with open("changed", "wb") as file:
                        file.write(other)
                    assert not fen_accepts(fen, "changed", "a.key.pub"), (name, other)
    print(f"{len(files)} files accepted by both, {arguments.changes} changes of each refused; seed {arguments.seed}")


if __name__ == "__main__":
    sys.exit(main())
