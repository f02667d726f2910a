"""The verified checkers inside Coq prove what is right, and refuse what the mirror refuses."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from epsrank.proofs.checkers import formal_certificates
from epsrank.proofs.checkers.base import Context
from epsrank.proofs.checkers.formal_certificates import (
    CLAIMS,
    check_measurements,
)
from epsrank.proofs.formal import (
    check_text,
    compile_development,
    explain_missing,
    find_coq,
)
from epsrank.proofs.formal.coq_text import HEADER
from epsrank.proofs.formal.floor_certificate import certify_floor
from epsrank.proofs.formal.interrogate import CLOSED
from epsrank.proofs.formal.rank_certificate import certify_rank
from epsrank.proofs.instances import networks
from tests.proofs.formal.measurements import changed, floor_term, rank_term, targets, waves

MODULES = "form zmatrix measurement spectral check_rank check_floor"


@pytest.fixture(scope="module")
def checkers():
    """The development as its audit compiles it, in the cache of the user."""
    coq = find_coq()
    if coq is None:
        pytest.skip(explain_missing())
    return compile_development(coq)


def together(texts, more=""):
    """Return one text for Coq, which takes longer to start than to check what is small here."""
    header = HEADER.format(modules=MODULES, more="")
    # Without headers of their own, and their names apart.
    own = [text.split("Local Open Scope Z_scope.\n", 1)[1] for text in texts]
    modules = [f"Module part{at}.\n{text}\nEnd part{at}.\n" for at, text in enumerate(own)]
    return "".join([header, more, *modules])


def test_measurements_become_theorems(checkers, tmp_path):
    weights = np.random.default_rng(0).random(12)
    found = [
        certify_rank(waves(12, 5, "float32"), Fraction(1, 10**6)),
        certify_floor(waves(), targets(), 0.5, weights=weights, measure="volume"),
        certify_floor(waves(), targets(outputs=3), 2.0),
    ]
    text = together([certificate.to_coq("net") for certificate in found])
    printed = check_text(checkers, text, tmp_path, "net")
    assert printed.split("\n") == [*[CLOSED] * len(found), ""]


def rank_cases():
    """Certificates of ranks, right and wrong."""
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
    return cases


def floor_cases():
    """Certificates of floors, right and wrong."""
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
    return cases


def gram_terms():
    """G = [[2, 1], [1, 2]] / 2 has the eigenvalues 1/2 and 3/2, along (1, −1) and (1, 1)."""
    basis = "(RankCertificate 0 0 [:: [:: 1; -1]; [:: 1; 1]])"
    good, skew = "[:: [:: 2; 1]; [:: 1; 2]]", "[:: [:: 2; 1]; [:: 0; 2]]"
    return [
        f"check_rank_gram 1%nat {matrix} (1 # {den})%Q {basis} {rank}%nat"
        for matrix, den, rank in [
            (good, 1, 1), (good, 4, 2), (good, 1, 2), (good, 2, 1), (good, 2, 2), (skew, 1, 1),
        ]
    ]  # fmt: skip


def false_certificates():
    """Measurements that are wrong by little."""
    rank, floor = certify_rank(waves(), 1e-4), certify_floor(waves(), targets(), 0.5)
    return {
        "rank": replace(rank, rank=rank.rank + 1),
        "basis": replace(rank, basis=changed(rank.basis, 1, 1, lambda s: s + (1 << rank.bits))),
        "floor": replace(floor, x=floor.x * Fraction(1000001, 1000000)),
    }


@pytest.fixture(scope="module")
def answers(checkers, tmp_path_factory):
    """What Coq says of all of them, by group; it has refused the false theorems if it ends well."""
    ranks, floors = map(rank_term, rank_cases()), map(floor_term, floor_cases())
    groups = {"ranks": [*ranks], "floors": [*floors], "gram": gram_terms()}
    asked = "".join(
        f"Eval vm_compute in [:: {terms}].\n" for terms in map(";\n".join, groups.values())
    )
    # All before Qed has to succeed: only the kernel may refuse. Of a true theorem, that fails.
    wrong = [
        f"{theorem}Fail Qed.\nAbort.\n" for theorem in map(unproved, false_certificates().values())
    ]
    right = f"{unproved(certify_rank(waves(), 1e-4))}Fail Fail Qed.\nAbort.\n"
    folder = tmp_path_factory.mktemp("answers")
    printed = check_text(checkers, together([*wrong, right], asked), folder, "ask")
    words = iter([word == "true" for word in re.findall(r"\b(true|false)\b", printed)])
    found = {name: [next(words) for _ in terms] for name, terms in groups.items()}
    assert next(words, None) is None
    return found | {"refused": len(wrong)}


def unproved(certificate):
    """Return the text of a theorem up to Qed."""
    theorem, question = certificate.to_coq("net").split("Qed.\n")
    assert "Print Assumptions" in question
    return theorem


def test_false_measurements_do_not_compile(answers):
    assert answers["refused"] == len(false_certificates()) == 3


@pytest.mark.parametrize(("group", "cases"), [("ranks", rank_cases), ("floors", floor_cases)])
def test_coq_and_the_mirror_agree(answers, group, cases):
    mirrored = [case.accepted() for case in cases()]
    assert answers[group] == mirrored
    assert any(mirrored)
    assert not all(mirrored)


def test_a_given_gram_matrix_is_counted(answers):
    assert answers["gram"] == [True, True, False, False, False, False]


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
    # Coq's time is proportional to the samples.
    monkeypatch.setitem(formal_certificates._SAMPLES, "quick", 20)
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
    monkeypatch.setattr(formal_certificates, "_floor", lambda *given: [])
    first, *_ = check_measurements("digits tiny", replace(tiny, out=tmp_path))
    assert first.state == "error"
    assert not (tmp_path / "certificates/digits_tiny/measurements/rank_0.v").exists()
    assert "measurement_holds" in first.cause
