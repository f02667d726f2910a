"""Metrics whose states are sums over samples in float64, whatever becomes of the model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from epsrank.numerics.gram.batch import as_batch, diagnosis
from epsrank.numerics.gram.products import BLOCK, partial_sums
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.dimension.moments import FeatureMoments
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.rounding import UNDERFLOW, gamma, upward

# Rows whose powers are formed at once.
_ROWS = 4096

# States of `FeatureMoments` by name: vectors, and numbers.
_VECTORS = ("total", "sizes", "skew", "cubes", "quartics")
_NUMBERS = ("norms", "fourth")


class SumMetric(Metric):
    """A metric all of whose states are sums that stay in float64, or whole numbers."""

    is_differentiable = False
    full_state_update = False

    def _add_sums(self, shapes: Mapping[str, tuple[int, ...]], counts: tuple[str, ...]) -> None:
        """Make one state of zeros for each name."""
        for name, shape in shapes.items():
            zeros = torch.zeros(shape, dtype=torch.float64)
            self.add_state(name, zeros, dist_reduce_fx="sum")
        for name in counts:
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Any = "") -> Any:
        """Move states, but keep their dtype: `module.to(torch.bfloat16)` would round the sums."""

        def moved(tensor: Tensor) -> Tensor:
            found = fn(tensor)
            return found if found.dtype == tensor.dtype else tensor.to(found.device)

        return super()._apply(moved, exclude_state)

    def _numbers(self, *names: str) -> dict[str, Any]:
        """Return states as NumPy arrays and plain numbers."""
        return {name: _plain(getattr(self, name)) for name in names}

    def _result(self, value: float | None) -> Tensor:
        """Return a number as a tensor beside the states; NaN for none."""
        number = math.nan if value is None else float(value)
        return torch.tensor(number, dtype=torch.float64, device=self.device)


def _plain(state: Tensor) -> Any:
    values = state.detach().cpu()
    return values.numpy() if values.ndim else values.item()


class FeatureMetric(SumMetric):
    """A metric of `FeatureMoments`: all of them have the same states, so collections share one."""

    n_samples: Tensor
    additions: Tensor
    total: Tensor

    def __init__(self, n_features: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        remedy = "pass the number of neurons, ≥ 1"
        self.n_features = as_whole(n_features, "n_features", remedy=remedy)
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(_VECTORS, (self.n_features,))
        shapes |= dict.fromkeys(_NUMBERS, ())
        shapes["lower"] = (self.n_features, self.n_features)
        self._add_sums(shapes, ("n_samples", "additions"))

    def update(self, features: Any) -> None:
        """Add one batch; a batch that is refused leaves everything as it was."""
        with torch.no_grad():
            batch, _, _ = as_batch(features, None, None, self.n_features, 0)
            sums = _sums(batch, self.total.device)
            # NaN, ∞ and overflow in any entry show in Σ ‖x‖⁴.
            if not math.isfinite(float(sums["fourth"])):
                name, problem, remedy = diagnosis(batch, None, None)
                problem = problem.replace("squares beyond", "fourth powers beyond")
                raise InputError(name, problem, remedy)
            for name, value in sums.items():
                setattr(self, name, getattr(self, name) + value)
            self.n_samples = self.n_samples + batch.shape[0]
            # Blocks are added, then to the state, which `forward` and processes may add once more.
            self.additions = self.additions + -(-batch.shape[0] // BLOCK["float64"]) + 2

    def moments(self) -> FeatureMoments:
        """Return the sums over all that was seen."""
        found = self._numbers(*_VECTORS, *_NUMBERS, "lower", "n_samples", "additions")
        n_samples, additions = found.pop("n_samples"), found.pop("additions")
        if n_samples == 0:
            raise InputError("features", "are missing", "call update() before compute()")
        lower = found.pop("lower")
        gram = lower + lower.T
        gram[range(self.n_features), range(self.n_features)] /= 2
        # An entry passes through the products of one block and then, at most, all additions.
        factor = gamma(min(BLOCK["float64"], n_samples) + 1 + additions)
        trace = float(gram.trace())
        # Products may lose 2^-1074 each; UNDERFLOW covers as many as 2^60 of them.
        error = upward(factor / (1 - factor) * trace + UNDERFLOW) if factor < 1 else math.inf
        return FeatureMoments(n_samples=n_samples, gram=gram, gram_error=error, **found)


def _sums(batch: Tensor, device: torch.device) -> dict[str, Tensor]:
    """Return the sums of one batch by the names of the states."""
    if batch.element_size() == 1:
        batch = batch.to(torch.float32)  # exactly; float8 has no arithmetic of its own
    lower, sizes = partial_sums(batch, "float64", device)
    n = batch.shape[1]
    sums = {name: torch.zeros(n, dtype=torch.float64, device=device) for name in _VECTORS}
    sums |= {name: torch.zeros((), dtype=torch.float64, device=device) for name in _NUMBERS}
    # What stands above the diagonal is arbitrary, and states are compared and stored.
    sums |= {"lower": lower.tril(), "sizes": sizes}
    for chunk in torch.split(batch, _ROWS):
        rows = chunk.to(device=device).to(dtype=torch.float64)
        squares = rows.square()
        lengths = squares.sum(1)
        sums["total"] += rows.sum(0)
        sums["skew"] += lengths @ rows
        sums["cubes"] += (squares * rows).sum(0)
        sums["quartics"] += squares.square().sum(0)
        sums["norms"] += lengths.sqrt().sum()
        sums["fourth"] += lengths.square().sum()
    return sums
