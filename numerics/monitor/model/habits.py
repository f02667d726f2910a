"""Passes beside the training as a model needs them: what it does in a pass is found out once."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from epsrank.numerics.monitor.model.passes import Arguments, run, untouched
from epsrank.numerics.monitor.model.put_back import AsItWas
from epsrank.numerics.monitor.model.wrappers import eagerly, has_shards, is_sharded, runnable


@dataclass(frozen=True)
class Habits:
    """What the forward pass of a model does beside computing its output."""

    #: Whether it differentiates, so that gradients have to be on; and whether by its inputs.
    gradients: bool = False
    by_inputs: bool = False
    #: Whether it changes parameters or gradients, so that these are copied before a pass.
    writes: bool = False


_ATTEMPTS = (Habits(), Habits(gradients=True), Habits(gradients=True, by_inputs=True))

# By identity, since a model of the user's may compare itself otherwise; and not on the model. In
# evaluation mode it may do other things than in training.
_known: dict[tuple[int, bool], tuple[weakref.ref[nn.Module], Habits]] = {}


def look(model: nn.Module, arguments: Arguments, *, evaluate: bool = True) -> None:
    """Find out what a model does in a pass, unless it is known; raise what fails in any case."""
    runner = runnable(model)
    if _habits(runner, evaluate) is not None:
        return
    failure: Exception | None = None
    for attempt in _ATTEMPTS:
        before = _parameters_of(runner)
        try:
            with _pass(model, attempt, evaluate) as call:
                call(arguments)
        except Exception as error:
            # Not what autograd says where gradients are off, if it fails with them as well.
            failure = failure or error
        else:
            failure = None
        finally:
            changed = before is not None and before.put_back() is not None
        if failure is None:
            _note(runner, evaluate, replace(attempt, writes=changed))
            return
    assert failure is not None
    raise failure


@contextmanager
def pass_beside(model: nn.Module, *, evaluate: bool = True) -> Iterator[Callable[[Arguments], Any]]:
    """Give a call of a model that leaves no trace; of one that is not known, at a higher price."""
    found = _habits(runnable(model), evaluate) or Habits(writes=True)
    with _pass(model, found, evaluate) as call:
        yield call


def _note(runner: nn.Module, evaluate: bool, found: Habits) -> None:
    number = id(runner), evaluate
    _known[number] = weakref.ref(runner, lambda _: _known.pop(number, None)), found


def _habits(runner: nn.Module, evaluate: bool) -> Habits | None:
    held, found = _known.get((id(runner), evaluate), (None, None))
    return found if held is not None and held() is runner else None


@contextmanager
def _pass(model: nn.Module, found: Habits, evaluate: bool) -> Iterator[Callable[[Arguments], Any]]:
    runner = runnable(model)
    before = _parameters_of(runner) if found.writes else None
    try:
        with ExitStack() as around:
            around.enter_context(untouched(runner))
            around.enter_context(eagerly(model))
            if found.gradients:
                around.enter_context(torch.inference_mode(False))
            around.enter_context(torch.set_grad_enabled(found.gradients))
            if evaluate:
                runner.eval()
            yield partial(run, runner, gradients=found.gradients, by_inputs=found.by_inputs)
    finally:
        if before is not None:
            before.put_back()
        for module in runner.modules():
            # Gathered weights would be those of now in the passes after the next step, too.
            if is_sharded(module) and hasattr(module, "reshard"):
                module.reshard()  # type: ignore[operator]


def _parameters_of(runner: nn.Module) -> AsItWas | None:
    """Copy the parameters of a model; those that lie in several processes are not our business."""
    return None if has_shards(runner) else AsItWas(runner)
