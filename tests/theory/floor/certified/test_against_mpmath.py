"""The certificate against an independent transcription of the formulas in mpmath."""

from __future__ import annotations

import numpy as np
import pytest

from epsrank.theory.floor.certified.certificate import certify_chain

mp = pytest.importorskip("mpmath")

KINDS = ("gaussian", "integers", "repeated column", "scaled columns", "rank one")


def draw(kind, seed):
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    n, n_samples, outputs = (int(rng.integers(*span)) for span in ((1, 6), (1, 8), (1, 3)))
    features = rng.standard_normal((n_samples, n))
    if kind == "integers":
        features = np.round(2 * features)
    elif kind == "repeated column":
        features[:, -1] = features[:, 0]
    elif kind == "scaled columns":
        features = features * 10.0 ** rng.integers(-12, 3, n)
    elif kind == "rank one":
        features = np.outer(features[:, 0], rng.standard_normal(n))
    target = rng.standard_normal((n_samples, outputs))
    coefficients = rng.standard_normal((n, outputs)) * 10.0 ** rng.integers(-3, 4)
    if seed % 3 == 0:
        coefficients = np.linalg.lstsq(features, target, rcond=None)[0]
    return features, target, coefficients, 10.0 ** rng.integers(-8, 1)


def holds(value, interval, slack):
    low = mp.mpf(interval.lower.numerator) / interval.lower.denominator
    high = mp.mpf(interval.upper.numerator) / interval.upper.denominator
    margin = slack * (1 + abs(value))
    return low - margin <= value <= high + margin


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_every_enclosure_holds_the_reference_value(kind, seed):
    features, target, coefficients, eps = draw(kind, seed)
    certificate = certify_chain(features, target, coefficients, eps, precision=128)
    assert certificate.holds
    with mp.workdps(120):
        n_samples, n = features.shape
        a, y = mp.matrix(features.tolist()), mp.matrix(target.tolist())
        values, vectors = mp.eigsy(a.T * a / n_samples)
        order = sorted(range(n), key=lambda k: -values[k])
        eigenvalues = [values[k] for k in order]
        projections = (vectors.T * (a.T * y)) / n_samples
        moments = [sum(x**2 for x in projections[k, :]) for k in order]
        for value, interval in zip(eigenvalues, certificate.spectrum, strict=True):
            assert holds(value, interval, mp.mpf(10) ** -60)
        positive = [
            (value, moment)
            for value, moment in zip(eigenvalues, moments, strict=True)
            if value > eigenvalues[0] * mp.mpf(10) ** -80
        ]
        distance = sum(x**2 for x in y) / n_samples
        for p in range(n + 1):
            if 0 < p <= len(positive):
                distance -= positive[p - 1][1] / positive[p - 1][0]
            if certificate.separated[p]:
                assert holds(distance, certificate.distances_squared[p], mp.mpf(10) ** -40)
        total = sum(x**2 for x in y) / n_samples
        budget = mp.mpf(certificate.norm_squared.numerator) / certificate.norm_squared.denominator
        value = reachable(positive, total, budget)
        assert holds(value, certificate.reachable, mp.mpf(10) ** -40)
        assert float(certificate.reachable.width) <= 1e-28 * float(total)


def reachable(pairs, total, budget):
    """Return V(B) by bisection of the secular equation."""

    def length(mu):
        return sum(moment / (value + mu) ** 2 for value, moment in pairs)

    if not pairs or length(mp.mpf(0)) <= budget:
        return total - sum(moment / value for value, moment in pairs)
    low, high = mp.mpf(0), mp.sqrt(sum(moment for _, moment in pairs) / budget)
    for _ in range(500):
        middle = (low + high) / 2
        low, high = (middle, high) if length(middle) > budget else (low, middle)
    return total - sum(moment / (value + low) for value, moment in pairs) - low * budget
