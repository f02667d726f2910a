"""The rows of a reading: u = F·W + U·β + r, checked against what the model gives (F7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from epsrank.numerics.monitor.heads.insertion import RANKS
from epsrank.numerics.monitor.model.samples import row_weights
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Matrix
from epsrank.theory.words import plural

_OTHER_COLUMNS = (
    "name the head that they belong to, or let the model return their columns by themselves, and "
    "name that entry: output=…"
)


@dataclass(frozen=True, eq=False)
class HeadRows:
    """Features F, bias features U and offsets r of some samples, with u = F·W + U·β + r."""

    #: What multiplies W, (R, n) in the type that it came in: D·φ.
    features: Tensor
    #: W (n, k).
    weight: Matrix
    #: β (m, k): the bias.
    bias: Matrix | None
    #: What multiplies the bias, (R, m) in float64; None for the constant 1.
    units: Tensor | None
    #: r (R, k) in float64; None for 0.
    offset: Tensor | None
    #: The model's own u (R, k).
    outputs: Tensor
    #: Rows per sample: k where the outputs of a sample have rows of their own.
    copies: int
    #: Shape of the output, and the axis of its classes or columns (None for a single one).
    shape: torch.Size
    axis: int | None
    #: What the output is, in words.
    form: str
    #: How much every sample counts (R,); None for all alike.
    weights: Tensor | None = None
    #: Why the outputs of a sample have rows of their own; empty where they have none.
    apart: str = ""

    def weighed(self, weights: Tensor | None) -> HeadRows:
        """Return the rows with the weights of their samples."""
        if weights is None:
            return self
        samples = list(self.shape)
        if self.axis is not None:
            del samples[self.axis]
        own = row_weights(weights.cpu(), samples, "the output").double()
        return replace(self, weights=own)

    @property
    def n_outputs(self) -> int:
        """The number of outputs of a sample."""
        return int(self.outputs.shape[1])

    def first(self, count: int) -> HeadRows:
        """Return the first rows."""
        cut = slice(count * self.copies)
        return replace(
            self,
            features=self.features[cut],
            units=None if self.units is None else self.units[cut],
            offset=None if self.offset is None else self.offset[cut],
            outputs=self.outputs[:count],
            weights=None if self.weights is None else self.weights[:count],
        )

    def chosen(self, kept: Tensor) -> HeadRows:
        """Return some of the samples."""
        rows = kept if self.copies == 1 else kept.repeat_interleave(self.copies)
        return replace(
            self,
            features=self.features[rows],
            units=None if self.units is None else self.units[rows],
            offset=None if self.offset is None else self.offset[rows],
            outputs=self.outputs[kept],
            weights=None if self.weights is None else self.weights[kept],
        )

    def columns(self, goal: Tensor) -> Tensor:
        """Return targets as samples × outputs, along the axes of the model's output."""
        k = self.n_outputs
        if goal.ndim == 0:
            raise InputError("targets", "are one number", "pass one target per sample")
        if self.axis is not None and goal.ndim > 1 and goal.shape[1:] == self.shape[1:]:
            return goal.movedim(self.axis, -1).reshape(-1, k)
        if k == 1:
            return goal.reshape(-1, 1)
        if goal.shape[-1] != k or goal.ndim < 2:
            columns = 1 if goal.ndim < 2 else int(goal.shape[-1])
            problem = f"have {plural(columns, 'column')}, but the head has {plural(k, 'output')}"
            raise InputError("targets", problem, _OTHER_COLUMNS)
        return goal.reshape(-1, k)

    def __len__(self) -> int:
        return len(self.outputs)


def joined(parts: Sequence[HeadRows]) -> HeadRows:
    """Return the rows of several batches."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if any(part.copies != first.copies or part.n_outputs != first.n_outputs for part in parts):
        raise InputError("head", "gives outputs of different kinds in different batches", RANKS)

    def all_of(name: str, missing: float, columns: int) -> Tensor | None:
        found = [getattr(part, name) for part in parts]
        if all(own is None for own in found):
            return None
        return torch.cat(
            [
                torch.full((len(part.features), columns), missing, dtype=torch.float64)
                if own is None
                else own
                for part, own in zip(parts, found, strict=True)
            ]
        )

    units = all_of("units", 1.0, 1 if first.bias is None else len(first.bias))
    offset = all_of("offset", 0.0, first.n_outputs if first.copies == 1 else 1)
    weights = None
    if any(part.weights is not None for part in parts):
        ones = (torch.ones(len(part), dtype=torch.float64) for part in parts)
        weights = torch.cat(
            [
                one if part.weights is None else part.weights
                for part, one in zip(parts, ones, strict=True)
            ]
        )
    return replace(
        first,
        features=torch.cat([part.features for part in parts]),
        units=units,
        offset=offset,
        outputs=torch.cat([part.outputs for part in parts]),
        weights=weights,
        form=max((part.form for part in parts), key=len),
    )
