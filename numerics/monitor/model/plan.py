"""What is measured in a model, and what is not, as plain data."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import nn

from epsrank.numerics.monitor.model.passes import Arguments
from epsrank.numerics.monitor.model.spots import Spot
from epsrank.theory.words import plural

Site = Literal["output", "input", "call"]
Role = Literal["hidden", "last"]


@dataclass(frozen=True, eq=False)
class MonitoredLayer:
    """A place in a model whose values are features φ_1, …, φ_n."""

    #: Dotted name of the module, unique in the plan; `` (input)`` is appended where its input is
    #: measured. A functional activation is named after the layer it acts on: ``fc1:relu``.
    name: str
    #: The module whose calls are watched.
    module: nn.Module = field(repr=False)
    #: Which side of the module; ``call`` is the output of a function, or of another module, that
    #: the forward of this module calls.
    at: Site = "output"
    #: Negative axis of the neurons; all other axes are samples. −1 for dense layers, sequences and
    #: tokens, −3 for images (channels are neurons, positions are samples).
    axis: int = -1
    #: ``last`` marks the φ of the theory: what enters the head.
    role: Role = "hidden"
    #: With ``call``, the function or module that is called.
    callee: str | nn.Module | None = field(default=None, repr=False)
    #: With ``call``, which calls of `module` count; empty for all.
    spots: tuple[Spot, ...] = ()
    #: With ``output``, whether the module is taken to be called once in a pass.
    once: bool = False

    @property
    def kind(self) -> str:
        """Class of the module, or name of the function, whose values are measured."""
        if isinstance(self.callee, str):
            return self.callee
        return type(self.module if self.callee is None else self.callee).__name__

    def __str__(self) -> str:
        samples = "" if self.axis == -1 else f", neurons on axis {self.axis}"
        return f"{self.name}: {'input' if self.at == 'input' else 'output'} of {self.kind}{samples}"


@dataclass(frozen=True)
class SkippedLayer:
    """A module that is not measured."""

    #: Its dotted name.
    name: str
    #: Why.
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclass(frozen=True, eq=False)
class PlannedHead:
    """An output layer, whose input is the φ of a reading."""

    #: Its dotted name.
    name: str
    #: The module.
    module: nn.Module = field(repr=False)
    #: Name of the measured layer that carries its readings.
    layer: str
    #: The entry of a tuple or dict output that has the targets; None where only one depends on it.
    output: str | None = None
    #: What that output is, such as ``u = φW + b``, once a pass has shown it.
    form: str | None = None
    #: Whether it was taken from the names of modules, since no pass has shown the output yet.
    guessed: bool = False

    def __str__(self) -> str:
        place = f", output {self.output!r}" if self.output is not None else ""
        return f"{self.name}{place}" + (f": {self.form}" if self.form else "")


@dataclass(frozen=True, eq=False)
class LayerPlan:
    """What is measured in a model."""

    #: The model as given: compiled, data-parallel, or plain.
    wrapper: nn.Module = field(repr=False)
    #: The model inside the wrappers.
    model: nn.Module = field(repr=False)
    #: In order of execution as far as known.
    layers: tuple[MonitoredLayer, ...]
    #: Every other module without children, with the reason.
    skipped: tuple[SkippedLayer, ...]
    #: The output layer, whose input is φ, where there is one.
    head: nn.Module | None = field(repr=False)
    #: Whether the model runs as compiled code, so that layers are seen in an eager pass.
    compiled: bool
    #: All heads that are read, of which `head` is the first.
    heads: tuple[PlannedHead, ...] = ()
    #: Layers that reach the output side by side, where none was chosen.
    candidates: tuple[str, ...] = ()
    #: Where there is no head: why, and what helps.
    no_head: tuple[str, str] | None = None
    #: Modules to be followed so that a ``call`` is recognised.
    callers: tuple[nn.Module, ...] = field(default=(), repr=False)
    #: What the passes watched have called, see `epsrank.numerics.monitor.model.find.called`; None
    #: without any.
    called: frozenset[Any] | None = field(default=None, repr=False)
    #: Plans anew with one more pass, for a model that goes another way there.
    further: Callable[[Arguments], LayerPlan | None] | None = field(default=None, repr=False)

    @property
    def last(self) -> MonitoredLayer | None:
        """The last hidden layer φ, where the head is known."""
        return next((layer for layer in self.layers if layer.role == "last"), None)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the layers."""
        return tuple(layer.name for layer in self.layers)

    def __str__(self) -> str:
        lines = [f"{plural(len(self.layers), 'layer')} measured, {len(self.skipped)} skipped"]
        lines += [f"  {layer}{' = φ' * (layer.role == 'last')}" for layer in self.layers]
        lines += [f"  head: {head}" for head in self.heads]
        if self.candidates and self.no_head is not None:
            lines.append(f"  no head: {'; '.join(self.no_head)}")
        elif self.candidates:
            named = ", ".join(map(repr, self.candidates))
            lines.append(f"  no head: {named} all give outputs; choose with head=")
        lines += [f"  skipped {layer}" for layer in self.skipped]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain data."""
        return {
            "layers": [
                {
                    "name": layer.name,
                    "type": layer.kind,
                    "at": layer.at,
                    "axis": layer.axis,
                    "role": layer.role,
                }
                for layer in self.layers
            ],
            "skipped": [{"name": layer.name, "reason": layer.reason} for layer in self.skipped],
            "compiled": self.compiled,
        }
