"""Kernels composed through depth: S ↦ κ(S) ↦ σ_b² + σ_w² κ(S), layer by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np

from epsrank.theory.errors import InputError
from epsrank.theory.inputs import Array
from epsrank.theory.kernels.initialisation import LayerInit
from epsrank.theory.kernels.input_measure import InputMeasure
from epsrank.theory.kernels.layer_kernel import LayerKernel
from epsrank.theory.kernels.neurons import NeuronLaw, NormalNeurons, ParameterNeurons
from epsrank.theory.kernels.uniform_rules import (
    KINKED,
    NODES,
    draw_uniform,
    product_rule,
    scattered_rule,
    split_rule,
)

# Inputs of a uniform first layer: product rules, scattered points, and the normal limit above.
_PRODUCT, _SCATTERED = 2, 8


def input_covariance(points: Array, init: LayerInit) -> Array:
    """Covariance of the first pre-activations: S(x, y) = σ_b² + σ_w² x·y/d.

    Parameters
    ----------
    points : ndarray of float64, shape (N, d)
        Inputs.
    init : LayerInit
        Law of the first layer, fan_in = d.

    Returns
    -------
    ndarray of float64, shape (N, N)
        S.
    """
    # The diagonal and the rest must come from the same sums: κ compares them.
    scaled = points * math.sqrt(init.weight_variance / points.shape[1])
    covariance = scaled @ scaled.T
    return np.asarray((covariance + covariance.T) / 2 + init.bias_variance)


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

    Parameters
    ----------
    inputs : InputMeasure
        Inputs.
    kernels : sequence of LayerKernel
        Kernel of σ of every hidden layer.
    inits : sequence of LayerInit
        Law of weights and biases of every hidden layer.
    first : NeuronLaw, optional
        The first layer's law, in place of that of its weights and biases.

    Returns
    -------
    list of NeuronLaw
        First to last.

    Raises
    ------
    InputError
        If there is no layer, or not one law for each.
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
    """Return the law of the layer behind another: S = σ_b² + σ_w² K.

    Parameters
    ----------
    before : NeuronLaw
        The layer before.
    kernel : LayerKernel
        Kernel of σ.
    init : LayerInit
        Law of the weights and biases.

    Returns
    -------
    NormalNeurons
        Its law, in the limit of a wide layer before.
    """
    values, error = before.kernel()
    covariance = init.bias_variance + init.weight_variance * values
    text = f"{kernel.name} of a normal process, the limit of wide layers before ({init})"
    return NormalNeurons(before.inputs, kernel, covariance, init.weight_variance * error, text)


def first_layer(inputs: InputMeasure, kernel: LayerKernel, init: LayerInit) -> NeuronLaw:
    """Return the law of φ(x) = σ(w·x + b).

    Parameters
    ----------
    inputs : InputMeasure
        Inputs.
    kernel : LayerKernel
        Kernel of σ.
    init : LayerInit
        Law of w and b.

    Returns
    -------
    NeuronLaw
        The law.
    """
    d = inputs.dimension
    if init.distribution == "normal" or d > _SCATTERED:
        note = "" if init.distribution == "normal" else ", as for normal entries"
        text = f"{kernel.name}(w·x + b), {init}{note}"
        deviations = (math.sqrt(init.weight_variance / d), math.sqrt(init.bias_variance))
        covariance = input_covariance(inputs.points, init)
        return NormalNeurons(inputs, kernel, covariance, 0.0, text, deviations)
    half = math.sqrt(3 * init.weight_variance / d)
    half_bias = math.sqrt(3 * init.bias_variance)
    if d == 1 and kernel.name in KINKED:
        x = inputs.points[:, 0]
        rules = tuple(partial(split_rule, x, half, half_bias, m) for m in (16, 12))
    elif d <= _PRODUCT:
        count = d + (half_bias > 0)
        rules = tuple(partial(product_rule, d, half, half_bias, m) for m in NODES[count])
    else:
        rules = tuple(partial(scattered_rule, d, half, half_bias, seed) for seed in (0, 1))
    sampler = partial(draw_uniform, d, half, half_bias)
    text = f"{kernel.name}(w·x + b), {init}"
    return ParameterNeurons(inputs, kernel.activation, rules, sampler, text)
