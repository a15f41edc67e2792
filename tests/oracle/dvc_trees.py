#!/usr/bin/env python3
"""Data sets that DVC itself made, for tests/dvc.rs: `dvc_trees.py FOLDER`, in a Python with dvc.

Makes one DVC repository with 60 random trees, `dvc add`ed in one go, and for those without ignored files what an older
DVC (hash md5-dos2unix) would have said, by the functions DVC still has for it.
"""

import os
import random
import subprocess
import sys
from pathlib import Path

from dvc_data.hashfile.hash import file_md5
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.meta import Meta
from dvc_data.hashfile.tree import Tree
from dvc_objects.fs import localfs

NAMES = ["a", "b.csv", "sub-1", "sub", "with space", "é", "日本", "😀", "'q'", '"q"', "a.b", "A-", "z~", "#x", "%41", "\ufb01"]


def content(generator):
    kind = generator.randrange(6)
    if kind == 0:
        return b""
    if kind == 1:
        return generator.randbytes(generator.randint(1, 2000))
    if kind == 2:
        return b"".join(generator.choice([b"x,1\r\n", b"y\n", b"\r", b"\xc3\xa9\r\n"]) for _ in range(generator.randint(1, 400)))
    if kind == 3:  # text at first, then not, and the other way round
        parts = [b"line\r\n" * 100, bytes([0, 13, 10]) * 50]
        return b"".join(parts if generator.random() < 0.5 else reversed(parts))
    if kind == 4:  # around three tenths of bytes that text has not
        some = bytearray(b"a" * generator.randint(1, 600) + b"\r\n")
        for _ in range(int(len(some) * generator.uniform(0.25, 0.35))):
            some[generator.randrange(len(some))] = generator.choice([1, 200, 255])
        return bytes(some)
    return b"text\r\n" * generator.randint(1, 5) if generator.random() < 0.8 else b"long text\r\n" * 200_000


def fill(folder, generator, depth=0):
    folder.mkdir(parents=True, exist_ok=True)
    for name in generator.sample(NAMES, generator.randint(1 if depth else 2, 6)):
        path = folder / name
        if path.exists() or any(other.name.lower() == name.lower() for other in folder.iterdir()):
            continue
        if depth < 3 and generator.random() < 0.35:
            fill(path, generator, depth + 1)
        else:
            path.write_bytes(content(generator))


def old_entry(tree):
    """What DVC before version 3 recorded of the tree."""
    listing = Tree()
    for root, _, files in os.walk(tree):
        for name in files:
            path = os.path.join(root, name)
            key = tuple(os.path.relpath(path, tree).split(os.sep))
            listing.add(key, Meta(), HashInfo("md5-dos2unix", file_md5(path, localfs, name="md5-dos2unix")))
    listing.digest()
    return listing.oid


def dvc(*arguments):
    subprocess.run([sys.executable, "-m", "dvc", *arguments], check=True, stdout=subprocess.DEVNULL)


def main():
    os.makedirs(sys.argv[1])
    os.chdir(sys.argv[1])
    dvc("init", "--quiet", "--no-scm")
    dvc("config", "core.analytics", "false")
    dvc("config", "core.check_update", "false")
    Path(".dvcignore").write_text("*.tmp\nscratch/\n")
    trees = [f"tree {number}" for number in range(60)]
    for number, tree in enumerate(trees):
        generator = random.Random(number)
        fill(Path(tree), generator)
        # Something for .dvcignore in every third.
        if number % 3 == 0:
            (Path(tree) / "scratch").mkdir()
            (Path(tree) / "scratch" / "x").write_bytes(b"left out")
            (Path(tree) / "y.tmp").write_bytes(b"left out")
    dvc("add", "--quiet", *trees)
    for number, tree in enumerate(trees):
        if number % 3:
            Path(f"old {number}.dvc").write_text(f"outs:\n- md5: {old_entry(tree)}\n  path: {tree}\n")


main()
