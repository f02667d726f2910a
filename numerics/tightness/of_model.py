"""The tightness of any network on samples: its head is found, and what it computes is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.data import DataLoader, Dataset

from epsrank.numerics.checkpoint.models import typed_as
from epsrank.numerics.losses import UserLoss
from epsrank.numerics.monitor.heads.gather import HeadReader
from epsrank.numerics.monitor.heads.rows import HeadRows
from epsrank.numerics.monitor.heads.share import NoReading
from epsrank.numerics.monitor.measuring.loaders import kept_batches
from epsrank.numerics.monitor.measuring.readings import refuse_unclear_head
from epsrank.numerics.monitor.model.find import find_layers
from epsrank.numerics.monitor.model.passes import Weighted, take_rows
from epsrank.numerics.tightness.asked import Asked
from epsrank.theory.data.inputs import as_weights
from epsrank.theory.errors import InputError
from epsrank.theory.floor.tightness.layer import layer_tightness
from epsrank.theory.floor.tightness.result import LayerTightness
from epsrank.theory.numbers.arrays import to_numpy
from epsrank.theory.words import plural

_TOGETHER = 256
# Samples of the pass that looks for the head.
_EXAMPLE = 2
_REFUSED = "leave tightness out: it is about heads whose output is u = φW + b"


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs as the model takes them, with targets."""

    inputs: Any
    targets: Tensor
    #: w (N,), None for 1 each.
    weights: Tensor | None = None
    measure: str = "mean"

    def __len__(self) -> int:
        return len(self.targets)


def samples_of(
    data: Any, targets: Any, model: nn.Module, *, weights: Any, measure: str, most: int, seed: int
) -> Samples:
    """Return samples of whatever holds them: arrays, a Dataset, a loader."""
    if isinstance(data, Dataset) and not isinstance(data, DataLoader):
        data = DataLoader(data, batch_size=_TOGETHER)
    if targets is None and isinstance(data, (tuple, list)) and len(data) == 2:
        data, targets = data
    if targets is None:
        kept = kept_batches(data, model, targets=None, reading=True, max_samples=most, seed=seed)
        if kept.targets is None:
            raise InputError(
                "targets", "are missing", "pass data=(inputs, targets), or targets= beside data"
            )
        inputs, goal = _joined(kept.inputs), kept.targets
    else:
        inputs, goal = _tensors(data, model), _tensor(targets, "targets")
    share = None if weights is None else _tensor(weights, "weights").double().reshape(-1)
    found = Samples(inputs, goal, share, measure)
    sizes = {len(leaf) for leaf in tree_leaves(inputs)} | {len(goal)}
    sizes |= set() if share is None else {len(share)}
    if len(sizes) > 1:
        raise InputError(
            "data",
            f"has inputs, targets and weights of {sorted(sizes)} samples",
            "pass as many",
        )
    if share is not None:
        # The one gate of weights: a reader of heads takes those ≤ 0 for samples left out.
        as_weights(share.numpy(), len(goal))
    return found if len(goal) <= most else _drawn(found, most, seed)


def _drawn(samples: Samples, most: int, seed: int) -> Samples:
    """Return some of the samples, drawn by the seed."""
    if samples.measure != "mean":
        problem = (
            f"is {most}, and some of {plural(len(samples), 'sample')} "
            f"are no {samples.measure} measure"
        )
        raise InputError("max_samples", problem, "raise it")
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randperm(len(samples), generator=generator)[:most].sort().values
    weights = None if samples.weights is None else samples.weights[rows]
    return Samples(take_rows(samples.inputs, rows), samples.targets[rows], weights)


def _joined(batches: list[Any]) -> Any:
    """Return the inputs of batches as those of one call."""
    first = batches[0]
    if isinstance(first, Mapping):
        return {name: torch.cat([batch[name] for batch in batches]) for name in first}
    if isinstance(first, (tuple, list)):
        return tuple(torch.cat(parts) for parts in zip(*batches, strict=True))
    return torch.cat([torch.as_tensor(batch) for batch in batches])


def _tensors(data: Any, model: nn.Module) -> Any:
    """Return inputs as tensors in the type of the network."""
    if isinstance(data, Mapping):
        return {
            name: typed_as(_tensor(value, f"data[{name!r}]"), model) for name, value in data.items()
        }
    if isinstance(data, tuple):
        return tuple(typed_as(_tensor(value, "data"), model) for value in data)
    return typed_as(_tensor(data, "data"), model)


def _tensor(values: Any, name: str) -> Tensor:
    """Return an array or tensor as a tensor of its own."""
    if isinstance(values, Tensor):
        return values.detach().cpu()
    array = to_numpy(values, name)[0]
    if array.dtype.kind not in "fiub":
        raise InputError(name, f"holds {array.dtype}", "pass numbers")
    return torch.from_numpy(np.ascontiguousarray(array))


def reader_of(
    model: nn.Module, inputs: Any, loss: UserLoss, *, head: Any, output: Any, limit: int
) -> HeadReader:
    """Return a reader of the one head of a network."""
    refuse_unknown_weights(model)
    try:
        example = [take_rows(inputs, slice(_EXAMPLE))]
        plan = find_layers(model, "auto", head=head, output=output, example=example, reads=True)
    except InputError as error:
        own = "data" if error.argument == "probe" else error.argument
        raise InputError(own, error.problem, error.remedy) from None
    except Exception as error:
        line = (str(error).splitlines() or [""])[0]
        raise InputError(
            "data", f"does not run through the network ({type(error).__name__}: {line})",
            "pass what its forward takes, one row per sample",
        ) from None  # fmt: skip
    refuse_unclear_head(plan)
    return HeadReader(plan.wrapper, plan.heads[0], loss, limit)


def refuse_unknown_weights(model: nn.Module) -> None:
    """Refuse weights that are no numbers, before anything is said of what they make."""
    for name, value in model.named_parameters():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            count = int((~value.isfinite()).sum())
            raise InputError(
                "model", f"has {count} NaN or infinite weights in {name}",
                "take weights from before the training diverged",
            )  # fmt: skip


def _refused(reason: str) -> InputError:
    """Return the error of a network without a bound: a reason of readings has its remedy."""
    problem, _, remedy = reason.partition("; ")
    return InputError("model", f"has no bound: {problem}", remedy or _REFUSED)


def rows_of(reader: HeadReader, inputs: Any, count: int) -> HeadRows:
    """Return the rows of all samples; an output that is not φW + b is refused with its reason."""
    reader.begin()
    reader.probe(inputs, count)
    if reader.problem is not None:
        raise _refused(reader.problem)
    return reader.joined()


def tightness_at(
    reader: HeadReader, samples: Samples, asked: Asked, *, last: bool, step: int | None
) -> tuple[LayerTightness, str, float]:
    """Return the tightness of the network as it is now, what its output is, and the scale."""
    probe = samples.inputs
    if samples.weights is not None:
        probe = Weighted(probe, samples.weights)
    rows_of(reader, probe, len(samples))
    try:
        share = reader.share(samples.targets)
    except NoReading as error:
        raise _refused(str(error)) from None
    rows, loss = share.rows, reader.loss
    times = rows.copies
    if times > 1 and not loss.squares:
        raise InputError(
            "model", f"has outputs that are scaled one by one ({rows.form})",
            "take loss='mse': a floor of that is known for squares alone",
        )  # fmt: skip
    known = loss.of(share.targets, rows.n_outputs)
    weights = None if rows.weights is None else rows.weights.repeat_interleave(times).numpy()
    found = layer_tightness(
        rows.features,
        known.goal.reshape(-1, 1) if times > 1 else known.goal,
        coefficients=rows.weight,
        loss="squared" if loss.squares else known.law,
        bias=None if rows.bias is None else asked.bias,
        bias_value=rows.bias,
        constant=None if rows.units is None else rows.units.numpy(),
        offset=None if rows.offset is None else rows.offset.numpy(),
        weights=weights,
        measure=samples.measure,
        **asked.arguments(last=last, step=step),
    )
    # The mean over rows of single outputs is a k-th of that over samples.
    return found, rows.form, known.scale * (times if samples.measure == "mean" else 1)
