"""LiDAR as a metric: its sums are over objects, each with all of its views in one batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from epsrank.numerics.metrics.base import SumMetric
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.dimension.lidar import RIDGE, LidarSums, lidar
from epsrank.theory.errors import InputError
from epsrank.theory.words import plural

_SHAPED = ("total", "between", "within")
_COUNTS = ("n_objects", "n_views")


class Lidar(SumMetric):
    """LiDAR  exp(−Σ p log p)  of  Σ_w^(−1/2) Σ_b Σ_w^(−1/2)  (Thilak et al.); see `lidar`.

    Parameters
    ----------
    n_features : int
        Number of neurons n.
    delta : float
        δ > 0, added to the diagonal of Σ_w.
    definition : {"paper", "unbiased"}
        As in `lidar`.
    **kwargs : Any
        Of `torchmetrics.Metric`.

    Notes
    -----
    ``update(features)`` takes objects × views × neurons, or rows with ``objects=``; all views of
    one object belong into one batch of one process.

    Examples
    --------
    >>> metric = Lidar(3)
    >>> views = torch.eye(3)[:, None, :] + 0.1 * torch.randn(3, 4, 3)
    >>> metric.update(views)
    >>> 1 < float(metric.compute()) < 2.01
    True
    """

    higher_is_better = None

    def __init__(
        self, n_features: int, delta: float = RIDGE, *, definition: str = "paper", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.n_features = as_whole(n_features, "n_features", remedy="pass the number of neurons")
        self.delta, self.definition = delta, definition
        lidar([[0.0], [1.0], [3.0]], [0, 0, 1], delta=delta, definition=definition)
        n = self.n_features
        self._add_sums(dict(zip(_SHAPED, ((n,), (n, n), (n, n)), strict=True)), _COUNTS)

    def update(self, features: Any, objects: Any = None) -> None:
        """Add the objects of one batch; a batch that is refused leaves everything as it was."""
        sums = LidarSums.of(features, objects)
        if len(sums.total) != self.n_features:
            problem = f"have {plural(len(sums.total), 'neuron')}, expected {self.n_features}"
            raise InputError("features", problem, "pass those of one layer")
        for name in (*_SHAPED, *_COUNTS):
            state = getattr(self, name)
            added = torch.as_tensor(getattr(sums, name), dtype=state.dtype, device=state.device)
            setattr(self, name, state + added)

    def compute(self) -> Tensor:
        """Return LiDAR."""
        found = LidarSums(**self._numbers(*_SHAPED, *_COUNTS))
        return self._result(lidar(found, delta=self.delta, definition=self.definition))
