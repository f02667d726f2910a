"""The float64 chain of `loss_floor` and the attaining family, held against certificates."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from epsrank.theory.floor.certified.attaining import attaining_family
from epsrank.theory.floor.certified.audit import audit
from epsrank.theory.floor.certified.certificate import certify_chain
from epsrank.theory.floor.loss_floor import loss_floor

TINY = Fraction(1, 10**30)


def network(n, outputs, slope, seed):
    rng = np.random.default_rng(seed)
    x = np.linspace(-1, 1, 200)[:, None]
    features = np.tanh(slope * x * rng.standard_normal(n) + rng.standard_normal(n))
    features = np.hstack([features, np.ones((200, 1))])
    target = np.cos(np.pi * x * np.arange(1, outputs + 1)) + 0.3 * np.cos(30 * x)
    return features, target, rng


@pytest.mark.parametrize("slope", [0.3, 3.0, 30.0])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("fit", ["random", "ridge", "least squares"])
def test_loss_floor_agrees_with_the_certificate(slope, outputs, fit):
    features, target, rng = network(12, outputs, slope, seed=outputs)
    coefficients = rng.standard_normal((13, outputs))
    if fit == "ridge":
        gram = features.T @ features / 200 + 1e-5 * np.eye(13)
        coefficients = np.linalg.solve(gram, features.T @ target / 200)
    elif fit == "least squares":
        coefficients = np.linalg.lstsq(features, target, rcond=None)[0]
    computed = loss_floor(features, target, eps=1e-6, coefficients=coefficients)
    certificate = certify_chain(features, target, coefficients, 1e-6)
    assert certificate.holds
    assert all(certificate.separated)
    assert computed.rank.lower <= certificate.rank_lower == certificate.rank_upper
    assert certificate.rank_upper <= computed.rank.upper
    # What loss_floor states of its own rounding is a bound on norms.
    verdicts = audit(
        certificate,
        loss=computed.loss_norm**2,
        reachable=computed.reachable_norm**2,
        envelope=computed.envelope_norm**2,
        spectrum=computed.spectrum,
        rtol=1e-12,
        norm_tolerance=computed.tolerance,
    )
    assert len(verdicts) == 4
    assert all(verdict.holds for verdict in verdicts), verdicts
    # The allowance is no licence: a loss that is off by more is caught.
    wrong = (computed.loss_norm + 2 * computed.tolerance + 1e-9) ** 2
    (verdict,) = audit(certificate, loss=wrong, norm_tolerance=computed.tolerance, rtol=1e-12)
    assert verdict.state == "violated"


@pytest.mark.parametrize("n", [2, 5, 9])
@pytest.mark.parametrize("seed", range(3))
def test_attaining_family_leaves_no_room(n, seed):
    rng = np.random.default_rng([n, seed])
    rank = int(rng.integers(0, n))
    eps = float(10.0 ** rng.integers(-8, 1))
    norm = float(rng.uniform(0.1, 5))
    family = attaining_family(n, rank, eps, norm, 2 * np.sqrt(eps) * norm, generator=seed)
    certificate = certify_chain(
        family.features,
        family.target,
        family.coefficients,
        family.eps,
        weights=family.weights,
        measure="raw",
    )
    assert certificate.holds, certificate.reason
    assert certificate.rank_lower == certificate.rank_upper == rank
    for verdict in certificate.verdicts:
        assert verdict.state == "within enclosure"
        assert verdict.slack <= TINY * certificate.target_norm_squared
    # Any shorter vector does worse, and the floor says so: raise the target, and equality is lost.
    beside = certify_chain(
        family.features,
        family.target,
        0.5 * family.coefficients,
        family.eps,
        weights=family.weights,
        measure="raw",
    )
    assert beside.holds
    assert beside.loss > certificate.loss
