"""Compare the numbers of this folder with the files that they are said to be of.

    python check_data.py FEATURES [--target F] [--weights F] [--record record.json]

Needs Python and NumPy, nothing of the package that wrote this folder. The file of numbers of each
theorem is written anew from FEATURES, exactly, and must be the same text, byte by byte. With
`--record`, the record of a release, every theory must be the one that was released. Exit code 0:
all the same; 1: not the same; 2: bad use.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import textwrap
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent

HEADER = """\
From Coq Require Import ZArith QArith.
From mathcomp Require Import all_ssreflect all_algebra.
From EpsRank Require Import zmatrix measurement{more}.

Set Implicit Arguments.
Unset Strict Implicit.
Local Open Scope Z_scope.
"""


def read(file: str) -> NDArray[Any]:
    """Read .npy, the one array of an .npz, or a .csv, with or without names of columns."""
    if file.endswith((".npy", ".npz")):
        found = np.load(file, allow_pickle=False)
        return found if isinstance(found, np.ndarray) else found[found.files[0]]
    if not file.endswith(".csv"):
        sys.exit(f"{file} is no .npy, .npz or .csv: write its numbers as one of these")
    first = Path(file).read_text("utf-8").splitlines()[0].split(",")
    names = not all(is_number(word) for word in first)
    return np.loadtxt(file, delimiter=",", skiprows=int(names), ndmin=2)


def is_number(word: str) -> bool:
    """Return whether a word can be read as a number."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def integers(array: NDArray[Any]) -> tuple[list[Any], int]:
    """Return nested lists X and a with array = X / 2^a: every float is such a fraction."""
    values = [Fraction(value) for value in array.ravel().tolist()]
    scale = max((value.denominator.bit_length() - 1 for value in values), default=0)
    whole = [int(value * 2**scale) for value in values]
    return np.array(whole, dtype=object).reshape(array.shape).tolist(), scale


def wrapped(words: Iterable[str]) -> str:
    """Return words in lines, as Coq reads them."""
    return textwrap.fill("; ".join(words), 98, break_long_words=False, break_on_hyphens=False)


def rows(lists: list[list[int]]) -> str:
    """Return lists of integers."""
    listed = ";\n".join(f"[:: {wrapped(map(hex, row))}]" for row in lists)
    return f"(map (map Z.of_hex_int) [::\n{listed}\n]%hexadecimal)"


def definitions(
    features: NDArray[Any], target: NDArray[Any] | None, weights: NDArray[Any] | None, measure: str
) -> str:
    """Return the numbers of a measurement as a file of Coq that has nothing else."""
    neurons, scale = integers(features.T)
    masses, level = integers(np.ones(len(features)) if weights is None else weights.ravel())
    total = sum(masses) if measure == "mean" else 2**level
    if len(set(masses)) == 1:
        listed = f"(nseq {len(masses)} {masses[0]}%num)"
    else:
        listed = f"[:: {wrapped(map(str, masses))}]%num"
    text = HEADER.format(more="" if target is None else " check_floor")
    text += (
        f"\nDefinition data : measurement := Measurement {scale}%nat {total}%positive\n"
        f"  {listed}\n  {rows(neurons)}.\n"
    )
    if target is not None:
        outputs, level = integers(target.reshape(len(target), -1).T)
        text += f"\nDefinition goal : floor_target := FloorTarget {level}%nat\n  {rows(outputs)}.\n"
    return text


def theories(record: str) -> bool:
    """Return whether every theory is the one of a record."""
    released = json.loads(Path(record).read_text("utf-8"))["sources"]
    good = True
    for file in sorted((HERE / "theories").glob("*.v")):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        if released.get(f"theories/{file.name}") != digest:
            good = False
            print(f"theories/{file.name} is NOT THE ONE of {record}")
    if good:
        print(f"the theories are those of {record}")
    return good


def main() -> int:
    """Compare, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("features", help="file of features, samples by neurons")
    parser.add_argument("--target", help="file of the target, for floors")
    parser.add_argument("--weights", help="file of weights, where there are some")
    parser.add_argument("--record", help="proofs/coq/record.json of a release")
    given = parser.parse_args()
    features = read(given.features)
    features = features.reshape(len(features), -1)
    digest = hashlib.sha256(Path(given.features).read_bytes()).hexdigest()
    weights = None if given.weights is None else read(given.weights)
    goal = None if given.target is None else read(given.target)
    good = given.record is None or theories(given.record)
    found = sorted((HERE / "measurements").glob("*.json"))
    for file in found:
        about = json.loads(file.read_text("utf-8"))
        floor = about["kind"] == "floor"
        if floor and goal is None:
            parser.error(f"{file.stem} is about a target: name its file with --target")
        text = definitions(features, goal if floor else None, weights, about["measure"])
        same = (HERE / "measurements" / f"{file.stem}_data.v").read_text("utf-8") == text
        good &= same
        print(
            f"{file.stem}: its numbers are {'those' if same else 'NOT THOSE'} of {given.features}"
        )
        if about["sha256"] not in (None, digest):
            print(f"  which is another file than was certified (SHA-256 {digest})")
    return 0 if good and found else 1


if __name__ == "__main__":
    sys.exit(main())
