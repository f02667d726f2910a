"""Certificates of ranks and floors: found, right, close, and refused once a fault is planted."""

from __future__ import annotations

import json
import re
import runpy
from dataclasses import replace
from fractions import Fraction
from math import isqrt

import numpy as np
import pytest

from epsrank.proofs.formal import DEVELOPMENT, coq_text
from epsrank.proofs.formal.export import export_project
from epsrank.proofs.formal.floor_certificate import certify_floor
from epsrank.proofs.formal.floor_check import DualBound
from epsrank.proofs.formal.floor_search import lower_end
from epsrank.proofs.formal.rank_certificate import certify_rank
from epsrank.theory import epsilon_rank
from epsrank.theory.errors import InputError

from .measurements import changed, targets, waves

EPS = [1e-12, 1e-8, 1e-4, 0.1, 100.0, Fraction(1, 10**6)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("measure", ["mean", "raw", "volume"])
def test_the_certified_rank_is_the_exact_count(dtype, measure):
    features = waves(30, 9, dtype)
    weights = None if measure == "raw" else np.random.default_rng(1).random(30)
    for eps in EPS:
        found = certify_rank(features, eps, weights=weights, measure=measure)
        exact = epsilon_rank(features, float(eps), weights=weights, measure=measure, exact=True)
        assert found.rank == int(exact)
        assert found.accepted()


def test_integer_features_and_zero_features():
    assert certify_rank([[3, 0], [0, 1], [1, 1]], 1.9, measure="raw").rank == 1
    assert certify_rank(np.zeros((4, 3)), 1e-6).rank == 0
    assert certify_rank([[2.0]], 3.9, measure="raw").rank == 1


def test_magnitudes_far_from_one():
    for scale in (1e-150, 1e150, 1e300):
        found = certify_rank(waves(20, 4) * scale, Fraction(1e-6) * Fraction(scale) ** 2)
        assert found.rank == certify_rank(waves(20, 4), 1e-6).rank


@pytest.mark.parametrize("digits", [6, 12, 40, 200])
def test_thresholds_next_to_an_eigenvalue_are_told_apart(digits):
    features = np.array([[1.0, 1.0], [0.0, 1.0]])
    # λ = (3 ± √5)/2, to as many digits as it takes.
    unit = 10**digits
    below = Fraction(3 * unit - isqrt(5 * unit * unit) - 1, 2 * unit)
    above = Fraction(3 * unit - isqrt(5 * unit * unit) + 1, 2 * unit)
    assert certify_rank(features, below, measure="raw").rank == 2
    assert certify_rank(features, above, measure="raw").rank == 1


def test_an_eigenvalue_as_threshold_has_no_certificate():
    with pytest.raises(InputError, match="is an eigenvalue of the Gram matrix, 2-fold"):
        certify_rank(np.eye(3)[:, :2], 1.0, measure="raw")


def test_rank_faults_are_refused():
    good = certify_rank(waves(), 1e-4)
    assert good.accepted()
    data, largest = good.data, 1 << good.bits
    for bad in (
        replace(good, rank=good.rank + 1),
        replace(good, rank=good.rank - 1),
        replace(good, basis=changed(good.basis, 2, 2, lambda s: s + largest)),
        replace(good, basis=good.basis[:-1]),
        replace(good, basis=(good.basis[0], *good.basis[:-1])),
        replace(good, drop=good.drop + 12),
        replace(good, cut=good.cut + 12),
        replace(good, eps=good.eps * 10**4),
        replace(good, data=replace(data, total=data.total * 10**4)),
        replace(good, data=replace(data, weights=(10**8, *data.weights[1:]))),
        replace(good, data=replace(data, neurons=(data.neurons[0][:-1], *data.neurons[1:]))),
        replace(
            good,
            data=replace(
                data, neurons=changed(data.neurons, 1, 3, lambda f: f + (1 << data.scale))
            ),
        ),
    ):
        assert not bad.accepted()


def test_an_eigenvalue_moved_across_the_threshold_is_refused():
    features = np.diag([1.0, 0.5, 0.25])
    good = certify_rank(features, 0.2, measure="raw")
    assert good.rank == 2
    moved = certify_rank(np.diag([1.0, 0.4, 0.25]), 0.2, measure="raw")
    assert moved.rank == 1
    assert not replace(good, data=moved.data).accepted()


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("norm", [0.0, 0.3, 2.0, 1000.0, 1e9])
def test_the_floor_is_close_to_what_can_be_reached(outputs, norm):
    features, goal = waves(25, 6, "float32"), targets(25, outputs)
    weights = np.random.default_rng(2).random(25)
    found = certify_floor(features, goal, norm, weights=weights)
    assert found.accepted()
    assert 0 < found.x <= found.reachable.upper
    assert found.gap <= 1e-8 * float(found.x)


def test_no_layer_in_the_ball_is_below_the_floor():
    features, goal, rng = waves(25, 6), targets(25, 2), np.random.default_rng(3)
    found = certify_floor(features, goal, 1.5)
    for _ in range(200):
        layer = rng.normal(size=(6, 2))
        layer *= 1.5 / np.linalg.norm(layer)
        assert np.sum((features @ layer - goal) ** 2) / 25 >= float(found.x)


def test_floor_faults_are_refused():
    good = certify_floor(waves(), targets(), 0.5)
    assert good.accepted()
    data, goal = good.data, good.target
    for bad in (
        replace(good, x=good.x * Fraction(1000001, 1000000)),
        replace(good, norm_squared=good.norm_squared * 4),
        replace(good, layer=changed(good.layer, 0, 1, lambda b: b + (1 << good.bits))),
        replace(good, layer=(good.layer[0][:-1],)),
        replace(good, layer=()),
        replace(good, dual_scale=2),
        replace(good, data=replace(data, total=data.total + 1)),
        replace(good, data=replace(data, weights=(0, *data.weights[1:]))),
        replace(good, target=replace(goal, level=goal.level + 1)),
        replace(good, target=replace(goal, outputs=(goal.outputs[0][:-1],))),
        replace(
            good,
            data=replace(
                data, neurons=changed(data.neurons, 0, 0, lambda f: f + (2 << data.scale))
            ),
        ),
    ):
        assert not bad.accepted()


def test_a_target_within_reach_has_no_floor():
    features = waves(20, 4)
    with pytest.raises(InputError, match="no positive bound was certified"):
        certify_floor(features, features[:, :1], 10.0)
    with pytest.raises(InputError, match="norm is infinite"):
        certify_floor(features, targets(20), np.inf)


def test_the_root_is_rounded_against_the_bound():
    for square in (Fraction(2), Fraction(1, 10**90), Fraction(10**90 + 1), Fraction(0)):
        bound = DualBound(Fraction(10**50), square)
        x = lower_end(bound, Fraction(1, 3))
        assert bound.proves(x, Fraction(1, 3))
        assert not bound.proves(x + Fraction(10**50) * Fraction(1, 10**30), Fraction(1, 3)) or (
            square == 0
        )


@pytest.mark.parametrize("norm", [1e200, 1e-200])
def test_norms_whose_squares_float64_does_not_hold(norm):
    found = certify_floor([[1.0], [0.0]], [1.0, 1.0], norm)
    assert found.norm == norm
    assert f"for ‖W‖ ≤ {norm:g}" in str(found)
    assert f"norm at most {norm:g}" in " ".join(found.to_coq("one").split())


def test_json_and_text():
    rank, floor = certify_rank(waves(), 1e-6), certify_floor(waves(), targets(), 0.5)
    for certificate in (rank, floor):
        read = json.loads(json.dumps(certificate.to_json()))
        assert int(read["data"]["neurons"][1][2], 16) == certificate.data.neurons[1][2]
        assert "Admitted" not in certificate.to_coq("one")
        for name in ("", "two words", "1st", "fun", "data"):
            with pytest.raises(InputError, match="cannot name a theorem"):
                certificate.to_coq(name)
    assert str(rank).startswith("ε-rank ")
    assert "for ‖W‖ ≤ 0.5" in str(floor)


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e300])
def test_floors_of_magnitudes_beyond_the_squares_of_float64(scale):
    usual = certify_floor(waves(), targets(), 0.5)
    found = certify_floor(waves() * scale, targets() * scale, 0.5)
    assert found.x / Fraction(scale) ** 2 == pytest.approx(usual.x, rel=1e-9)
    assert f"loss ≥ {coq_text.decimal(found.x)} for" in str(found)
    assert "inf" not in str(found)
    assert json.dumps(found.to_json(), allow_nan=False)


def test_a_budget_that_ran_out_says_so(monkeypatch):
    monkeypatch.setattr("epsrank.proofs.formal.rank_search._LAST", 64)
    features = np.array([[1.0, 1.0], [0.0, 1.0]])
    near = Fraction(3 * 10**30 - isqrt(5 * 10**60), 2 * 10**30)
    with pytest.raises(InputError, match="64 bits, the most that are spent"):
        certify_rank(features, near, measure="raw")


@pytest.mark.parametrize(
    ("eps", "text"),
    [
        (0.9999999999999999, "ε = 0.9999999999999999"),
        (1e-6, "ε = 1e-06"),
        (Fraction(1, 10**6), "ε = 1/1000000"),
        (Fraction(10) ** 400, f"ε = 1{'0' * 400}"),
    ],
)
def test_thresholds_are_printed_exactly(eps, text):
    found = certify_rank(np.eye(3), eps, measure="raw")
    assert text in str(found)
    assert f"{text} is" in found.about()


def test_rounded_decimals_reach_beyond_float64():
    assert coq_text.decimal(Fraction(1, 3)) == "0.333333"
    assert coq_text.decimal(Fraction(10) ** 700 * 2, 2) == "2.0e700"
    assert coq_text.decimal(Fraction(1, 10**700), 2) == "1e-700"


CHECK_DATA = runpy.run_path(str(DEVELOPMENT / "exported" / "check_data.py"))


@pytest.mark.parametrize("measure", ["mean", "raw", "volume"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64"])
def test_the_numbers_of_a_certificate_are_written_anew_from_the_file(dtype, measure, tmp_path):
    rng = np.random.default_rng(0)
    features = (100 * waves()).astype(dtype)
    weights = None if measure == "raw" else rng.random(len(features))
    goal = targets(outputs=2)
    rank = certify_rank(features, 1e-6, weights=weights, measure=measure)
    floor = certify_floor(features, goal, 0.5, weights=weights, measure=measure)

    def definitions(read, made, goal=None):
        about = CHECK_DATA["Certificate"]("net", made.to_json(), read, goal)
        target = "" if goal is None else CHECK_DATA["goal_of"](goal)[0]
        return about.definitions(CHECK_DATA["Numbers"](read, weights, measure), target)

    np.save(tmp_path / "phi.npy", features)
    read = CHECK_DATA["read"](str(tmp_path / "phi.npy"))
    assert definitions(read, rank) == rank.data_file()
    assert definitions(read, floor, goal) == floor.data_file()
    # One bit more anywhere is another text.
    other = read.copy()
    other[2, 1] += 1
    assert definitions(other, rank) != rank.data_file()


def test_tables_are_read_as_the_product_reads_them(tmp_path):
    text = "0.1,1e-300\n3,-2.5\n"
    for name, content in {"a.csv": text, "b.csv": f"first,second\n{text}"}.items():
        (tmp_path / name).write_text(content)
        found = CHECK_DATA["read"](str(tmp_path / name))
        assert found.tolist() == [[0.1, 1e-300], [3.0, -2.5]]


def test_export_writes_a_project(tmp_path):
    rank, floor = certify_rank(waves(), 1e-6), certify_floor(waves(), targets(), 0.5)
    written = export_project(tmp_path / "new", {"net_rank": rank, "net_floor": floor})
    names = {str(path.relative_to(tmp_path / "new")) for path in written}
    audit = (tmp_path / "new" / "audit.v").read_text()
    # The statement is read before any proof is there, and has no short name of ours.
    assert audit.index("net_floor_says : Prop") < audit.index(
        "Require EpsRank.Measurements.net_rank."
    )
    assert not re.findall(r"(?<![.\w])(epsrank|gram|phi|on_data|nrm2|qr) ", audit)
    project = (tmp_path / "new" / "_CoqProject").read_text()
    measured = ("measurements/net_rank.v", "measurements/net_rank_data.v")
    for file in ("theories/spectral.v", "theories/check_floor.v", *measured):
        assert file in names
        assert file in project.splitlines()
    assert {"Makefile", "README.md", "measurements/net_floor.json"} <= names
    assert {"audit.v", "audit.expected", "check_data.py"} <= names
    assert project.index("theories/form.v") < project.index("theories/check_rank.v")
    with pytest.raises(InputError, match="is not empty"):
        export_project(tmp_path / "new", {"net_rank": rank})
    with pytest.raises(InputError, match="are none"):
        export_project(tmp_path / "other", {})
    only = export_project(tmp_path / "floor", {"net_floor": floor})
    assert not any(path.name == "spectral.v" for path in only)
