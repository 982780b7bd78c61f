#!/usr/bin/env python3
"""A second checker of digests and proofs, written from FORMAT.md alone; Python's standard library is all it needs.

    python3 check.py 4711.tlog-proof --key retail.key.pub

Prints what the file proves and exits 0, or says why it proves nothing and exits 1. `against.py` beside it holds this
checker and `fen proof check` against each other, and its Ed25519 against the one of the package `cryptography`.
"""

import argparse
import base64
import binascii
import hashlib
import re
import sys

KIND_ED25519 = 1


class Refused(Exception):
    """Why a file proves nothing."""


def require(holds, why):
    if not holds:
        raise Refused(why)


# --- Ed25519, RFC 8032 section 5.1.7 ---------------------------------------------------------------------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
NEUTRAL = (0, 1, 1, 0)


def add(a, b):
    """The sum of two points in extended coordinates."""
    (ax, ay, az, at), (bx, by, bz, bt) = a, b
    e = (ay - ax) * (by - bx)
    f = (ay + ax) * (by + bx)
    g = 2 * D * at * bt
    h = 2 * az * bz
    return ((f - e) * (h - g) % P, (h + g) * (f + e) % P, (h - g) * (h + g) % P, (f - e) * (f + e) % P)


def times(scalar, point):
    result = NEUTRAL
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def point_of(data):
    """The point that 32 bytes stand for, or None."""
    y = int.from_bytes(data, "little")
    odd, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P or (x == 0 and odd):
        return None
    if x & 1 != odd:
        x = P - x
    return (x, y, 1, x * y % P)


BASE = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signature_holds(public, text, signature):
    if len(signature) != 64:
        return False
    r, a = point_of(signature[:32]), point_of(public)
    s = int.from_bytes(signature[32:], "little")
    if r is None or a is None or s >= ORDER:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + text).digest(), "little") % ORDER
    (lx, ly, lz, _), (rx, ry, rz, _) = times(s, BASE), add(r, times(h, a))
    return (lx * rz - rx * lz) % P == 0 and (ly * rz - ry * lz) % P == 0


# --- texts -----------------------------------------------------------------------------------------------------


def number(text):
    require(re.fullmatch(r"0|[1-9][0-9]*", text), f"{text!r} is no number as it is written here")
    return int(text)


def leaf_count(text):
    count = number(text)
    require(count < 2**63, f"{text} is too large")
    return count


def base64_of(text, length=None):
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(f"{text!r} is no base64: {error}") from error
    require(base64.b64encode(data).decode() == text, f"{text!r} has a second spelling")
    require(length is None or len(data) == length, f"{text!r} is not of {length} bytes")
    return data


def key_id(name, public):
    return hashlib.sha256(name.encode() + b"\n" + bytes([KIND_ED25519]) + public).digest()[:4]


class Key:
    def __init__(self, text):
        parts = text.strip().split("+", 2)
        require(len(parts) == 3, "a public key is written <name>+<id>+<base64>")
        self.name, identity, data = parts
        data = base64_of(data, 33)
        require(data[0] == KIND_ED25519, "the key is none of Ed25519")
        self.public = data[1:]
        self.id = key_id(self.name, self.public)
        require(identity == self.id.hex(), "the key's id is not that of its name and bytes")


# --- digests ---------------------------------------------------------------------------------------------------


class Digest:
    def __init__(self, note, key):
        bad = [character for character in note if ord(character) < 32 and character != "\n" or ord(character) == 127]
        require(not bad, "a control character")
        require("\n\n" in note and note.endswith("\n"), "no signatures")
        text, signatures = note.rsplit("\n\n", 1)
        text += "\n"
        self.check_signatures(text, signatures, key)
        self.read(text)
        shard = self.origin.removeprefix(key.name + "/shard/")
        require(shard != self.origin and number(shard) < 2**32, "the digest is of another ledger than the key's")

    @staticmethod
    def check_signatures(text, signatures, key):
        lines = signatures[:-1].split("\n")
        require(1 <= len(lines) <= 16, "1 to 16 signatures are expected")
        ours = 0
        for line in lines:
            parts = re.fullmatch(r"— ([^\s+]+) (\S+)", line)
            require(parts, f"{line!r} is no signature")
            data = base64_of(parts[2])
            require(len(data) >= 4, "a signature has a key id")
            if parts[1] == key.name and data[:4] == key.id:
                require(signature_holds(key.public, text.encode(), data[4:]), "the signature does not hold")
                ours += 1
        require(ours == 1, "it is not signed by this key, or twice")

    def read(self, text):
        lines = text[:-1].split("\n")
        require(len(lines) >= 6, "a digest has at least six lines")
        self.origin, size, root, identity, date, clock, *rest = lines
        self.size, self.root = leaf_count(size), base64_of(root, 32)
        require(re.fullmatch(r"identity [0-9a-f]{16}", identity), "no identity")
        require(re.fullmatch(r"date (none|[0-9]{4}-[0-9]{2}-[0-9]{2})", date), "no date")
        require(clock.startswith("clock ") and number(clock[6:]) < 2**64, "no clock")
        self.identity, self.clock = identity[9:], int(clock[6:])
        self.date = "" if date == "date none" else date[5:]
        if rest and rest[0].startswith("books "):
            require(re.fullmatch(r"books [0-9a-f]{64}", rest.pop(0)), "the hash of the books is none")
        require(len(rest) <= 4096, "too many ledgers")
        last = -1
        for line in rest:
            words = line.split(" ")
            require(words[0] == "total" and len(words) == 7, f"{line!r} is no total")
            ledger, accounts, *sums = [number(word) for word in words[1:]]
            require(last < ledger < 2**32 and accounts < 2**64, f"{line!r} is out of order or too large")
            require(all(len(word) <= 78 for word in words[3:]), f"{line!r} has too many digits")
            require(sums[0] == sums[1] and sums[2] == sums[3], f"ledger {ledger}: debits and credits differ")
            last = ledger


# --- the tree --------------------------------------------------------------------------------------------------


def leaf(data):
    return hashlib.sha256(b"\0" + data).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def check_inclusion(record, index, path, digest):
    require(index < digest.size, "the record is not covered by the digest")
    at, last, value = index, digest.size - 1, leaf(record)
    for step in path:
        require(last, "the path is too long")
        if at & 1 or at == last:
            value = node(step, value)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            value = node(value, step)
        at, last = at >> 1, last >> 1
    require(not last, "the path is too short")
    require(value == digest.root, "record and path do not lead to the digest's root")


def check_consistency(older, newer, path):
    require(older.size <= newer.size, "the older digest covers more")
    if older.size == newer.size or older.size == 0:
        require(not path, "no path is expected")
        begins = older.root == (newer.root if older.size else hashlib.sha256(b"").digest())
        require(begins, "the roots differ: two histories were signed")
        require(older.size != newer.size or older.root == newer.root, "the roots differ")
        return
    path = list(path)
    if older.size & (older.size - 1) == 0:
        path.insert(0, older.root)
    require(path, "the path is too short")
    at, last = older.size - 1, newer.size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = path[0]
    for step in path[1:]:
        require(last, "the path is too long")
        if at & 1 or at == last:
            old, new = node(step, old), node(step, new)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            new = node(new, step)
        at, last = at >> 1, last >> 1
    require(not last, "the path is too short")
    require(old == older.root and new == newer.root, "the newer history does not begin with the older one")


# --- files -----------------------------------------------------------------------------------------------------


def split(text):
    head, blank, rest = text.partition("\n\n")
    require(blank, "a blank line and a digest are expected")
    return head.split("\n"), rest


def check(text, key):
    """What the file proves, in words."""
    first = text.split("\n", 1)[0]
    if first == "c2sp.org/tlog-proof@v1":
        lines, note = split(text)
        require(len(lines) >= 3 and lines[1].startswith("extra ") and lines[2].startswith("index "), "no record")
        record, index = base64_of(lines[1][6:], 128), leaf_count(lines[2][6:])
        path = [base64_of(line, 32) for line in lines[3:]]
        digest = Digest(note, key)
        check_inclusion(record, index, path, digest)
        return f"inclusion: record {index} of {digest.size}, transfer {int.from_bytes(record[:16], 'little')}"
    if first == "fen/consistency-proof@v1":
        lines, notes = split(text)
        path = [base64_of(line, 32) for line in lines[1:]]
        # A digest has one blank line of its own; the second one ends it.
        parts = notes.split("\n\n", 2)
        require(len(parts) == 3, "two digests are expected")
        older, newer = Digest(f"{parts[0]}\n\n{parts[1]}\n", key), Digest(parts[2], key)
        same = (older.origin, older.identity) == (newer.origin, newer.identity)
        require(same, "the digests are of two ledgers")
        require(older.clock <= newer.clock and older.date <= newer.date, "the newer digest is before the older one")
        check_consistency(older, newer, path)
        return f"consistency: {newer.size} records begin with {older.size}"
    if "/shard/" in first:
        digest = Digest(text, key)
        return f"digest: {digest.size} records of {digest.origin}"
    raise Refused("this is no digest and no proof")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file")
    parser.add_argument("--key", required=True, help="the file of the public key")
    arguments = parser.parse_args()
    try:
        with open(arguments.key, encoding="utf-8", newline="") as file:
            key = Key(file.read())
        with open(arguments.file, encoding="utf-8", newline="") as file:
            print(check(file.read(), key))
    except (Refused, UnicodeDecodeError) as why:
        print(f"{arguments.file}: {why}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
