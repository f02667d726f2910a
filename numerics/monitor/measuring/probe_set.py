"""The fixed samples that a monitor looks at, cut to size once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from epsrank.theory.errors import InputError


@dataclass(frozen=True, eq=False)
class ProbeSet:
    """Samples, and their targets where known."""

    #: What `probe_pass` takes.
    inputs: Any
    #: One per sample.
    targets: Tensor | None
    #: Number of samples, None for an iterable of batches.
    n_samples: int | None

    def first(self, count: int) -> Any:
        """Return a small part of the inputs, for a trial."""
        if self.n_samples is None:
            return [batch for _, batch in zip(range(1), self.inputs, strict=False)]
        return _rows(self.inputs, slice(count))

    def slice(self, start: int, stop: int) -> Any:
        """Return the inputs of some samples, not copied."""
        if self.n_samples is None or (start, stop) == (0, self.n_samples):
            return self.inputs
        return _rows(self.inputs, slice(start, stop))

    def shuffled(self, seed: int) -> ProbeSet:
        """Return the samples in an order drawn by a seed: its first ones stand for all."""
        if self.n_samples is None:
            return self
        return self._chosen(_order(self.n_samples, seed))

    def _chosen(self, rows: Tensor) -> ProbeSet:
        """Return some samples with their targets."""
        goal = self.targets
        goal = None if goal is None else goal[rows.to(goal.device)]
        return ProbeSet(_rows(self.inputs, rows), goal, len(rows))


def as_probe_set(probe: Any, targets: Any, max_samples: int, seed: int) -> ProbeSet:
    """Check a probe, and draw `max_samples` of its samples where it has more."""
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise InputError("seed", f"is {seed!r}", "pass a whole number")
    if hasattr(probe, "__array_interface__"):
        probe = torch.as_tensor(probe)
    goal = None if targets is None else _as_targets(targets)
    if not isinstance(probe, (Tensor, tuple, Mapping)):
        if isinstance(probe, Iterator) or not hasattr(probe, "__iter__"):
            kind = type(probe).__name__
            raise InputError(
                "probe",
                f"is a {kind}",
                "pass a tensor, tuple, dict, or a list of batches of inputs",
            )
        return ProbeSet(probe, goal, None)
    lengths = {len(leaf) for leaf in tree_leaves(probe) if isinstance(leaf, Tensor) and leaf.ndim}
    if len(lengths) != 1 or lengths == {0}:
        problem = f"has tensors of lengths {sorted(lengths)}" if lengths else "has no tensor"
        raise InputError("probe", problem, "pass tensors with one row per sample, at least one")
    count = lengths.pop()
    if goal is not None and (goal.ndim == 0 or len(goal) != count):
        found = 0 if goal.ndim == 0 else len(goal)
        raise InputError(
            "targets", f"have {found} rows, but the probe {count}", "pass one target per sample"
        )
    whole = ProbeSet(probe, goal, count)
    if count <= max_samples:
        return whole
    return whole._chosen(_order(count, seed)[:max_samples].sort().values)


def _order(count: int, seed: int) -> Tensor:
    """Return a random order of 0, …, count − 1."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


def _as_targets(targets: Any) -> Tensor:
    """Return targets as a tensor."""
    try:
        return torch.as_tensor(targets).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        line = str(error).splitlines()[0]
        raise InputError("targets", f"are no tensor ({line})", "pass labels or numbers") from None


def _rows(tree: Any, rows: Any) -> Any:
    """Return some rows of every tensor of a tree."""

    def cut(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor) or not leaf.ndim:
            return leaf
        return leaf[rows.to(leaf.device) if isinstance(rows, Tensor) else rows]

    return tree_map(cut, tree)
