"""Probes that come in batches: iterated once and kept, with the targets that they bring."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.data import DataLoader, IterableDataset, SequentialSampler, Subset

from epsrank.numerics.monitor.model.wrappers import unwrap
from epsrank.theory.errors import InputError

#: What libraries call the targets in a batch that is a mapping.
TARGET_KEYS = ("labels", "label", "targets", "target")


@dataclass(frozen=True, eq=False)
class Kept:
    """Batches of inputs, with what belongs to them."""

    #: As the model takes them.
    inputs: list[Any]
    #: Targets of all of them, one after another; None where they bring none.
    targets: Tensor | None
    #: Numbers of the samples in the loader's data, where only some were drawn.
    drawn: Tensor | None = None
    #: The first batch with its targets, where the model takes them as well.
    labelled: Mapping[str, Any] | None = None


def kept_batches(
    probe: Any, model: nn.Module | None, *, targets: Any, reading: bool, max_samples: int, seed: int
) -> Kept:
    """Iterate over batches once, and split what the model does not take from them as targets.

    A list is kept whole. Of a loader `max_samples` samples are drawn by the seed where its data
    have a length, and the first ones taken elsewhere.
    """
    if isinstance(probe, Iterator) or not isinstance(probe, Iterable) or isinstance(probe, str):
        kind = type(probe).__name__
        remedy = "pass a tensor, tuple, dict, a list of batches of inputs, or a loader"
        raise InputError("probe", f"is a {kind}", remedy)
    if targets is not None:
        _refuse_disorder(probe)
    drawn = None
    with _unchanged_generators():
        if isinstance(probe, Sequence):
            batches = list(probe)
        else:
            batches, drawn = _some_of(probe, max_samples, seed)
    if not batches:
        raise InputError("probe", "is empty", "pass at least one sample")
    reads = reading and targets is None
    split = [_split(batch, model, reads) for batch in batches]
    own = [goal for _, goal in split if goal is not None]
    if targets is not None:
        if own:
            remedy = "leave out targets=, or let the batches be inputs alone"
            raise InputError("targets", "are given, and the batches bring their own", remedy)
        return Kept([given for given, _ in split], None, drawn)
    labelled = batches[0] if reads and own and _takes_its_targets(batches[0], model) else None
    goal = joined(own) if reading and own else None
    return Kept([given for given, _ in split], goal, drawn, labelled)


def split_mapping(
    batch: Mapping[str, Any], model: nn.Module | None
) -> tuple[dict[str, Any], Tensor | None, Mapping[str, Any] | None]:
    """Return inputs and targets of a mapping, and all of it where a model takes that."""
    given, goal = _split(batch, model, True)
    labelled = batch if goal is not None and _takes_its_targets(batch, model) else None
    return given, goal, labelled


def _takes_its_targets(batch: Any, model: nn.Module | None) -> bool:
    return isinstance(batch, Mapping) and _taking(model)(dict(batch))


def count_of(batch: Any) -> int:
    """Return the number of samples of a batch."""
    sizes = [len(leaf) for leaf in tree_leaves(batch) if isinstance(leaf, Tensor) and leaf.ndim]
    return sizes[0] if sizes else 1


def _refuse_disorder(probe: Any) -> None:
    """Refuse targets beside batches whose order is not that of the targets."""
    if isinstance(probe, DataLoader):
        sampler = getattr(probe, "sampler", None)
        batched = type(getattr(probe, "batch_sampler", None)).__name__
        if isinstance(sampler, SequentialSampler) and batched in ("BatchSampler", "NoneType"):
            return
        if isinstance(probe.dataset, IterableDataset):
            return
    elif isinstance(probe, Sequence):
        return
    else:
        first = [next(iter(probe), None) for _ in range(2)]
        one, two = (tree_leaves(batch) for batch in first)
        if len(one) == len(two) and all(_equal(a, b) for a, b in zip(one, two, strict=True)):
            return
    raise InputError(
        "probe",
        "comes in another order every time, but targets are given beside it",
        "let its batches be (inputs, targets) and leave targets= out, or pass shuffle=False",
    )


def _equal(one: Any, two: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(two, Tensor):
        return one.shape == two.shape and bool(torch.equal(one, two))
    return bool(np.all(one == two))


def _some_of(probe: Any, max_samples: int, seed: int) -> tuple[list[Any], Tensor | None]:
    """Return batches of at most about `max_samples` samples, and which ones they are."""
    plain = isinstance(probe, DataLoader) and probe.batch_size is not None
    if (
        plain
        and not isinstance(probe.dataset, IterableDataset)
        and hasattr(probe.dataset, "__len__")
    ):
        count = len(probe.dataset)
        if count > max_samples:
            generator = torch.Generator().manual_seed(seed)
            drawn = torch.randperm(count, generator=generator)[:max_samples].sort().values
            part: Any = Subset(probe.dataset, drawn.tolist())
            smaller: Any = DataLoader(
                part, batch_size=probe.batch_size, collate_fn=probe.collate_fn, generator=generator
            )
            return list(smaller), drawn
    batches, seen = [], 0
    for batch in probe:
        batches.append(batch)
        seen += count_of(batch)
        if seen >= max_samples:
            break
    return batches, None


def _split(batch: Any, model: nn.Module | None, reading: bool) -> tuple[Any, Tensor | None]:
    """Return what the model takes of a batch, and its targets."""
    takes = _taking(model)
    if isinstance(batch, Mapping):
        keys = [key for key in TARGET_KEYS if key in batch]
        taken = takes(dict(batch))
        if not keys or (taken and not reading):
            return dict(batch), None
        rest = {key: own for key, own in batch.items() if key not in keys}
        # A model that takes its targets is called with them, as in training.
        return (dict(batch) if taken else rest), torch.as_tensor(batch[keys[0]])
    if not isinstance(batch, (tuple, list)) or len(batch) < 2:
        return batch, None
    *given, last = batch
    if takes(tuple(batch)) and not (reading and len(batch) == 2 and takes(tuple(given))):
        return tuple(batch), None
    inputs = tuple(given) if len(given) > 1 or not isinstance(given[0], (tuple, list)) else given[0]
    return (inputs[0] if len(inputs) == 1 else inputs), torch.as_tensor(last)


def _taking(model: nn.Module | None) -> Callable[[Any], bool]:
    """Return whether the forward of a model takes some arguments, by its signature."""
    if model is None:
        return lambda _: True
    try:
        signature = inspect.signature(unwrap(model).forward)
    except (TypeError, ValueError):
        return lambda _: True

    def takes(arguments: Any) -> bool:
        try:
            if isinstance(arguments, dict):
                signature.bind(**arguments)
            else:
                signature.bind(*arguments)
        except TypeError:
            return False
        return True

    return takes


def joined(targets: list[Tensor]) -> Tensor:
    """Return the targets of batches one after another; of ragged ones, row by row."""
    if len({tuple(goal.shape[1:]) for goal in targets}) == 1:
        return torch.cat(targets).detach()
    if targets[0].is_floating_point():
        return torch.cat([goal.reshape(-1, goal.shape[-1]) for goal in targets]).detach()
    return torch.cat([goal.reshape(-1) for goal in targets]).detach()


@contextmanager
def _unchanged_generators() -> Iterator[None]:
    """Leave the global random numbers alone, of which loaders draw their seeds."""
    python, legacy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)
