"""Kernels composed through depth: S ↦ κ(S) ↦ σ_b² + σ_w² κ(S), layer by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
from scipy.stats import qmc

from epsrank.theory.errors import InputError
from epsrank.theory.kernels.initialisation import LayerInit
from epsrank.theory.kernels.input_measure import InputMeasure
from epsrank.theory.kernels.layer_kernel import LayerKernel
from epsrank.theory.kernels.neurons import NeuronLaw, NormalNeurons, ParameterNeurons, Parameters
from epsrank.theory.numbers.arrays import Array, Matrix, Square, Vector

#: Activations with a kink or a jump at 0.
KINKED = ("relu", "leaky_relu", "elu", "step")
#: Nodes per parameter of two product rules, by the number of parameters.
NODES = {1: (200, 150), 2: (48, 40), 3: (16, 14)}
_SOBOL_POINTS = 8192
# Breakpoints of a split rule, and nodes between two of them.
_BREAKPOINTS, _NODES_BETWEEN = 200, 3


def product_rule(d: int, half: float, half_bias: float, nodes: int) -> Parameters:
    """Return the Gauss–Legendre product rule, exponentially accurate for analytic σ.

    Shapes: weights (Q, d), biases (Q,), probabilities (Q,).
    """
    count = d + (half_bias > 0)
    t, w = np.polynomial.legendre.leggauss(nodes)
    grid = np.stack(np.meshgrid(*[t] * count, indexing="ij"), axis=-1).reshape(-1, count)
    probability = w / 2
    for _ in range(count - 1):
        probability = np.multiply.outer(probability, w / 2)
    biases = half_bias * grid[:, d] if count > d else np.zeros(len(grid))
    return half * grid[:, :d], biases, probability.ravel()


def split_rule(points: Vector, half: float, half_bias: float, nodes: int) -> Parameters:
    """Return a rule for one input and σ with a kink at 0: no kink lies inside a panel.

    For every w the bias is integrated between neighbours among −w x_i, where the products
    σ(w x_i + b) σ(w x_j + b) are smooth (for ReLU quadratic, so that the rule is exact in b); w is
    split at 0, where the order of these points turns.

    Shapes: weights (Q, 1), biases (Q,), probabilities (Q,).
    """
    t, w = np.polynomial.legendre.leggauss(nodes)
    slopes = np.concatenate([-half * (t + 1) / 2, half * (t + 1) / 2])
    # The weights of [−1, 1] sum to 2, those of both halves to 4.
    chance = np.concatenate([w, w]) / 4
    if half_bias == 0:
        return slopes[:, None], np.zeros(len(slopes)), chance
    chosen = np.sort(points)[
        np.unique(np.linspace(0, len(points) - 1, _BREAKPOINTS).round().astype(int))
    ]
    inner, inner_weights = np.polynomial.legendre.leggauss(_NODES_BETWEEN)
    kinks = np.clip(np.sort(-slopes[:, None] * chosen, axis=1), -half_bias, half_bias)
    edge = np.full((len(slopes), 1), half_bias)
    ends = np.concatenate([-edge, kinks, edge], axis=1)
    middle, radius = (ends[:, 1:] + ends[:, :-1]) / 2, np.diff(ends, axis=1) / 2
    biases = middle[:, :, None] + radius[:, :, None] * inner
    weight = chance[:, None, None] * radius[:, :, None] * inner_weights / (2 * half_bias)
    # Kinks clipped to the range of b leave panels of length 0.
    kept = weight.ravel() > 0
    spread = np.broadcast_to(slopes[:, None, None], biases.shape).ravel()
    return spread[kept][:, None], biases.ravel()[kept], weight.ravel()[kept]


def scattered_rule(d: int, half: float, half_bias: float, seed: int) -> Parameters:
    """Return a scrambled Sobol set of the cube of parameters, with equal probabilities.

    Shapes: weights (Q, d), biases (Q,), probabilities (Q,).
    """
    sobol = qmc.Sobol(d + 1, scramble=True, rng=np.random.default_rng(seed))
    cube = 2 * sobol.random(_SOBOL_POINTS) - 1
    return half * cube[:, :d], half_bias * cube[:, d], np.full(_SOBOL_POINTS, 1 / _SOBOL_POINTS)


def draw_uniform(
    d: int, half: float, half_bias: float, count: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Draw uniform weights and biases.

    Shapes: weights (count, d), biases (count,).
    """
    return half * rng.uniform(-1, 1, (count, d)), half_bias * rng.uniform(-1, 1, count)


# Inputs of a uniform first layer: product rules, scattered points, and the normal limit above.
_PRODUCT_INPUTS, _SCATTERED_INPUTS = 2, 8


def input_covariance(points: Matrix, init: LayerInit) -> Square:
    """Covariance of the first pre-activations: S(x, y) = σ_b² + σ_w² x·y/d."""
    # The diagonal and the rest must come from the same sums: κ compares them.
    scaled = points * math.sqrt(init.weight_variance / points.shape[1])
    with np.errstate(over="ignore"):
        covariance = scaled @ scaled.T
        covariance = (covariance + covariance.T) / 2 + init.bias_variance
    if not np.isfinite(covariance).all():
        raise InputError(
            "weight_variance",
            f"is {init.weight_variance:g}, for which covariances at these inputs overflow",
            "choose less",
        )
    return np.asarray(covariance)


def hidden_neurons(
    inputs: InputMeasure,
    kernels: Sequence[LayerKernel],
    inits: Sequence[LayerInit],
    *,
    first: NeuronLaw | None = None,
) -> list[NeuronLaw]:
    """Return the laws of the neurons of every hidden layer, K^{l} = κ_l(σ_b² + σ_w² K^{l−1}).

    The first layer's law is exact: normal entries by the closed form; uniform ones by quadrature
    over the entries (up to 8 inputs; above that, normal entries of the same variances stand in,
    and the text says so). Deeper layers are the limit of wide preceding ones, where the sum over
    fan-in is normal and the uniform bias is taken as normal too.
    """
    if not kernels or len(kernels) != len(inits):
        raise InputError(
            "layers", f"has {len(kernels)} kernels and {len(inits)} laws", "pass one of each"
        )
    laws = [first_layer(inputs, kernels[0], inits[0]) if first is None else first]
    for kernel, init in zip(kernels[1:], inits[1:], strict=True):
        laws.append(next_layer(laws[-1], kernel, init))
    return laws


def next_layer(before: NeuronLaw, kernel: LayerKernel, init: LayerInit) -> NormalNeurons:
    """Return the law of the layer behind another: S = σ_b² + σ_w² K."""
    values, error = before.kernel()
    covariance = init.bias_variance + init.weight_variance * values
    text = f"{kernel.name} of a normal process, the limit of wide layers before ({init})"
    return NormalNeurons(before.inputs, kernel, covariance, init.weight_variance * error, text)


def first_layer(inputs: InputMeasure, kernel: LayerKernel, init: LayerInit) -> NeuronLaw:
    """Return the law of φ(x) = σ(w·x + b)."""
    d = inputs.dimension
    if init.distribution == "normal" or d > _SCATTERED_INPUTS:
        note = "" if init.distribution == "normal" else ", as for normal entries"
        text = f"{kernel.name}(w·x + b), {init}{note}"
        deviations = (math.sqrt(init.weight_variance / d), math.sqrt(init.bias_variance))
        covariance = input_covariance(inputs.points, init)
        return NormalNeurons(inputs, kernel, covariance, 0.0, text, deviations)
    # Uniform on ±h has the variance h²/3.
    half = math.sqrt(3 * init.weight_variance / d)
    half_bias = math.sqrt(3 * init.bias_variance)
    if d == 1 and kernel.name in KINKED:
        x = inputs.points[:, 0]
        rules = tuple(partial(split_rule, x, half, half_bias, m) for m in (16, 12))
    elif d <= _PRODUCT_INPUTS:
        count = d + (half_bias > 0)
        rules = tuple(partial(product_rule, d, half, half_bias, m) for m in NODES[count])
    else:
        rules = tuple(partial(scattered_rule, d, half, half_bias, seed) for seed in (0, 1))
    sampler = partial(draw_uniform, d, half, half_bias)
    text = f"{kernel.name}(w·x + b), {init}"
    return ParameterNeurons(inputs, kernel.activation, rules, sampler, text)
