"""A task as a value: inputs, targets and the measure that all its losses and ranks are taken in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from torch import Tensor

from epsrank.numerics.operators.stacked import StackedOperator
from epsrank.theory.data.measure import Measure, MeasureName
from epsrank.theory.shown import Shown

Kind = Literal["regression", "classification"]


@dataclass(frozen=True, eq=False)
class Task(Shown):
    """Target u* on a data measure μ = c⁻¹ Σ w_i δ_{x_i}, with separate test points."""

    #: What the data are; a stand-in says so here (``"digits (in place of mnist)"``).
    name: str
    #: For classification y holds one-hot rows, so that squared error and the floor apply.
    kind: Kind
    #: Training inputs.
    x: Tensor = field(repr=False)
    #: Targets u*(x_i).
    y: Tensor = field(repr=False)
    #: Test inputs and targets, of the same law.
    x_test: Tensor = field(repr=False)
    y_test: Tensor = field(repr=False)
    #: One sentence.
    description: str
    #: w_i; None means 1 each.
    weights: Tensor | None = field(default=None, repr=False)
    #: How the weights are normalised.
    measure: MeasureName = "mean"
    #: The box Ω, one interval per input; None for data.
    domain: tuple[tuple[float, float], ...] | None = None
    #: (C, H, W) where the inputs are images.
    image_shape: tuple[int, int, int] | None = None
    #: One line that the user should see, such as why a stand-in was taken.
    notice: str | None = None
    #: Where the loss is that of a PINN: what is done to u before it is compared with y. The test
    #: samples hold the solution itself.
    operator: StackedOperator | None = field(default=None, repr=False)

    @property
    def n_inputs(self) -> int:
        """Dimension d of the inputs."""
        return int(self.x.shape[1])

    @property
    def n_outputs(self) -> int:
        """Number k of outputs."""
        return int(self.y.shape[1])

    @property
    def n_samples(self) -> int:
        """Number N of training samples."""
        return int(self.x.shape[0])

    @cached_property
    def law(self) -> Measure:
        """μ on the training samples: `weights` normalised by `measure`."""
        weights = None if self.weights is None else self.weights.numpy()
        return Measure(self.measure, self.n_samples, weights)

    def fingerprint(self) -> str:
        """Return a digest of the training data, by which a resumed run knows its data again."""
        operator = "" if self.operator is None else f" {self.operator}"
        digest = hashlib.sha256(f"{self.name} {self.measure}{operator}".encode())
        for tensor in (self.x, self.y, self.weights):
            if tensor is not None:
                digest.update(f"{tuple(tensor.shape)} {tensor.dtype}".encode())
                # The bytes where they lie: data sets are large, and need no copy for this.
                digest.update(tensor.cpu().contiguous().numpy().data.cast("B"))
        return digest.hexdigest()

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.description} ({self.kind}, {self.n_samples} training and "
            f"{self.x_test.shape[0]} test samples, {self.n_inputs} → {self.n_outputs}, "
            f"{self.measure} measure)"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the description of the task, without its data."""
        return {
            "name": self.name,
            "kind": self.kind,
            "description": self.description,
            "n_samples": self.n_samples,
            "n_test": int(self.x_test.shape[0]),
            "n_inputs": self.n_inputs,
            "n_outputs": self.n_outputs,
            "measure": self.measure,
            "domain": self.domain,
            "notice": self.notice,
            "fingerprint": self.fingerprint(),
        }
