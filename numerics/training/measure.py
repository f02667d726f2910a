"""One measurement: loss, floors and ε-ranks of a network on its probe."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch

from epsrank.numerics.networks import FeatureNetwork, capture, evaluating
from epsrank.numerics.operators.stacked import StackedOperator, constant, images
from epsrank.numerics.tasks import Task
from epsrank.numerics.training.config import RunConfig
from epsrank.numerics.training.objective import Objective, float64_loss, sample_losses
from epsrank.numerics.training.probe import Probe, rank_probe
from epsrank.numerics.training.record import LayerRanks, StepRecord
from epsrank.theory.data.inputs import Features, as_features
from epsrank.theory.data.measure import Measure
from epsrank.theory.errors import InputError
from epsrank.theory.floor.arguments import BiasName, with_bias
from epsrank.theory.floor.chain import check_chain, worst_state
from epsrank.theory.floor.convex.floor import ConvexFloor, convex_floor
from epsrank.theory.floor.decomposed.decomposition import decompose
from epsrank.theory.floor.decomposed.reachable import reachable_loss
from epsrank.theory.floor.decomposed.weighting import residual_norm, weighted_problem
from epsrank.theory.floor.loss_floor import floor_of
from epsrank.theory.floor.plateau import PlateauCurve, plateau_curve, read_plateau
from epsrank.theory.floor.reading import Reading
from epsrank.theory.floor.result import LossFloor
from epsrank.theory.numbers.arrays import Array, Matrix, Vector
from epsrank.theory.numbers.scaled import frobenius
from epsrank.theory.rank import epsilon_ranks

_NO_FLOOR = (
    "the squared-error floor (F2) does not apply to cross-entropy, and the probe is too large for "
    "a certified one (L2) at every measurement: epsrank floor gives it"
)
# Most multiplications N·n·k of one pass for which the floor of a cross-entropy is measured; its
# relative gap, and its most steps.
_CONVEX_SIZE, _CONVEX_GAP, _CONVEX_STEPS = 4_000_000, 1e-2, 100
# Samples of one forward pass; bounds the memory that activations take.
_TEST_BATCH = 2048


class NotFiniteError(ArithmeticError):
    """A network whose features or outputs are no longer finite; the message is the cause."""


@dataclass(frozen=True, eq=False)
class LastLayer:
    """u = φW + b on the probe, in float64: all that the floor of a measurement depends on."""

    #: φ, exact copies of the features in the dtype of the training.
    features: Matrix
    #: W, one row per neuron.
    coefficients: Matrix
    #: b.
    bias: Vector
    #: u*.
    target: Matrix
    #: Measure of the samples.
    measure: Measure
    #: What the constant function is at the samples where that is not 1: for a PINN φ are the
    #: features (𝓛φ, √κ 𝓑φ) of L1, and this is (𝓛1, √κ 𝓑1).
    constant: Vector | None = None

    @property
    def outputs(self) -> Array:
        """Outputs u = φW + 1·b, shape (N, k)."""
        shift = self.bias if self.constant is None else np.outer(self.constant, self.bias)
        outputs: Array = self.features @ self.coefficients + shift
        return outputs

    def reading(self, loss: str = "mse") -> Reading:
        """Read the plateau (F6), with a free bias whatever that of the run's floors."""
        return read_plateau(self.features, self.target, **self._asked(loss))

    def curve(self, loss: str = "mse", n_norms: int = 81) -> PlateauCurve:
        """Return V(B) with the network's place on it."""
        return plateau_curve(self.features, self.target, n_norms=n_norms, **self._asked(loss))

    def _asked(self, loss: str) -> dict[str, Any]:
        """Return what a reading is asked about beside features and target."""
        return {
            "loss": loss,
            "coefficients": self.coefficients,
            "bias_value": self.bias,
            "constant": self.constant,
            "measure": self.measure,
            "tolerance": _CONVEX_GAP,
            "iterations": _CONVEX_STEPS,
        }

    def without_bias(self, bias: BiasName) -> tuple[Features, Array, Array]:
        """Return features, target and coefficients with the bias as a feature, or subtracted."""
        features, target, coefficients = with_bias(
            as_features(self.features),
            self.target,
            self.coefficients,
            bias,
            self.bias,
            self.constant,
        )
        assert coefficients is not None
        return features, target, coefficients


def last_layer(model: FeatureNetwork, probe: Probe, features: Matrix) -> LastLayer:
    """Collect the last layer of a network on its probe."""
    reason = _why_no_floor(model, probe)
    if reason is not None:
        raise InputError("run", f"has no floor: {reason}", "ask for its ranks")
    # W and b are copied: on the CPU they can be the memory that the optimiser writes into.
    weights = model.head.weight.detach().double().cpu().numpy().T.copy()
    return collected(
        probe, features, weights, _bias_of(model).detach().double().cpu().numpy().copy()
    )


def collected(probe: Probe, features: Matrix, coefficients: Matrix, bias: Vector) -> LastLayer:
    """Put a last layer together with what the probe says of its samples."""
    return LastLayer(
        features,
        coefficients,
        bias,
        probe.target,
        probe.measure,
        None if probe.operator is None else images(probe.operator, constant, probe.x)[:, 0],
    )


def _bias_of(model: FeatureNetwork) -> torch.Tensor:
    """Return b; 0 for a head without one."""
    head = model.head
    return head.weight.new_zeros(len(head.weight)) if head.bias is None else head.bias


def _why_no_floor(model: FeatureNetwork, probe: Probe) -> str | None:
    """Return why no floor applies, by the problem or by the network."""
    return (probe.operator and probe.operator.no_floor) or model.no_floor


def captured(model: FeatureNetwork, probe: Probe) -> list[Array]:
    """Return the features of every hidden layer on the probe, in float64."""
    probe = rank_probe(probe)
    if probe.operator is not None:
        return _operator_features(model, probe.operator, probe.x)
    return [layer.double().cpu().numpy() for layer in capture(model, probe.x)]


def _operator_features(
    model: FeatureNetwork, operator: StackedOperator, x: torch.Tensor
) -> list[Array]:
    """Return the features of L1 of every hidden layer, from one differentiation of all of them."""
    widths: list[int] = []

    def layers(points: torch.Tensor) -> torch.Tensor:
        """Return all hidden layers side by side."""
        hidden = model.hidden(points)
        widths[:] = [layer.shape[1] for layer in hidden]
        return torch.cat(hidden, dim=1)

    values = images(operator, layers, x)
    return np.split(values, np.cumsum(widths)[:-1], axis=1)


def measure(
    model: FeatureNetwork, config: RunConfig, task: Task, probe: Probe, step: int
) -> StepRecord:
    """Measure a network after `step` updates, in evaluation mode; it stays in its own."""
    with evaluating(model):
        return _measured(model, config, task, probe, step)


def _measured(
    model: FeatureNetwork, config: RunConfig, task: Task, probe: Probe, step: int
) -> StepRecord:
    features = captured(model, probe)
    last, outputs = _outputs(model, probe, features[-1])
    for number, layer in enumerate(features, start=1):
        if not np.isfinite(layer).all():
            raise NotFiniteError(f"features of hidden layer {number} are not finite at step {step}")
    if not np.isfinite(outputs).all():
        raise NotFiniteError(f"outputs are not finite at step {step}")
    try:
        layers = tuple(
            _layer_ranks(number, layer, config, rank_probe(probe))
            for number, layer in enumerate(features, start=1)
        )
        floors = [] if last is None else _floors(last, config)
        convex = None if last is None else _convex(last, config)
    except InputError as error:  # finite, but beyond what float64 arithmetic can square
        raise NotFiniteError(f"{error} (at step {step})") from error
    test_loss, accuracy = _test(model, config, task)
    first = floors[0] if floors else None
    bound: LossFloor | ConvexFloor | None = convex if first is None else first
    verdict = None if bound is None else bound.verdict
    # The loss and the norm are those of the floor where there is one: the chain compares them.
    return StepRecord(
        step=step,
        loss=float64_loss(config.loss, outputs, probe.target, probe.measure)
        if first is None or first.loss is None
        else first.loss,
        training_loss=_training_loss(model, config, probe),
        test_loss=test_loss,
        test_accuracy=accuracy,
        coefficient_norm=_norm(model, config) if first is None else first.coefficient_norm,
        reachable=bound.reachable if bound is not None else None,
        envelope=None if first is None else first.envelope,
        floors=tuple(floor.floor for floor in floors) if floors else (None,) * len(config.eps),
        reading=None if verdict is None else verdict.name,
        reason=_why_no_floor(model, probe) or _NO_FLOOR if verdict is None else verdict.reason,
        ratio=None if verdict is None else verdict.ratio,
        half_norm=None if verdict is None else verdict.half_norm,
        layers=layers,
        chain=_worst_link(floors),
    )


def _outputs(
    model: FeatureNetwork, probe: Probe, features: Array
) -> tuple[LastLayer | None, Array]:
    """Return the last layer, and what is compared with the target: φW + b, 𝓛 of it, or 𝒩u."""
    operator = probe.operator
    if _why_no_floor(model, probe) is not None:
        return None, _values(model, probe) if operator is None else images(operator, model, probe.x)
    last = last_layer(model, probe, features)
    # `measure` looks whether outputs are finite, and reports a divergence; no warning besides.
    with np.errstate(over="ignore", invalid="ignore"):
        return last, last.outputs


def _values(model: FeatureNetwork, probe: Probe) -> Array:
    """Return u on the probe, in float64."""
    with torch.no_grad():
        parts = [model(part) for part in torch.split(probe.x, _TEST_BATCH)]
    outputs: Array = torch.cat(parts).double().cpu().numpy()
    return outputs


def _norm(model: FeatureNetwork, config: RunConfig) -> float:
    """Return ‖W‖_F, with the bias where it counts as a feature."""
    if model.no_floor is not None:
        return math.nan
    parts = [model.head.weight] + [_bias_of(model)[:, None]] * (config.bias == "feature")
    return frobenius(torch.cat(parts, dim=1).detach().double().cpu().numpy())


def _layer_ranks(number: int, features: Array, config: RunConfig, probe: Probe) -> LayerRanks:
    """Return spectrum and ranks of one layer."""
    # Rows are samples, or the positions of a convolution, among which the mass is spread.
    ranks = epsilon_ranks(features, config.eps, measure=probe.measure.spread(len(features)))
    return LayerRanks.of(number, ranks)


def _floors(last: LastLayer, config: RunConfig) -> list[LossFloor]:
    """Return the floors at every ε; none for a loss that is not the squared error.

    One decomposition and one V serve all ε: `loss_floor` would make them again for each.
    """
    if config.loss != "mse":
        return []
    features, target, coefficients = last.without_bias(cast(BiasName, config.bias))
    problem = weighted_problem(features, target, last.measure)
    data, norm = decompose(problem), frobenius(coefficients)
    loss_norm = residual_norm(problem, coefficients)
    reachable = reachable_loss(data, norm)
    ranks = epsilon_ranks(features, config.eps, measure=last.measure)
    given: dict[str, Any] = {
        "norm": norm,
        "reachable": reachable,
        "loss_norm": loss_norm,
        "bias": config.bias,
        "verdict": last.reading(),
    }
    return [floor_of(data, eps=rank.eps, rank=rank, losses=(), **given) for rank in ranks]


def _convex(last: LastLayer, config: RunConfig) -> ConvexFloor | None:
    """Return what any output layer of this norm can reach of a cross-entropy, where it is cheap."""
    size = last.features.size * last.target.shape[1]
    if config.loss != "cross-entropy" or size > _CONVEX_SIZE:
        return None
    return convex_floor(
        last.features,
        last.target,
        coefficients=last.coefficients,
        weights=last.measure.weights,
        bias=cast(BiasName, config.bias),
        bias_value=last.bias,
        tolerance=_CONVEX_GAP,
        iterations=_CONVEX_STEPS,
    )


def _worst_link(floors: list[LossFloor]) -> str | None:
    """Return the worst state of the chain's inequalities over all ε."""
    return worst_state(link.state for floor in floors for link in check_chain(floor).links)


def _training_loss(model: FeatureNetwork, config: RunConfig, probe: Probe) -> float:
    """Return the loss on the probe in the dtype of the training."""
    parts = torch.split(torch.arange(len(probe.x), device=probe.x.device), _TEST_BATCH)
    objective = Objective(config.loss, probe.x, probe.y, None, probe.operator)
    with torch.no_grad():
        losses = torch.cat([objective.losses(model, part) for part in parts])
    values = losses.double().cpu().numpy()
    weights = np.ones(len(values)) if probe.weights is None else probe.weights
    return float(values @ weights / float(probe.measure.normaliser))


def _test(model: FeatureNetwork, config: RunConfig, task: Task) -> tuple[float, float | None]:
    """Return mean loss and accuracy on the test samples."""
    total, right = 0.0, 0
    with torch.no_grad():
        for x, y in zip(
            torch.split(task.x_test, _TEST_BATCH),
            torch.split(task.y_test, _TEST_BATCH),
            strict=True,
        ):
            outputs = model(x)
            total += float(sample_losses(config.loss, outputs, y).double().sum())
            right += int((outputs.argmax(dim=1) == y.argmax(dim=1)).sum())
    count = task.x_test.shape[0]
    return total / count, right / count if task.kind == "classification" else None
