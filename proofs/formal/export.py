"""Certificates as a Coq project of their own, that anyone rebuilds and audits with Coq alone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from epsrank.numerics.named import file_digest
from epsrank.proofs.formal.certificate import Certificate
from epsrank.proofs.formal.coq_text import identifier, question, sentence
from epsrank.proofs.formal.interrogate import CLOSED
from epsrank.proofs.formal.records import exported_programs, read_record
from epsrank.proofs.formal.sources import (
    DEVELOPMENT,
    PROJECT,
    Development,
    fingerprints,
    read_development,
)
from epsrank.proofs.formal.toolchain import PACKAGES
from epsrank.theory.errors import InputError

_FOLDER, _PREFIX = "measurements", "EpsRank.Measurements"

# What the statements use, by the module that has it.
_DEFINITIONS = {
    "form": "`gram`, `comb`, `sqn`, `nrm2`, `data_form`",
    "spectral": "`eigenvalues`, `epsrank`",
    "measurement": "`measurement`, `phi`, `mass`, `on_data`",
    "check_floor": "`floor_target`, `target`, `squared_loss`",
    "check_rank": "`given_gram`",
    "zmatrix": "`zr`, `qr`, `entry`",
}

_README = """\
# {count}, with proof

{list}

Each theorem holds over every real closed field `R`, the real numbers among them, and is proved by
the Coq kernel. Once and for all it is proved that what a checker accepts is true ({checkers});
for each measurement the kernel runs the checker on its integers.

## Check it

Needs Coq 8.16 with MathComp 1.15, and Python with NumPy; in Debian and Ubuntu

    apt install {packages} python3-numpy

Then

    make
    python3 check_data.py FEATURES{options}

`make` compiles everything from nothing and then `audit.v`, which states each theorem once more, by
full names alone, before it looks at any proof. It fails unless each theorem is the one that is
stated there and is `Closed under the global context`, Coq's word for "no axiom, no unproved
statement".

`check_data.py` writes every file that Coq reads, except the theories, anew from the file of
features, compares them byte by byte, and prints what each theorem says. It fails on a file that
does not belong here.

Who does not trust this folder takes `check_data.py`, `texts.toml` and `record.json` from a release
of epsrank (from `proofs/coq/exported` and `proofs/coq`) and calls, before `make`,

    python3 check_data.py FEATURES{options} --record record.json --folder THIS_FOLDER

which sees too that the theories, `Makefile` and these two are the released ones{known}.
Who does not trust the release either reads the definitions that `audit.v` uses:

{definitions}

{rounded}How the features came about, training and floating-point arithmetic, is no part of the
proof: the theorems speak of the numbers that were measured. `{folder}/*.json` hold the certificates
for other programs, with shape, type, measure and SHA-256 of what they are of; `reachable` and `gap`
of a floor are not checked. `_CoqProject` is for editors: nothing above reads it.
"""

_ROUNDED = """\
A theorem about a rounded Gram matrix holds for every symmetric matrix that rounds to it. That the
Gram matrix of the features does is arithmetic of integers in `check_data.py`, and not of Coq.

"""


def export_project(
    folder: str | Path,
    certificates: Mapping[str, Certificate],
    *,
    files: Mapping[str, str | Path] | None = None,
    development: str | Path = DEVELOPMENT,
) -> list[Path]:
    """Write a self-contained Coq project whose theorems are measurements.

    `files` names the file of features of a certificate, whose digest is written down.
    """
    if not certificates:
        raise InputError("certificates", "are none", "pass one or more by name")
    for name in certificates:
        identifier(name)
    files_of = [f"{n}{end}".lower() for n in certificates for end in ("", "_data")]
    doubled = [file for file in files_of if files_of.count(file) > 1]
    if doubled:
        problem = f"is one of two for which {doubled[0]}.v would be a file"
        raise InputError("name", problem, "choose names that differ in more than case and _data")
    # In the order in which check_data.py, who sees a folder, finds them.
    certificates = dict(sorted(certificates.items()))
    place, sources = Path(folder), read_development(development)
    texts = {file: _read(sources, file) for file in needed(sources, certificates)}
    theories = list(texts)
    for program in exported_programs(DEVELOPMENT):
        texts[program.name] = program.read_text(encoding="utf-8")
    measured = []
    for name, certificate in certificates.items():
        data = f"{_FOLDER}/{name}_data.v"
        texts[data] = certificate.data_file()
        texts[f"{_FOLDER}/{name}.v"] = certificate.proof_file(name, f"{_PREFIX}.{name}_data")
        about = certificate.to_json() | _origin(certificate, (files or {}).get(name))
        texts[f"{_FOLDER}/{name}.json"] = json.dumps(about) + "\n"
        measured += [data, f"{_FOLDER}/{name}.v"]
    texts["audit.v"] = audit_text(certificates)
    texts["audit.expected"] = f"{CLOSED}\n" * len(certificates)
    texts[PROJECT] = _project(sources, [*theories, *measured])
    texts["README.md"] = _readme(certificates, _released(sources, theories))
    return _write(place, texts)


def _origin(certificate: Certificate, file: str | Path | None) -> dict[str, Any]:
    """Return what a certificate is of."""
    return {
        "shape": [certificate.data.n_samples, certificate.data.n_features],
        "file": None if file is None else Path(file).name,
        "sha256": None if file is None else file_digest(file, argument="features"),
    }


def audit_text(certificates: Mapping[str, Certificate]) -> str:
    """Return the file that states each theorem by full names, and asks what its proof assumes."""
    modules = dict.fromkeys(
        word for certificate in certificates.values() for word in certificate.imports.split()
    )
    parts = [_AUDIT.format(modules=" ".join(f"EpsRank.{module}" for module in modules))]
    for name, certificate in certificates.items():
        data = f"{_PREFIX}.{name}_data"
        parts += [
            f"Require {data}.",
            "",
            sentence(certificate.about()),
            f"Definition {name}_says : Prop := forall R : rcfType,",
            f"  {certificate.stated(data)}.",
            "",
        ]
    # Nothing of a proof is there before the last statement has been read.
    for name in certificates:
        parts += [
            f"Require {_PREFIX}.{name}.",
            f"Definition {name}_holds : {name}_says :=",
            f"  {_PREFIX}.{name}.{name}.",
            question(f"{name}_holds"),
        ]
    return "\n".join(parts)


_AUDIT = """\
From Coq Require Import QArith.
From mathcomp Require Import all_ssreflect all_algebra.
Require {modules}.
"""


def _released(development: Development, theories: list[str]) -> bool:
    """Return whether the theories are those of the record that travels with them."""
    record = read_record(development.folder)
    digests = fingerprints(development)
    return record is not None and all(
        record.sources.get(file) == digests[file] for file in theories
    )


def needed(development: Development, certificates: Mapping[str, Certificate]) -> list[str]:
    """Return the sources that the certificates rest on, in the order of dependency."""
    modules = {Path(file).stem: file for file in development.files}
    waiting = {certificate.checker for certificate in certificates.values()}
    found: set[str] = set()
    while waiting:
        module = waiting.pop()
        found.add(module)
        text = _read(development, modules[module])
        for line in re.findall(
            rf"From\s+{development.prefix}\s+Require\s+(?:Import|Export)?([^.]*)\.", text
        ):
            waiting |= {name for name in line.split() if name in modules} - found
    # _CoqProject lists its files in the order of dependency.
    return [file for module, file in modules.items() if module in found]


def _read(development: Development, file: str) -> str:
    return (development.folder / file).read_text(encoding="utf-8")


def _project(development: Development, files: list[str]) -> str:
    kind, root, prefix, *arguments = development.options
    lines = [f"{kind} {root} {prefix}", f"-R {_FOLDER} {_PREFIX}"]
    # `-arg` takes one word at a time.
    lines += [f"-arg {argument}" for argument in arguments]
    return "\n".join([*lines, "", *files]) + "\n"


def _readme(certificates: Mapping[str, Certificate], released: bool) -> str:
    count = len(certificates)
    said = " ".join(certificate.stated("data") for certificate in certificates.values())
    modules = dict.fromkeys(certificate.checker for certificate in certificates.values())
    # What the command asks for, beside the features.
    weighted = any(len(set(c.data.weights)) > 1 for c in certificates.values())
    files = {" --target TARGET": "check_floor" in modules, " --weights WEIGHTS": weighted}
    return _README.format(
        count="A measurement" if count == 1 else f"{count} measurements",
        list="\n".join(f"- `{name}`: {c}." for name, c in certificates.items()),
        packages=" ".join(PACKAGES),
        folder=_FOLDER,
        options="".join(option for option, wanted in files.items() if wanted),
        known="" if released else ", which they were not when this folder was written",
        checkers=" and ".join(f"`theories/{module}.v`" for module in modules),
        rounded=_ROUNDED if "given_gram" in said else "",
        definitions="\n".join(
            f"   - `theories/{module}.v`: {names}"
            for module, names in _DEFINITIONS.items()
            if f"EpsRank.{module}." in said
        ),
    )


def _write(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """Write files into an empty folder."""
    written = []
    try:
        # Other files would be compiled and audited with these.
        if folder.exists() and any(folder.iterdir()):
            raise InputError("folder", f"{folder} is not empty", "name a new one")
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written.append(path)
    except OSError as error:
        raise InputError(
            "folder", f"{folder} cannot be written ({error.strerror})", "name another one"
        ) from None
    return written
