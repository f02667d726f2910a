"""The public function: how tight the bounds are on a network of one's own."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from epsrank.numerics.checkpoint.weights import load_weights
from epsrank.numerics.losses import understood
from epsrank.numerics.operators.problem import BoundaryProblem
from epsrank.numerics.operators.stacked import OperatorSystem
from epsrank.numerics.tasks.task import Task
from epsrank.numerics.tightness.asked import Asked
from epsrank.numerics.tightness.of_model import (
    Samples,
    reader_of,
    samples_of,
    tightness_at,
)
from epsrank.numerics.tightness.of_problem import pinn_tightness_at, system_of
from epsrank.numerics.tightness.of_run import tightness_of_run
from epsrank.numerics.tightness.result import Tightness
from epsrank.numerics.training import Run, load_run
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.errors import InputError
from epsrank.theory.floor.reading import ReadingBias
from epsrank.theory.floor.tightness.layer import EPS

_BIASES = (None, "feature", "fixed", "free")
_GIVEN_BY_RUN = "are those of the run"


def tightness(
    model: Any,
    data: Any = None,
    *,
    targets: Any = None,
    loss: Any = "mse",
    eps: Sequence[float] = EPS,
    norms: Sequence[float] | None = None,
    bias: ReadingBias | None = None,
    weights: Any = None,
    measure: str = "mean",
    head: Any = "auto",
    output: Any = None,
    checkpoints: Mapping[int, Any] | None = None,
    index: int | None = None,
    moments: int = 12,
    max_samples: int = 2000,
    certified: bool = False,
    seed: int = 0,
    label: str | None = None,
) -> Tightness:
    """Return  loss ≥ V(B) ≥ envelope ≥ floor  of a network on data, and how tight it is.

    The output layer is found, and what becomes of its output is checked on the samples: u must be
    D(x)(φ(x)W + b) + r(x) (F7). V(B) = min_{‖C‖_F ≤ B, b} loss(φC + b) is what any output layer of
    this norm reaches; the envelope and the floors at r_ε bound it from below (F2, F3); the budget
    is the ε-rank that a loss as small as this one needs (F5). For a PINN the same holds with
    features under 𝓛 (L1), for Lipschitz losses with L√λ_{p+1}B in place of √λ_{p+1}B (L2, L3).

    Parameters
    ----------
    model : Module, Run or path
        A network, a run, or the folder of one; a run brings its data, loss and checkpoints.
    data : object, optional
        For a network: (inputs, targets), a `torch.utils.data.Dataset` or loader of such pairs,
        inputs alone beside `targets`, a `Task` of the suite, or a `BoundaryProblem` or
        `OperatorSystem`, for which the network is a PINN.
    targets : array_like or tensor, shape (N,) or (N, k), optional
        u*, or labels.
    loss : str, Module or callable
        As it is used in the training: ``"mse"``, ``nn.CrossEntropyLoss()``, `F.huber_loss`, … Its
        reduction is in `Tightness.scale`.
    eps : sequence of float
        Thresholds ε, in the measure.
    norms : sequence of float, optional
        Norms at which V is wanted besides the network's own; multiples of it by default.
    bias : {"feature", "fixed", "free"}, optional
        The output bias: one more feature and part of B, held, or unpenalised. By default that of
        the run, or ``"feature"``.
    weights : array_like, shape (N,), optional
        Sample weights.
    measure : {"mean", "raw", "volume"}
        Normalisation of the weights.
    head, output : optional
        Name of the output layer, and of the output that has the targets, as in `RankMonitor`.
    checkpoints : mapping of int to state dict or path, optional
        Weights by training step, so that the result is over training.
    index : int, optional
        One measurement of the run instead of several.
    moments : int
        Measurements of a run that are rebuilt, evenly spread, the last one among them.
    max_samples : int
        More samples than that are drawn from, by `seed`.
    certified : bool
        Decide the chain of the last moment in ball arithmetic (seconds to minutes; small data).
    seed : int
        Of that draw.
    label : str, optional
        What to call it.

    Returns
    -------
    Tightness
        The numbers, with ``plot``, ``table`` and ``to_json``.

    Raises
    ------
    InputError
        If an argument cannot be used, or the output is not φW + b, with the reason.

    Examples
    --------
    >>> import torch
    >>> generator = torch.Generator().manual_seed(0)
    >>> x = torch.rand(100, 1, generator=generator)
    >>> model = torch.nn.Sequential(torch.nn.Linear(1, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1))
    >>> found = tightness(model, (x, torch.sin(3 * x)))
    >>> found.form, found.state != "violated", found.last.loss_over_reachable.lower >= 1
    ('u = φW + b', True, True)
    """
    if bias not in _BIASES:
        raise InputError("bias", f"is {bias!r}", "choose 'feature', 'fixed' or 'free'")
    moments = as_whole(moments, "moments")
    if isinstance(model, (Run, str, Path)):
        run = model if isinstance(model, Run) else load_run(model)
        for name, given in (("data", data), ("targets", targets), ("checkpoints", checkpoints)):
            if given is not None:
                raise InputError(name, f"{_GIVEN_BY_RUN}", "leave them out")
        own: Any = run.config.bias if bias is None else bias
        asked = Asked(eps, norms, own, certified)
        return tightness_of_run(run, asked, moments=moments, index=index)
    if not isinstance(model, nn.Module):
        raise InputError(
            "model", f"is a {type(model).__name__}", "pass a torch.nn.Module, a run or its folder"
        )
    if index is not None:
        raise InputError("index", "is given for a network", "it names a measurement of a run")
    asked = Asked(eps, norms, "feature" if bias is None else bias, certified)
    name = type(model).__name__ if label is None else label
    if checkpoints is not None and (not isinstance(checkpoints, Mapping) or not checkpoints):
        raise InputError("checkpoints", "are no weights by step", "pass {step: state_dict}")
    moments_of = _states(model, checkpoints)
    last = None if checkpoints is None else max(checkpoints)
    if isinstance(data, Task) and data.operator is not None:
        data = _system_of_task(data)
    if isinstance(data, (BoundaryProblem, OperatorSystem)):
        if targets is not None or weights is not None:
            raise InputError("targets", "and weights are those of the problem", "leave them out")
        pinns = [
            pinn_tightness_at(
                own, system_of(data, own), asked, head=head, output=output,
                last=step == last, step=step,
            )
            for step, own in moments_of
        ]  # fmt: skip
        return Tightness(name, tuple(found for found, _ in pinns), pinns[-1][1])
    samples = _samples(data, targets, model, weights, measure, max_samples, seed)
    known = understood(loss)
    records, form, scale = [], "", 1.0
    for step, own in moments_of:
        reader = reader_of(own, samples.inputs, known, head=head, output=output, limit=len(samples))
        found, form, scale = tightness_at(reader, samples, asked, last=step == last, step=step)
        records.append(found)
    return Tightness(name, tuple(records), form, scale)


def _samples(
    data: Any, targets: Any, model: nn.Module, weights: Any, measure: str, most: int, seed: int
) -> Samples:
    """Return the samples of a network."""
    if data is None:
        raise InputError("data", "are missing", "pass data=(inputs, targets)")
    most = as_whole(most, "max_samples")
    if isinstance(data, Task):
        if targets is not None or weights is not None:
            raise InputError("targets", "and weights are those of the task", "leave them out")
        if data.weights is not None:
            # A quadrature rule is taken whole.
            most = max(most, data.n_samples)
        data, weights, measure = (data.x, data.y), data.weights, data.measure
    return samples_of(data, targets, model, weights=weights, measure=measure, most=most, seed=seed)


def _system_of_task(task: Task) -> OperatorSystem:
    """Return the least-squares system of a task for PINNs."""
    assert task.operator is not None
    assert task.weights is not None
    return OperatorSystem(
        task.operator, task.x, task.weights.double().numpy(), task.y.double().numpy(), task.measure
    )


def _states(
    model: nn.Module, checkpoints: Mapping[int, Any] | None
) -> Iterator[tuple[int | None, nn.Module]]:
    """Yield the network, or one copy after another of it with the weights of each step."""
    if checkpoints is None:
        yield None, model
        return
    for step in sorted(checkpoints):
        own, state = copy.deepcopy(model), checkpoints[step]
        if isinstance(state, (str, Path)):
            load_weights(own, state, name="checkpoints")
        else:
            try:
                own.load_state_dict({key: torch.as_tensor(value) for key, value in state.items()})
            except Exception as error:
                line = " ".join(str(error).split())
                raise InputError(
                    f"checkpoints[{step}]", f"do not fit the network ({line[:200]})",
                    "pass state dicts of this network",
                ) from None  # fmt: skip
        yield step, own
