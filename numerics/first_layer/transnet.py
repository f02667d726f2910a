"""The first layer of TransNet: hyperplanes of uniform density in a ball, one slope tuned on fields.

Source: [S6] Z. Zhang, F. Bao, L. Ju, G. Zhang, TransNet: transferable neural networks for partial
differential equations, J. Sci. Comput. 99 (2024).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from epsrank.numerics.first_layer.placement import StructuredFirstLayer
from epsrank.numerics.first_layer.slope import as_slope, resolve_slope
from epsrank.numerics.first_layer.structured import (
    as_data,
    as_layer,
    as_layer_box,
    refuse_unless_one,
    write_layer,
)
from epsrank.numerics.networks.activations import Activation, activation_function

# Slopes tried in the coordinates of the unit ball, fields fitted, their correlation length (in
# radii), plane waves of a field, and points fitted at. Ours: the source tunes by hand.
_SLOPES = [2.0 ** (k / 2) for k in range(-2, 15)]
_FIELDS, _LENGTH, _WAVES, _POINTS = 5, 0.25, 256, 1000


def transnet_first_layer_(
    layer: nn.Module,
    domain: Any = None,
    data: Any = None,
    *,
    activation: str,
    generator: torch.Generator | None = None,
    gamma: float | str | None = None,
    eps: float = 1e-6,
) -> StructuredFirstLayer:
    """Set φ_j(x) = σ(γ(a_j·(x − c)/R + r_j)) in a first layer, in place.

    The ball of centre c and radius R contains the box, or the data around their mean; a_j is
    uniform on the sphere and r_j uniform on [0, 1], so that the expected density of the hyperplanes
    a_j·(x − c)/R + r_j = 0 is the same throughout the ball ([S6], theorem 1). γ is the slope, of
    powers of √2 from ½ to 128, with which least squares on the n neurons fit Gaussian random fields
    best.

    `data` are samples, as for `epsrank.numerics.first_layer.structured.structured_first_layer_`.
    `gamma` is γ/R in place of the tuned one: a number, or the slope chosen by the predicted ε-rank
    of the structured layer of equal width.
    """
    sigma = activation_function(activation)
    linear = as_layer(layer)
    refuse_unless_one(domain, data)
    setting = as_slope(gamma)
    n, d = linear.weight.shape[0], math.prod(linear.weight.shape[1:])
    box = None if data is not None else as_layer_box(domain, d)
    rows = None if data is None else as_data(data, linear)
    centre, radius = _ball(box, rows)
    a = nn.functional.normalize(torch.randn(n, d, dtype=torch.float64, generator=generator), dim=1)
    r = torch.rand(n, dtype=torch.float64, generator=generator)
    if setting is None:
        unit, errors = _tuned(a, r, sigma, (_points(box, rows, n) - centre) / radius)
        slope, name = unit / radius, f"tuned on {_FIELDS} random fields (RMSE {min(errors):.2g})"
    elif isinstance(setting, str):
        choice = resolve_slope(setting, activation, n, domain=box, data=rows, eps=eps)
        slope, name = choice.slope, str(choice)
    else:
        slope, name = setting, "as given"
    result = StructuredFirstLayer(
        f"a_j uniform on the sphere, hyperplanes uniform in the ball of radius R = {radius:g}, "
        f"γ/R = {slope:g} {name}",
        activation,
        "data" if box is None else "domain",
        a,
        # a·(x − c)/R + r = 0 where a·x = a·c − R·r.
        a @ centre - radius * r,
        torch.full((n,), slope, dtype=torch.float64),
        None if box is None else tuple((float(low), float(high)) for low, high in box.tolist()),
    )
    write_layer(linear, result)
    return result


def _ball(box: Tensor | None, rows: Tensor | None) -> tuple[Tensor, float]:
    """Return centre and radius of a ball around a box, or around data and their mean."""
    if box is not None:
        return box.mean(dim=1), float((box[:, 1] - box[:, 0]).norm()) / 2
    assert rows is not None
    centre = rows.mean(dim=0)
    return centre, float((rows - centre).norm(dim=1).max())


def _points(box: Tensor | None, rows: Tensor | None, n: int) -> Tensor:
    """Return points to fit at: uniform in the box, or evenly taken of the data."""
    # Four points per neuron at least: fewer could be fitted whatever the slope is.
    count = max(_POINTS, 4 * n)
    if rows is not None:
        return rows[:: max(1, len(rows) // count)][:count]
    assert box is not None
    # A fixed seed, here and for the fields: the slope is a function of the layer as drawn.
    share = torch.from_numpy(np.random.default_rng(0).random((count, len(box))))
    return box[:, 0] + share * (box[:, 1] - box[:, 0])


def _tuned(a: Tensor, r: Tensor, sigma: Activation, y: Tensor) -> tuple[float, list[float]]:
    """Return the slope of the best fit, and the error of every slope.

    A field is Σ_k √(2/K) cos(ω_k·y + b_k), ω_k ~ N(0, 1/ℓ²): nearly Gaussian with the covariance
    exp(−‖y − y′‖²/2ℓ²).
    """
    random = np.random.default_rng(1)
    waves = random.normal(size=(_FIELDS, _WAVES, y.shape[1])) / _LENGTH
    shifts = random.uniform(0, 2 * np.pi, (_FIELDS, _WAVES))
    phases = np.einsum("nd,fkd->nfk", y.numpy(), waves) + shifts
    fields = np.sqrt(2 / _WAVES) * np.cos(phases).sum(axis=2)
    errors = []
    for slope in _SLOPES:
        features = sigma(slope * (y @ a.T + r)).numpy()
        features = np.column_stack([features, np.ones(len(y))])
        # Features are nearly dependent for small slopes: what lies below rounding is left out.
        coefficients = np.linalg.lstsq(features, fields, rcond=1e-12)[0]
        errors.append(float(np.sqrt(np.mean((features @ coefficients - fields) ** 2))))
    return _SLOPES[int(np.argmin(errors))], errors
