"""The public function: the tightness of a head on its features, from arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from epsrank.theory.data.inputs import (
    as_coefficients,
    as_eps,
    as_error,
    as_features,
    as_norm,
    as_target,
    several,
)
from epsrank.theory.data.measure import as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.floor.decomposed.curve import SquaresCurve
from epsrank.theory.floor.plateau import asked as ask
from epsrank.theory.floor.plateau import read_plateau
from epsrank.theory.floor.reading import ReadingBias
from epsrank.theory.floor.tightness.head import Head
from epsrank.theory.floor.tightness.result import LayerTightness
from epsrank.theory.floor.tightness.squares import squares_chain
from epsrank.theory.numbers.arrays import Matrix, to_numpy

#: Thresholds where none are given.
EPS = (1e-2, 1e-4, 1e-6, 1e-8, 1e-10)

#: Multiples of the head's norm at which V is asked for.
MULTIPLES = (0.1, 0.5, 2.0, 10.0, 100.0)


def layer_tightness(
    features: Any,
    target: Any,
    *,
    coefficients: Any,
    eps: Sequence[float] = EPS,
    norms: Sequence[float] | None = None,
    loss: Any = "squared",
    bias: ReadingBias | None = None,
    bias_value: Any = None,
    constant: Any = None,
    offset: Any = None,
    weights: Any = None,
    measure: Any = "mean",
    certified: bool = False,
    tolerance: float = 1e-3,
    budgets: bool = True,
    step: int | None = None,
) -> LayerTightness:
    """Return  loss ≥ V(B) ≥ envelope ≥ floor  for u = φW + b, over ε and over B (F1–F6, L2, L3).

    For the squared error, with d_p = dist(u*, Ψ_p), V(B) = min_{‖C‖_F ≤ B} ‖φC − u*‖²
    and B = ‖W‖_F,

        ‖φW − u*‖² ≥ V(B) ≥ max_p (d_p − √λ_{p+1} B)_+² ≥ (d_{r_ε} − √ε B)_+².

    For another convex ℓ, V is enclosed by a dual certificate and a head that was found, and where ℓ
    is L-Lipschitz the floor at ε is  min_{‖C‖ ≤ B} mean ℓ(φQ_pC) − L√λ_{p+1} B  at p = r_ε.

    Every number has two ends. That a loss is within a factor of V(B) rests on the lower, dual end
    of V; that a head of this norm could do better on the upper one, a head that was found.

    Parameters
    ----------
    features : array_like or tensor, shape (N, n)
        φ at the samples; for a PINN (𝓛φ, √κ 𝓑φ), with `constant` the image of 1 (L1).
    target : array_like or tensor, shape (N,) or (N, k)
        u*, or labels for the cross-entropy.
    coefficients : array_like or tensor, shape (n,) or (n, k)
        W.
    eps : sequence of float
        Thresholds ε > 0, in the measure.
    norms : sequence of float, optional
        Further norms at which V is wanted; by default multiples of B, and for squares also ∞.
    loss : str or ConvexLoss
        As in `read_plateau`.
    bias : {"feature", "fixed", "free", None}
        An output bias: one more feature and part of B, held, or unpenalised (ranks and floors of
        squares are then those of centred features). None for a head without one.
    bias_value : array_like, shape () or (k,), optional
        b, where there is a bias.
    constant, offset : array_like, optional
        As in `read_plateau`: D and r of u = D(φW + b) + r, where φ is already multiplied by D.
    weights : array_like, shape (N,), optional
        Sample weights.
    measure : {"mean", "raw", "volume"} or Measure
        Of all numbers.
    certified : bool
        Decide the chain in ball arithmetic, which trusts no library function: seconds for widths up
        to 100, and for cross-entropies on small data.
    tolerance : float
        Relative gap at which the solver of other losses stops.
    budgets : bool
        Whether rank budgets of other losses are sought, each by some minimisations.
    step : int, optional
        Update of the training, kept in the result.

    Returns
    -------
    LayerTightness
        The chain over ε and norms, its ratios, and the state of every inequality.

    Raises
    ------
    InputError
        If an argument cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 200)
    >>> features = np.tanh(np.outer(x, np.arange(1, 6)))
    >>> best = np.linalg.lstsq(features, np.sin(3 * x), rcond=None)[0]
    >>> found = layer_tightness(features, np.sin(3 * x), coefficients=best)
    >>> found.tight(1.001), found.state != "violated"
    (True, True)
    """
    thresholds = tuple(as_eps(value) for value in several(eps))
    if not thresholds:
        raise InputError("eps", "are none", "pass at least one threshold ε > 0")
    if coefficients is None:
        raise InputError("coefficients", "are missing", "pass W: tightness is that of one head")
    checked = as_features(features)
    n_samples = checked.n_samples
    matrix = as_coefficients(coefficients, checked.n_features)
    law = as_measure(measure, weights, n_samples)
    given: dict[str, Any] = {
        "loss": loss,
        "bias_value": bias_value,
        "constant": constant,
        "offset": offset,
        "measure": law,
    }
    tolerance = as_error(tolerance, "tolerance", "the relative gap")
    known = ask(
        checked,
        target,
        coefficients=matrix,
        bias=bias,
        tolerance=tolerance,
        iterations=500,
        **given,
    )
    units = np.ones((n_samples, 1)) if constant is None else as_target(constant, n_samples)
    shift = None if offset is None else as_target(offset, n_samples)
    if shift is not None:
        shift = np.broadcast_to(shift, (n_samples, matrix.shape[1]))
    head = Head(
        checked, matrix, target, law, bias,
        _as_bias(bias, bias_value, units.shape[1], matrix.shape[1]), units, shift,
    )  # fmt: skip
    squares = isinstance(known.known, SquaresCurve)
    others = _norms(norms, known.norm or known.known.natural_norm, squares)
    if certified and bias == "free":
        raise InputError(
            "certified", "is asked for with a free bias", "take bias='feature' or bias='fixed'"
        )
    if squares:
        found = squares_chain(head, known, thresholds, others, certified=certified)
    else:
        # Here, since a chain of squares has no use for solvers.
        from epsrank.theory.floor.tightness.convex import convex_chain

        found = convex_chain(
            head, known, thresholds, others,
            certified=certified, tolerance=tolerance, budgets=budgets,
        )  # fmt: skip
    question = partial(
        read_plateau, checked, target, coefficients=matrix,
        bias=None if bias is None else "free", **given,
    )  # fmt: skip
    return LayerTightness(
        **found,
        norm=known.norm,
        curve=known.known,
        question=question,
        certified=certified,
        law=law,
        dtype=checked.dtype,
        bias=bias,
        n_samples=n_samples,
        n_features=found["features"].shape[1],
        n_outputs=matrix.shape[1],
        step=step,
    )


def _norms(norms: Sequence[float] | None, own: float, squares: bool) -> tuple[float, ...]:
    """Return the norms at which V is asked for, in order."""
    if norms is None:
        # A head of norm 0 on features that are 0: any scale will do.
        return tuple((own or 1.0) * times for times in MULTIPLES) + (math.inf,) * squares
    checked = [as_norm(value, name="norms") for value in several(norms)]
    if not squares and any(map(math.isinf, checked)):
        raise InputError("norms", "hold ∞", "pass finite norms: other losses have no V(∞)")
    return tuple(sorted(checked))


def _as_bias(bias: ReadingBias | None, value: Any, rows: int, outputs: int) -> Matrix:
    """Return b as (m, k); `ask` has checked it."""
    if bias is None or value is None:
        return np.zeros((rows, outputs))
    own = np.asarray(to_numpy(value, "bias_value")[0], dtype=np.float64)
    return own.reshape(rows, outputs)
