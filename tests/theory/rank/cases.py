"""One table of feature matrices, crossed with all routes and dtypes by the tests of the rank."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from epsrank.theory.data.exact_gram import exact_gram
from epsrank.theory.data.inputs import as_features
from epsrank.theory.data.measure import as_measure
from epsrank.theory.rank.routes.exact import exact_count

Maker = Callable[[np.random.Generator, int, int], np.ndarray[Any, Any]]

KINDS: dict[str, Maker] = {
    "gaussian": lambda g, m, n: g.standard_normal((m, n)),
    "tanh neurons": lambda g, m, n: np.tanh(
        np.linspace(-1, 1, m)[:, None] * g.uniform(-2, 2, n) + g.uniform(-1, 1, n)
    ),
    "graded columns": lambda g, m, n: g.standard_normal((m, n)) * 10.0 ** g.uniform(-30, 0, n),
    "duplicates": lambda g, m, n: g.standard_normal((m, n))[:, g.integers(0, n, n)],
    "dyadic": lambda g, m, n: np.round(g.standard_normal((m, n)) * 4) / 4,
    "any scale": lambda g, m, n: g.standard_normal((m, n)) * 10.0 ** g.uniform(-160, 150),
    "rank one and noise": lambda g, m, n: (
        np.outer(g.standard_normal(m), g.standard_normal(n)) + 1e-9 * g.standard_normal((m, n))
    ),
    "monomials": lambda g, m, n: np.vander(np.linspace(-1, 1, m), n),
    "integers": lambda g, m, n: g.integers(-3, 4, (m, n)).astype(float),
    "powers of two": lambda g, m, n: np.eye(max(m, n))[:m, :n] * 2.0 ** g.integers(-12, 3, n),
    "wild entries": lambda g, m, n: (
        g.standard_normal((m, n)) * 10.0 ** g.uniform(-200, 150, (m, n))
    ),
    "zeros": lambda g, m, n: np.zeros((m, n)),
}

THRESHOLDS = (1e-6, 1e-8, 1e-20, 0.25, 1.0, 2.0**-24, 1e-300, 1e-2)


def with_spectrum(spectrum: Any, seed: int = 0) -> Any:
    """Return a symmetric matrix that has these eigenvalues, up to the rounding of its entries."""
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(spectrum),) * 2))[0]
    matrix = (basis * np.asarray(spectrum)) @ basis.T
    return (matrix + matrix.T) / 2


def true_rank(features: Any, eps: float, weights: Any = None, measure: str = "mean") -> int:
    """Count in integers: the reference of every other route."""
    checked = as_features(features)
    gram = exact_gram(checked, as_measure(measure, weights, checked.n_samples))
    return exact_count(gram, gram.threshold(Fraction(eps)))


def random_cases(count: int, seed: int) -> Iterator[tuple[Any, Any, str, float]]:
    """Draw (features, weights, measure, eps) over all kinds, dtypes, weights and thresholds."""
    generator = np.random.default_rng(seed)
    kinds = list(KINDS.values())
    for index in range(count):
        n, m = int(generator.integers(1, 14)), int(generator.integers(1, 40))
        features = kinds[index % len(kinds)](generator, m, n)
        dtype = (np.float64, np.float32, np.float16)[int(generator.integers(3))]
        with np.errstate(all="ignore"):
            narrow = features.astype(dtype)
        if np.isfinite(narrow).all():
            features = narrow
        weights = None
        if generator.random() < 0.5:
            weights = generator.choice([0.0, 1.0, 2.5, 1e-9, 3.0], m)
            weights = None if weights.max() == 0 else weights
        measure = "mean" if generator.random() < 0.6 else "raw"
        yield features, weights, measure, THRESHOLDS[int(generator.integers(len(THRESHOLDS)))]
