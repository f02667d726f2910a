"""The last layer against its floor: whose fault a plateau is (F6), for squares and cross-entropy.

The head is u = φW + b. With ``bias="feature"`` the constant 1 is a feature like the others and
B = ‖(W; b)‖_F; with ``bias="fixed"`` b stays as it is and B = ‖W‖_F.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from epsrank.numerics.monitor.record import LayerReading
from epsrank.numerics.monitor.rows import LossKind
from epsrank.numerics.streaming_gram import StreamingGram
from epsrank.theory.errors import InputError
from epsrank.theory.floor.convex_floor import ConvexFloor, convex_floor
from epsrank.theory.floor.moments import decompose_moments
from epsrank.theory.floor.reachable import reachable_loss
from epsrank.theory.floor.reading import read_plateau
from epsrank.theory.floor.spectral_loss import spectral_loss_norm
from epsrank.theory.floor.weighting import frobenius
from epsrank.theory.inputs import Array

Bias = Literal["feature", "fixed"]

# Most numbers in the outputs of the samples read, and in W, of a cross-entropy reading.
_MOST_OUTPUTS = 2**24
_MOST_WEIGHTS = 2**22

# Relative gap at which the cross-entropy solver stops, and its most steps: the thresholds of F6 are
# a fifth and a half of the loss.
_TOLERANCE = 1e-2
_ITERATIONS = 200


@dataclass(frozen=True, eq=False)
class Head:
    """The output layer u = φW + b in float64.

    Attributes
    ----------
    weight : ndarray of float64, shape (n, k)
        W.
    bias : ndarray of float64, shape (k,), or None
        b.
    """

    weight: Array
    bias: Array | None

    @classmethod
    def of(cls, module: nn.Module | None) -> Head:
        """Read the numbers of an ``nn.Linear``.

        Parameters
        ----------
        module : nn.Module or None
            The output layer.

        Returns
        -------
        Head
            Copies of its weights.

        Raises
        ------
        InputError
            If it is no linear layer.
        """
        weight = getattr(module, "weight", None)
        if not isinstance(weight, Tensor) or weight.ndim != 2:
            kind = "not known" if module is None else f"a {type(module).__name__}"
            raise InputError(
                "head", f"is {kind}, so no floor can be read", "name the last nn.Linear: head='…'"
            )
        bias = getattr(module, "bias", None)
        own = None if bias is None else bias.detach().double().cpu().numpy().copy()
        return cls(weight.detach().double().cpu().numpy().T.copy(), own)


def read_last_layer(
    features: Tensor,
    targets: Tensor,
    head: Head,
    *,
    kind: LossKind,
    bias: Bias,
    start: Array | None = None,
) -> tuple[LayerReading, Array | None]:
    """Read the last layer.

    Parameters
    ----------
    features : Tensor, shape (N, n)
        φ.
    targets : Tensor
        From `matched`.
    head : Head
        W and b.
    kind : {"mse", "cross_entropy"}
        The loss.
    bias : {"feature", "fixed"}
        What b is taken for.
    start : ndarray of float64, optional
        Where the cross-entropy solver begins.

    Returns
    -------
    tuple of (LayerReading, ndarray or None)
        The reading, and a good start for the next one.

    Raises
    ------
    InputError
        If shapes do not fit, or numbers are not finite.
    """
    if features.shape[1] != head.weight.shape[0]:
        raise InputError(
            "head",
            f"takes {head.weight.shape[0]} features, but its input has {features.shape[1]}",
            "name the layer that follows the last hidden one: head='…'",
        )
    if not np.isfinite(head.weight).all() or (
        head.bias is not None and not np.isfinite(head.bias).all()
    ):
        raise InputError("head", "has NaN or infinite weights", "mend the training")
    mode = None if head.bias is None else bias
    if kind == "mse":
        return _read_squares(features, targets, head, mode), None
    floor = _cross_entropy(features, targets, head, mode, start)
    verdict = floor.verdict
    assert floor.loss is not None
    reading = LayerReading(
        name=verdict.name,
        loss=floor.loss,
        reachable=floor.reachable,
        attained=floor.attained,
        norm=floor.norm,
        ratio_lower=verdict.lower or 0.0,
        ratio_upper=math.inf if verdict.upper is None else verdict.upper,
        bias=mode,
        kind=kind,
        n_samples=floor.n_samples,
        reason=verdict.reason,
    )
    return reading, floor.point


def _cross_entropy(
    features: Tensor, targets: Tensor, head: Head, mode: Bias | None, start: Array | None
) -> ConvexFloor:
    """Return the certified floor of the cross-entropy (L2), on fewer rows for many classes.

    Parameters
    ----------
    features, targets : Tensor
        Samples.
    head : Head
        W and b.
    mode : {"feature", "fixed"} or None
        What b is taken for.
    start : ndarray or None
        Where the solver begins, if it fits.

    Returns
    -------
    ConvexFloor
        The floor.

    Raises
    ------
    InputError
        If the head is too large.
    """
    n, k = head.weight.shape
    if n * k > _MOST_WEIGHTS:
        raise InputError(
            "head",
            f"has {n} × {k} weights: a cross-entropy floor of that size takes too long",
            "leave targets out, and the ranks are measured all the same",
        )
    rows = max(1, _MOST_OUTPUTS // k)
    shape = (n + (mode == "feature"), k)
    return convex_floor(
        features[:rows].double().numpy(),
        targets[:rows].numpy(),
        coefficients=head.weight,
        bias=mode,
        bias_value=head.bias if mode else None,
        start=start if start is not None and start.shape == shape else None,
        tolerance=_TOLERANCE,
        iterations=_ITERATIONS,
    )


def _read_squares(features: Tensor, targets: Tensor, head: Head, mode: Bias | None) -> LayerReading:
    """Return the reading of the squared error from moments (F3, F6).

    Parameters
    ----------
    features, targets : Tensor
        Samples.
    head : Head
        W and b.
    mode : {"feature", "fixed"} or None
        What b is taken for.

    Returns
    -------
    LayerReading
        The reading.

    Raises
    ------
    InputError
        If targets and head do not fit.
    """
    goal = targets.double().reshape(len(targets), -1)
    phi, weight = features.double(), head.weight
    k = weight.shape[1]
    if goal.shape[1] != k:
        raise InputError(
            "targets",
            f"have {goal.shape[1]} columns, but the head has {k} outputs",
            "pass one column per output",
        )
    if mode == "feature":
        assert head.bias is not None
        phi = torch.cat([phi, torch.ones(len(phi), 1, dtype=torch.float64)], dim=1)
        weight = np.vstack([weight, head.bias])
    if mode == "fixed":
        goal = goal - torch.from_numpy(head.bias)
    sums = StreamingGram(phi.shape[1], k)
    sums.update(phi, target=goal)
    gram = sums.gram()
    data = decompose_moments(
        gram.values,
        gram.moments,
        gram.target_norm_squared,
        gram_error=gram.error,
        cross_error=gram.moments_error,
        target_error=gram.target_error,
        accumulated_in=None,
        n_samples=gram.n_samples,
        dtype=gram.dtype,
    )
    norm, loss_norm = frobenius(weight), spectral_loss_norm(data, weight)
    reachable = reachable_loss(data, norm)
    tolerance = data.tolerance(norm) + reachable.gap
    verdict = read_plateau(loss_norm, reachable.norm, tolerance)
    return LayerReading(
        name=verdict.name,
        loss=loss_norm**2,
        reachable=max(0.0, reachable.norm - tolerance) ** 2,
        attained=(reachable.norm + tolerance) ** 2,
        norm=norm,
        ratio_lower=verdict.lower or 0.0,
        ratio_upper=math.inf if verdict.upper is None else verdict.upper,
        bias=mode,
        kind="mse",
        n_samples=len(phi),
        reason=verdict.reason,
    )
