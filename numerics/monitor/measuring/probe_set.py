"""The fixed samples that a monitor looks at, cut to size once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from epsrank.numerics.monitor.measuring.loaders import (
    count_of,
    joined,
    kept_batches,
    split_mapping,
)
from epsrank.numerics.monitor.model.passes import Weighted, take_rows
from epsrank.numerics.monitor.model.samples import WeightedBatches, combined
from epsrank.numerics.monitor.model.together import go_together
from epsrank.theory.errors import InputError
from epsrank.theory.words import plural

# Samples by which the loss that a model computes itself is compared.
_LABELLED = 64


@dataclass(frozen=True, eq=False)
class ProbeSet:
    """Samples, and their targets where known."""

    #: What `probe_pass` takes.
    inputs: Any
    #: One per sample; of several heads a mapping by their names.
    targets: Any
    #: Number of samples, None for an iterable of batches.
    n_samples: int | None
    #: The first batch, where the model takes the targets of a reading as well.
    labelled: Any = None
    #: Whether it is a single batch, since its samples depend on each other.
    together: bool = False

    @property
    def samples(self) -> Any:
        """The inputs as they were given, of a single batch without the list around it."""
        return next(iter(self.inputs)) if self.together else self.inputs

    def first(self, count: int) -> Any:
        """Return a small part of the inputs, for a trial."""
        if self.n_samples is None:
            return [batch for _, batch in zip(range(1), self.inputs, strict=False)]
        return take_rows(self.inputs, slice(count))

    def slice(self, start: int, stop: int) -> Any:
        """Return the inputs of some samples, not copied."""
        if self.n_samples is None or (start, stop) == (0, self.n_samples):
            return self.inputs
        return take_rows(self.inputs, slice(start, stop))

    def shuffled(self, seed: int) -> ProbeSet:
        """Return the samples in an order drawn by a seed: its first ones stand for all."""
        if self.n_samples is None:
            return self
        return self._chosen(_order(self.n_samples, seed))

    def _chosen(self, rows: Tensor) -> ProbeSet:
        """Return some samples with their targets."""
        chosen = take_rows(self.inputs, rows), take_rows(self.targets, rows)
        return ProbeSet(*chosen, len(rows), self.labelled)

    def first_targets(self, count: int) -> Any:
        """Return the targets of the first samples."""
        return take_rows(self.targets, slice(count))


def as_probe_set(
    probe: Any,
    targets: Any,
    max_samples: int,
    seed: int,
    *,
    model: nn.Module | None = None,
    reading: bool = False,
    mask: Any = None,
    weights: Any = None,
) -> ProbeSet:
    """Check a probe, and draw `max_samples` of its samples where it has more."""
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise InputError("seed", f"is {seed!r}", "pass a whole number")
    if hasattr(probe, "__array_interface__"):
        probe = torch.as_tensor(probe)
    whole_call = isinstance(probe, (Tensor, tuple, Mapping))
    if not whole_call:
        targets = _of_all_batches(targets)
    goal = None if targets is None else _as_targets("targets", targets)
    if not whole_call:
        kept = kept_batches(
            probe, model, targets=goal, reading=reading, max_samples=max_samples, seed=seed
        )
        if kept.targets is not None:
            goal = kept.targets
        elif kept.drawn is not None and goal is not None:
            goal = take_rows(goal, kept.drawn)
        counts = [count_of(batch) for batch in kept.inputs]
        own = _of_batches(mask, weights, counts, kept.drawn)
        inputs = kept.inputs if own is None else WeightedBatches(kept.inputs, own)
        return ProbeSet(inputs, goal, None, kept.labelled)
    labelled = None
    if isinstance(probe, Mapping) and goal is None and reading:
        probe, goal, labelled = split_mapping(probe, model)
        labelled = None if labelled is None else take_rows(labelled, slice(_LABELLED))
    lengths = {len(leaf) for leaf in tree_leaves(probe) if isinstance(leaf, Tensor) and leaf.ndim}
    if len(lengths) != 1 or lengths == {0}:
        problem = f"has tensors of lengths {sorted(lengths)}" if lengths else "has no tensor"
        raise InputError("probe", problem, "pass tensors with one row per sample, at least one")
    count = lengths.pop()
    both = _given(mask, weights)
    for name, part in (("targets", goal), ("mask", both)):
        for own_part in [] if part is None else tree_leaves(part):
            if own_part.ndim == 0 or len(own_part) != count:
                found = 0 if own_part.ndim == 0 else len(own_part)
                name, verb = (_name(mask), "has") if name == "mask" else (name, "have")
                problem = f"{verb} {plural(found, 'row')}, but the probe {count}"
                raise InputError(name, problem, "pass one entry per sample")
    _refuse_empty(mask, weights, both)
    given = probe if both is None else Weighted(probe, both)
    if model is not None and go_together(model, probe, count):
        if count > max_samples:
            what = f"has {plural(count, 'sample')} that depend on each other"
            remedy = f"pass max_samples={count} for one pass over all, or a list of whole batches"
            raise InputError("probe", f"{what}, so that none can be drawn", remedy)
        return ProbeSet([given], goal, None, labelled, together=True)
    whole = ProbeSet(given, goal, count, labelled)
    if count <= max_samples:
        return whole
    return whole._chosen(_order(count, seed)[:max_samples].sort().values)


def _of_all_batches(targets: Any) -> Any:
    """Return the targets of a list of batches, where they are a list as well."""
    if isinstance(targets, Mapping):
        return {name: _of_all_batches(own) for name, own in targets.items()}
    if isinstance(targets, list) and all(getattr(own, "ndim", 0) > 0 for own in targets):
        return joined([torch.as_tensor(own) for own in targets]) if targets else targets
    return targets


def _refuse_empty(mask: Any, weights: Any, both: Tensor | None) -> None:
    if both is not None and not bool(both.any()):
        given = " and ".join(
            name for name, own in (("mask", mask), ("weights", weights)) if own is not None
        )
        leaves = "leaves" if given == "mask" else "leave"
        raise InputError(given, f"{leaves} out every sample", "let at least one of them count")


def _name(mask: Any) -> str:
    return "weights" if mask is None or callable(mask) else "mask"


def _given(mask: Any, weights: Any) -> Tensor | None:
    """Return the weights that are given as arrays; None where they are computed from batches."""
    arrays = {
        name: None if own is None or callable(own) else _as_targets(name, own)
        for name, own in (("mask", mask), ("weights", weights))
    }
    if callable(mask) != callable(weights) and None not in (mask, weights):
        raise InputError("weights", "and mask are a function and an array", "pass two of one kind")
    return combined(arrays["mask"], arrays["weights"])


def _of_batches(
    mask: Any, weights: Any, counts: list[int], drawn: Tensor | None
) -> list[Tensor] | None:
    """Return the weights of batches from arrays over all samples, or from lists of one for each."""
    lists = [own for own in (mask, weights) if isinstance(own, (list, tuple))]
    if lists and any(isinstance(entry, (Tensor, np.ndarray)) for entry in lists[0]):
        for own in (mask, weights):
            if own is not None and len(own) != len(counts):
                problem = f"have {plural(len(own), 'batch')}, but the probe {len(counts)}"
                raise InputError(_name(mask), problem, "pass one array per batch")
        none = [None] * len(counts)
        pairs = zip(
            none if mask is None else mask, none if weights is None else weights, strict=True
        )
        found = [own for pair in pairs if (own := _given(*pair)) is not None]
        _refuse_empty(mask, weights, torch.stack([own.any() for own in found]))
        return found
    both = _given(mask, weights)
    if both is None:
        return None
    _refuse_empty(mask, weights, both)
    both = both if drawn is None else both[drawn]
    if len(both) != sum(counts):
        problem = f"have {plural(len(both), 'row')}, but the probe {sum(counts)}"
        raise InputError(_name(mask), problem, "pass one entry per sample, or one array per batch")
    return list(torch.split(both, counts))


def _order(count: int, seed: int) -> Tensor:
    """Return a random order of 0, …, count − 1."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


def _as_targets(argument: str, targets: Any) -> Any:
    """Return targets as a tensor, or as tensors by the names of heads."""
    if isinstance(targets, Mapping):
        return {str(name): _as_targets(argument, own) for name, own in targets.items()}
    try:
        return torch.as_tensor(targets).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        line = str(error).splitlines()[0]
        raise InputError(argument, f"are no tensor ({line})", "pass labels or numbers") from None
