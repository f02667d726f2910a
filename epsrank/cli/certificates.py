"""``epsrank prove --export``: measurements of files as a Coq project of their own."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from epsrank.cli.console import print_json, print_table
from epsrank.cli.estimates import shape_of, weigh_certificate
from epsrank.cli.options import (
    DEFAULT_EPS,
    read_coefficients,
    read_features,
    read_target,
    read_weights,
)
from epsrank.theory.words import plural


@dataclass(frozen=True)
class Measurement:
    """What ``--export`` was asked to certify."""

    #: Files of features, for an ε-rank and for a floor.
    rank: str | None
    floor: str | None
    #: Thresholds of the ε-rank.
    eps: tuple[float, ...]
    #: Files of u* and of the output layer, for the floor.
    target: str | None
    coefficients: str | None
    #: Bound on the output layer, instead of the layer.
    norm: float | None
    #: File of weights, and array of an archive.
    weights: str | None
    key: str | None
    #: Name of the measure.
    measure: str
    #: How the ε-rank is proved, None where its width decides.
    proof: str | None
    #: Whether to begin what takes hours; asks for nothing by itself.
    yes: bool = field(default=False, compare=False)

    def check(self) -> None:
        """Refuse options that do not fit together."""
        if self.rank is None and self.floor is None:
            raise click.UsageError("--export needs --rank FILE or --floor FILE")
        if self.rank is None and self.eps:
            raise click.UsageError("--eps belongs to --rank FILE")
        if self.rank is None and self.proof is not None:
            raise click.UsageError("--proof belongs to --rank FILE")
        extras = (self.target, self.norm, self.coefficients)
        if self.floor is None and extras != (None, None, None):
            raise click.UsageError("--target, --norm and --coefficients belong to --floor FILE")
        if self.floor is not None and self.target is None:
            raise click.UsageError("--floor needs --target F")
        if self.floor is not None and (self.norm is None) == (self.coefficients is None):
            raise click.UsageError("--floor needs either --norm B or --coefficients F")


def export(folder: str, wanted: Measurement, as_json: bool) -> None:
    """Certify measurements and write the project."""
    from epsrank.proofs.formal.export import export_project

    wanted.check()
    certificates: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for file, certify in ((wanted.rank, _ranks), (wanted.floor, _floor)):
        if file is not None:
            found = certify(file, wanted)
            certificates |= found
            origins |= dict.fromkeys(found, file)
    files = export_project(folder, certificates, files=origins)
    if as_json:
        print_json({
            "folder": folder,
            "theorems": {name: str(certificate) for name, certificate in certificates.items()},
            "files": [file.relative_to(folder).as_posix() for file in files],
        })  # fmt: skip
        return
    print_table(
        ["theorem", "what it states"],
        [[name, str(certificate)] for name, certificate in certificates.items()],
        title=f"{folder}: {plural(len(files), 'file')}, a Coq project of its own",
        note=f"check it with: make -C {folder}, and {folder}/check_data.py",
    )


#: How an ε-rank can be proved: by a basis, by two factorisations, or of the rounded Gram matrix.
PROOFS = ("narrow", "wide", "gram")

# Beyond this width two factorisations in few digits cost Coq less than a basis does.
_WIDEST_BASIS = 50


def _ranks(file: str, wanted: Measurement) -> dict[str, Any]:
    """Return the certificates of ε-ranks, by name."""
    from epsrank.proofs.formal.rank_certificate import certify_rank
    from epsrank.proofs.formal.wide_certificate import certify_gram_rank, certify_wide_rank
    from epsrank.theory.data.inputs import as_eps

    features = read_features(file, wanted.key)
    weights = read_weights(wanted.weights, features.n_samples)
    thresholds = [as_eps(value, name="--eps") for value in wanted.eps or (DEFAULT_EPS,)]
    times = len(set(thresholds))
    weigh_certificate("--rank", shape_of(features), times=times, yes=wanted.yes)
    proof = wanted.proof or ("wide" if features.n_features > _WIDEST_BASIS else "narrow")
    certify = {"narrow": certify_rank, "wide": certify_wide_rank, "gram": certify_gram_rank}[proof]
    return {
        _name(file, "rank", repr(eps) if times > 1 else ""): certify(
            features, eps, weights=weights, measure=wanted.measure
        )
        # Equal thresholds would be two theorems of one name.
        for eps in dict.fromkeys(thresholds)
    }


def _floor(file: str, wanted: Measurement) -> dict[str, Any]:
    """Return the certificate of a floor, by name."""
    from epsrank.proofs.formal.floor_certificate import certify_floor

    features = read_features(file, wanted.key)
    weigh_certificate("--floor", shape_of(features), times=1, yes=wanted.yes)
    assert wanted.target is not None  # `check` has seen to it
    certificate = certify_floor(
        features,
        read_target(wanted.target, features.n_samples),
        _norm(wanted, features.n_features),
        weights=read_weights(wanted.weights, features.n_samples),
        measure=wanted.measure,
    )
    return {_name(file, "floor", ""): certificate}


def _norm(wanted: Measurement, n_features: int) -> float | Fraction:
    """Return the bound B: as given, or the least float above the norm of the coefficients."""
    from epsrank.theory.data.inputs import as_norm
    from epsrank.theory.floor.certified.exact_data import norm_squared
    from epsrank.theory.numbers.dyadic import root_above

    if wanted.norm is not None:
        return as_norm(wanted.norm, name="--norm")
    layer = read_coefficients(wanted.coefficients, n_features)
    assert layer is not None  # `check` has seen to one of the two
    return root_above(norm_squared(layer))


def _name(file: str, kind: str, detail: str) -> str:
    """Return an identifier made of the name of a file, another one for every detail."""
    # 1e+16 and 1e-16 would be one name.
    number = detail.replace("+", "")
    words = re.sub(r"[^A-Za-z0-9]+", "_", f"{Path(file).stem}_{kind}_{number}").strip("_")
    # Names in Coq begin with a letter.
    return words if words[:1].isalpha() else f"m_{words}"
