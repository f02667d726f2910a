"""Sketches of wide layers: every interval encloses the truth, and says something."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from epsrank.numerics.gram.few_rows import FewRows
from epsrank.numerics.monitor import RankMonitor
from epsrank.numerics.monitor.measuring import settings
from epsrank.numerics.monitor.measuring.layer_numbers import layer_numbers
from epsrank.numerics.monitor.measuring.settings import as_settings
from epsrank.numerics.monitor.numbers import sketch
from epsrank.numerics.monitor.numbers.quantities import quantities
from epsrank.numerics.monitor.numbers.sketch import sketch_spectrum
from epsrank.numerics.monitor.numbers.sketched import SketchedProblem, sketched_quantities
from epsrank.theory.rank.of_gram import GramProblem
from epsrank.theory.rank.problem import Thresholds

N = 90
ORDER = np.arange(1.0, N + 1)
SPECTRA = {
    "flat": np.ones(N),
    "polynomial": 1 / ORDER,
    "squares": ORDER**-2,
    "geometric": 10.0 ** -np.linspace(0, 12, N),
    "few": np.r_[np.full(12, 2.0), np.full(N - 12, 1e-9)],
    "one and many": np.r_[100.0, np.linspace(2, 0.01, N - 1)],
    "rank one": np.r_[3.0, np.zeros(N - 1)],
    "pairs": np.repeat(10.0 ** -np.linspace(0, 8, N // 2), 2),
    "zero": np.zeros(N),
}
DIMENSIONS = ("effective_rank", "rankme", "entropy_rank")


def matrix(spectrum, seed=0):
    """Return a matrix with that spectrum, and what rounding may have done to it."""
    frame = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(spectrum),) * 2))[0]
    gram = (frame * spectrum) @ frame.T
    return (gram + gram.T) / 2, 1e-14 * float(spectrum.sum()) + 1e-300


def check(spectrum, ritz=20, seed=0):
    """Compare everything that a sketch says with the spectrum that the matrix was made of."""
    gram, error = matrix(spectrum, seed)
    found = sketch_spectrum(gram, error, ritz)
    assert (found.enclosure.lower <= spectrum).all()
    assert (spectrum <= found.enclosure.upper).all()
    assert (found.enclosure.lower <= found.enclosure.values).all()
    assert (found.enclosure.values <= found.enclosure.upper).all()
    assert (np.diff(found.enclosure.upper) <= 0).all()
    assert found.trace[0] <= spectrum.sum() <= found.trace[1]
    assert found.squares[0] <= spectrum @ spectrum <= found.squares[1]
    full = quantities(spectrum, 0.0, np.ones(len(spectrum)))
    own = sketched_quantities(found, np.sign(spectrum))
    for name in DIMENSIONS:
        lower, upper = getattr(own, f"{name}_lower"), getattr(own, f"{name}_upper")
        assert lower * (1 - 1e-9) <= getattr(full, name) <= upper * (1 + 1e-9), name
        value = getattr(own, name)
        assert value is None or lower <= value <= upper
    assert own.stable_rank == pytest.approx(own.trace / own.largest if spectrum[0] else 0.0)
    assert own.participation_ratio == pytest.approx(full.participation_ratio, rel=1e-6)
    assert own.trace == pytest.approx(full.trace, rel=1e-6)
    assert abs(own.largest - full.largest) <= own.spectrum_error
    if full.condition_lower is not None:
        assert own.condition_lower <= full.condition_lower * (1 + 1e-9)
    problem = GramProblem(gram, error)
    for eps in (1e-9, 1e-6, 1e-3, 0.1, 1.5):
        [absolute] = SketchedProblem(problem, found).decide(Thresholds((eps,)))
        assert absolute.lower <= np.count_nonzero(spectrum > eps) <= absolute.upper
        if spectrum[0] > 0:
            [relative] = SketchedProblem(problem, found).decide(Thresholds((eps,), relative=True))
            count = np.count_nonzero(spectrum > eps * spectrum[0])
            assert relative.lower <= count <= relative.upper
    return found, own


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("ritz", [1, 20, 60])
def test_known_spectra_are_enclosed(name, ritz):
    check(SPECTRA[name], ritz)


@given(
    st.lists(st.floats(-14, 3), min_size=5, max_size=25),
    st.integers(1, 12),
    st.integers(0, 10**6),
)
def test_any_spectrum_is_enclosed(exponents, ritz, seed):
    spectrum = np.sort(10.0 ** np.array(exponents))[::-1]
    gram, error = matrix(spectrum, seed)
    found = sketch_spectrum(gram, error, ritz, seed)
    assert (found.enclosure.lower <= spectrum).all()
    assert (spectrum <= found.enclosure.upper).all()
    own = sketched_quantities(found, np.ones(len(spectrum)))
    full = quantities(spectrum, 0.0, np.ones(len(spectrum)))
    for name in DIMENSIONS:
        lower, upper = getattr(own, f"{name}_lower"), getattr(own, f"{name}_upper")
        assert lower * (1 - 1e-9) <= getattr(full, name) <= upper * (1 + 1e-9), name


def test_intervals_are_narrow_where_the_sketch_holds_the_spectrum():
    found, own = check(SPECTRA["few"])
    assert found.ritz == 20
    # Twelve leading eigenvalues to the rounding of a scalar, and the rest from above.
    assert np.ptp([found.enclosure.lower[:12], found.enclosure.upper[:12]]) < 1e-8
    assert found.enclosure.upper[20] < 1.1e-9 + 1e-12
    assert own.effective_rank == pytest.approx(12, rel=0.01)
    assert own.sketched == 20.0
    gram, error = matrix(SPECTRA["few"])
    [decision] = SketchedProblem(GramProblem(gram, error), found).decide(Thresholds((1e-6,)))
    assert (decision.lower, decision.upper, decision.route) == (12, 12, "sketch")
    assert "20 eigenvalues" in decision.reason


def test_a_wide_interval_has_no_middle():
    _, own = check(SPECTRA["one and many"], 4)
    assert own.effective_rank is None
    assert own.effective_rank_lower < 0.8 * own.effective_rank_upper


def test_a_count_that_is_not_decided_stays_an_interval():
    spectrum = np.r_[np.ones(3), np.full(4, 1e-3), np.full(N - 7, 1e-7)]
    gram, _ = matrix(spectrum)
    error = 5e-4
    found = sketch_spectrum(gram, error, 20)
    [decision] = SketchedProblem(GramProblem(gram, error), found).decide(Thresholds((1e-3,)))
    assert (decision.lower, decision.upper) == (3, 7)
    assert decision.route == "sketch+inertia"


def test_the_error_of_the_matrix_is_part_of_every_interval():
    spectrum = SPECTRA["squares"]
    gram, _ = matrix(spectrum)
    moved = gram + 1e-3 * np.eye(N)
    found = sketch_spectrum(moved, 1.001e-3, 20)
    assert (found.enclosure.lower <= spectrum).all()
    assert (spectrum <= found.enclosure.upper).all()
    assert found.trace[0] <= spectrum.sum() <= found.trace[1]


def test_a_matrix_without_a_bound_says_nothing():
    gram, _ = matrix(SPECTRA["squares"])
    found = sketch_spectrum(gram, np.inf, 20)
    problem = GramProblem(gram, np.inf)
    [decision] = SketchedProblem(problem, found).decide(Thresholds((1e-3,)))
    assert (decision.lower, decision.upper) == (0, N)
    own = sketched_quantities(found, np.ones(N))
    assert (own.rankme, own.sketched, own.spectrum_error) == (None, 0.0, np.finfo(float).max)


def test_the_same_seed_gives_the_same_bits():
    gram, error = matrix(SPECTRA["polynomial"])
    one, two = (sketch_spectrum(gram, error, 20, seed=3) for _ in range(2))
    assert np.array_equal(one.enclosure.upper, two.enclosure.upper)
    assert np.array_equal(one.enclosure.lower, two.enclosure.lower)


def test_quantities_come_back_in_the_units_of_the_matrix():
    gram, error = matrix(SPECTRA["few"])
    found = sketch_spectrum(gram, error, 20)
    one = sketched_quantities(found, np.ones(N))
    two = sketched_quantities(found, np.ones(N), Fraction(2) ** 900)
    assert two.largest == one.largest * 2.0**900
    assert two.trace == pytest.approx(one.trace * 2.0**900)
    assert two.participation_ratio == one.participation_ratio


def test_planted_a_basis_that_is_none(monkeypatch):
    """A sketch that is handed nonsense says less, and nothing false."""
    ritz = sketch._ritz

    def crooked(gram, count, seed):
        values, vectors = ritz(gram, count, seed)
        return values, vectors + 0.5 * np.roll(vectors, 1, axis=1)

    monkeypatch.setattr(sketch, "_ritz", crooked)
    found, own = check(SPECTRA["flat"])
    assert found.ritz == 0
    assert own.effective_rank is None

    def wrong(gram, count, seed):
        values, vectors = ritz(gram, count, seed)
        return values * 0.5, vectors

    monkeypatch.setattr(sketch, "_ritz", wrong)
    for name in ("squares", "few", "geometric"):
        check(SPECTRA[name])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_largest_of_rest", lambda gram, values, vectors, size, rest: 1e-3 * rest),
        ("_residuals", lambda gram, values, vectors, size: (0.0, np.zeros(len(values)), 0.0)),
    ],
)
def test_planted_bounds_that_are_too_small_are_seen(monkeypatch, name, value):
    monkeypatch.setattr(sketch, name, value)
    with pytest.raises(AssertionError):
        check(SPECTRA["one and many"], 8)


def wide_settings(**given):
    base = {
        "eps": (1e-6,), "relative": False, "measure": "mean", "quantities": "auto", "loss": None,
        "bias": "feature", "forgetting": None, "max_samples": 2048,
    }  # fmt: skip
    return as_settings(**(base | given))


def test_a_wide_layer_is_sketched_and_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(settings, "WIDE", 40)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 64), torch.nn.Tanh(), torch.nn.Linear(64, 1))
    probe = torch.randn(300, 3)
    found = {}
    for choice in ("auto", "all"):
        with RankMonitor(model, probe=probe, every=1, quantities=choice, eps=1e-3) as monitor:
            [found[choice]] = monitor.step()
    own, full = found["auto"].quantities, found["all"].quantities
    assert own.sketched == 63.0
    assert full.sketched is full.rankme_lower is None
    for name in DIMENSIONS:
        lower, upper = getattr(own, f"{name}_lower"), getattr(own, f"{name}_upper")
        assert lower <= getattr(full, name) * (1 + 1e-6)
        assert getattr(full, name) <= upper * (1 + 1e-6)
    assert [(r.lower, r.upper) for r in found["auto"].ranks] == [
        (r.lower, r.upper) for r in found["all"].ranks
    ]
    monitor.history.append([found["auto"]])
    monitor.history.to_parquet(tmp_path / "wide.parquet")
    assert type(monitor.history).read(tmp_path / "wide.parquet")[-1].quantities == own


def test_few_rows_of_a_wide_layer_have_their_whole_spectrum(monkeypatch):
    monkeypatch.setattr(settings, "WIDE", 40)
    rows = torch.randn(20, 100, generator=torch.Generator().manual_seed(0))
    few = FewRows(100)
    few.update(rows)
    ranks, own, _ = layer_numbers(few, wide_settings())
    assert own.sketched is None
    assert own.rankme is not None
    assert (ranks[0].lower, ranks[0].upper) == (20, 20)


@pytest.mark.parametrize(("eps", "right"), [(1 - 2**-53, 1), (1.0, 0), (1e300, 0)])
def test_nothing_is_above_the_largest_eigenvalue(eps, right):
    gram = np.diag(np.geomspace(3.0, 1e-9, 40))
    problem = SketchedProblem(GramProblem(gram, 1e-12), sketch_spectrum(gram, 1e-12))
    [found] = problem.decide(Thresholds((eps,), relative=True))
    assert (found.lower, found.upper) == (right, right)
