"""One metric for each rank and dimension of features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from epsrank.numerics.metrics.base import FeatureMetric
from epsrank.theory.data.inputs import as_eps
from epsrank.theory.dimension.moments import FeatureMoments
from epsrank.theory.dimension.neurons import dead_neurons, dormant_neurons, feature_norm
from epsrank.theory.dimension.of_spectrum import DECAY_RANGE, DORMANT, SRANK_DELTA
from epsrank.theory.dimension.participation import participation_ratio
from epsrank.theory.dimension.soft_ranks import (
    FEATURE_RANK_THRESHOLD,
    alpha_req,
    effective_rank,
    feature_rank,
    rankme,
    srank,
    stable_rank,
)
from epsrank.theory.rank.interval import RankInterval


class EpsilonRank(FeatureMetric):
    """ε-rank  r_ε = #{k : λ_k(G) > ε}  of  G = Σ φφᵀ/N, as a certified interval.

    States are sums in float64 with a bound of their rounding, so the interval holds for all samples
    of all batches and processes. Where it does not close, both ends are returned as they are.

    Parameters
    ----------
    n_features : int
        Number of neurons n.
    eps : float
        ε > 0.
    relative : bool
        Threshold ε·λ_1 in place of ε.
    **kwargs : Any
        Of `torchmetrics.Metric`.

    Raises
    ------
    InputError
        If an argument cannot be used.

    Notes
    -----
    ``compute()`` gives ``{"epsilon_rank_lower": …, "epsilon_rank_upper": …}``, two whole numbers;
    ``moments().rank(eps)`` has the reasons.

    Examples
    --------
    >>> metric = EpsilonRank(3, eps=1e-6)
    >>> metric.update(torch.eye(3)[:2])
    >>> {name: int(end) for name, end in metric.compute().items()}
    {'epsilon_rank_lower': 2, 'epsilon_rank_upper': 2}
    """

    higher_is_better = None

    def __init__(
        self, n_features: int, eps: float = 1e-6, *, relative: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(n_features, **kwargs)
        self.eps, self.relative = as_eps(eps), bool(relative)

    def compute(self) -> dict[str, Tensor]:
        """Return both ends."""
        found = self.moments().rank(self.eps, relative=self.relative)
        return _ends("epsilon_rank", found, self.device)


class FeatureRank(FeatureMetric):
    """Feature rank  #{k : σ_k(Φ)/√N > t}  (Lyle et al.), as a certified interval.

    Parameters
    ----------
    n_features : int
        Number of neurons n.
    threshold : float
        t > 0.
    definition : {"paper", "unscaled"}
        See `feature_rank`.
    **kwargs : Any
        Of `torchmetrics.Metric`.

    Examples
    --------
    >>> metric = FeatureRank(3)
    >>> metric.update(torch.eye(3)[:2])
    >>> {name: int(end) for name, end in metric.compute().items()}
    {'feature_rank_lower': 2, 'feature_rank_upper': 2}
    """

    higher_is_better = None

    def __init__(
        self,
        n_features: int,
        threshold: float = FEATURE_RANK_THRESHOLD,
        *,
        definition: str = "paper",
        **kwargs: Any,
    ) -> None:
        super().__init__(n_features, **kwargs)
        self.threshold, self.definition = threshold, definition
        feature_rank(_TINY, threshold, definition=definition)

    def compute(self) -> dict[str, Tensor]:
        """Return both ends."""
        found = feature_rank(self.moments(), self.threshold, definition=self.definition)
        return _ends("feature_rank", found, self.device)


class DefinedMetric(FeatureMetric):
    """A metric that is one function of the sums, by a definition and further arguments."""

    higher_is_better: bool | None = None

    def __init__(
        self,
        n_features: int,
        function: Callable[..., Any],
        arguments: dict[str, Any],
        kwargs: dict[str, Any],
    ) -> None:
        super().__init__(n_features, **kwargs)
        self.arguments = arguments
        self._function = function
        # Bad arguments show now and not at the end of an epoch.
        function(_TINY, **arguments)

    def compute(self) -> Tensor:
        """Return the number; NaN where there is none."""
        found = self._function(self.moments(), **self.arguments)
        return self._result(None if found is None else float(found))


class EffectiveRank(DefinedMetric):
    """Effective rank  exp(−Σ p log p),  p = σ/Σσ  (Roy & Vetterli); see `effective_rank`.

    Parameters
    ----------
    n_features : int
        Number of neurons n.
    definition : str
        As in `effective_rank`.
    **kwargs : Any
        Of `torchmetrics.Metric`.

    Examples
    --------
    >>> metric = EffectiveRank(3)
    >>> metric.update(torch.eye(3)[:2])
    >>> round(float(metric.compute()), 6)
    2.0
    """

    def __init__(self, n_features: int, *, definition: str = "paper", **kwargs: Any) -> None:
        super().__init__(n_features, effective_rank, {"definition": definition}, kwargs)


class RankMe(DefinedMetric):
    """RankMe  exp(−Σ p log p),  p = σ/Σσ + 1e-7  (Garrido et al.); see `rankme`.

    Parameters
    ----------
    n_features : int
        Number of neurons n.
    definition : str
        As in `rankme`.
    **kwargs : Any
        Of `torchmetrics.Metric`.

    Examples
    --------
    >>> metric = RankMe(3)
    >>> metric.update(torch.eye(3)[:2])
    >>> round(float(metric.compute()), 4)
    2.0
    """

    def __init__(self, n_features: int, *, definition: str = "paper", **kwargs: Any) -> None:
        super().__init__(n_features, rankme, {"definition": definition}, kwargs)


class StableRank(DefinedMetric):
    """Stable rank  ‖Φ‖_F²/‖Φ‖₂²; see `stable_rank`.

    Parameters
    ----------
    n_features : int
        Number of neurons n.
    definition : str
        As in `stable_rank`.
    **kwargs : Any
        Of `torchmetrics.Metric`.

    Examples
    --------
    >>> metric = StableRank(3)
    >>> metric.update(torch.eye(3)[:2])
    >>> round(float(metric.compute()), 6)
    2.0
    """

    def __init__(self, n_features: int, *, definition: str = "paper", **kwargs: Any) -> None:
        super().__init__(n_features, stable_rank, {"definition": definition}, kwargs)


class ParticipationRatio(DefinedMetric):
    """Participation ratio  (Σλ)²/Σλ², corrected or not; see `participation_ratio`.

    Parameters
    ----------
    n_features : int
        Number of neurons n.
    definition : str
        ``"gram"`` or ``"covariance"``.
    correction : str, optional
        None, ``"rows"``, ``"columns"`` or ``"both"``.
    **kwargs : Any
        Of `torchmetrics.Metric`.

    Examples
    --------
    >>> metric = ParticipationRatio(3)
    >>> metric.update(torch.eye(3)[:2])
    >>> round(float(metric.compute()), 6)
    2.0
    """

    def __init__(
        self,
        n_features: int,
        *,
        definition: str = "gram",
        correction: str | None = None,
        **kwargs: Any,
    ) -> None:
        arguments = {"definition": definition, "correction": correction}
        super().__init__(n_features, participation_ratio, arguments, kwargs)


class SRank(DefinedMetric):
    """srank  min{k : Σ_{i≤k} σ_i ≥ (1 − δ) Σσ}  (Kumar et al.); see `srank`.

    Parameters
    ----------
    n_features : int
        Number of neurons n.
    delta : float
        δ in (0, 1).
    definition : str
        As in `srank`.
    **kwargs : Any
        Of `torchmetrics.Metric`.

    Examples
    --------
    >>> metric = SRank(3)
    >>> metric.update(torch.eye(3)[:2])
    >>> float(metric.compute())
    2.0
    """

    def __init__(
        self,
        n_features: int,
        delta: float = SRANK_DELTA,
        *,
        definition: str = "paper",
        **kwargs: Any,
    ) -> None:
        super().__init__(n_features, srank, {"delta": delta, "definition": definition}, kwargs)


class AlphaReQ(DefinedMetric):
    """α-ReQ, the exponent of  λ_k ∝ k^(−α)  (Agrawal et al.); see `alpha_req`.

    Parameters
    ----------
    n_features : int
        Number of neurons n.
    fit : (int, int)
        First and last k, from 1.
    definition : str
        As in `alpha_req`.
    **kwargs : Any
        Of `torchmetrics.Metric`.

    Examples
    --------
    >>> metric = AlphaReQ(9, fit=(1, 9), definition="gram")
    >>> metric.update(torch.diag(1.0 / torch.arange(1, 10)))
    >>> round(float(metric.compute()), 6)
    2.0
    """

    def __init__(
        self,
        n_features: int,
        *,
        fit: tuple[int, int] = DECAY_RANGE,
        definition: str = "paper",
        **kwargs: Any,
    ) -> None:
        super().__init__(n_features, alpha_req, {"fit": fit, "definition": definition}, kwargs)


class FeatureNorm(DefinedMetric):
    """Mean of ‖φ(x)‖₂ over the samples, or its root mean square; see `feature_norm`.

    Parameters
    ----------
    n_features : int
        Number of neurons n.
    definition : str
        As in `feature_norm`.
    **kwargs : Any
        Of `torchmetrics.Metric`.

    Examples
    --------
    >>> metric = FeatureNorm(2)
    >>> metric.update(torch.tensor([[3.0, 4.0]]))
    >>> float(metric.compute())
    5.0
    """

    def __init__(self, n_features: int, *, definition: str = "mean", **kwargs: Any) -> None:
        super().__init__(n_features, feature_norm, {"definition": definition}, kwargs)


class DormantNeurons(DefinedMetric):
    """Share of neurons with mean activity at most τ of the layer's (ReDo); see `dormant_neurons`.

    Parameters
    ----------
    n_features : int
        Number of neurons n.
    tau : float
        τ ≥ 0.
    **kwargs : Any
        Of `torchmetrics.Metric`.

    Examples
    --------
    >>> metric = DormantNeurons(2)
    >>> metric.update(torch.tensor([[3.0, 0.0]]))
    >>> float(metric.compute())
    0.5
    """

    higher_is_better: bool | None = False

    def __init__(self, n_features: int, tau: float = DORMANT, **kwargs: Any) -> None:
        super().__init__(n_features, _dormant_share, {"tau": tau}, kwargs)


class DeadNeurons(DefinedMetric):
    """Share of neurons that are 0 at every sample; see `dead_neurons`.

    Parameters
    ----------
    n_features : int
        Number of neurons n.
    **kwargs : Any
        Of `torchmetrics.Metric`.

    Examples
    --------
    >>> metric = DeadNeurons(2)
    >>> metric.update(torch.tensor([[3.0, 0.0]]))
    >>> float(metric.compute())
    0.5
    """

    higher_is_better: bool | None = False

    def __init__(self, n_features: int, **kwargs: Any) -> None:
        super().__init__(n_features, _dead_share, {}, kwargs)


# Arguments are tried out on it: large enough for every correction.
_TINY = FeatureMoments.of([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])


def _dormant_share(moments: FeatureMoments, tau: float) -> float:
    return float(dormant_neurons(moments, tau).mean())


def _dead_share(moments: FeatureMoments) -> float:
    return float(dead_neurons(moments).mean())


def _ends(name: str, found: RankInterval, device: torch.device) -> dict[str, Tensor]:
    ends = {f"{name}_lower": found.lower, f"{name}_upper": found.upper}
    return {key: torch.tensor(end, device=device) for key, end in ends.items()}
