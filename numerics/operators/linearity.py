"""Whether a given transformation of functions is linear, tried on random functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from epsrank.numerics.operators.derivatives import Function
from epsrank.numerics.operators.operator import LinearOperator, Transform
from epsrank.theory.data.inputs import as_box
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Matrix
from epsrank.theory.words import plural

# Two sides of a linear identity differ by rounding alone; second derivatives of the functions below
# lose some three digits of float64.
_TOLERANCE = 1e-9
_POINTS, _TRIALS, _TERMS = 16, 4, 5


def linear_operator(
    transform: Transform,
    domain: Sequence[tuple[float, float]],
    *,
    name: str = "given",
    formula: str = "𝓛u",
    order: int = 2,
    seed: int = 0,
) -> LinearOperator:
    """Return a given transformation as an operator, unless random functions show it nonlinear.

    𝓛(af + bg) = a𝓛f + b𝓛g is tried on random sums of plane waves and at random points of the box,
    and so is that 𝓛 acts on each function of a batch by itself. That finds every nonlinearity that
    acts on the range of these functions, with probability 1; it is a search, not a proof.

    Parameters
    ----------
    transform : callable
        𝓛: takes a function (points (N, d) to values (N, m)) and returns another one, such as
        ``lambda u: lambda x: x[:, :1] * partial(u, 0)(x)``.
    domain : sequence of (float, float)
        The box, d intervals.
    name, formula : str
        How it is called and printed.
    order : int
        Its highest derivative.
    seed : int
        Seed of functions and points.

    Returns
    -------
    LinearOperator
        The operator.

    Raises
    ------
    InputError
        If it is not linear, mixes functions, or does not return finite values of the right shape.

    Examples
    --------
    >>> from epsrank.numerics.operators import laplacian, linear_operator
    >>> def drift(u):
    ...     return lambda x: laplacian(u)(x) + x[:, :1] * u(x)
    >>> linear_operator(drift, [(-1, 1)], name="drift").name
    'drift'
    """
    box = as_box(domain)
    for trial in range(_TRIALS):
        _try(transform, box, np.random.default_rng([seed, trial]))
    return LinearOperator(name, formula, transform, order, len(box))


def _try(transform: Transform, box: Matrix, rng: np.random.Generator
         ) -> None:  # fmt: skip
    """Compare both sides of the identity once."""
    low, high = box.T
    x = torch.from_numpy(rng.uniform(low, high, (_POINTS, len(box))))
    f, g = (_waves(rng, len(box), 10.0 ** rng.uniform(-1, 1)) for _ in range(2))
    # Away from 0, where both sides agree whatever 𝓛 is.
    a, b = rng.uniform(0.5, 2.0, 2) * rng.choice((-1.0, 1.0), 2)
    image_f, image_g = _image(transform, f, x), _image(transform, g, x)
    mixed = _image(transform, lambda z: a * f(z) + b * g(z), x)
    scale = abs(a) * _size(image_f) + abs(b) * _size(image_g) + _size(mixed)
    off = _size(mixed - a * image_f - b * image_g)
    if off > _TOLERANCE * scale:
        raise InputError(
            "operator",
            f"is not linear: 𝓛(af + bg) and a𝓛f + b𝓛g differ by {off / scale:.1e} of their size "
            "for random f and g",
            "linearise it; the floor needs features that add up",
        )
    both = _image(transform, lambda z: torch.cat([f(z), g(z)], dim=1), x, 2)
    apart = _size(both - torch.cat([image_f, image_g], dim=1))
    if apart > _TOLERANCE * scale:
        raise InputError(
            "operator",
            "mixes the functions of a batch: 𝓛(f, g) is not (𝓛f, 𝓛g)",
            "act on each column alone",
        )


def _waves(rng: np.random.Generator, n_inputs: int, size: float) -> Function:
    """Return size · Σ c_k sin(w_k·x + s_k), random and smooth."""
    wave = torch.from_numpy(rng.normal(size=(n_inputs, _TERMS)) * 2.0)
    shift = torch.from_numpy(rng.uniform(0, 2 * np.pi, _TERMS))
    weight = torch.from_numpy(size * rng.normal(size=(_TERMS, 1)))
    return lambda x: torch.sin(x @ wave + shift) @ weight


def _image(transform: Transform, function: Function, x: Tensor, columns: int = 1) -> Tensor:
    """Return 𝓛f at the points."""
    try:
        image = transform(function)(x)
    # Of the transformation's own checks; they say more than the line below.
    except InputError:
        raise
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            "operator",
            f"fails on a smooth function ({reason})",
            "take a function and return one, points (N, d) to values (N, m)",
        ) from None
    shape = tuple(image.shape) if isinstance(image, Tensor) else type(image).__name__
    if shape != (len(x), columns):
        raise InputError(
            "operator",
            f"returns {shape} for {columns} functions at {plural(len(x), 'point')}",
            f"return ({len(x)}, {columns})",
        )
    image = image.detach()
    if not bool(torch.isfinite(image).all()):
        raise InputError("operator", "is not finite in the box", "choose a box without its poles")
    return image


def _size(values: Tensor) -> float:
    return float(values.abs().max())
