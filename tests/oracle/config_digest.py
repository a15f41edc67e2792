#!/usr/bin/env python3
"""The config digest, written a second time from the documentation of crates/hydra-compose/src/digest.rs alone.

Reads crates/hydra-compose/tests/data/digest/vectors.json and compares: `python3 tests/oracle/config_digest.py`. Pure Python, BLAKE3
included (from the paper's reference, one thread, no keys); slow, and meant to be read. Values come from the vectors'
`value`, which marks up what JSON cannot say: {"$float": …}, {"$int": …}, {"$bytes": hex}, {"$map": [[key, value], …]}.
"""

import json
import struct
import sys
from pathlib import Path

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
MASK = 0xFFFFFFFF


def rotate(word, count):
    return (word >> count | word << (32 - count)) & MASK


def mix(s, a, b, c, d, x, y):
    s[a] = (s[a] + s[b] + x) & MASK
    s[d] = rotate(s[d] ^ s[a], 16)
    s[c] = (s[c] + s[d]) & MASK
    s[b] = rotate(s[b] ^ s[c], 12)
    s[a] = (s[a] + s[b] + y) & MASK
    s[d] = rotate(s[d] ^ s[a], 8)
    s[c] = (s[c] + s[d]) & MASK
    s[b] = rotate(s[b] ^ s[c], 7)


def compress(chaining, block, counter, length, flags):
    m = list(struct.unpack("<16I", block.ljust(64, b"\0")))
    s = list(chaining) + list(IV[:4]) + [counter & MASK, counter >> 32, length, flags]
    for _ in range(7):
        for column in range(4):
            mix(s, column, column + 4, column + 8, column + 12, m[2 * column], m[2 * column + 1])
        for row in range(4):
            mix(s, row, (row + 1) % 4 + 4, (row + 2) % 4 + 8, (row + 3) % 4 + 12, m[2 * row + 8], m[2 * row + 9])
        m = [m[index] for index in PERMUTATION]
    return [s[index] ^ s[index + 8] for index in range(8)]


def chunk(data, counter, flags):
    chaining = IV
    blocks = [data[at:at + 64] for at in range(0, len(data), 64)] or [b""]
    for index, block in enumerate(blocks):
        of_block = CHUNK_START if index == 0 else 0
        if index == len(blocks) - 1:
            of_block |= CHUNK_END | flags
        chaining = compress(chaining, block, counter, len(block), of_block)
    return chaining


def subtree(data, counter, flags):
    if len(data) <= 1024:
        return chunk(data, counter, flags)
    # The left half is the largest power of two of chunks that leaves something for the right.
    left = 1024 << (((len(data) - 1) // 1024).bit_length() - 1)
    words = subtree(data[:left], counter, 0) + subtree(data[left:], counter + left // 1024, 0)
    return compress(IV, struct.pack("<16I", *words), 0, 64, PARENT | flags)


def blake3(data):
    return struct.pack("<8I", *subtree(data, 0, ROOT)).hex()


def u64(number):
    return struct.pack("<Q", number)


def field(data):
    return u64(len(data)) + data


def encode(value):
    if value is None:
        return u64(0)
    if isinstance(value, bool):
        return u64(1) + u64(int(value))
    if isinstance(value, int):
        return u64(2) + field(str(value).encode())
    if isinstance(value, float):
        return u64(3) + (u64(0x7FF8000000000000) if value != value else struct.pack("<d", value))
    if isinstance(value, str):
        return u64(4) + field(value.encode())
    if isinstance(value, bytes):
        return u64(5) + field(value)
    if isinstance(value, list):
        return u64(6) + u64(len(value)) + b"".join(map(encode, value))
    if isinstance(value, tuple):
        return u64(7) + u64(len(value)) + b"".join(encode(key) + encode(item) for key, item in value)
    raise TypeError(type(value))


def decode(value):
    """A value of the vectors; a map is a tuple of pairs, so that 1 and true stay two keys."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        (mark, content), = value.items()
        if mark == "$float":
            return float(content)
        if mark == "$int":
            return int(content)
        if mark == "$bytes":
            return bytes.fromhex(content)
        if mark == "$map":
            return tuple((decode(key), decode(item)) for key, item in content)
    return tuple((key, decode(item)) for key, item in value.items())


def digest(value):
    return blake3(field(b"spectramind/config/v1") + encode(value))


def main():
    # The test vector of the BLAKE3 paper's empty input, and one of several chunks.
    assert blake3(b"") == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    path = Path(__file__).resolve().parents[2] / "crates/hydra-compose/tests/data/digest/vectors.json"
    vectors = json.loads(path.read_text(encoding="utf-8"))
    wrong = [vector["name"] for vector in vectors if digest(decode(vector["value"])) != vector["digest"]]
    for name in wrong:
        print(f"differs: {name}")
    print(f"{len(vectors) - len(wrong)} of {len(vectors)} digests agree")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
