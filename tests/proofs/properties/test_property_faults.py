"""Every property is broken by a fault planted in what it checks."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import Phase

from epsrank.numerics.operators import OperatorSystem
from epsrank.proofs.checkers.base import Context
from epsrank.proofs.checkers.searches import evidence_of
from epsrank.proofs.properties import (
    PROPERTIES,
    apriori,
    comparisons,
    continuous,
    floor_chain,
    lipschitz,
    neuron_selection,
    rank_order,
    rank_perturbation,
    rational_chain,
    routes,
)
from epsrank.proofs.testing import search
from epsrank.theory.apriori import network_floor, segments
from epsrank.theory.continuous.problem import ContinuousProblem
from epsrank.theory.floor import loss_floor
from epsrank.theory.floor.certified import chain as decide_chain
from epsrank.theory.numbers.interval import Interval
from epsrank.theory.sampling import domain
from epsrank.theory.selection import select


@pytest.fixture(autouse=True)
def _unshrunk(monkeypatch):
    """Whether a fault is found is the question; tests/proofs/testing shrink what they find."""
    monkeypatch.setattr(search, "_PHASES", (Phase.explicit, Phase.generate))


def _wrong_rank(change):
    honest = comparisons.epsilon_rank

    def wrong(features, eps, **more):
        found = honest(features, eps, **more)
        lower, upper = change(found, features, eps)
        return replace(found, lower=lower, upper=upper)

    return wrong


# A fault of the rank for each property that it must break.
_RANK_FAULTS = {
    "monotone-in-eps": lambda r, f, e: (r.lower + (e > 1), r.upper + (e > 1)),
    "monotone-in-neurons": lambda r, f, e: (max(0, 3 - f.shape[1]),) * 2,
    "monotone-in-weights": lambda r, f, e: (int(r.spectrum[0] < 2),) * 2,
    "monotone-in-data": lambda r, f, e: (max(0, 5 - f.shape[0]),) * 2,
    "bounded-by-the-trace": lambda r, f, e: (r.lower + 2, r.upper + 2),
    "invariant-under-signed-permutations": lambda r, f, e: (int(f[0, 0] > 0),) * 2,
    "invariant-under-orthogonal-mixing": lambda r, f, e: (int(f[0, 0] > 0),) * 2,
    "covariant-under-scaling": lambda r, f, e: (int(e > 0.5),) * 2,
    "bounded-under-known-mixing": lambda r, f, e: (int(e * 2**20) % 3,) * 2,
    "bounded-under-integer-mixing": lambda r, f, e: (int(e * 2**20) % 3,) * 2,
    "stable-under-perturbation": lambda r, f, e: (int(e * 2**20) % 3,) * 2,
    "stable-in-a-common-eigenbasis": lambda r, f, e: (int(np.log2(e)) % 3,) * 2,
    "subadditive": lambda r, f, e: (r.lower + (f.shape[0] > 2), r.upper + (f.shape[0] > 2)),
    "subspaces-bound-the-rank-from-below": lambda r, f, e: (0, 0),
    "exact-route-counts-exactly": lambda r, f, e: (r.lower, r.upper + 1),
    "default-route-is-never-wrong": lambda r, f, e: (r.lower + 1, r.upper + 1),
    "ties-are-not-counted": lambda r, f, e: (r.lower + 1, r.upper + 1),
    "separated-spectra-give-one-number": lambda r, f, e: (0, r.upper),
}


@pytest.mark.parametrize("name", _RANK_FAULTS)
def test_a_wrong_rank_breaks_the_property(name, monkeypatch):
    monkeypatch.setattr(comparisons, "epsilon_rank", _wrong_rank(_RANK_FAULTS[name]))
    found = evidence_of(PROPERTIES[name], Context("quick", 0))
    assert {item.state for item in found} == {"refuted"}
    assert found[0].witness["case"]


def _problem_with(**change):
    honest = rational_chain.rational_problem

    def wrong(*args):
        problem = honest(*args)
        return replace(problem, **{key: make(problem) for key, make in change.items()})

    return wrong


_FLOOR_FAULTS = {
    # A formula without its first tail term; a loss below the floor; a distance that grows.
    "tail-is-a-sum-over-eigenvalues": {
        "spectral_tails": lambda p: (*p.spectral_tails[1:], Fraction(0))
    },
    "floor-holds-exactly": {"distances": lambda p: tuple(4 * d for d in p.distances)},
    "budget-holds-exactly": {"distances": lambda p: tuple(4 * d for d in p.distances)},
    "floor-at-fixed-tail-falls-with-rank": {"distances": lambda p: p.distances[::-1]},
}


@pytest.mark.parametrize("name", _FLOOR_FAULTS)
def test_a_wrong_floor_breaks_the_property(name, monkeypatch):
    monkeypatch.setattr(rational_chain, "rational_problem", _problem_with(**_FLOOR_FAULTS[name]))
    found = evidence_of(PROPERTIES[name], Context("quick", 0))
    assert {item.state for item in found} == {"refuted"}


def _changed(attribute, change):
    """Return a maker of faulty functions: the honest result with some attributes changed."""

    def make(honest):
        def faulty(*args, **more):
            found = honest(*args, **more)
            return replace(found, **{attribute: change(getattr(found, attribute))})

        return faulty

    return make


def _respelled(spectrum, error):
    """Return a maker of faulty ranks, whose spectrum is computed and so cannot be replaced."""

    def make(honest):
        def faulty(*args, **more):
            found = honest(*args, **more)
            return SimpleNamespace(
                spectrum=spectrum(found.spectrum), spectrum_error=error(found.spectrum_error)
            )

        return faulty

    return make


def _more(honest):
    return lambda *args, **more: honest(*args, **more) + 1


def _counting_up(honest):
    def faulty(*args, **more):
        found = honest(*args, **more)
        return replace(found, lower=found.lower + 1, upper=found.upper + 1)

    return faulty


def _halved_for_large(honest):
    """Count nothing in Gram matrices of large trace."""

    def faulty(gram, eps, **more):
        found = honest(gram, eps, **more)
        return replace(found, lower=0, upper=0) if np.trace(gram) > 4 else found

    return faulty


def _without_kappa(honest):
    """Leave √κ out of the boundary rows."""

    def faulty(system, function):
        edge = ~system.stacked.inside.numpy()[:, None]
        found = honest(system, function)
        return np.where(edge, found / np.sqrt(system.stacked.kappa), found)

    return faulty


# Property, where the fault goes, and the fault.
_OTHER_FAULTS = {
    "some-neurons-carry-the-network": (
        neuron_selection,
        "_selection_factor",
        lambda honest: lambda n, p: Fraction(1, 100),
    ),
    "selections-are-as-close-as-certified": (
        select,
        "certified_distance",
        lambda honest: lambda *a: (honest(*a)[0] / 2, 0.0),
    ),
    "rational-frames-have-good-rows": (
        neuron_selection.oracle,
        "is_positive_semidefinite",
        lambda honest: lambda matrix: False,
    ),
    "segments-enclose-every-partition": (
        segments.PieceCosts,
        "advance",
        lambda honest: lambda self: honest(self) * 1.01 + 1e-6,
    ),
    "random-networks-stay-above-the-floor": (
        network_floor,
        "relu_distances",
        _changed("lower", lambda lower: 100 * lower + 1),
    ),
    "no-space-beats-the-width": (
        apriori,
        "ellipsoid_widths",
        lambda honest: lambda axes: 2 * honest(axes) + 1,
    ),
    "monotone-in-gram-matrices": (rank_order, "epsilon_rank_from_gram", _halved_for_large),
    "eigenvalues-move-by-at-most-the-norm": (
        rank_perturbation,
        "rank",
        _respelled(lambda spectrum: spectrum**2, lambda error: error),
    ),
    "leading-eigenvectors-attain-the-rank": (
        rank_perturbation.oracle,
        "shifted",
        lambda honest: lambda gram, eps: honest(gram, eps / 2),
    ),
    "subspaces-bound-the-rank-from-below": (
        rank_perturbation.oracle,
        "is_positive_definite",
        lambda honest: lambda matrix: True,
    ),
    "routes-enclose-the-spectrum": (
        routes,
        "svd_enclosure",
        _changed("upper", lambda upper: upper * 0.999),
    ),
    "reported-spectrum-is-within-its-error": (
        routes,
        "rank",
        _respelled(lambda spectrum: spectrum, lambda error: error * 1e-6),
    ),
    "gram-matrices-are-counted-right": (routes, "epsilon_rank_from_gram", _counting_up),
    "rank-at-zero-is-the-rank": (routes, "algebraic_rank", _more),
    "narrow-features-never-give-a-wrong-integer": (routes, "epsilon_rank", _counting_up),
    "float-gram-miscounts-only-below-the-floor": (
        routes,
        "gram_error_bound",
        lambda honest: lambda *a, **m: honest(*a, **m) / 1000,
    ),
    "best-fit-by-fewer-neurons-is-no-better": (
        rational_chain,
        "squared_distance",
        lambda honest: lambda columns, goals: honest(columns, goals) + len(columns),
    ),
    "reachable-loss-falls-with-the-norm": (
        floor_chain,
        "loss_floor",
        lambda honest: (
            lambda *a, **m: replace(
                honest(*a, **m), reachable_norm=honest(*a, **m).reachable_norm + m["norm"] ** 2
            )
        ),
    ),
    "readings-follow-the-certified-ratio": (
        floor_chain,
        "_result",
        lambda honest: (
            lambda case: replace(
                honest(case), verdict=replace(honest(case).verdict, lower=1.0, upper=1.0)
            )
        ),
    ),
    "floor-is-attained-exactly": (
        rational_chain,
        "attaining_family",
        _changed("target", lambda target: np.nextafter(target, np.inf)),
    ),
    "tail-is-bounded-in-float64": (
        floor_chain,
        "tail",
        _changed("norms", lambda norms: norms * 1.01 + 1e-6),
    ),
    "library-tail-is-the-rational-tail": (
        floor_chain,
        "tail",
        _changed("norms", lambda norms: norms * (1 + 1e-9)),
    ),
    "library-distances-fall": (
        floor_chain,
        "loss_floor",
        _changed("distances", lambda distances: distances[::-1]),
    ),
    "integrals-enclosed": (continuous, "continuous_gram", _changed("joint", lambda j: j * 1.001)),
    "continuous-chain": (
        ContinuousProblem,
        "loss",
        lambda _: lambda problem, beta: Interval(Fraction(0), Fraction(0)),
    ),
    "operator-features-are-the-closed-forms": (OperatorSystem, "features", _without_kappa),
    "operator-loss-is-a-norm-above-its-floor": (OperatorSystem, "features", _without_kappa),
    "operator-chain-holds-in-balls": (
        decide_chain,
        "floor_squared",
        lambda honest: (
            lambda *a: Interval(*(end + 1 for end in (honest(*a).lower, honest(*a).upper)))
        ),
    ),
    "cross-entropy-stays-above-its-floors": (
        lipschitz,
        "convex_floor",
        _changed("reachable", lambda reachable: 1.05 * reachable + 1e-3),
    ),
    "lipschitz-losses-stay-above-their-floors": (
        lipschitz,
        "lipschitz_floor",
        _changed("floor", lambda floor: floor + 0.5),
    ),
    "cross-entropy-has-slope-root-two": (
        lipschitz,
        "ball_loss",
        lambda honest: lambda *a: honest(*a) * 3 / 2,
    ),
    # Bounds over boxes that are only those at their centres.
    "suprema-over-boxes": (
        domain,
        "largest_square",
        lambda honest: lambda found, radii: (honest(found, 0 * radii)[0],) * 2,
    ),
}


@pytest.mark.parametrize("name", _OTHER_FAULTS)
def test_a_fault_elsewhere_breaks_the_property(name, monkeypatch):
    module, attribute, fault = _OTHER_FAULTS[name]
    monkeypatch.setattr(module, attribute, fault(getattr(module, attribute)))
    found = evidence_of(PROPERTIES[name], Context("quick", 0))
    assert {item.state for item in found} == {"refuted"}


def test_no_property_goes_without_a_fault():
    tested = {*_RANK_FAULTS, *_FLOOR_FAULTS, *_OTHER_FAULTS}
    tested |= {"chain-holds-in-float64", "chain-holds-in-balls", "budget-of-the-loss-reached"}
    # In tests/proofs/checkers/test_pretraining.py.
    tested |= {"structured-layers-keep-the-initial-rank"}
    refutable = {name for name, prop in PROPERTIES.items() if prop.refutable}
    assert set(PROPERTIES) == tested | refutable


def test_an_inflated_envelope_breaks_the_float_chain(monkeypatch):
    honest = loss_floor.envelope
    monkeypatch.setattr(loss_floor, "envelope", lambda data, norm: 1.01 * honest(data, norm))
    found = evidence_of(PROPERTIES["chain-holds-in-float64"], Context("quick", 0))
    assert {item.state for item in found} == {"refuted"}


def test_an_inflated_floor_breaks_the_ball_chain(monkeypatch):
    honest = decide_chain.floor_squared
    monkeypatch.setattr(
        decide_chain,
        "floor_squared",
        lambda d, t, b, p: honest(d, Interval(t.lower / 4, t.upper / 4), b, p),
    )
    found = evidence_of(PROPERTIES["chain-holds-in-balls"], Context("quick", 0))
    assert {item.state for item in found} == {"refuted"}


def test_a_budget_that_asks_too_much_is_caught(monkeypatch):
    honest = floor_chain.loss_floor

    def greedy(*args, **more):
        found = honest(*args, **more)
        budget = tuple(replace(b, rank=found.n_features) for b in found.rank_budget)
        return replace(found, rank_budget=budget)

    monkeypatch.setattr(floor_chain, "loss_floor", greedy)
    found = evidence_of(PROPERTIES["budget-of-the-loss-reached"], Context("quick", 0))
    assert {item.state for item in found} == {"refuted"}
