"""A drop of the loss in words: whether features had to change, and more of them were needed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from epsrank.theory.data.inputs import as_eps, as_features
from epsrank.theory.data.measure import as_measure
from epsrank.theory.floor.change.counterfactual import CounterfactualFloor, counterfactual_floor
from epsrank.theory.floor.change.rank_used import RankUsed, rank_used
from epsrank.theory.floor.plateau import asked
from epsrank.theory.floor.reading import ReadingBias
from epsrank.theory.rank import epsilon_rank
from epsrank.theory.rank.interval import RankInterval
from epsrank.theory.shown import Shown
from epsrank.theory.words import plural


@dataclass(frozen=True, eq=False)
class DropExplanation(Shown):
    """What is proved about the features on both sides of a drop of the loss (F8, R)."""

    #: The steps, where they are known.
    step_before: int | None
    step_after: int | None
    #: Losses of the heads, on the same samples.
    loss_before: float
    loss_after: float
    #: ε, and the ε-ranks of the features.
    eps: float
    rank_before: RankInterval
    rank_after: RankInterval
    #: Whether the features had to change, and whether more directions were necessary.
    change: CounterfactualFloor
    rank: RankUsed

    def __str__(self) -> str:
        steps = (
            ""
            if self.step_before is None or self.step_after is None
            else f"Between steps {self.step_before} and {self.step_after} "
        )
        fell = "fell from" if self.loss_after < self.loss_before else "did not fall:"
        moved = f"the loss {fell} {self.loss_before:.4g} to {self.loss_after:.4g}. "
        first = steps + moved if steps else moved.capitalize()
        return first + _change(self.change) + _rank(self)

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as plain data."""
        names = ("step_before", "step_after", "loss_before", "loss_after", "eps")
        ranks = {
            name: {"lower": interval.lower, "upper": interval.upper}
            for name, interval in (
                ("rank_before", self.rank_before),
                ("rank_after", self.rank_after),
            )
        }
        parts = {"change": self.change.to_json(), "rank": self.rank.to_json()}
        return {name: getattr(self, name) for name in names} | ranks | parts | {"text": str(self)}


def _change(found: CounterfactualFloor) -> str:
    """Say what F8 proves."""
    if found.proven:
        text = (
            f"The features had to change: with those before, no head of the later norm "
            f"{found.norm:.4g} has a loss below {found.reachable:.4g}, which is "
            f"{found.ratio:.3g} times the later one. "
        )
        if math.isinf(found.factor):
            return text + f"Nor has any head up to {found.factor_below:.2g} times that norm. "
        return text + f"A head {found.factor:.3g} times as large could have done it. "
    return (
        f"It is not proved that the features had to change: with those before, a head of the later "
        f"norm {found.norm:.4g} has a loss of {found.attained:.4g}. "
    )


def _rank(drop: DropExplanation) -> str:
    """Say what R proves."""
    found = drop.rank
    p = found.rank_before
    text = f"At ε = {drop.eps:g} the ε-rank was {drop.rank_before.ends} before and "
    text += f"{drop.rank_after.ends} after. "
    if found.necessary:
        text += (
            f"More directions were necessary: the leading {p} of the later features allow no loss "
            f"below {found.reachable:.4g}, which is {found.ratio:.3g} times the later one"
        )
        text += ", so that those beyond carry the whole drop. " if found.carries else ". "
    else:
        text += (
            "Their number was not the point: the leading "
            f"{plural(p, 'direction')} of the later features "
            f"allow a loss of {found.attained:.4g}. "
            if found.attained <= found.loss
            else f"Whether more directions were necessary is not decided: the leading {p} of the "
            f"later features allow a loss of {found.attained:.4g}. "
        )
    if found.rank_needed > found.n_features:
        return text + "All directions together do not come within a quarter of the later loss."
    return (
        text
        + f"The later loss uses {found.rank_needed} of {plural(found.n_features, 'direction')}."
    )


def explain_drop(
    features_before: Any,
    features_after: Any,
    target: Any,
    *,
    coefficients_before: Any,
    coefficients_after: Any,
    bias_before: Any = None,
    bias_after: Any = None,
    eps: float = 1e-6,
    loss: Any = "squared",
    weights: Any = None,
    measure: Any = "mean",
    steps: tuple[int, int] | None = None,
    certify: bool = False,
) -> DropExplanation:
    """Say in words whether a drop of the loss needed other features, and more directions (F8, R).

    Parameters
    ----------
    features_before, features_after : array_like or tensor, shape (N, n)
        φ_s and φ_t, of the same samples.
    target : array_like or tensor
        u*, or labels.
    coefficients_before, coefficients_after : array_like, shape (n,) or (n, k)
        W_s and W_t.
    bias_before, bias_after : array_like, shape () or (k,), optional
        b_s and b_t; left out, the head has none.
    eps : float
        ε of the ranks before and after.
    loss : {"squared", "cross_entropy", "huber", "absolute"} or ConvexLoss
        As in `read_plateau`.
    weights : array_like, shape (N,), optional
        Sample weights.
    measure : {"mean", "raw", "volume"} or Measure
        Of losses and ranks.
    steps : (int, int), optional
        What to call before and after.
    certify : bool
        Decide both questions in ball arithmetic; the squared error, widths up to about 100.

    Returns
    -------
    DropExplanation
        Both answers; ``print`` gives one paragraph.

    Raises
    ------
    InputError
        If an argument cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 100)[:, None]
    >>> found = explain_drop(
    ...     x, np.hstack([x, np.cos(9 * x)]), np.cos(9 * x), coefficients_before=[0.0],
    ...     coefficients_after=[0.0, 0.9])
    >>> found.change.proven, found.rank.necessary  # the first direction alone is the cosine
    (True, False)
    """
    threshold = as_eps(eps)
    before, after = as_features(features_before), as_features(features_after)
    law = as_measure(measure, weights, before.n_samples)
    bias: ReadingBias | None = None if bias_after is None else "free"
    earlier = asked(
        before, target, loss=loss, coefficients=coefficients_before,
        bias=None if bias_before is None else "free", bias_value=bias_before, measure=law,
    )  # fmt: skip
    later = asked(
        after, target, loss=loss, coefficients=coefficients_after, bias=bias,
        bias_value=bias_after, measure=law,
    )  # fmt: skip
    assert earlier.loss is not None
    assert later.loss is not None
    given: dict[str, Any] = {
        "loss": loss, "measure": law, "bias": bias, "loss_error": later.error, "certify": certify,
    }  # fmt: skip
    ranks = [epsilon_rank(features, threshold, measure=law) for features in (before, after)]
    change = counterfactual_floor(
        before, target, later.norm, later.loss, features_after=after,
        coefficients_after=coefficients_after, **given,
    )  # fmt: skip
    used = rank_used(
        after, target, later.norm, later.loss, rank_before=ranks[0].upper,
        loss_before=earlier.loss, **given,
    )  # fmt: skip
    return DropExplanation(
        steps[0] if steps else None,
        steps[1] if steps else None,
        earlier.loss,
        later.loss,
        threshold,
        ranks[0],
        ranks[1],
        change,
        used,
    )
