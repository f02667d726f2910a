"""See that a folder of certificates says what it must of the files that it is said to be of.

    python check_data.py FEATURES [--key K] [--target F] [--weights F] [--record record.json]
        [--folder DIR]

Needs Python and NumPy, nothing of the package that wrote the folder. Every file that Coq reads is
written anew, the numbers exactly from FEATURES, and must be the same, byte by byte; the claims that
this proves, once `make` ends well, are printed. With `--record`, the record of a release, theories,
Makefile and this program must be the released ones. Whoever does not trust the folder takes this
program and the record from the release, and calls it with `--folder` before `make`. Exit code 0:
all the same; 1: not the same; 2: bad use.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import re
import sys
import textwrap
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

HEADER = """\
From Coq Require Import ZArith QArith.
From mathcomp Require Import all_ssreflect all_algebra.
From EpsRank Require Import {modules}.
{more}
Set Implicit Arguments.
Unset Strict Implicit.
Local Open Scope Z_scope.
"""
DATA = """
Definition data : measurement := Measurement {scale}%nat {total}%positive
  {masses}
  {neurons}.
"""
GOAL = "\nDefinition goal : floor_target := FloorTarget {level}%nat\n  {outputs}.\n"

RANK = """
Definition eps : Q := {eps}%Q.

Definition certificate : rank_certificate := RankCertificate {cut}%nat {drop}%nat
  {basis}.
"""
FLOOR = """
Definition norm2 : Q := {norm2}%Q.

Definition x : Q := {x}%Q.

Definition certificate : floor_certificate := FloorCertificate {layer_scale}%nat {dual_scale}%nat
  {layer}.
"""
THEOREM = """
{words}
Theorem {name} : forall R : rcfType,
  {statement}.
Proof. move=> R; apply: (@{sound}); vm_cast_no_check (erefl true). Qed.
"""
# Statements with short names for a proof, and with full ones for audit.v, by kind of certificate.
SHORT = {
    "rank": "epsrank (gram (on_data R data) (@phi R data)) (qr R eps) = {rank}%nat",
    "floor": """forall beta : 'rV[R]_(width data), (sqn beta <= qr R norm2)%R ->
  (qr R x <= nrm2 (on_data R data)
    (comb (@phi R data) beta - target R data (t := goal) ord0))%R""",
    "floors": r"""forall W : 'M[R]_(size (outputs goal), width data),
  (\sum_l sqn (row l W) <= qr R norm2)%R ->
  (qr R x <= squared_loss (on_data R data) (@phi R data) (target R data (t := goal)) W)%R""",
}
FULL = {
    "rank": """EpsRank.spectral.epsrank
    (EpsRank.form.gram (EpsRank.measurement.on_data R {data}.data)
      (@EpsRank.measurement.phi R {data}.data))
    (EpsRank.zmatrix.qr R {eps}%Q) = {rank}%nat""",
    "floor": """forall beta : 'rV[R]_(EpsRank.measurement.width {data}.data),
  (EpsRank.form.sqn beta <= EpsRank.zmatrix.qr R {norm2}%Q)%R ->
  (EpsRank.zmatrix.qr R {x}%Q
    <= EpsRank.form.nrm2 (EpsRank.measurement.on_data R {data}.data)
      (EpsRank.form.comb (@EpsRank.measurement.phi R {data}.data) beta
        - EpsRank.check_floor.target R {data}.data (t := {data}.goal) ord0))%R""",
    "floors": r"""forall W : 'M[R]_(size (EpsRank.check_floor.outputs {data}.goal), """
    r"""EpsRank.measurement.width {data}.data),
  (\sum_l EpsRank.form.sqn (row l W) <= EpsRank.zmatrix.qr R {norm2}%Q)%R ->
  (EpsRank.zmatrix.qr R {x}%Q
    <= EpsRank.check_floor.squared_loss (EpsRank.measurement.on_data R {data}.data)
      (@EpsRank.measurement.phi R {data}.data)
      (EpsRank.check_floor.target R {data}.data (t := {data}.goal)) W)%R""",
}
SOUND = {
    "rank": "check_rank_sound R data eps certificate",
    "floor": "check_floor_one_sound R data (level goal) _ norm2 x certificate",
    "floors": "check_floor_sound R data goal norm2 x certificate",
}
MODULES = {
    "rank": "form spectral zmatrix measurement check_rank",
    "floor": "form zmatrix measurement check_floor",
}
# No proof is loaded before the last statement has been read.
AUDIT = """\
From Coq Require Import QArith.
From mathcomp Require Import all_ssreflect all_algebra.
Require {modules}.
"""
SAYS = """
Require {data}.

{words}
Definition {name}_says : Prop := forall R : rcfType,
  {statement}.
"""
HOLDS = """
Require EpsRank.Measurements.{name}.
Definition {name}_holds : {name}_says :=
  EpsRank.Measurements.{name}.{name}.
Print Assumptions {name}_holds.
"""
CLOSED = "Closed under the global context\n"


def stop(problem: str) -> NoReturn:
    """End: something is amiss with what was passed."""
    print(f"check_data.py: {problem}", file=sys.stderr)
    sys.exit(2)


def read(file: str, key: str | None = None) -> NDArray[Any]:
    """Read .npy, an array of an .npz, or a .csv, with or without names of columns."""
    found: Any
    if file.endswith((".npy", ".npz")):
        found = np.load(file, allow_pickle=False)
        if not isinstance(found, np.ndarray):
            if key is None and len(found.files) != 1:
                stop(f"{file} holds {', '.join(found.files)}: choose one with --key")
            found = found[key or found.files[0]]
    elif file.endswith(".csv"):
        found = table(Path(file).read_text("utf-8-sig").splitlines(), file)
    else:
        stop(f"{file} is no .npy, .npz or .csv: write its numbers as one of these")
    # A long double has no certificate that says all of it, and NaN none at all.
    if found.dtype.kind not in "biuf" or found.dtype.itemsize > 8:
        stop(f"{file} is of type {found.dtype}: write its numbers as float64")
    if not np.isfinite(found).all():
        stop(f"{file} holds NaN or infinity")
    return np.asarray(found)


def table(lines: list[str], file: str) -> NDArray[Any]:
    """Read numbers parted by commas, below a line of names if there is one."""
    cells = [line.split(",") for line in lines if line.strip() and not line.startswith("#")]
    if cells and not any(is_number(word) for word in cells[0]):
        del cells[0]
    if not all(is_number(word) for row in cells for word in row):
        stop(f"{file} is no table of numbers parted by commas: write them as .npy")
    if len({len(row) for row in cells}) != 1:
        stop(f"{file} has no rows, or rows of several lengths")
    words = [word for row in cells for word in row]
    # Integers that float64 would round are kept as they are.
    whole = all(re.fullmatch(r"\s*[-+]?\d+\s*", word) for word in words)
    if whole and any(int(word) != int(float(word)) for word in words if abs(float(word)) < 2**63):
        return np.array([[int(word) for word in row] for row in cells])
    return np.array([[float(word) for word in row] for row in cells])


def is_number(word: str) -> bool:
    """Return whether a word can be read as a number."""
    return re.fullmatch(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", word, re.ASCII) is not None


def integers(array: NDArray[Any]) -> tuple[list[Any], int]:
    """Return nested lists X and a with array = X / 2^a: every float is such a fraction."""
    values = [Fraction(value) for value in array.ravel().tolist()]
    scale = max((value.denominator.bit_length() - 1 for value in values), default=0)
    whole = [int(value * 2**scale) for value in values]
    return np.array(whole, dtype=object).reshape(array.shape).tolist(), scale


def wrapped(words: Iterable[str]) -> str:
    """Return words in lines, as Coq reads them."""
    return textwrap.fill("; ".join(words), 98, break_long_words=False, break_on_hyphens=False)


def rows(lists: Iterable[Iterable[int]]) -> str:
    """Return lists of integers."""
    listed = ";\n".join(f"[:: {wrapped(map(hex, row))}]" for row in lists)
    return f"(map (map Z.of_hex_int) [::\n{listed}\n]%hexadecimal)"


def rational(text: str) -> str:
    """Return a fraction of Coq's type Q."""
    return "({0.numerator} # {0.denominator})".format(Fraction(text))


def exact(value: Fraction) -> str:
    """Return the shortest float64 that is the number, or the fraction."""
    try:
        return repr(float(value)) if Fraction(float(value)) == value else str(value)
    except OverflowError:
        return str(value)


def root_above(square: Fraction) -> float:
    """Return the least float64 that is at least the root of a number."""
    # With 1200 bits behind the point, which any float64 has room in.
    root = float(Fraction(math.isqrt(square.numerator * 4**1200 // square.denominator), 2**1200))
    return root if Fraction(root) ** 2 >= square else math.nextafter(root, math.inf)


def definitions(
    features: NDArray[Any], target: NDArray[Any] | None, weights: NDArray[Any] | None, measure: str
) -> str:
    """Return the numbers of a measurement as a file of Coq that has nothing else."""
    neurons, scale = integers(features.T)
    masses, level = integers(np.ones(len(features)) if weights is None else weights.ravel())
    listed = f"[:: {wrapped(map(str, masses))}]%num"
    if len(set(masses)) == 1:
        listed = f"(nseq {len(masses)} {masses[0]}%num)"
    modules = "zmatrix measurement" + ("" if target is None else " check_floor")
    total = sum(masses) if measure == "mean" else 2**level
    text = HEADER.format(modules=modules, more="")
    text += DATA.format(scale=scale, total=total, masses=listed, neurons=rows(neurons))
    if target is not None:
        outputs, level = integers(target.reshape(len(target), -1).T)
        text += GOAL.format(level=level, outputs=rows(outputs))
    return text


class Certificate:
    """What a theorem says, and the integers that prove it, as its .json has them."""

    def __init__(
        self, name: str, about: dict[str, Any], features: NDArray[Any], target: NDArray[Any] | None
    ) -> None:
        if not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name, re.ASCII):
            raise ValueError("name")
        self.name, self.data = name, f"EpsRank.Measurements.{name}_data"
        self.kind, self.measure = str(about["kind"]), str(about["measure"])
        if self.kind not in MODULES or self.measure not in ("mean", "raw", "volume"):
            raise ValueError("kind")
        (samples, neurons), dtype = features.shape, features.dtype.name
        where = f"{dtype}, {self.measure} measure)"
        if self.kind == "rank":
            self.form, self.found = "rank", RANK
            rank, eps = int(about["rank"]), Fraction(about["eps"])
            self.says = (
                f"The ε-rank of {neurons} neurons at {samples} samples ({where} "
                f"at ε = {exact(eps)} is {rank}."
            )
        else:
            outputs = 1 if target is None else target.reshape(len(target), -1).shape[1]
            self.form, self.found = "floor" if outputs == 1 else "floors", FLOOR
            norm, x = root_above(Fraction(about["norm_squared"])), Fraction(about["x"])
            self.says = (
                f"No output layer of norm at most {norm!r} on these {neurons} neurons has a "
                f"squared loss below {exact(x)} at the {samples} samples "
                f"({outputs} outputs, {where}."
            )
        words = "(** " + "\n    ".join(textwrap.wrap(self.says, 94)) + " *)"
        self.words = {"name": name, "words": words, "data": self.data}
        self.words |= {k: str(int(about[k])) for k in NUMBERS if k in about}
        self.words |= {k: rational(about[j]) for k, j in FRACTIONS.items() if j in about}
        for key in {"basis", "layer"} & about.keys():
            self.words[key] = rows([int(entry, 16) for entry in row] for row in about[key])

    def proof(self) -> str:
        """Return the file of the theorem."""
        text = HEADER.format(modules=MODULES[self.kind], more=f"Require Import {self.data}.\n")
        statement, sound = SHORT[self.form].format(**self.words), SOUND[self.form]
        text += self.found + THEOREM
        return text.format(**self.words, statement=statement, sound=sound)


NUMBERS = ("rank", "cut", "drop", "layer_scale", "dual_scale")
FRACTIONS = {"eps": "eps", "norm2": "norm_squared", "x": "x"}


def audit(certificates: list[Certificate]) -> str:
    """Return the file that states each theorem by full names, and asks what its proof assumes."""
    modules = dict.fromkeys(m for c in certificates for m in MODULES[c.kind].split())
    text = AUDIT.format(modules=" ".join(f"EpsRank.{module}" for module in modules))
    for one in certificates:
        text += SAYS.format(**one.words, statement=FULL[one.form].format(**one.words))
    return text + "".join(HOLDS.format(**one.words) for one in certificates)


def digest(file: Path) -> str | None:
    """Return the SHA-256 of a file, None where there is none."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None


def released(folder: Path, theories: list[str], record: str) -> bool:
    """Return whether theories, Makefile and this program are those of a record."""
    known = json.loads(Path(record).read_text("utf-8"))
    known = {**known["sources"], **known.get("exported", {})}
    files = ["Makefile", "check_data.py", *theories]
    others = [file for file in files if known.get(file) != digest(folder / file)]
    for file in others:
        print(f"{file} is NOT THE ONE of {record}")
    if not others:
        print(f"the theories are those of {record}, as are Makefile and check_data.py")
    return not others


def strangers(folder: Path, known: set[str]) -> list[str]:
    """Return what is in a folder beside known files and what Coq makes of them."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        source = re.sub(r"(^|/)\.?([^./]+)\.(vo|vos|vok|glob|aux)$", r"\1\2.v", name)
        good = name in ("theories", "measurements") if path.is_dir() else source in known
        # A link can lead to one text now and to another later.
        if path.is_symlink() or not good:
            found.append(name)
    return found


# What is not written anew: a release has two, no program reads two, and Coq writes two.
OTHERS = {"Makefile", "check_data.py", "README.md", "_CoqProject", "audit.found", ".lia.cache"}


def main() -> int:
    """Compare, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("features", help="file of features, samples by neurons")
    parser.add_argument("--key", help="array of an .npz that holds several")
    parser.add_argument("--target", help="file of the target, for floors")
    parser.add_argument("--weights", help="file of weights, where there are some")
    parser.add_argument("--record", help="proofs/coq/record.json of a release")
    parser.add_argument("--folder", default=Path(__file__).resolve().parent, type=Path)
    given = parser.parse_args()
    features, folder = read(given.features, given.key), given.folder
    if features.ndim != 2 or not features.size:
        stop(f"{given.features} has the shape {features.shape}, not samples by neurons")
    weights = None if given.weights is None else read(given.weights)
    goal = None if given.target is None else read(given.target)
    theories = [f"theories/{file.name}" for file in sorted((folder / "theories").glob("*.v"))]
    good = given.record is None or released(folder, theories, given.record)
    certificates, texts = [], dict[str, str]()
    jsons = list((folder / "measurements").glob("*.json"))
    for file in sorted(jsons, key=lambda file: file.stem):
        try:
            about = json.loads(file.read_text("utf-8"))
            certificate = Certificate(file.stem, about, features, goal)
        except (ValueError, KeyError, TypeError, ZeroDivisionError, OverflowError):
            print(f"measurements/{file.name} is DAMAGED")
            return 1
        floor, name = certificate.kind == "floor", f"measurements/{file.stem}"
        if floor and goal is None:
            stop(f"{file.stem} is about a target: name its file with --target")
        numbers = definitions(features, goal if floor else None, weights, certificate.measure)
        texts |= {f"{name}_data.v": numbers, f"{name}.v": certificate.proof()}
        same = is_text(folder / f"{name}_data.v", numbers)
        print(f"{file.stem}: {certificate.says}")
        print(f"  its numbers are {'those' if same else 'NOT THOSE'} of {given.features}")
        if about.get("sha256") not in (None, digest(Path(given.features))):
            print("  which is another file than was certified")
        certificates.append(certificate)
    texts |= {"audit.v": audit(certificates), "audit.expected": CLOSED * len(certificates)}
    wrong = [name for name, text in texts.items() if not is_text(folder / name, text)]
    names = {f"measurements/{file.name}" for file in jsons}
    more = strangers(folder, {*OTHERS, *theories, *texts, *names})
    print(*(f"{name} is NOT as it must be\n" for name in wrong), sep="", end="")
    print(*(f"{name} does NOT belong here\n" for name in more), sep="", end="")
    if given.record is None:
        print("theories and Makefile were not looked at: --record compares them with a release")
    return 0 if good and certificates and not wrong and not more else 1


def is_text(file: Path, text: str) -> bool:
    """Return whether a file is a text, byte by byte."""
    return file.is_file() and file.read_bytes() == text.encode()


if __name__ == "__main__":
    sys.exit(main())
