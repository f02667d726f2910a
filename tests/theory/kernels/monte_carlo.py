"""Layer kernels against Monte Carlo, with a threshold that knows how many comparisons there are."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable

import numpy as np
from scipy import stats

from epsrank.theory.kernels.catalogue import SIGMAS, layer_kernel
from epsrank.theory.kernels.layer_kernel import LayerKernel

# Scales below, at and above the bend of σ; weak, strong, negative and full correlation.
COVARIANCES = (
    (1.0, 0.5, 1.0),
    (0.3, -0.6, 2.0),
    (0.05, 0.04, 0.05),
    (4.0, 3.9, 4.0),
    (2.0, 2.0, 2.0),
    (9.0, 0.0, 1.0),
)

KERNELS: dict[str, Callable[[], LayerKernel]] = {
    **{name: (lambda name=name: layer_kernel(name)) for name in SIGMAS},
    "leaky_relu 0.3": lambda: layer_kernel("leaky_relu", slope=0.3),
    "quadratic": lambda: layer_kernel("polynomial", coefficients=[0.5, -1.0, 0.25]),
    "cubic": lambda: layer_kernel("polynomial", coefficients=[0.0, 1.0, 0.0, -0.1]),
    "softplus": lambda: layer_kernel(lambda z: np.logaddexp(0.0, z)),
}

#: Chance that a right set of kernels is called wrong, over all of them together.
FAMILY_ERROR = 1e-3


def threshold(comparisons: int) -> float:
    """Two-sided z at which one of so many comparisons fails by chance with FAMILY_ERROR."""
    return float(stats.norm.isf(FAMILY_ERROR / (2 * comparisons)))


THRESHOLD = threshold(len(KERNELS) * len(COVARIANCES))


def z_scores(
    name: str,
    samples: int,
    kernel: Callable[[float, float, float], object],
    covariances: tuple[tuple[float, float, float], ...] = COVARIANCES,
) -> list[float]:
    """(Monte Carlo − κ)/standard error at every covariance, with σ of the named kernel."""
    sigma = KERNELS[name]().activation
    found = []
    for index, (xx, xy, yy) in enumerate(covariances):
        rng = np.random.default_rng([zlib.crc32(name.encode()), index, samples])
        g, h = rng.standard_normal((2, samples))
        rho = xy / math.sqrt(xx * yy)
        u = math.sqrt(xx) * g
        v = math.sqrt(yy) * (rho * g + math.sqrt(max(0.0, 1 - rho**2)) * h)
        products = sigma(u) * sigma(v)
        error = float(products.std(ddof=1)) / math.sqrt(samples)
        found.append((float(products.mean()) - float(np.asarray(kernel(xx, xy, yy)))) / error)
    return found
