"""The readings that are asked for: one per head, with its loss and its targets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from epsrank.numerics.monitor.measuring.loaders import TARGET_KEYS
from epsrank.numerics.monitor.measuring.probe_set import ProbeSet
from epsrank.numerics.monitor.measuring.seen import Sample
from epsrank.numerics.monitor.measuring.settings import Settings
from epsrank.numerics.monitor.model.features import named_tensors
from epsrank.numerics.monitor.model.habits import look, pass_beside
from epsrank.numerics.monitor.model.passes import as_arguments
from epsrank.numerics.monitor.model.plan import LayerPlan
from epsrank.theory.errors import InputError
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.numerics.monitor.heads.gather import HeadReader


def as_heads(head: Any, heads: Any) -> Any:
    """Return several heads; `head` must not be given beside them."""
    if not (isinstance(head, str) and head == "auto"):
        raise InputError("heads", "are given, and so is head", "pass one of the two")
    return [heads] if isinstance(heads, str) else list(heads)


def refuse_together(
    own: Settings,
    *,
    probe: Any,
    targets: Any,
    loss: Any,
    mask: Any,
    weights: Any,
    process_group: Any,
    at_exit: Any,
) -> None:
    """Refuse arguments that have no use together."""
    if targets is not None and (probe is None or loss is None):
        name = "probe" if probe is None else "loss"
        remedy = "pass targets to step()" if probe is None else "say 'mse' or 'cross_entropy'"
        raise InputError(name, "is missing, but targets are given", remedy)
    for name, array in (("mask", mask), ("weights", weights)) if probe is None else ():
        if array is not None and not callable(array):
            remedy = f"pass a function of what the model is called on: {name}=lambda batch: …"
            raise InputError(name, "is an array, but there is no probe", remedy)
    if probe is not None and own.forgetting is not None:
        raise InputError("forgetting", "has no use with a probe", "leave one of them out")
    if own.own and (probe is None or process_group is not None):
        problem = f"hold {', '.join(own.own)}, but there is "
        if probe is None:
            remedy = "pass probe= with the samples that they are measured on"
            raise InputError("quantities", f"{problem}no probe", remedy)
        # What a quantity is of all processes together, only it could say.
        remedy = "leave them out, or measure in one process without a group"
        raise InputError("quantities", f"{problem}a process group", remedy)
    if at_exit not in (None, True, False):
        raise InputError("at_exit", f"is {at_exit!r}", "pass True, False or None")
    if at_exit and probe is None:
        raise InputError("at_exit", "is True, but there is no probe", "pass probe= to measure")


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


def refuse_unclear_head(plan: LayerPlan) -> None:
    """Refuse a plan that does not know which layer gives the output."""
    if plan.candidates and plan.no_head is None:
        several = " and ".join(map(repr, plan.candidates))
        remedy = f"say which has the targets: head={plan.candidates[0]!r}, or heads=[…] for several"
        raise InputError("head", f"is not clear: {several} all give outputs", remedy)
    if not plan.heads:
        known = ("is not known, so no floor can be read", "name the layer of the output: head='…'")
        raise InputError("head", *(plan.no_head or known))


def refuse_unknown_heads(plan: LayerPlan, settings: Settings, probe: ProbeSet | None) -> None:
    """Refuse a reading whose head is not known, and losses and targets of other heads."""
    refuse_unclear_head(plan)
    names = [head.name for head in plan.heads]
    targets = None if probe is None else probe.targets
    for argument, value in (("loss", settings.loss), ("targets", targets)):
        for name in value if isinstance(value, Mapping) else ():
            if name not in names:
                remedy = f"choose among {', '.join(map(repr, names))}"
                raise InputError(argument, f"name the head {name!r}", remedy)


def without_targets(sample: Sample, head: str) -> str:
    """Say why a head with a loss has no targets, and how it gets some."""
    if isinstance(sample.targets, Mapping):
        named = ", ".join(repr(name) for name in sample.targets)
        return f"targets have {named}, and none for {head!r}; add it, or leave the head out"
    if sample.part is None:
        return "no targets are known; pass step(targets=…), one for every sample of the step"
    return (
        "the probe has no targets; pass RankMonitor(targets=…), or batches of (inputs, targets): "
        "those of step() are of other samples"
    )


# Least relative difference of two losses that is more than rounding, and in units of the type's.
_OTHER_LOSS, _ROUNDINGS = 1e-4, 4


def refuse_other_loss(plan: LayerPlan, reader: HeadReader, labelled: Mapping[str, Any]) -> None:
    """Refuse targets with which the model, which takes them as well, computes another loss.

    A causal language model shifts its labels: those it is given are not the targets of its outputs.
    """
    key = next(key for key in TARGET_KEYS if key in labelled)
    arguments = as_arguments(labelled)
    look(plan.wrapper, arguments)
    with pass_beside(plan.wrapper) as call:
        own = _loss_in(call(arguments))
    reader.begin()
    reader.batch(arguments)
    if own is None or reader.problem is not None:
        reader.begin()
        return
    share = reader.share(torch.as_tensor(labelled[key]))
    outputs = share.rows.outputs
    known = reader.loss.of(share.targets, outputs.shape[1])
    value = known.value(outputs.double().numpy())
    reader.begin()
    # A name stands for a sum over outputs.
    same = [value, value / outputs.shape[1]] if reader.loss.named else [value]
    room = max(_OTHER_LOSS, _ROUNDINGS * torch.finfo(outputs.dtype).eps)
    if not any(math.isclose(own, one, rel_tol=room) for one in same):
        problem = f"are the {key!r} of the batches, of which the model makes the loss {own:.4g}"
        remedy = (
            "pass batches of (inputs, targets), or targets=, with one for every output "
            "(a causal model shifts its labels)"
        )
        raise InputError("targets", f"{problem} and {reader.loss.name} {value:.4g}", remedy)


def _loss_in(output: Any) -> float | None:
    """Return the loss among the outputs of a model: one number, of that name or the first."""
    for name, leaf in named_tensors(output):
        if leaf.ndim == 0 and name in ("loss", "0"):
            return float(leaf)
    return None


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
                "targets",
                f"have labels {found}",
                f"the head has {plural(k, 'output')}: 0 to {k - 1}",
            )
        return
    rows.columns(torch.as_tensor(targets))
