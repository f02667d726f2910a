"""Quantities called beside a training, which goes on as if they had not been."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import torch
from torch import nn

from epsrank.numerics.monitor.model.passes import copied, is_one_call, untouched
from epsrank.numerics.monitor.model.put_back import AsItWas
from epsrank.numerics.monitor.model.wrappers import eagerly, runnable
from epsrank.numerics.monitor.quantity.contract import (
    Losses,
    Quantity,
    QuantityData,
    as_estimate,
)
from epsrank.numerics.monitor.records.record import QuantityRecord
from epsrank.theory.errors import described
from epsrank.theory.estimate import Estimate


def evaluate(
    quantities: Mapping[str, Quantity],
    model: nn.Module,
    loss: Losses | None,
    data: QuantityData,
    step: int,
) -> tuple[QuantityRecord, ...]:
    """Return one record for each quantity; trouble is a value in it."""
    if not quantities:
        return ()
    runner = runnable(model)
    try:
        before = AsItWas(runner)
    except Exception as error:
        return failed(quantities, f"the model cannot be copied ({described(error)})", step)
    # Each from the same random numbers, and whatever the one before has left behind.
    return tuple(
        _evaluated(name, quantity, model, loss, data, before, step)
        for name, quantity in quantities.items()
    )


def failed(names: Iterable[str], cause: str, step: int) -> tuple[QuantityRecord, ...]:
    """Return the records of quantities that could not be looked at."""
    return tuple(QuantityRecord(step, name, cause=cause) for name in names)


def _evaluated(
    name: str,
    quantity: Quantity,
    model: nn.Module,
    loss: Losses | None,
    data: QuantityData,
    before: AsItWas,
    step: int,
) -> QuantityRecord:
    """Call one quantity."""
    began = time.perf_counter()
    estimate: Estimate | None = None
    causes: list[str] = []
    try:
        with _unnoticed(model, before, causes) as runner:
            estimate = as_estimate(quantity(runner, loss, _copied(data, runner)))
    except Exception as error:
        causes.insert(0, described(error))
    if estimate is not None and math.isnan(estimate.value):
        estimate = None
        causes.insert(0, "the value is NaN")
    return QuantityRecord(
        step=step,
        name=name,
        value=None if estimate is None else estimate.value,
        low=None if estimate is None else estimate.low,
        high=None if estimate is None else estimate.high,
        meaning=None if estimate is None else estimate.meaning,
        level=None if estimate is None else estimate.level,
        cause="; ".join(causes) or None,
        seconds=time.perf_counter() - began,
    )


@contextmanager
def _unnoticed(model: nn.Module, before: AsItWas, causes: list[str]) -> Iterator[nn.Module]:
    """Give the model in evaluation mode, with gradients; put back and name what is changed."""
    runner = runnable(model)
    with ExitStack() as around:
        # The generators of the model's own devices are kept by `untouched`, those of others here.
        used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
        devices = list(range(torch.cuda.device_count())) if used else []
        around.enter_context(torch.random.fork_rng(devices=devices))
        around.enter_context(untouched(runner))
        around.enter_context(eagerly(model))
        around.enter_context(torch.inference_mode(False))
        around.enter_context(torch.enable_grad())
        runner.eval()
        try:
            yield runner
        finally:  # also where somebody interrupts a long one
            changed = before.put_back()
            if changed is not None:
                causes.append(changed)


def _copied(data: QuantityData, model: nn.Module) -> QuantityData:
    """Copy samples to the device of a model: a quantity may write into them."""
    inputs = data.inputs
    if is_one_call(inputs):
        inputs = copied(model, inputs)
    else:
        inputs = [copied(model, batch) for batch in inputs]
    targets, weights = copied(model, [data.targets, data.weights])
    return QuantityData(inputs, targets, weights)
