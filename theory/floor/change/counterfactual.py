"""F8: whether the features before could have reached the loss after, with a head of its norm."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from epsrank.theory.data.inputs import as_coefficients, as_features, as_size, as_target
from epsrank.theory.data.measure import as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.floor.certified.value import certified_value
from epsrank.theory.floor.change.arguments import least_move, refuse_bias, steepness
from epsrank.theory.floor.plateau import SQUARES, asked
from epsrank.theory.floor.reading import CAP, Curve, ReadingBias
from epsrank.theory.numbers.interval import outward
from epsrank.theory.shown import Shown
from epsrank.theory.strict_json import nulled

# Halvings of the bracket of c*: a factor of 1e4 falls to 1e-6.
_HALVINGS = 34


@dataclass(frozen=True)
class CounterfactualFloor(Shown):
    """Whether a head of the later norm on the earlier features reaches the later loss (F8).

    Attributes
    ----------
    loss : float
        loss_t, after.
    norm : float
        B_t, the norm of the head after.
    reachable, attained : float
        V_s(B_t) lies between them: the features before, at that norm.
    ratio : float
        reachable/loss; above 1 the features had to change.
    proven : bool
        Whether V_s(B_t) > loss_t, from the lower end.
    factor, factor_below : float
        c* = min{c : V_s(c B_t) ≤ loss_t} lies between `factor_below` and `factor`: a mixing
        φ_t = φ_s T that explains the loss has ‖T‖₂ ≥ c*. ∞ where no norm within the cap reaches it.
    distance : float or None
        ‖A_t − A_s‖₂ is at least this; None for losses without a Lipschitz constant.
    unit_ratio : float or None
        The ratio with columns of norm 1 before and after, which rescaling does not change; None
        without the head and the features after.
    loss_name : str
        ℓ.
    measure : str
        Of all losses.
    bias : {"free", "feature", None}
        How a bias enters: never fixed at the one before.
    certified : bool
        Whether V was enclosed in ball arithmetic; otherwise by derived bounds on rounding.
    """

    loss: float
    norm: float
    reachable: float
    attained: float
    ratio: float
    proven: bool
    factor: float
    factor_below: float
    distance: float | None
    unit_ratio: float | None
    loss_name: str
    measure: str
    bias: ReadingBias | None
    certified: bool

    def __str__(self) -> str:
        how = "in balls" if self.certified else "up to rounding that is accounted for"
        least = f"{self.reachable:.4g}, {self.ratio:.4g} times the loss {self.loss:.4g} after"
        said = (
            f"the features had to change: with those before, a head of norm {self.norm:.4g} "
            f"reaches no less than {least} (proved {how})"
            if self.proven
            else f"no proof that the features had to change: with those before, a head of norm "
            f"{self.norm:.4g} reaches {self.attained:.4g} (loss after: {self.loss:.4g})"
        )
        factor = "∞" if math.isinf(self.factor) else f"{self.factor:.4g}"
        return f"{said}; c* = {factor}"

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as plain data, null for ∞.

        Returns
        -------
        dict
            One entry per attribute.
        """
        found: dict[str, Any] = nulled(vars(self))
        return found


def counterfactual_floor(
    features_before: Any,
    target: Any,
    norm_after: float,
    loss_after: float,
    *,
    loss: Any = "squared",
    weights: Any = None,
    measure: Any = "mean",
    bias: ReadingBias | None = "free",
    constant: Any = None,
    offset: Any = None,
    features_after: Any = None,
    coefficients_after: Any = None,
    loss_error: float = 0.0,
    certify: bool = False,
) -> CounterfactualFloor:
    """Ask whether the features of an earlier step allow the loss of a later one (F8).

    If V_s(B_t) = min_{‖W‖_F ≤ B_t, b} loss(φ_s W + b) > loss_t, no head of the later norm on the
    earlier features reaches the later loss: the features had to change. (Whether their *number* of
    directions had to grow is the question of `rank_used`: φ_t = 100 φ_s satisfies this, too, and
    then c* ≤ 100 says so.) And ‖A_t − A_s‖₂ ≥ (√V_s(B_t) − √loss_t)/B_t.

    Parameters
    ----------
    features_before : array_like or tensor, shape (N, n)
        φ_s at the samples.
    target : array_like or tensor
        u*, or labels; of the same samples.
    norm_after : float
        B_t = ‖W_t‖_F, without the bias where that is free.
    loss_after : float
        loss_t, on the same samples.
    loss : {"squared", "cross_entropy", "huber", "absolute"} or ConvexLoss
        As in `read_plateau`.
    weights : array_like, shape (N,), optional
        Sample weights.
    measure : {"mean", "raw", "volume"} or Measure
        Of the losses.
    bias : {"free", "feature", None}
        The bias of the head; never fixed at the earlier one, which the later head need not have.
    constant, offset : array_like, optional
        As in `read_plateau`.
    features_after : array_like or tensor, shape (N, m), optional
        φ_t; with `coefficients_after` for the form with unit columns.
    coefficients_after : array_like, shape (m,) or (m, k), optional
        W_t.
    loss_error : float
        How far `loss_after` may be off.
    certify : bool
        Enclose V_s(B_t) in ball arithmetic; the squared error, bias free or None, widths up to
        about 100.

    Returns
    -------
    CounterfactualFloor
        The proof or its absence, with the numbers.

    Raises
    ------
    InputError
        If an argument cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 100)[:, None]
    >>> found = counterfactual_floor(x, np.sin(9 * x), 10.0, 1e-3)
    >>> found.proven, found.ratio > 100
    (True, True)
    """
    refuse_bias(bias)
    norm, value = as_size(norm_after, "norm_after"), as_size(loss_after, "loss_after")
    given: dict[str, Any] = {
        "loss": loss, "norm": norm, "loss_value": value, "bias": bias, "constant": constant,
        "offset": offset, "weights": weights, "measure": measure,
    }  # fmt: skip
    found = asked(features_before, target, **given)
    reachable, _, attained = (float(end) for end in found.known.bounds(norm))
    if certify:
        reachable, attained = _in_balls(features_before, target, norm, given)
    most = value + as_size(loss_error, "loss_error")
    factor = head_factor(found.known, norm, value, most)
    size = as_features(features_before).n_samples
    law = steepness(loss, target, features_before, as_measure(measure, weights, size))
    return CounterfactualFloor(
        loss=value,
        norm=norm,
        reachable=reachable,
        attained=attained,
        ratio=reachable / value if value > 0 else math.inf,
        proven=reachable > most,
        factor=factor[1],
        factor_below=factor[0],
        distance=_distance(reachable, most, norm, law.slope),
        unit_ratio=_unit_ratio(
            features_before, target, features_after, coefficients_after, most, given
        ),
        loss_name=law.name,
        measure=found.measure,
        bias=bias,
        certified=certify,
    )


def head_factor(curve: Curve, norm: float, least: float, most: float) -> tuple[float, float]:
    """Return c* from below and from above."""
    if norm == 0:
        return 0.0, math.inf
    cap = CAP * max(norm, curve.natural_norm)
    above = curve.half_norm(least, most, cap)
    high = math.inf if above is None else above / norm
    if curve.sketch(0.0)[0] <= most:
        return 0.0, high
    # Lower bounds of V that were found already: they fall along B.
    low, end = 0.0, cap if math.isinf(high) else high * norm
    if curve.sketch(end)[0] > most:
        return end / norm, high
    for _ in range(_HALVINGS):
        middle = (low + end) / 2
        if curve.sketch(middle)[0] > most:
            low = middle
        else:
            end = middle
    return low / norm, high


def _distance(reachable: float, loss: float, norm: float, slope: float | None) -> float | None:
    """Return the least ‖A_t − A_s‖₂: of the roots for squares, by ℓ's slope for other losses."""
    found = least_move(reachable, loss, norm, slope)
    # Of two roots more is rounded than of a difference.
    return found if found is None or slope is not None else found * (1 - 1e-15)


def _unit_ratio(
    before: Any, target: Any, after: Any, coefficients: Any, loss: float, given: dict[str, Any]
) -> float | None:
    """Return V_s/loss_t with columns of norm 1 on both sides; None without the head after."""
    if (after is None) != (coefficients is None):
        raise InputError(
            "features_after", "and coefficients_after go together", "pass both, or neither"
        )
    if after is None:
        return None
    later = as_features(after)
    sizes = _column_norms(later.values, given)
    matrix = as_coefficients(coefficients, later.n_features, name="coefficients_after")
    norm = float(np.linalg.norm(sizes[:, None] * matrix))
    earlier = as_features(before).values
    own = _column_norms(earlier, given)
    unit = earlier / np.where(own > 0, own, 1.0)
    low = asked(unit, target, **(given | {"norm": norm})).known.bounds(norm)[0]
    return low / loss if loss > 0 else math.inf


def _column_norms(values: Any, given: dict[str, Any]) -> Any:
    """Return the norms of the features in the measure, centred where the bias is free."""
    measure = as_measure(given["measure"], given["weights"], len(values))
    factors = measure.row_factors()
    if given["bias"] == "free" and given["constant"] is None:
        shares = factors**2 / float(np.sum(factors**2))
        values = values - shares @ values
    return np.sqrt((factors**2) @ np.square(values))


def _in_balls(before: Any, target: Any, norm: float, given: dict[str, Any]) -> tuple[float, float]:
    """Return V_s(B_t) from ball arithmetic, rounded outward."""
    plain = given["constant"] is None and given["offset"] is None
    if given["loss"] not in SQUARES or given["bias"] == "feature" or not plain:
        raise InputError(
            "certify", "is True", "balls know the squared error with a free bias or none"
        )
    features = as_features(before)
    goal = as_target(target, features.n_samples)
    law = as_measure(given["measure"], given["weights"], features.n_samples)
    value = certified_value(features, goal, norm, law, free=given["bias"] == "free")
    return max(0.0, outward(Fraction(value.lower), -1)), outward(Fraction(value.upper), +1)
