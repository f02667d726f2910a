"""What is measured in a model, and what is not, as plain data."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import nn

Site = Literal["output", "input", "call"]
Role = Literal["hidden", "last"]


@dataclass(frozen=True, eq=False)
class MonitoredLayer:
    """A place in a model whose values are features φ_1, …, φ_n.

    Attributes
    ----------
    name : str
        Dotted name of the module, unique in the plan; `` (input)`` is appended where its input is
        measured. A functional activation is named after the layer it acts on: ``fc1:relu``.
    module : nn.Module
        The module whose calls are watched.
    at : {"output", "input", "call"}
        Which side of the module; ``call`` is the output of a function, or of another module, that
        the forward of this module calls.
    axis : int
        Negative axis of the neurons; all other axes are samples. −1 for dense layers, sequences and
        tokens, −3 for images (channels are neurons, positions are samples).
    role : {"hidden", "last"}
        ``last`` marks the φ of the theory: what enters the head.
    callee : str or nn.Module, optional
        With ``call``, the function or module that is called.
    indices : tuple of int
        With ``call``, which calls count, by number within one forward of `module`; empty for all.
    """

    name: str
    module: nn.Module = field(repr=False)
    at: Site = "output"
    axis: int = -1
    role: Role = "hidden"
    callee: str | nn.Module | None = field(default=None, repr=False)
    indices: tuple[int, ...] = ()

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
    """A module that is not measured.

    Attributes
    ----------
    name : str
        Its dotted name.
    reason : str
        Why.
    """

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclass(frozen=True, eq=False)
class LayerPlan:
    """What is measured in a model.

    Attributes
    ----------
    wrapper : nn.Module
        The model as given: compiled, data-parallel, or plain.
    model : nn.Module
        The model inside the wrappers.
    layers : tuple of MonitoredLayer
        In order of execution as far as known.
    skipped : tuple of SkippedLayer
        Every other module without children, with the reason.
    head : nn.Module or None
        The output layer, whose input is φ, where there is one.
    compiled : bool
        Whether hooks need an eager pass, because the model runs as compiled code.
    callers : tuple of nn.Module
        Modules to be followed so that a ``call`` is recognised.
    """

    wrapper: nn.Module = field(repr=False)
    model: nn.Module = field(repr=False)
    layers: tuple[MonitoredLayer, ...]
    skipped: tuple[SkippedLayer, ...]
    head: nn.Module | None = field(repr=False)
    compiled: bool
    callers: tuple[nn.Module, ...] = field(default=(), repr=False)

    @property
    def last(self) -> MonitoredLayer | None:
        """The last hidden layer φ, where the head is known."""
        return next((layer for layer in self.layers if layer.role == "last"), None)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the layers."""
        return tuple(layer.name for layer in self.layers)

    def __str__(self) -> str:
        lines = [f"{len(self.layers)} layers measured, {len(self.skipped)} skipped"]
        lines += [f"  {layer}{' = φ' * (layer.role == 'last')}" for layer in self.layers]
        lines += [f"  skipped {layer}" for layer in self.skipped]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain data.

        Returns
        -------
        dict
            ``layers`` (name, at, axis, role, type), ``skipped`` (name, reason), ``compiled``.
        """
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
