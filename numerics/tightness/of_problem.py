"""The tightness of a PINN of one's own: features 𝓛(Dφ), target f − 𝓛r (L1, F7).

The output is u = D(x)(φ(x)·W + b) + r(x), with D = 1 and r = 0 unless boundary conditions are built
in. Under a linear 𝓛 its parts are images of functions that the network itself computes, once what
the head gives is replaced: by one of its inputs, by 1, or by 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from epsrank.numerics.losses import understood
from epsrank.numerics.monitor.model.passes import untouched
from epsrank.numerics.operators.problem import BoundaryProblem
from epsrank.numerics.operators.stacked import OperatorSystem, constant, images
from epsrank.numerics.tightness.asked import Asked
from epsrank.numerics.tightness.of_model import reader_of, rows_of
from epsrank.theory.errors import InputError
from epsrank.theory.floor.tightness.layer import layer_tightness
from epsrank.theory.floor.tightness.result import LayerTightness
from epsrank.theory.numbers.arrays import Matrix
from epsrank.theory.words import plural

# Differences of derivatives lose more digits than values: half of them may go.
_LOST_DIGITS = 0.5


def system_of(problem: BoundaryProblem | OperatorSystem, model: nn.Module) -> OperatorSystem:
    """Return the problem at points, in the type of the network."""
    kind = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float64)
    system = problem.system(dtype=kind) if isinstance(problem, BoundaryProblem) else problem
    if system.stacked.no_floor is not None:
        raise InputError("data", f"has no bound: {system.stacked.no_floor}", "linearise it")
    return system if system.x.dtype == kind else replace(system, x=system.x.to(kind))


def pinn_tightness_at(
    model: nn.Module,
    system: OperatorSystem,
    asked: Asked,
    *,
    head: object,
    output: object,
    last: bool,
    step: int | None,
) -> tuple[LayerTightness, str]:
    """Return the tightness of the residual loss of the network as it is now."""
    reader = reader_of(
        model, system.x, understood("mse"), head=head, output=output, limit=len(system.x)
    )
    rows = rows_of(reader, system.x, len(system.x))
    module = dict(model.named_modules())[reader.name] if reader.name else model
    if rows.n_outputs != 1 or len(rows) != len(system.x) or rows.copies > 1:
        raise InputError(
            "model", f"gives {plural(rows.n_outputs, 'output')}", "PINNs here have one: u"
        )
    plain = rows.units is None and rows.offset is None
    own = _Replaced(model, module)
    with untouched(model), torch.no_grad():
        model.eval()
        u = images(system.stacked, own.output, system.x)
        if plain:
            phi = images(system.stacked, own.features, system.x)
            unit, shift = images(system.stacked, constant, system.x), np.zeros_like(u)
        else:
            shift = images(system.stacked, own.with_zero, system.x)
            phi = images(system.stacked, own.with_features, system.x) - shift
            unit = images(system.stacked, own.with_one, system.x) - shift
    weight = rows.weight
    bias = np.zeros((1, 1)) if rows.bias is None else rows.bias
    _refuse_other_images(u, phi, unit, shift, weight, bias, rows.outputs.dtype)
    found = layer_tightness(
        phi,
        system.target,
        coefficients=weight,
        bias=None if rows.bias is None else asked.bias,
        bias_value=rows.bias,
        constant=unit,
        offset=None if plain else shift,
        weights=system.weights,
        measure=system.measure,
        **asked.arguments(last=last, step=step),
    )
    body = rows.form.removeprefix("u = ")
    return found, f"𝓛u = 𝓛({body}), 𝓛u: {system.stacked}"


def _refuse_other_images(
    u: Matrix, phi: Matrix, unit: Matrix, shift: Matrix, weight: Matrix, bias: Matrix,
    dtype: torch.dtype,
) -> None:  # fmt: skip
    """Refuse features under 𝓛 from which another 𝓛u follows than the network's own."""
    made = phi @ weight + unit * bias + shift
    size = np.abs(phi) @ np.abs(weight) + np.abs(unit * bias) + np.abs(shift)
    room = torch.finfo(dtype).eps ** _LOST_DIGITS
    off = np.abs(made - u)
    if not np.isfinite(made).all() or not bool((off <= room * size.max()).all()):
        raise InputError(
            "model", f"has an 𝓛u that differs from 𝓛(φW + b) by up to {off.max():.3g}",
            "check that its output is linear in the last layer and smooth in x",
        )  # fmt: skip


def _column(j: int, phi: Tensor) -> Tensor:
    return phi[..., j : j + 1]


class _Replaced:
    """The network as a function of points, with what its head gives replaced."""

    def __init__(self, model: nn.Module, head: nn.Module) -> None:
        self._model, self._head = model, head

    def output(self, x: Tensor) -> Tensor:
        """U."""
        return self._columns(self._model(x))

    def features(self, x: Tensor) -> Tensor:
        """φ: what enters the head."""
        entered: list[Tensor] = []
        handle = self._head.register_forward_pre_hook(lambda _, args: entered.append(args[0]))
        try:
            self._model(x)
        finally:
            handle.remove()
        return entered[-1]

    def with_features(self, x: Tensor) -> Tensor:
        """Dφ_j + r, one column after another."""
        width = self.features(x).shape[-1]
        return torch.cat([self._with(x, partial(_column, j)) for j in range(width)], dim=1)

    def with_one(self, x: Tensor) -> Tensor:
        """D + r."""
        return self._with(x, lambda phi: torch.ones_like(phi[..., :1]))

    def with_zero(self, x: Tensor) -> Tensor:
        """R."""
        return self._with(x, lambda phi: torch.zeros_like(phi[..., :1]))

    def _with(self, x: Tensor, given: Callable[[Tensor], Tensor]) -> Tensor:
        handle = self._head.register_forward_hook(lambda _, args, out: given(args[0]))
        try:
            return self._columns(self._model(x))
        finally:
            handle.remove()

    @staticmethod
    def _columns(values: Tensor) -> Tensor:
        return values.reshape(len(values), -1)
