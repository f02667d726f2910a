"""See that a folder of certificates says what it must of the files that it is said to be of.

    python check_data.py FEATURES [--key K] [--target F] [--weights F] [--record record.json]
        [--folder DIR]

Needs Python and NumPy, nothing of the package that wrote the folder. Every file that Coq reads is
written anew, the numbers exactly from FEATURES, and must be the same, byte by byte; the claims that
this proves, once `make` ends well, are printed. With `--record`, the record of a release, theories,
Makefile, this program and texts.toml must be the released ones. Whoever does not trust the folder
takes this program, texts.toml and the record from the release, and calls it with `--folder` before
`make`. Exit code 0:
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
import tomllib
import zipfile
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

# What Coq reads; it lies beside this program.
WORDS = tomllib.loads(Path(__file__).with_name("texts.toml").read_text("utf-8"))
TEXTS: dict[str, str] = WORDS["texts"]
FORMS: dict[str, dict[str, str]] = WORDS["forms"]
# More than any float64 has behind its point, even squared.
MOST_DIGITS = 10000


def stop(problem: str) -> NoReturn:
    """End: something is amiss with what was passed."""
    print(f"check_data.py: {problem}", file=sys.stderr)
    sys.exit(2)


def read(file: str, key: str | None = None) -> NDArray[Any]:
    """Read .npy, an array of an .npz, or a .csv, with or without names of columns."""
    found: Any
    if file.endswith((".npy", ".npz")):
        try:
            found = np.load(file, allow_pickle=False)
            if not isinstance(found, np.ndarray):
                if key is None and len(found.files) != 1:
                    stop(f"{file} holds {', '.join(found.files)}: choose one with --key")
                found = found[found.files[0] if key is None else key]
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
            stop(f"{file} cannot be read: {error}")
        if not isinstance(found, np.ndarray):
            stop(f"{file} holds something other than numbers")
    elif file.endswith(".csv"):
        try:
            # Not splitlines, for which a line also ends where no other program sees an end.
            found = table(Path(file).read_text("utf-8-sig").split("\n"), file)
        except (OSError, UnicodeDecodeError) as error:
            stop(f"{file} cannot be read: {error}")
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


class Numbers:
    """A measurement as integers: features are F / 2^scale, weights are W / total."""

    def __init__(self, features: NDArray[Any], weights: NDArray[Any] | None, measure: str) -> None:
        self.neurons, self.scale = integers(features.T)
        ones = np.ones(len(features))
        self.weights, level = integers(ones if weights is None else weights.ravel())
        self.total = sum(self.weights) if measure == "mean" else 2**level

    def measurement(self) -> str:
        """Return the definition of the measurement in Coq."""
        listed = f"[:: {wrapped(map(str, self.weights))}]%num"
        if len(set(self.weights)) == 1:
            listed = f"(nseq {len(self.weights)} {self.weights[0]}%num)"
        return TEXTS["measurement"].format(
            scale=self.scale, total=self.total, masses=listed, neurons=rows(self.neurons)
        )

    def rounded(self, digits: int) -> str:
        """Return the Gram matrix, rounded to the nearest multiples of 2^-digits, in Coq."""
        whole = np.array(self.neurons, dtype=object)
        unit = self.total << 2 * self.scale
        products = ((whole * np.array(self.weights, dtype=object)) @ whole.T).tolist()
        entries = [[((x << digits + 1) + unit) // (2 * unit) for x in row] for row in products]
        return TEXTS["rounded"].format(digits=digits, entries=rows(entries))

    def told(self) -> dict[str, Any]:
        """Return the numbers as a .json has them."""
        return {
            "scale": self.scale,
            "total": hex(self.total),
            "weights": [hex(w) for w in self.weights],
            "neurons": [[hex(x) for x in neuron] for neuron in self.neurons],
        }


def goal_of(target: NDArray[Any]) -> tuple[str, dict[str, Any]]:
    """Return the definition of a target in Coq, and the target as a .json has it."""
    outputs, level = integers(target.reshape(len(target), -1).T)
    told = {"level": level, "outputs": [[hex(u) for u in row] for row in outputs]}
    return TEXTS["goal"].format(level=level, outputs=rows(outputs)), told


class Certificate:
    """What a theorem says, and the integers that prove it, as its .json has them."""

    def __init__(
        self, name: str, about: dict[str, Any], features: NDArray[Any], target: NDArray[Any] | None
    ) -> None:
        if not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name, re.ASCII):
            raise ValueError("name")
        self.name, self.data = name, f"EpsRank.Measurements.{name}_data"
        self.kind, self.measure = str(about["kind"]), str(about["measure"])
        if self.kind not in KINDS or self.measure not in ("mean", "raw", "volume"):
            raise ValueError("kind")
        # A fraction is n/d: the digits of 1e-9999999999 would be written without end.
        if any("e" in str(about[key]).lower() for key in {*FRACTIONS.values(), "bound"} & {*about}):
            raise ValueError("exponent")
        # Other programs would read 2.9 where the claim has 2.
        if any(type(about[key]) is not int for key in {*NUMBERS, "digits"} & {*about}):
            raise ValueError("integer")
        (samples, neurons), form = features.shape, self.kind
        where = f"{features.dtype.name}, {self.measure} measure)"
        if self.kind == "floor":
            outputs = 1 if target is None else target.reshape(len(target), -1).shape[1]
            form = "floor" if outputs == 1 else "floors"
            norm, x = root_above(Fraction(about["norm_squared"])), Fraction(about["x"])
            self.says = (
                f"No output layer of norm at most {norm!r} on these {neurons} neurons has a "
                f"squared loss below {exact(x)} at the {samples} samples "
                f"({outputs} outputs, {where}."
            )
        else:
            rank, eps = int(about["rank"]), Fraction(about["eps"])
            self.says = (
                f"The ε-rank of {neurons} neurons at {samples} samples ({where} "
                f"at ε = {exact(eps)} is {rank}."
            )
        if self.kind == "gram":
            self.digits = int(about["digits"])
            # In this order: a shift by more than memory holds would end the program.
            if self.digits > MOST_DIGITS or (
                Fraction(about["bound"]) != Fraction(neurons, 2 << self.digits)
            ):
                raise ValueError("digits")
            self.says += (
                f" So it is for every symmetric matrix whose entries are within "
                f"2^-{self.digits + 1} of those of the Gram matrix, rounded to multiples of "
                f"2^-{self.digits}."
            )
        words = "(** " + "\n    ".join(textwrap.wrap(self.says, 94)) + " *)"
        self.words = {"name": name, "words": words, "data": self.data}
        self.words |= {k: str(int(about[k])) for k in NUMBERS if k in about}
        self.words |= {k: rational(about[j]) for k, j in FRACTIONS.items() if j in about}
        for key in {"basis", "layer"} & about.keys():
            self.words[key] = rows([int(entry, 16) for entry in row] for row in about[key])
        for key in {"below", "above"} & about.keys():
            signs = wrapped("true" if sign else "false" for sign in about[key]["signs"])
            listed = rows([int(entry, 16) for entry in row] for row in about[key]["rows"])
            self.words[key] = f"[:: {signs}]\n  {listed}"
        self.texts = FORMS[form]

    def definitions(self, numbers: Numbers, target: str) -> str:
        """Return the numbers that the theorem is about as a file of Coq that has nothing else."""
        text = TEXTS["header"].format(modules=self.texts["types"], more="")
        if self.kind == "gram":
            return text + numbers.rounded(self.digits)
        return text + numbers.measurement() + target

    def proof(self) -> str:
        """Return the file of the theorem."""
        more, statement = f"Require Import {self.data}.\n", self.texts["short"].format(**self.words)
        text = TEXTS["header"].format(modules=self.texts["imports"], more=more)
        theorem = self.texts["found"] + TEXTS["theorem"]
        return text + theorem.format(**self.words, statement=statement, sound=self.texts["sound"])

    def statement(self) -> str:
        """Return the definition of what the theorem says, by full names alone."""
        statement = self.texts["full"].format(**self.words)
        return TEXTS["says"].format(**self.words, statement=statement)


KINDS = ("rank", "wide", "gram", "floor")
NUMBERS = ("rank", "cut", "drop", "exponent", "layer_scale", "dual_scale")
FRACTIONS = {"eps": "eps", "norm2": "norm_squared", "x": "x"}


def audit(certificates: list[Certificate]) -> str:
    """Return the file that states each theorem by full names, and asks what its proof assumes."""
    modules = dict.fromkeys(m for c in certificates for m in c.texts["imports"].split())
    text = TEXTS["audit"].format(modules=" ".join(f"EpsRank.{module}" for module in modules))
    text += "".join(one.statement() for one in certificates)
    return text + "".join(TEXTS["holds"].format(**one.words) for one in certificates)


def digest(file: Path) -> str | None:
    """Return the SHA-256 of a file, None where there is none."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None


#: What travels with every folder, the same in all of a release.
PROGRAMS = ("Makefile", "check_data.py", "texts.toml")


def released(folder: Path, theories: list[str], record: str) -> bool:
    """Return whether theories, Makefile and this program are those of a record."""
    known = json.loads(Path(record).read_text("utf-8"))
    known = {**known["sources"], **known.get("exported", {})}
    files = [*PROGRAMS, *theories]
    others = [file for file in files if known.get(file) != digest(folder / file)]
    for file in others:
        print(f"{file} is NOT THE ONE of {record}")
    if not others:
        print(f"the theories are those of {record}, as are {', '.join(PROGRAMS)}")
    return not others


def strangers(folder: Path, known: set[str]) -> list[str]:
    """Return what is in a folder beside known files and what Coq makes of them."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        source = re.sub(r"(^|/)\.?([^./]+)\.(vo|vos|vok|glob|aux)$", r"\1\2.v", name)
        folders = name in ("theories", "measurements") and path.is_dir()
        # A link, or a pipe, can lead to one text now and to another later.
        if path.is_symlink() or not (folders or (path.is_file() and source in known)):
            found.append(name)
    return found


# What is not written anew: a release has three, no program reads two, and Coq writes two.
OTHERS = {*PROGRAMS, "README.md", "_CoqProject", "audit.found", ".lia.cache"}


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
    if weights is not None and weights.size != len(features):
        stop(f"{given.weights} has {weights.size} weights for {len(features)} samples")
    goal = None if given.target is None else read(given.target)
    theories = [f"theories/{file.name}" for file in sorted((folder / "theories").glob("*.v"))]
    good = given.record is None or released(folder, theories, given.record)
    certificates, texts, wrong = [], dict[str, str](), []
    jsons = list((folder / "measurements").glob("*.json"))
    for file in sorted(jsons, key=lambda file: file.stem):
        name = f"measurements/{file.stem}"
        try:
            about = json.loads(file.read_text("utf-8"))
            certificate = Certificate(file.stem, about, features, goal)
            numbers = Numbers(features, weights, certificate.measure)
            told = {"data": numbers.told(), "shape": [*features.shape]}
            target = ""
            if certificate.kind == "floor":
                if goal is None:
                    stop(f"{file.stem} is about a target: name its file with --target")
                target, of_goal = goal_of(goal)
                told |= of_goal
            text = certificate.definitions(numbers, target)
            made = {f"{name}_data.v": text, f"{name}.v": certificate.proof()}
            # One file for two: only the second text would be compared with it.
            if made.keys() & texts.keys():
                raise ValueError("name")
            texts |= made
        except (ValueError, KeyError, TypeError, ZeroDivisionError, OverflowError, RecursionError):
            print(f"{name}.json is DAMAGED")
            return 1
        told["dtype"] = features.dtype.name
        if any(about.get(key) != value for key, value in told.items()):
            wrong.append(f"{name}.json")
        same = is_text(folder / f"{name}_data.v", text)
        print(f"{file.stem}: {certificate.says}")
        print(f"  its numbers are {'those' if same else 'NOT THOSE'} of {given.features}")
        if about.get("sha256") not in (None, digest(Path(given.features))):
            print("  which is another file than was certified")
        certificates.append(certificate)
    texts |= {"audit.v": audit(certificates), "audit.expected": TEXTS["closed"] * len(certificates)}
    wrong += [name for name, text in texts.items() if not is_text(folder / name, text)]
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
