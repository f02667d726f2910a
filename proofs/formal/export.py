"""Certificates as a Coq project of their own, that anyone rebuilds and audits with Coq alone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from epsrank.proofs.formal.certificate import Certificate
from epsrank.proofs.formal.coq_text import identifier
from epsrank.proofs.formal.floor_certificate import FloorCertificate
from epsrank.proofs.formal.rank_certificate import RankCertificate
from epsrank.proofs.formal.sources import DEVELOPMENT, PROJECT, Development, read_development
from epsrank.proofs.formal.toolchain import PACKAGES
from epsrank.theory.errors import InputError

_FOLDER, _PREFIX = "measurements", "EpsRank.Measurements"

# What the statements use, by the kind of certificate.
_DEFINITIONS = (
    (None, "form", "`gram`, `comb`, `sqn`, `nrm2`, `data_form`"),
    (RankCertificate, "spectral", "`eigenvalues`, `epsrank`"),
    (None, "measurement", "`measurement`, `phi`, `mass`, `on_data`"),
    (FloorCertificate, "check_floor", "`floor_target`, `target`, `squared_loss`"),
    (None, "zmatrix", "`zr`, `qr`, `entry`"),
)

_README = """\
# {count}, with proof

{list}

Each theorem holds over every real closed field `R`, the real numbers among them, and is proved by
the Coq kernel. Once and for all it is proved that what a checker accepts is true ({checkers});
for each measurement the kernel runs the checker on its integers.

## Rebuild

Needs Coq 8.16 with MathComp 1.15 and nothing else; in Debian and Ubuntu

    apt install {packages}

Then

    make

## Audit

While it compiles, every measurement prints `Closed under the global context`, Coq's word for "no
axiom, no unproved statement". To ask again:

    echo 'From {prefix} Require Import {first}. Print Assumptions {first}.' > ask.v
    coqc -R theories EpsRank -R {folder} {prefix} ask.v

What remains for a reader is to see that the statements say what they should:

1. the statement at the end of each file of `{folder}/`;
2. the definitions that it uses:
{definitions}
3. that the integers are those of the network: the value of neuron j at sample i is the i-th number
   of the j-th list of `data` over 2^scale, exactly, and w_i is the i-th weight over the total.
   `{folder}/*.json` hold the same numbers for other programs.

How the features came about, training and floating-point arithmetic, is no part of the proof: the
theorems speak of the numbers that were measured.
"""


def export_project(
    folder: str | Path,
    certificates: Mapping[str, Certificate],
    *,
    development: str | Path = DEVELOPMENT,
) -> list[Path]:
    """Write a self-contained Coq project whose theorems are measurements."""
    if not certificates:
        raise InputError("certificates", "are none", "pass one or more by name")
    for name in certificates:
        identifier(name)
    place, sources = Path(folder), read_development(development)
    texts = {file: _read(sources, file) for file in needed(sources, certificates)}
    texts["Makefile"] = _read(sources, "Makefile")
    measured = []
    for name, certificate in certificates.items():
        texts[f"{_FOLDER}/{name}.v"] = certificate.to_coq(name)
        texts[f"{_FOLDER}/{name}.json"] = json.dumps(certificate.to_json()) + "\n"
        measured.append(f"{_FOLDER}/{name}.v")
    theories = [file for file in texts if file.startswith(f"{sources.root}/")]
    texts[PROJECT] = _project(sources, [*theories, *measured])
    texts["README.md"] = _readme(certificates)
    return _write(place, texts)


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


def _readme(certificates: Mapping[str, Certificate]) -> str:
    count = len(certificates)
    kinds = {type(certificate) for certificate in certificates.values()}
    modules = [kind.checker for kind in (RankCertificate, FloorCertificate) if kind in kinds]
    return _README.format(
        count="A measurement" if count == 1 else f"{count} measurements",
        list="\n".join(f"- `{name}`: {c}." for name, c in certificates.items()),
        packages=" ".join(PACKAGES),
        folder=_FOLDER,
        prefix=_PREFIX,
        first=next(iter(certificates)),
        checkers=" and ".join(f"`theories/{module}.v`" for module in modules),
        definitions="\n".join(
            f"   - `theories/{file}.v`: {names}"
            for kind, file, names in _DEFINITIONS
            if kind is None or kind in kinds
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
