"""The structured first layer (I3): neurons placed over a domain or over data, before training.

Sources: [S1] Yang, Zhao, Zhu, arXiv 2412.05144; [S2] Tang, Yang, Zhao, Zhu, arXiv 2507.11962;
[S6] Zhang, Bao, Ju, Zhang, TransNet, J. Sci. Comput. 99 (2024).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from epsrank.numerics.first_layer.placement import (
    StructuredFirstLayer,
    in_box,
    on_interval,
    over_data,
    patches,
)
from epsrank.numerics.first_layer.slope import as_slope, resolve_slope
from epsrank.numerics.networks.activations import activation_function
from epsrank.theory.data.inputs import as_box
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import real_array

Layer = nn.Linear | nn.Conv1d | nn.Conv2d


def structured_first_layer_(
    layer: nn.Module,
    domain: Any = None,
    data: Any = None,
    *,
    activation: str,
    generator: torch.Generator | None = None,
    gamma: float | str | None = None,
    eps: float = 1e-6,
) -> StructuredFirstLayer:
    """Set φ_j(x) = σ(γ_j a_j·(x − c_j)) in a first layer, in place.

    ======================  ===================================================================
    input                   rule
    ======================  ===================================================================
    interval [a, b], n ≥ 2  a_j = 1, c_j the uniform grid of n points with both ends,
                            γ = n/(b − a); on [−1, 1] that is [S1] eq. 4.3, γ = n/2
    box Ω ⊂ R^d             a_j uniform on the sphere, a_j·c_j uniform on the projection a_j·Ω,
                            γ = (n^{1/d} − 1)/|Ω|^{1/d} ([S2] with C = 1)
    data x_1 … x_N          a_j uniform on the sphere, a_j·c_j uniform on the range R_j of the
                            data's projections, γ_j = max(n^{1/d}, 4)/|R_j|; one input: the
                            interval rule on the data's range
    cosine, sine            as the last two, with γ from [S2] also on an interval, a_j ~ N(0, I)
                            as drawn ([S2])
    gaussian on [a, b]      exp(−γ²(x − c_j)²), c_j uniform in [a, b] ([S2]), γ = (n − 1)/(b − a)
    ======================  ===================================================================

    Parameters
    ----------
    layer : Linear, Conv1d or Conv2d
        The layer, with a bias. For a convolution one input is one patch.
    domain : pair of float, or array_like of shape (d, 2), optional
        The box Ω; one pair stands for all inputs.
    data : array_like or tensor, optional
        Samples, shape (N, d) for a linear layer, (N, C, L) or (N, C, H, W) for a convolution.
    activation : str
        Name of σ, a key of ``epsrank.numerics.networks.ACTIVATIONS``.
    generator : torch.Generator, optional
        Source of randomness on the CPU; by default torch's global one. A grid needs none.
    gamma : float, "auto" or "auto:R", optional
        Slope γ > 0 in place of the rule's; it is not scaled by the domain. ``"auto"`` takes the
        least slope of the largest ε-rank that the layer's law predicts, ``"auto:R"`` the least
        that predicts R (`epsrank.theory.kernels.slope.choose_slope`).
    eps : float
        ε of that prediction.

    Returns
    -------
    StructuredFirstLayer
        What was set, before rounding to the layer's dtype.

    Raises
    ------
    InputError
        If the layer is of another type or has no bias; neither or both of `domain` and `data`
        are given; the domain is degenerate; or the data are not finite or constant.

    Notes
    -----
    Taking the offset uniform on the projection of the box, rather than of the ball around it,
    makes every hyperplane {a_j·x = a_j·c_j} meet Ω and keeps their expected density uniform in Ω:
    for each direction the density is one over the length of the projection, whatever x ([S6]
    shows this for the ball).

    In more than one dimension a linear layer cannot give the radial exp(−γ²‖x − c_j‖²) of [S2]:
    with ``gaussian`` it gives the ridge function exp(−γ²(a_j·(x − c_j))²).

    The 4 of the data rule is ours: n^{1/d} − 1 vanishes in high dimension and [S2]'s γ with it,
    while a slope of 4/|R_j| spreads the data over the bent part of σ, from −2 to 2 for a neuron
    centred in R_j.

    Examples
    --------
    >>> import torch
    >>> layer = torch.nn.Linear(1, 50)
    >>> structured_first_layer_(layer, (-1.0, 1.0), activation="tanh").formula
    'x_j uniform grid of [-1, 1], γ = n/(b−a) = 25'
    """
    activation_function(activation)
    linear = as_layer(layer)
    refuse_unless_one(domain, data)
    setting = as_slope(gamma)
    n, d = linear.weight.shape[0], math.prod(linear.weight.shape[1:])
    rows = None if data is None else as_data(data, linear)
    if rows is not None and d == 1:
        domain, rows = (float(rows.min()), float(rows.max())), None
    box = None if rows is not None else as_layer_box(domain, d)
    choice = None
    if isinstance(setting, str):
        choice = resolve_slope(setting, activation, n, domain=box, data=rows, eps=eps)
    slope = setting if choice is None else choice.slope
    assert not isinstance(slope, str)
    if rows is not None:
        result = over_data(rows, n, activation, generator, slope)
    else:
        assert box is not None
        placed = on_interval if d == 1 else in_box
        result = placed(box, n, activation, generator, slope)
    if choice is not None:
        result = replace(result, formula=f"{result.formula}; {choice}")
    write_layer(linear, result)
    return result


def as_layer(layer: nn.Module) -> Layer:
    """Check that a layer can be set."""
    # A lazy layer is one of these as well, but has no sizes yet.
    if not isinstance(layer, (nn.Linear, nn.Conv1d, nn.Conv2d)) or isinstance(
        layer, nn.modules.lazy.LazyModuleMixin
    ):
        raise InputError(
            "layer", f"is a {type(layer).__name__}", "pass an nn.Linear, nn.Conv1d or nn.Conv2d"
        )
    if layer.bias is None:
        raise InputError("layer", "has no bias, which holds the offsets", "build it with bias=True")
    return layer


def refuse_unless_one(domain: Any, data: Any) -> None:
    """Refuse a box together with data, and neither of them."""
    if (domain is None) == (data is None):
        given = "both are given" if domain is not None else "neither is given"
        raise InputError("domain and data", f"exclude each other, {given}", "pass exactly one")


def as_layer_box(domain: Any, d: int) -> Tensor:
    """Check a box of d inputs, of a tensor as well."""
    return torch.as_tensor(as_box(domain, n_inputs=d))


def as_data(data: Any, layer: Layer) -> Tensor:
    """Check data."""
    x = torch.as_tensor(real_array(data, "data").copy())
    if x.numel() == 0:
        raise InputError("data", f"is empty, shape {tuple(x.shape)}", "pass at least two samples")
    bad = int((~torch.isfinite(x)).sum())
    if bad:
        raise InputError("data", f"has {bad} NaN or infinite entries", "drop those samples")
    if isinstance(layer, nn.Linear):
        d = layer.in_features
        rows = x.reshape(-1, 1) if x.ndim == 1 and d == 1 else x
        if rows.ndim != 2 or rows.shape[1] != d:
            raise InputError("data", f"has shape {tuple(x.shape)}", f"pass (N, {d})")
    else:
        rows = patches(x, layer)
    if bool((rows == rows[0]).all()):
        raise InputError("data", "are constant, so no offset can be placed", "pass varied samples")
    return rows


def write_layer(layer: Layer, result: StructuredFirstLayer) -> None:
    """Write weights γ_j a_j and biases −γ_j a_j·c_j into a layer that can hold them."""
    weight = (result.slopes[:, None] * result.directions).reshape(layer.weight.shape)
    bias = -result.slopes * result.offsets
    assert layer.bias is not None
    # Before anything is written: a layer that is refused stays as it was.
    _refuse_unrepresentable(weight, bias, layer.weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)


def _refuse_unrepresentable(weight: Tensor, bias: Tensor, dtype: torch.dtype) -> None:
    """Refuse weights that become infinite, or zero, in the dtype of the layer."""
    name = str(dtype).removeprefix("torch.")
    rows = weight.reshape(len(weight), -1)
    written = rows.to(dtype)
    if not (torch.isfinite(written).all() and torch.isfinite(bias.to(dtype)).all()):
        # NaN where 0 meets ∞
        largest = float(torch.cat([rows.ravel(), bias]).abs().nan_to_num(nan=math.inf).max())
        problem = f"asks for numbers up to {largest:.3g}, beyond {name}"
        remedy = "pass a wider domain or a smaller gamma=, or a layer of a wider dtype"
    elif bool(((written == 0).all(dim=1) & (rows != 0).any(dim=1)).any()):
        problem = f"asks for slopes of {float(rows.abs().max()):.3g}, which are 0 in {name}"
        remedy = "rescale the inputs, or pass a layer of a wider dtype"
    else:
        return
    raise InputError("layer", problem, remedy)
