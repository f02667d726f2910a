"""From a training run to the network with p of its neurons, and a guarantee on its loss."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from epsrank.numerics.networks import FeatureNetwork, capture
from epsrank.numerics.pruning.record import PrunedNetwork
from epsrank.numerics.pruning.shrink import shrink
from epsrank.numerics.training import Run
from epsrank.numerics.training.measure import LastLayer
from epsrank.numerics.training.objective import float64_loss, sample_losses
from epsrank.numerics.training.probe import choose_probe
from epsrank.theory.data.inputs import as_features, as_norm
from epsrank.theory.errors import InputError
from epsrank.theory.floor.decomposed.weighting import weighted_problem
from epsrank.theory.numbers.arrays import Array
from epsrank.theory.numbers.rounding import UNDERFLOW, gamma, upward
from epsrank.theory.numbers.scaled import frobenius
from epsrank.theory.selection.certify import output_norm
from epsrank.theory.selection.result import NeuronSelection
from epsrank.theory.selection.select import Method, fewest_neurons, select_neurons

_BATCH = 2048


def prune(
    run: Run,
    neurons: int | None = None,
    *,
    tolerance: float | None = None,
    index: int = -1,
    method: Method = "auto",
    f: float = 1.1,
) -> PrunedNetwork:
    """Return u_p = φ_S·C + b with √loss_p ≤ √loss + ‖u_p − u‖, the distance certified (N1).

    The distance is that of the network that is handed out: C rounded to the dtype of the run, and
    φ_S as the smaller network computes it. It holds in the measure of the run's probe; on other
    samples it is only measured.

    Parameters
    ----------
    run : Run
        A run of squared error or cross-entropy.
    neurons : int, optional
        p ≥ 1 neurons of the last hidden layer to keep. Exactly one of `neurons` and `tolerance`.
    tolerance : float, optional
        Largest ‖u_p − u‖, the most by which √loss may grow; p is found by bisection.
    index : int
        Which measurement of the run.
    method, f
        As in `epsrank.theory.selection.select_neurons`.

    Returns
    -------
    PrunedNetwork
        The network, its guarantee and what was measured.

    Raises
    ------
    InputError
        If not exactly one of `neurons` and `tolerance` is given, p is out of range, no p meets the
        tolerance in the run's dtype, or the run is one of a PINN.
    """
    if (neurons is None) == (tolerance is None):
        raise InputError("neurons", "and tolerance: one of them is needed", "pass exactly one")
    if run.task.operator is not None:
        raise InputError(
            "run",
            f"minimises the loss of {run.task.name}, a PINN",
            "prune a run that fits u* itself",
        )
    last = run.last_layer(index)
    model = run.network(index)
    width = last.features.shape[1]
    if neurons is not None:
        if not 1 <= neurons <= width:
            raise InputError("neurons", f"is {neurons}", f"keep at least 1 and at most {width}")
        return _pruned(run, last, model, index, _selection(last, neurons, method, f))
    assert tolerance is not None
    limit = as_norm(tolerance, name="tolerance")
    chosen = fewest_neurons(
        last.features,
        limit,
        coefficients=last.coefficients,
        method=method,
        f=f,
        measure=last.measure,
    )
    # In float32 rounding C and φ_S may take a little more; then a neuron more is kept.
    for count in range(max(1, chosen.p), width + 1):
        if count != chosen.p:
            chosen = _selection(last, count, method, f)
        found = _pruned(run, last, model, index, chosen)
        if found.distance <= limit:
            return found
    raise InputError(
        "tolerance", f"is {limit:g}, below the rounding of the run", "allow a larger distance"
    )


def _selection(last: LastLayer, count: int, method: Method, f: float) -> NeuronSelection:
    """Return p neurons with their coefficients."""
    return select_neurons(
        last.features,
        count,
        coefficients=last.coefficients,
        method=method,
        f=f,
        measure=last.measure,
    )


def _pruned(
    run: Run, last: LastLayer, model: FeatureNetwork, index: int, chosen: NeuronSelection
) -> PrunedNetwork:
    """Build the smaller network, and certify and measure it."""
    assert chosen.coefficients is not None
    head = torch.from_numpy(chosen.coefficients).to(model.head.weight.dtype)
    small = shrink(model, chosen.neurons.tolist(), head)
    samples = choose_probe(run.config, run.task, torch.device("cpu"))
    features = capture(small, samples.x)[-1].double().numpy()
    stored: Array = small.head.weight.detach().double().numpy().T
    law = last.measure
    distance, rounding = _distance(last, features, stored)
    outputs = features @ stored + last.bias
    target_size = frobenius(last.target * law.row_factors()[:, None])
    bias_size = math.sqrt(float(law.mass)) * frobenius(last.bias)
    slack = gamma(last.features.shape[1] + 16) * (target_size + bias_size)
    classes = run.task.kind == "classification"
    entropies = [
        float64_loss("cross-entropy", u, last.target, law) if classes else None
        for u in (last.outputs, outputs)
    ]
    return PrunedNetwork(
        network=small,
        selection=chosen,
        config=run.config,
        source="" if run.out is None else str(run.out),
        step=run.records[index].step,
        distance=distance,
        rounding=upward(rounding + slack),
        cross_entropy_increase=upward(math.sqrt(2.0 * float(law.mass)) * distance),
        loss=float64_loss("mse", last.outputs, last.target, law),
        pruned_loss=float64_loss("mse", outputs, last.target, law),
        cross_entropy=entropies[0],
        pruned_cross_entropy=entropies[1],
        test_loss=_test_loss(run, model),
        pruned_test_loss=_test_loss(run, small),
        parameters=(_count(model), _count(small)),
        n_samples=len(last.features),
        task=run.task,
    )


def _distance(last: LastLayer, features: Array, coefficients: Array) -> tuple[float, float]:
    """Return a bound on ‖φ·W − φ'·C‖ and its rounding, as one output z = (W; −C) of (φ, φ')."""
    both = as_features(np.concatenate([last.features, features], axis=1))
    problem = weighted_problem(both, np.zeros((both.n_samples, 1)), last.measure)
    # Above ‖A‖_F, which is rounded itself.
    size = upward(frobenius(problem.matrix) * (1 + 1e-9) + UNDERFLOW)
    return output_norm(problem, size, np.concatenate([last.coefficients, -coefficients]))


def _test_loss(run: Run, model: FeatureNetwork) -> float:
    """Return the mean loss of the run on its test samples."""
    total, task = 0.0, run.task
    with torch.no_grad():
        for x, y in _batches(task.x_test, task.y_test):
            total += float(sample_losses(run.config.loss, model(x), y).double().sum())
    return total / int(task.x_test.shape[0])


def _batches(x: Tensor, y: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return samples in parts that fit into memory."""
    return list(zip(torch.split(x, _BATCH), torch.split(y, _BATCH), strict=True))


def _count(model: FeatureNetwork) -> int:
    """Return the number of weights."""
    return sum(parameter.numel() for parameter in model.parameters())
