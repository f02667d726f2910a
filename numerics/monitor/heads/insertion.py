"""Passes in which what the head gives is replaced: the output as a function of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from epsrank.numerics.monitor.model.convolutions import form_of
from epsrank.numerics.monitor.model.features import first_tensor, named_tensors, trouble
from epsrank.numerics.monitor.model.habits import look, pass_beside
from epsrank.numerics.monitor.model.passes import Arguments
from epsrank.theory.errors import InputError, described

#: What works wherever there is no reading.
RANKS = "leave targets out: ranks need none"


@dataclass(frozen=True, eq=False)
class Pass:
    """One forward pass, seen from the head."""

    #: What entered the head, a copy for every call of it.
    entered: list[Tensor]
    #: What it gave, or what was put in place of that.
    given: list[Tensor]
    #: Tensors of the model's output by their place in it; ``""`` for an output that is a tensor.
    outputs: dict[str, Tensor]
    #: The same with their graph, back to the `places` where what the head gave was put in.
    tracked: dict[str, Tensor]
    places: list[Tensor]

    def along(self, name: str, direction: Sequence[Tensor]) -> Tensor:
        """Return D·v, the derivative of an output in a direction.

        D·v is the derivative by w of ⟨Dᵀw, v⟩, whatever w is: two backward passes through what
        follows the head. (Forward mode would import a compiler first.)
        """
        u = self.tracked[name]
        if not u.requires_grad:
            return torch.zeros_like(self.outputs[name])
        with torch.enable_grad(), _differentiable():
            # Of sums: grad_outputs would import a computer algebra system first, for some seconds.
            w = torch.zeros_like(u, requires_grad=True)
            back = torch.autograd.grad(
                (u * w).sum(), self.places, create_graph=True, allow_unused=True
            )
            parts = [
                (part * v).sum()
                for part, v in zip(back, direction, strict=True)
                if part is not None and part.requires_grad
            ]
            if not parts:
                return torch.zeros_like(self.outputs[name])
            total = torch.stack(parts).sum()
            [found] = torch.autograd.grad(total, w, retain_graph=True, allow_unused=True)
        return torch.zeros_like(self.outputs[name]) if found is None else found.detach()

    def gradients(self, name: str) -> Tensor:
        """Return ∂(Σ_i u_ie)/∂h for every output e of a sample, stacked; of a single call."""
        u, [place] = self.tracked[name], self.places
        with torch.enable_grad(), _differentiable():
            columns = u.reshape(len(u), -1).sum(0)
            rows = [
                torch.autograd.grad(column, place, retain_graph=True, allow_unused=True)[0]
                for column in columns
            ]
        return torch.stack([torch.zeros_like(place) if g is None else g for g in rows]).detach()


class Insertion:
    """A model on some arguments, as a function of what its head gives.

    In evaluation mode, unless `as_is`: then the modes stay, and every pass draws the same random
    numbers, so that dropout of a training step is a part of the function.
    """

    def __init__(
        self, model: nn.Module, head: nn.Module, arguments: Arguments, *, as_is: bool = False
    ) -> None:
        self._model = model
        self._head = head
        self._form = form_of(head)
        self._arguments = arguments
        self._as_is = as_is
        self._call: Callable[[Arguments], Any] | None = None
        #: Whether the forward pass differentiates what the head gives.
        self.differentiates = False

    def differentiated(self) -> InputError:
        """Say that derivatives by the inputs go into the output."""
        problem = (
            f"{type(self._head).__name__} is differentiated inside forward, as for the residual of "
            "a PDE, so that the output depends on more than what it gives"
        )
        remedy = "monitor the part that returns u, RankMonitor(model.net, …) with targets of u"
        return InputError("head", problem, f"{remedy}, or {RANKS}")

    @contextmanager
    def passes(self) -> Iterator[None]:
        """Run several passes, after which the model is as before."""
        look(self._model, self._arguments, evaluate=not self._as_is)
        with torch.inference_mode(False):
            if self._as_is:
                yield
                return
            with pass_beside(self._model) as self._call:
                yield

    def run(self, values: Sequence[Tensor] | None = None) -> Pass:
        """Run one pass, with these values in place of what the calls of the head give."""
        entered: list[Tensor] = []
        places: list[Tensor] = []

        def before(module: nn.Module, args: Any, kwargs: Any) -> None:
            features = first_tensor(args) if args else first_tensor(kwargs)
            reason = trouble(features)
            if reason is not None or features is None:
                raise InputError("head", f"takes what {reason}", "name an nn.Linear: head='…'")
            features = self._form.entered(features)
            if features.requires_grad and _reached(features, places):
                remedy = f"name a layer whose output does not come back to it, or {RANKS}"
                raise InputError("head", "is given what it gave before", remedy)
            entered.append(features.detach().clone())

        def after(module: nn.Module, args: Any, output: Any) -> Tensor:
            if not isinstance(output, Tensor):
                kind = type(output).__name__
                raise InputError("head", f"gives a {kind}", "name an nn.Linear: head='…'")
            number = len(places)
            # Gradients are off in a pass beside the training, unless the model wants some itself.
            self.differentiates = output.requires_grad
            value = self._form.given(output)
            if values is not None:
                if number >= len(values) or value.shape != values[number].shape:
                    raise _unsteady()
                value = values[number]
            places.append(value.detach().clone().requires_grad_())
            # From here on gradients are wanted; this pass ends that.
            torch.set_grad_enabled(True)
            # A copy, since what follows may work in place.
            return self._form.put(places[-1]).clone()

        with ExitStack() as stack:
            if self._as_is:
                beside = pass_beside(self._model, evaluate=False)
                self._call = stack.enter_context(beside)
            assert self._call is not None
            stack.enter_context(torch.set_grad_enabled(torch.is_grad_enabled()))
            # Last of all hooks on what it gives, so that the user's own count.
            hook = self._head.register_forward_pre_hook(before, with_kwargs=True)
            stack.callback(hook.remove)
            stack.callback(self._head.register_forward_hook(after).remove)
            try:
                output = self._call(self._arguments)
            except RuntimeError as error:
                if self.differentiates:
                    raise self.differentiated() from error
                raise
        if values is not None and len(places) != len(values):
            raise _unsteady()
        found = {
            n: leaf for n, leaf in named_tensors(output) if leaf.is_floating_point() and leaf.ndim
        }
        return Pass(
            entered=entered,
            given=[place.detach() for place in places],
            outputs={name: leaf.detach().clone() for name, leaf in found.items()},
            tracked=found,
            places=places,
        )


def _reached(features: Tensor, places: list[Tensor]) -> bool:
    """Whether features depend on what was put in before."""
    if not places:
        return False
    with torch.enable_grad():
        back = torch.autograd.grad(features.sum(), places, retain_graph=True, allow_unused=True)
    return any(part is not None for part in back)


@contextmanager
def _differentiable() -> Iterator[None]:
    try:
        yield
    except (NotImplementedError, RuntimeError) as error:
        problem = f"is followed by what cannot be differentiated ({described(error)})"
        raise InputError("head", problem, RANKS) from error


def _unsteady() -> InputError:
    return InputError(
        "head",
        "is called differently in two passes over the same samples",
        f"make the forward pass repeatable, or {RANKS}",
    )
