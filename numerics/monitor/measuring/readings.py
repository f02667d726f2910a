"""The readings that are asked for: one per head, with its loss and its targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from epsrank.numerics.monitor.measuring.probe_set import ProbeSet
from epsrank.numerics.monitor.measuring.settings import Settings
from epsrank.numerics.monitor.model.plan import LayerPlan
from epsrank.theory.errors import InputError

if TYPE_CHECKING:
    from epsrank.numerics.monitor.heads.gather import HeadReader


def as_heads(head: Any, heads: Any) -> Any:
    """Return several heads; `head` must not be given beside them."""
    if not (isinstance(head, str) and head == "auto"):
        raise InputError("heads", "are given, and so is head", "pass one of the two")
    return [heads] if isinstance(heads, str) else list(heads)


def refuse_arrays(**given: Any) -> None:
    """Refuse masks and weights that belong to no batch of the training."""
    for name, own in given.items():
        if own is not None and not callable(own):
            remedy = f"pass a function of what the model is called on: {name}=lambda batch: …"
            raise InputError(name, "is an array, but there is no probe", remedy)


def head_readers(plan: LayerPlan, settings: Settings) -> dict[str, HeadReader]:
    """Return a reader for every head that has a loss, by the layer that carries its readings."""
    if settings.loss is None:
        return {}
    # What reads heads is loaded with the first loss: a monitor of ranks does without.
    from epsrank.numerics.monitor.heads.gather import HeadReader

    return {
        head.layer: HeadReader(plan.wrapper, head, loss, settings.max_samples, settings.weigh)
        for head in plan.heads
        if (loss := settings.loss_of(head.name)) is not None
    }


def refuse_unknown_heads(plan: LayerPlan, settings: Settings, probe: ProbeSet | None) -> None:
    """Refuse a reading whose head is not known, and losses and targets of other heads."""
    if plan.candidates:
        several = " and ".join(map(repr, plan.candidates))
        remedy = f"say which has the targets: head={plan.candidates[0]!r}, or heads=[…] for several"
        raise InputError("head", f"is not clear: {several} all give outputs", remedy)
    if not plan.heads:
        raise InputError(
            "head", "is not known, so no floor can be read", "name the last nn.Linear: head='…'"
        )
    names = [head.name for head in plan.heads]
    targets = None if probe is None else probe.targets
    for argument, value in (("loss", settings.loss), ("targets", targets)):
        for name in value if isinstance(value, Mapping) else ():
            if name not in names:
                remedy = f"choose among {', '.join(map(repr, names))}"
                raise InputError(argument, f"name the head {name!r}", remedy)


def check_targets(reader: HeadReader, targets: Any) -> None:
    """Check the targets of a probe against the outputs of the model."""
    if not isinstance(targets, Tensor):
        return
    rows = reader.joined()
    if reader.loss.has_labels(targets):
        labels = targets[targets != reader.loss.ignored]
        if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < rows.n_outputs:
            k = rows.n_outputs
            found = f"{int(labels.min())} to {int(labels.max())}"
            raise InputError(
                "targets", f"have labels {found}", f"the head has {k} outputs: 0 to {k - 1}"
            )
        return
    rows.columns(torch.as_tensor(targets))
