"""The block LDLᵀ: right counts, an error that covers, faults that are refused, and the fallback."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from epsrank.theory.data.exact_gram import exact_gram_of_matrix
from epsrank.theory.rank.routes import block_ldl
from epsrank.theory.rank.routes import inertia as inertia_route
from epsrank.theory.rank.routes.ball import ball_count
from epsrank.theory.rank.routes.block_ldl import block_inertia
from epsrank.theory.rank.routes.inertia import inertia_bounds

from .cases import with_spectrum

SPECTRA = {
    "decades": lambda n: np.geomspace(1, 1e-12, n),
    "clusters": lambda n: np.repeat([1.0, 1e-3, 1.01e-3, 1e-9], -(-n // 4))[:n],
    "flat": lambda n: np.linspace(1, 2, n),
    "indefinite": lambda n: np.linspace(-1, 1, n) + 1e-3,
    "negative": lambda n: -np.linspace(1, 2, n),
    "zeros": np.zeros,
}


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 128, 129, 333])
@pytest.mark.parametrize("kind", SPECTRA)
def test_counts_lie_between_those_of_the_moved_thresholds(n: int, kind: str) -> None:
    matrix = with_spectrum(SPECTRA[kind](n))
    values = np.linalg.eigvalsh(matrix)
    solver = 1e-12 * (1 + np.abs(values).max())
    for theta in (1e-7, 3.1e-4, 1.0047e-3, 0.5, 1.4999, -0.25):
        found = block_inertia(matrix, theta)
        if found is None:  # only where the shift hits an eigenvalue of a block
            continue
        count, error = found
        assert count <= np.count_nonzero(values > theta - error - solver)
        assert count >= np.count_nonzero(values > theta + error + solver)
        if kind != "indefinite":
            assert error < 1e-8


@pytest.mark.parametrize("seed", range(6))
def test_the_bound_holds_against_balls_beside_an_eigenvalue(seed: int) -> None:
    matrix = with_spectrum(np.geomspace(1, 1e-10, 70), seed)
    gram = exact_gram_of_matrix(matrix)
    value = float(np.sort(np.linalg.eigvalsh(matrix))[30 + seed])
    for theta in (value, value * (1 + 1e-9), value * (1 - 1e-7)):
        found = block_inertia(matrix, theta)
        assert found is not None
        ends = [
            ball_count(gram, gram.threshold(Fraction(theta) + sign * Fraction(found[1])))[0]
            for sign in (1, -1)
        ]
        assert None not in ends
        assert ends[0] <= found[0] <= ends[1]


@pytest.mark.parametrize("fault", ["value", "vector", "basis", "nan", "failure"])
def test_wrong_eigenpairs_of_a_block_are_refused(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = with_spectrum(np.geomspace(1, 1e-8, 200))
    right = block_ldl.lapack.dsyevd

    def wrong(head: Any, **options: Any) -> Any:
        values, vectors, info = right(head, **options)
        if fault == "value":
            values[-1] *= -1
        elif fault == "vector":
            vectors[:, [0, -1]] = vectors[:, [-1, 0]]
        elif fault == "basis":
            vectors[:, 0] = vectors[:, 1]
        elif fault == "nan":
            vectors[0, 0] = np.nan
        return values, vectors, int(fault == "failure") or info

    theta = 1.1e-4
    truth = int(np.count_nonzero(np.geomspace(1, 1e-8, 200) > theta))
    honest = block_inertia(matrix, theta)
    assert honest is not None
    assert honest[0] == truth
    assert honest[1] < 1e-10
    monkeypatch.setattr(block_ldl.lapack, "dsyevd", wrong)
    found = block_inertia(matrix, theta)
    assert found is None or found[1] > 1e-2
    assert inertia_bounds(matrix, 0.0, theta, theta) == (truth, truth)  # by Bunch–Kaufman


def recorded_shifts(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    shifts: list[float] = []
    right = inertia_route.block_inertia
    monkeypatch.setattr(
        inertia_route,
        "block_inertia",
        lambda matrix, shift: shifts.append(shift) or right(matrix, shift),
    )
    return shifts


def test_growth_is_seen_and_avoided_at_a_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    # The leading block has eigenvalues next to a shift, and the matrix is not semidefinite.
    n = 128
    matrix = np.zeros((n, n))
    matrix[:64, 64:] = with_spectrum(np.linspace(1, 2, 64))
    matrix += matrix.T
    np.fill_diagonal(matrix, 1 + 1e-14)
    found = block_inertia(matrix, 1.0)
    assert found is None or found[1] > 1e-3
    shifts = recorded_shifts(monkeypatch)
    assert inertia_bounds(matrix, 0.0, 1.0, 1.0) == (64, 64)
    close, wide, *others = np.array(shifts) - 1
    assert close < 1e-5
    assert wide >= 1e-3
    assert np.all(np.array(others) <= -1e-3)  # what failed above is not tried below


def test_room_is_left_for_the_factorisation_where_the_matrix_is_uncertain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # With t = 0.05 the first attempts are made further away than t, and both are certified.
    shifts = recorded_shifts(monkeypatch)
    matrix = with_spectrum(np.repeat([1.0, 1e-3], 100))
    assert inertia_bounds(matrix, 0.05, 0.3, 0.3) == (100, 100)
    assert len(shifts) == 2
    assert shifts[0] > 0.35
    assert shifts[1] < 0.25


def test_a_definite_matrix_takes_one_factorisation(monkeypatch: pytest.MonkeyPatch) -> None:
    shifts = recorded_shifts(monkeypatch)
    assert inertia_bounds(with_spectrum(np.linspace(1, 2, 200)), 0.0, 0.5, 0.5) == (200, 200)
    assert len(shifts) == 1


@pytest.mark.parametrize("power", [-60, 60])
def test_any_reasonable_scale(power: int) -> None:
    matrix = with_spectrum(np.geomspace(1, 1e-6, 150)) * 2.0**power
    found = block_inertia(matrix, 1.01e-3 * 2.0**power)
    assert found is not None
    assert found[0] == np.count_nonzero(np.geomspace(1, 1e-6, 150) > 1.01e-3)
    assert found[1] < 1e-9 * 2.0**power


def test_overflow_is_no_answer() -> None:
    assert block_inertia(with_spectrum(np.geomspace(1, 1e-3, 130)) * 1e200, 1e198) is None
