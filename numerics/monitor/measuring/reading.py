"""The last layer against its floor: whose fault a plateau is (F6), for the loss as it is given.

The head is u = φW + b. With ``bias="free"`` any b may go with a W of norm B = ‖W‖_F; with
``"feature"`` the constant 1 is a feature like the others and B = ‖(W; b)‖_F; with ``"fixed"`` b
stays as it is. The numbers and the word are those of `theory/floor/plateau.py`, as everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from epsrank.numerics.losses import UserLoss
from epsrank.numerics.monitor.records.record import LayerReading
from epsrank.theory.errors import InputError
from epsrank.theory.floor.reading import ReadingBias
from epsrank.theory.numbers.arrays import Matrix, Vector


def check_reading(head: nn.Module | None, targets: Tensor | None, loss: UserLoss) -> None:
    """Check the head of a reading, and against it the targets of a probe."""
    k = Head.of(head).weight.shape[1]
    if targets is None:
        return
    if loss.has_labels(targets):
        labels = targets[targets != loss.ignored]
        if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < k:
            found = f"{int(labels.min())} to {int(labels.max())}"
            raise InputError(
                "targets", f"have labels {found}", f"the head has {k} outputs: 0 to {k - 1}"
            )
        return
    columns = 1 if targets.ndim < 2 else int(targets.shape[-1])
    if columns != k:
        raise InputError(
            "targets",
            f"have {columns} columns, but the head has {k} outputs",
            "name the right head",
        )


class Rows:
    """The first rows of the last layer's features, kept until the targets are known."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.total = 0
        self._pieces: list[Tensor] = []
        self._kept = 0

    def add(self, features: Tensor) -> None:
        """Copy what fits."""
        self.total += features.shape[0]
        room = self.limit - self._kept
        if room > 0:
            piece = features[:room].detach().to("cpu", copy=True)
            self._pieces.append(piece)
            self._kept += piece.shape[0]

    def features(self) -> Tensor | None:
        """Return the rows kept, and None without any."""
        return torch.cat(self._pieces) if self._pieces else None


def matched(rows: Rows, targets: Any, loss: UserLoss) -> tuple[Tensor, Tensor]:
    """Return features (N, n) and targets (N,) or (N, k), without samples of ignored labels."""
    features = rows.features()
    if features is None:
        raise InputError("targets", "have no features", "check that the head is part of the pass")
    goal = torch.as_tensor(targets).detach()
    labels = loss.has_labels(goal)
    # Tokens and positions are samples: all axes of labels, and all but the last of rows.
    if labels:
        goal = goal.reshape(-1)
    elif goal.ndim > 1:
        goal = goal.reshape(-1, goal.shape[-1])
    if goal.ndim == 0 or goal.shape[0] != rows.total:
        raise InputError(
            "targets",
            f"have {0 if goal.ndim == 0 else goal.shape[0]} rows, but the last layer has "
            f"{rows.total}",
            "pass one target for every sample that went through the model since the last step",
        )
    goal = goal[: features.shape[0]].cpu()
    if labels:
        kept = goal != loss.ignored
        features, goal = features[kept], goal[kept]
    if len(goal) == 0:
        raise InputError("targets", "are empty or all ignored", "pass at least one target")
    return features, goal


Bias = ReadingBias

# Most numbers in the outputs of the samples read, and in W, of a cross-entropy reading.
_MOST_OUTPUTS = 2**24
_MOST_WEIGHTS = 2**22

# Relative gap at which the cross-entropy solver stops, and its most steps: the thresholds of F6 are
# a fifth and a half of the loss.
_TOLERANCE = 1e-2
_ITERATIONS = 200


@dataclass(frozen=True, eq=False)
class Head:
    """The output layer u = φW + b in float64."""

    #: W.
    weight: Matrix
    #: b.
    bias: Vector | None

    @classmethod
    def of(cls, module: nn.Module | None) -> Head:
        """Read the numbers of an ``nn.Linear``."""
        weight = getattr(module, "weight", None)
        if not isinstance(weight, Tensor) or weight.ndim != 2:
            kind = "not known" if module is None else f"a {type(module).__name__}"
            raise InputError(
                "head", f"is {kind}, so no floor can be read", "name the last nn.Linear: head='…'"
            )
        bias = getattr(module, "bias", None)
        # Copies: on the CPU these can be the memory that the optimiser writes into.
        own = None if bias is None else bias.detach().double().cpu().numpy().copy()
        return cls(weight.detach().double().cpu().numpy().T.copy(), own)


def read_last_layer(
    features: Tensor, targets: Tensor, head: Head, *, loss: UserLoss, bias: Bias
) -> LayerReading:
    """Return the reading of the last layer (F6), on fewer rows for many classes."""
    # Here, since a monitor without targets has no use for it.
    from epsrank.theory.floor.plateau import read_plateau

    n, k = head.weight.shape
    if features.shape[1] != n:
        raise InputError(
            "head",
            f"takes {n} features, but its input has {features.shape[1]}",
            "name the layer that follows the last hidden one: head='…'",
        )
    if not np.isfinite(head.weight).all() or (
        head.bias is not None and not np.isfinite(head.bias).all()
    ):
        raise InputError("head", "has NaN or infinite weights", "fix the training")
    rows = len(features)
    if not loss.squares:
        if n * k > _MOST_WEIGHTS:
            raise InputError(
                "head",
                f"has {n} × {k} weights: a {loss.name} floor of that size takes too long",
                "leave targets out, and the ranks are measured all the same",
            )
        rows = max(1, _MOST_OUTPUTS // k)
    known = loss.of(targets[:rows], k)
    found = read_plateau(
        features[:rows].double().numpy(),
        known.goal,
        loss="squared" if loss.squares else known.law,
        coefficients=head.weight,
        bias=None if head.bias is None else bias,
        bias_value=head.bias,
        tolerance=_TOLERANCE,
        iterations=_ITERATIONS,
    )
    # In the units of the loss as it was given, its reduction included.
    reading = LayerReading.of(found, kind=loss.name, n_samples=min(rows, len(features)))
    return replace(
        reading,
        loss=known.scale * reading.loss,
        reachable=known.scale * reading.reachable,
        attained=known.scale * reading.attained,
    )
