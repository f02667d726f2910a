"""The verified checkers inside Coq prove what is right, and refuse what the mirror refuses."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from epsrank.proofs.checkers import formal_certificates
from epsrank.proofs.checkers.base import Context
from epsrank.proofs.checkers.formal_certificates import (
    CLAIMS,
    certificate_checkers,
    check_measurements,
)
from epsrank.proofs.formal import (
    DEVELOPMENT,
    CoqError,
    check_text,
    compile_development,
    explain_missing,
    find_coq,
    read_development,
)
from epsrank.proofs.formal.coq_text import HEADER
from epsrank.proofs.formal.export import needed
from epsrank.proofs.formal.floor_certificate import certify_floor
from epsrank.proofs.formal.rank_certificate import certify_rank
from epsrank.proofs.instances import networks

from .measurements import changed, floor_term, rank_term, targets, waves

MODULES = "form zmatrix measurement spectral check_rank check_floor"


@pytest.fixture(scope="module")
def checkers(tmp_path_factory):
    """The part of the development that the checkers rest on, compiled."""
    coq = find_coq()
    if coq is None:
        pytest.skip(explain_missing())
    whole, folder = read_development(DEVELOPMENT), tmp_path_factory.mktemp("checkers")
    both = {"r": certify_rank(waves(), 1e-4), "f": certify_floor(waves(), targets(), 0.5)}
    files = needed(whole, both)
    (folder / "theories").mkdir()
    for file in files:
        shutil.copyfile(whole.folder / file, folder / file)
    lines = [
        line for line in (whole.folder / "_CoqProject").read_text().splitlines() if "-" in line
    ]
    (folder / "_CoqProject").write_text("\n".join([*lines, "", *files, ""]))
    return compile_development(coq, folder=folder)


def answers(compiled, terms, folder):
    """Evaluate Boolean terms in Coq."""
    listed = ";\n".join(terms)
    text = HEADER.format(modules=MODULES, more="") + f"Eval vm_compute in [:: {listed}].\n"
    printed = check_text(compiled, text, folder, "ask")
    return [word == "true" for word in re.findall(r"\b(true|false)\b", printed)]


def test_measurements_become_theorems(checkers, tmp_path):
    rank = certify_rank(waves(12, 5, "float32"), Fraction(1, 10**6))
    printed = check_text(checkers, rank.to_coq("net_rank"), tmp_path, "net_rank")
    assert "Closed under the global context" in printed
    weights = np.random.default_rng(0).random(12)
    floor = certify_floor(waves(), targets(), 0.5, weights=weights, measure="volume")
    printed = check_text(checkers, floor.to_coq("net_floor"), tmp_path, "net_floor")
    assert "Closed under the global context" in printed
    floor = certify_floor(waves(), targets(outputs=3), 2.0)
    printed = check_text(checkers, floor.to_coq("net_floors"), tmp_path, "net_floors")
    assert "Closed under the global context" in printed


@pytest.mark.parametrize("fault", ["rank", "basis"])
def test_a_false_rank_does_not_compile(checkers, tmp_path, fault):
    good = certify_rank(waves(), 1e-4)
    bad = {
        "rank": replace(good, rank=good.rank + 1),
        "basis": replace(good, basis=changed(good.basis, 1, 1, lambda s: s + (1 << good.bits))),
    }[fault]
    with pytest.raises(CoqError, match="net_rank"):
        check_text(checkers, bad.to_coq("net_rank"), tmp_path, "net_rank")


def test_a_false_floor_does_not_compile(checkers, tmp_path):
    good = certify_floor(waves(), targets(), 0.5)
    bad = replace(good, x=good.x * Fraction(1000001, 1000000))
    with pytest.raises(CoqError, match="net_floor"):
        check_text(checkers, bad.to_coq("net_floor"), tmp_path, "net_floor")


def test_coq_and_the_mirror_agree_on_ranks(checkers, tmp_path):
    rng = np.random.default_rng(5)
    cases = []
    for seed in range(8):
        measure = ["mean", "raw", "volume"][seed % 3]
        weights = rng.random(7) if seed % 2 or measure == "volume" else None
        features = waves(7, 3, ["float64", "float32"][seed % 2], seed)
        good = certify_rank(features, 10.0 ** -(1 + seed), weights=weights, measure=measure)
        data = good.data
        cases += [
            good,
            replace(good, rank=(good.rank + 1) % 4),
            replace(good, drop=good.drop + 1),
            replace(good, cut=good.cut + 1),
            replace(good, cut=0, drop=0),
            replace(good, eps=good.eps * 100),
            replace(good, data=replace(data, total=3 * data.total)),
            replace(good, data=replace(data, weights=(0, *data.weights[1:]))),
            replace(good, data=replace(data, weights=data.weights[1:])),
            replace(good, basis=changed(good.basis, 0, 0, lambda s: -s)),
            replace(good, basis=changed(good.basis, 2, 1, lambda s: s + 1)),
            replace(good, basis=good.basis[1:]),
        ]
    mirrored = [case.accepted() for case in cases]
    assert answers(checkers, [rank_term(case) for case in cases], tmp_path) == mirrored
    assert any(mirrored)
    assert not all(mirrored)


def test_coq_and_the_mirror_agree_on_floors(checkers, tmp_path):
    cases = []
    for seed in range(6):
        goal, norm = targets(7, 1 + seed % 3), [0.2, 1.0, 30.0][seed % 3]
        good = certify_floor(waves(7, 3, seed=seed), goal, norm, measure=["mean", "raw"][seed % 2])
        data, target = good.data, good.target
        cases += [
            good,
            replace(good, x=good.x + Fraction(1, 10**12)),
            replace(good, x=-good.x),
            replace(good, norm_squared=good.norm_squared * 2),
            replace(good, norm_squared=good.norm_squared / 2),
            replace(good, layer=changed(good.layer, 0, 0, lambda b: b + 1)),
            replace(good, layer=changed(good.layer, 0, 0, lambda b: -b)),
            replace(good, layer=good.layer[1:]),
            replace(good, dual_scale=good.dual_scale - 6),
            replace(good, layer_scale=0, dual_scale=30),
            replace(good, target=replace(target, level=target.level + 70)),
            replace(good, data=replace(data, weights=(5, *data.weights[1:]))),
        ]
    mirrored = [case.accepted() for case in cases]
    assert answers(checkers, [floor_term(case) for case in cases], tmp_path) == mirrored
    assert any(mirrored)
    assert not all(mirrored)


def test_a_given_gram_matrix_is_counted(checkers, tmp_path):
    # G = [[2, 1], [1, 2]] / 2 has the eigenvalues 1/2 and 3/2, along (1, −1) and (1, 1).
    basis = "(RankCertificate 0 0 [:: [:: 1; -1]; [:: 1; 1]])"
    good, skew = "[:: [:: 2; 1]; [:: 1; 2]]", "[:: [:: 2; 1]; [:: 0; 2]]"
    terms = [
        f"check_rank_gram 1%nat {matrix} (1 # {den})%Q {basis} {rank}%nat"
        for matrix, den, rank in [
            (good, 1, 1), (good, 4, 2), (good, 1, 2), (good, 2, 1), (good, 2, 2), (skew, 1, 1),
        ]
    ]  # fmt: skip
    assert answers(checkers, terms, tmp_path) == [True, True, False, False, False, False]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A context with one network trained in a moment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(
            networks._SETTINGS,
            "quick",
            {"digits tiny": {"task": "digits", "width": 5, "steps": 12}},
        )
        folder = tmp_path_factory.mktemp("run")
        found = networks.train_network("digits tiny", "quick", 0, "cpu", None, folder)
    return Context("quick", 0, {"digits tiny": found})


def test_a_network_of_the_run_becomes_theorems(checkers, tiny, monkeypatch, tmp_path):
    monkeypatch.setattr(formal_certificates, "compile_development", lambda coq: checkers)
    found = check_measurements("digits tiny", replace(tiny, out=tmp_path))
    assert [(item.claim, item.kind, item.state) for item in found] == [
        (claim, "exact", "passed") for claim in CLAIMS
    ], found
    figures = found[2].figures
    assert figures["neurons"] == 6
    assert 0 < figures["floor"] <= figures["x"] <= figures["reachable"] <= figures["loss"]
    kept = tmp_path / "certificates" / "digits_tiny" / "measurements"
    names = {"rank_0.v", "rank_0_data.v", "floor.v", "floor_data.v"}
    assert {path.name for path in kept.glob("*.v")} == names


def test_a_refusal_of_the_kernel_is_no_evidence(checkers, tiny, monkeypatch, tmp_path):
    def wrong(*arguments, **more):
        good = certify_rank(*arguments, **more)
        return replace(good, rank=good.rank + 1)

    monkeypatch.setattr(formal_certificates, "compile_development", lambda coq: checkers)
    monkeypatch.setattr(formal_certificates, "certify_rank", wrong)
    first, *_ = check_measurements("digits tiny", replace(tiny, out=tmp_path))
    assert first.state == "error"
    assert not (tmp_path / "certificates/digits_tiny/measurements/rank_0.v").exists()
    assert "measurement_holds" in first.cause


def test_without_coq_measurements_are_skipped_with_the_cause(tiny, monkeypatch):
    monkeypatch.setattr(formal_certificates, "find_coq", lambda: None)
    found = check_measurements("digits tiny", tiny)
    assert {item.state for item in found} == {"skipped"}
    assert all(item.cause for item in found)


def test_every_narrow_network_is_certified_at_default_effort():
    names = {name for checker in certificate_checkers("default") for name in checker.networks}
    assert names == {n for n, width in networks.planned("default").items() if width <= 50}
    assert len(certificate_checkers("quick")) == 1
