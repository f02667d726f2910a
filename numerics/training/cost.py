"""What a training costs, estimated from its settings alone, before anything is made for it."""

from __future__ import annotations

from dataclasses import dataclass

from epsrank.numerics.operators.problem import PROBLEMS
from epsrank.numerics.training.config import RunConfig

# Ours, for one core or a GPU as they are today: products of small matrices run below the peak, and
# a step has an overhead for each layer. Good to a factor of a few, as absurd requests are not.
_CORE_FLOPS, _GPU_FLOPS = 1e10, 1e12
_LAYER_SECONDS = 5e-5
# Forward, backward to the weights and backward to the inputs: two operations per weight and sample.
_OPERATIONS_PER_WEIGHT = 6
# Of a boundary-value problem, whose loss has derivatives of the network in it: a step of 2 × 50
# neurons on 900 nodes takes 17 ms.
_DERIVATIVES = 11
# Weights, gradient, and what the optimiser keeps; L-BFGS keeps 100 pairs at most and more than
# these in any case.
_COPIES = {"sgd": 2, "momentum": 3, "adam": 4, "adamw": 4, "lbfgs": 6}
# Samples of a task whose number the settings leave open.
_USUAL_SAMPLES = 500


@dataclass(frozen=True)
class Cost:
    """What a request needs."""

    #: Wall-clock seconds, roughly.
    seconds: float = 0.0
    #: Bytes of memory at least: there may be more.
    memory: float = 0.0
    #: Bytes on disk at least.
    disk: float = 0.0


def training_cost(config: RunConfig) -> Cost:
    """Estimate a training: time of its steps, weights and activations, and checkpoints on disk."""
    size = 8 if config.dtype == "float64" else 4
    weights = weights_of(config)
    samples = config.n_train or _USUAL_SAMPLES
    batch = min(config.batch_size or samples, samples)
    step = _pass_seconds(config, batch)
    # "auto" makes a hundred or so, whatever the number of steps.
    every = config.measure_every
    measurements = config.steps / every if isinstance(every, int) else min(config.steps, 100)
    activations = batch * config.width * config.depth
    return Cost(
        seconds=config.steps * step,
        memory=size * (weights * _COPIES[config.optimizer] + activations + samples),
        disk=size * weights * (measurements + 2),
    )


def weights_of(config: RunConfig) -> float:
    """Return the number of weights at least."""
    # Input and output have at least one neuron each; bottlenecks, blocks and heads are left out.
    return float(config.width * (2 + (config.depth - 1) * config.width))


def loss_seconds(config: RunConfig) -> float:
    """Estimate one loss of all samples."""
    return _pass_seconds(config, config.n_train or _USUAL_SAMPLES) / 3


def _pass_seconds(config: RunConfig, samples: int) -> float:
    """Estimate a pass forward and backward."""
    flops = _GPU_FLOPS if config.device == "cuda" else _CORE_FLOPS * config.threads
    products = _OPERATIONS_PER_WEIGHT * weights_of(config) * samples / flops
    passes = _DERIVATIVES if config.task in PROBLEMS else 1
    return passes * (products + _LAYER_SECONDS * (config.depth + 1))
