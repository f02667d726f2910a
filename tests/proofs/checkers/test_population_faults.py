"""The checkers of C3 and C4 see planted faults: wrong thresholds, leverage, remainders, poles."""

from __future__ import annotations

import numpy as np
import pytest
from flint import arb

from epsrank.numerics.training import RunConfig, train
from epsrank.proofs.checkers import continuous, sampling, sampling_exact
from epsrank.proofs.checkers.base import Context
from epsrank.proofs.instances.networks import TrainedNetwork
from epsrank.proofs.instances.populations import atoms, populations
from epsrank.proofs.properties import PROPERTIES, search
from epsrank.theory.continuous import gram as gram_module
from epsrank.theory.continuous import pieces as pieces_module
from epsrank.theory.continuous.ellipse import bounds_on_ellipse
from epsrank.theory.sampling import population as population_module
from epsrank.theory.sampling.thresholds import Relative

QUICK = Context("quick")

_integrals = {}


@pytest.fixture
def integrals(monkeypatch):
    """Let FLINT integrate each function once: it takes most of the time, and no fault is in it."""
    honest = continuous.integral

    def integral(system, *where):
        key = (repr(system.network.to_json()), *where)
        if key not in _integrals:
            _integrals[key] = honest(system, *where)
        return _integrals[key]

    monkeypatch.setattr(continuous, "integral", integral)


@pytest.fixture
def tight(monkeypatch):
    """One law whose second eigenvalue is a hair above ε, and enough trials to judge it."""
    law = atoms("tight", np.diag([1.0, 0.05]), np.array([0.6, 0.4]), 0.99e-3)
    monkeypatch.setattr(sampling, "populations", lambda: (law,))
    monkeypatch.setattr(sampling, "_SIZES", {"quick": (60, (100,))})
    monkeypatch.setattr(sampling, "_RESAMPLES", 2)


@pytest.mark.usefixtures("tight")
def test_honest_coverage_passes_and_thresholds_without_margin_are_caught(monkeypatch):
    (honest,) = sampling.check_coverage("tight", QUICK)
    assert honest.state == "passed"

    def bare(eps, ridge, n_samples, dimension, kappa, delta):
        return Relative(kappa, 0.0, 0.0, eps, eps)

    monkeypatch.setattr(population_module, "relative", bare)
    (faulty,) = sampling.check_coverage("tight", QUICK)
    assert faulty.state == "refuted"
    assert faulty.witness is not None


def test_a_guarantee_that_trusts_the_sample_is_caught(monkeypatch):
    (honest,) = sampling.check_unseen(QUICK)
    assert honest.state == "passed"
    law = sampling.unseen(600)
    monkeypatch.setattr(sampling, "unseen", lambda n: atoms("x", np.eye(3), _masses(law), law.eps))
    monkeypatch.setattr(
        type(law), "ask", lambda self, features, confidence, **_: _blind(self, features)
    )
    (faulty,) = sampling.check_unseen(QUICK)
    assert faulty.state == "refuted"


def _masses(law):
    return np.diag(law.gram)


def _blind(law, features):
    return population_module.population_rank(features, law.eps, resamples=2)


@pytest.fixture
def one_network(monkeypatch):
    law = next(law for law in populations() if law.name.startswith("structured"))
    monkeypatch.setattr(sampling_exact, "populations", lambda: (law,))


@pytest.mark.usefixtures("one_network")
def test_too_few_samples_for_the_leverage_are_caught(monkeypatch):
    (honest,) = sampling_exact.check_sandwich(QUICK)
    assert honest.state == "passed"
    enough = sampling_exact.sufficient_samples
    monkeypatch.setattr(sampling_exact, "sufficient_samples", lambda *a: enough(*a) // 100)
    (faulty,) = sampling_exact.check_sandwich(QUICK)
    assert faulty.state == "refuted"
    assert faulty.witness["population"].startswith("structured")


@pytest.mark.usefixtures("integrals")
def test_a_forgotten_remainder_is_caught(monkeypatch):
    (honest,) = continuous.check_integrals(QUICK)
    assert honest.state == "passed"
    monkeypatch.setattr(gram_module, "_nodes_for", lambda piece, bits: 8)
    monkeypatch.setattr(gram_module, "remainder", lambda half, nodes: arb(0))
    (faulty,) = continuous.check_integrals(QUICK)
    assert faulty.state == "refuted"


def test_the_property_of_integrals_sees_a_forgotten_remainder(monkeypatch):
    monkeypatch.setattr(gram_module, "_nodes_for", lambda piece, bits: 8)
    monkeypatch.setattr(gram_module, "remainder", lambda half, nodes: arb(0))
    found = search(PROPERTIES["integrals-enclosed"], max_examples=200, seed=0)
    assert found.counterexample is not None


@pytest.mark.usefixtures("integrals")
def test_ignored_poles_are_caught(monkeypatch):
    def blind(system, left, right, columns):
        found = bounds_on_ellipse(system, left, right, columns)
        return [arb(1)] * system.size if found is None else found

    monkeypatch.setattr(pieces_module, "bounds_on_ellipse", blind)
    (faulty,) = continuous.check_integrals(QUICK)
    assert faulty.state == "refuted"


def test_a_trained_network_passes_and_a_wrong_loss_is_caught(tmp_path, monkeypatch):
    name = "cosines 1×6"
    train(RunConfig(width=6, depth=1, steps=40, n_train=40, device="cpu"), tmp_path / "run")
    network = TrainedNetwork(name, 6, folder=tmp_path / "run")
    context = Context("quick", 0, {name: network})
    (honest,) = continuous.check_network(name, context)
    assert honest.state == "passed"
    problem = continuous.continuous_floor.__globals__["ContinuousProblem"]
    loss = problem.loss
    # As if the network had no error: then the floor is above its loss.
    monkeypatch.setattr(problem, "loss", lambda self, beta: type(loss(self, beta))(0, 0))
    (faulty,) = continuous.check_network(name, context)
    assert faulty.state == "refuted"
    assert faulty.witness is not None
