"""The structured first layer (I3): neurons placed over a domain or over data, before training.

Sources: [S1] Yang, Zhao, Zhu, arXiv 2412.05144; [S2] Tang, Yang, Zhao, Zhu, arXiv 2507.11962;
[S6] Zhang, Bao, Ju, Zhang, TransNet, J. Sci. Comput. 99 (2024).
"""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from numerics.networks.activations import activation_function
from numerics.patches import patches
from theory.errors import InputError
from theory.inputs import to_numpy

# Whose directions are normal vectors as drawn, not unit vectors ([S2], cosine variant).
_UNNORMALISED = ("cosine", "sine")
# Least width, in units of 1/γ, over which the data's projections spread; ours (see Notes).
_DATA_SPREAD = 4.0

Layer = nn.Linear | nn.Conv1d | nn.Conv2d


@dataclass(frozen=True, eq=False)
class StructuredFirstLayer:
    """What was set: φ_j(x) = σ(γ_j a_j·(x − c_j)), that is weight γ_j a_j and bias −γ_j a_j·c_j.

    Attributes
    ----------
    formula : str
        The rule used, with its numbers.
    activation : str
        Name of σ.
    mode : {"grid", "domain", "data"}
        Uniform grid of an interval, random in a box, or random over data.
    directions : Tensor of float64, shape (n, d)
        a_j: unit vectors (±1 in one dimension), or normal vectors for cosine and sine.
    offsets : Tensor of float64, shape (n,)
        a_j·c_j: where along its direction neuron j is centred.
    slopes : Tensor of float64, shape (n,)
        γ_j.
    domain : tuple of (float, float), or None
        The box, one interval per input.
    """

    formula: str
    activation: str
    mode: str
    directions: Tensor = field(repr=False)
    offsets: Tensor = field(repr=False)
    slopes: Tensor = field(repr=False)
    domain: tuple[tuple[float, float], ...] | None = None

    def __str__(self) -> str:
        n, d = self.directions.shape
        return f"structured first layer, {n} neurons on {d} inputs ({self.mode}): {self.formula}"

    def _repr_html_(self) -> str:
        return f"<span>{html.escape(str(self))}</span>"

    def to_json(self) -> dict[str, Any]:
        """Return what was set as plain numbers.

        Returns
        -------
        dict
            Keys ``formula``, ``activation``, ``mode``, ``domain``, ``directions``, ``offsets``,
            ``slopes``.
        """
        return {
            "formula": self.formula,
            "activation": self.activation,
            "mode": self.mode,
            "domain": self.domain,
            "directions": self.directions.tolist(),
            "offsets": self.offsets.tolist(),
            "slopes": self.slopes.tolist(),
        }


def structured_first_layer_(
    layer: nn.Module,
    domain: Any = None,
    data: Any = None,
    *,
    activation: str,
    generator: torch.Generator | None = None,
    gamma: float | None = None,
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
        Name of σ, a key of ``numerics.networks.ACTIVATIONS``.
    generator : torch.Generator, optional
        Source of randomness on the CPU; by default torch's global one. A grid needs none.
    gamma : float, optional
        Slope γ > 0 in place of the rule's; it is not scaled by the domain.

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
    >>> print(structured_first_layer_(layer, (-1.0, 1.0), activation="tanh"))
    structured first layer, 50 neurons on 1 inputs (grid): x_j uniform grid of [-1, 1], γ = n/(b−a) = 25
    """
    activation_function(activation)
    linear = _as_layer(layer)
    if (domain is None) == (data is None):
        given = "both are given" if domain is not None else "neither is given"
        raise InputError("domain and data", f"exclude each other, {given}", "pass exactly one")
    slope = _as_gamma(gamma)
    n, d = linear.weight.shape[0], math.prod(linear.weight.shape[1:])
    rows = None if data is None else _as_data(data, linear)
    if rows is not None and d == 1:
        domain, rows = (float(rows.min()), float(rows.max())), None
    if rows is not None:
        result = _over_data(rows, n, activation, generator, slope)
    else:
        box = _as_box(domain, d)
        placed = _on_interval if d == 1 else _in_box
        result = placed(box, n, activation, generator, slope)
    _write(linear, result)
    return result


def _as_layer(layer: nn.Module) -> Layer:
    """Check that a layer can be set."""
    if not isinstance(layer, (nn.Linear, nn.Conv1d, nn.Conv2d)) or isinstance(
        layer, nn.modules.lazy.LazyModuleMixin
    ):
        raise InputError(
            "layer", f"is a {type(layer).__name__}", "pass an nn.Linear, nn.Conv1d or nn.Conv2d"
        )
    if layer.bias is None:
        raise InputError("layer", "has no bias, which holds the offsets", "build it with bias=True")
    return layer


def _as_gamma(gamma: float | None) -> float | None:
    """Check a slope."""
    if gamma is None:
        return None
    good = isinstance(gamma, (int, float)) and not isinstance(gamma, bool)
    if not (good and math.isfinite(gamma) and gamma > 0):
        raise InputError("gamma", f"is {gamma!r}", "pass a positive number")
    return float(gamma)


def _as_box(domain: Any, d: int) -> Tensor:
    """Check a box and return its d intervals as a float64 tensor of shape (d, 2)."""
    values, _ = to_numpy(domain, "domain")
    if values.shape not in {(2,), (d, 2)}:
        raise InputError(
            "domain", f"has shape {values.shape}", f"pass (a, b) or {d} such pairs, one per input"
        )
    box = torch.as_tensor(values.astype("float64")).expand(d, 2)
    low, high = box[:, 0], box[:, 1]
    if not bool(torch.isfinite(box).all() and (low < high).all()):
        raise InputError("domain", f"is degenerate, {box.tolist()}", "pass finite a < b")
    return box


def _as_data(data: Any, layer: Layer) -> Tensor:
    """Check data and return them as rows of the layer's inputs (patches for a convolution)."""
    values, _ = to_numpy(data, "data")
    x = torch.as_tensor(values.astype("float64"))
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


def _directions(n: int, d: int, activation: str, generator: torch.Generator | None) -> Tensor:
    """Draw unit vectors, uniform on the sphere of R^d, or normal vectors for cosine and sine."""
    normal = torch.randn(n, d, dtype=torch.float64, generator=generator)
    if activation in _UNNORMALISED:
        return normal
    return torch.nn.functional.normalize(normal, dim=1)


def _uniform(low: Tensor, high: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draw one number from each of the intervals [low_j, high_j]."""
    fraction = torch.rand(low.shape, dtype=torch.float64, generator=generator)
    return low + fraction * (high - low)


def _on_interval(
    box: Tensor, n: int, activation: str, generator: torch.Generator | None, gamma: float | None
) -> StructuredFirstLayer:
    """Place n neurons on [a, b]: a grid, or at random for periodic and Gaussian σ."""
    low, high = box[0].tolist()
    length = high - low
    if activation in _UNNORMALISED or activation == "gaussian":
        rule = max(n - 1, 1) / length  # [S2] gives slope 0 to a single neuron: 1/|Ω| instead
        slope = rule if gamma is None else gamma
        name = "given" if gamma is not None else f"(n−1)/(b−a) = {rule:g}"
        if activation == "gaussian":
            directions = torch.ones(n, 1, dtype=torch.float64)
            text = f"x_j uniform in [{low:g}, {high:g}], γ {name}"
        else:
            directions = _directions(n, 1, activation, generator)
            text = f"a_j ~ N(0, 1), x_j uniform in [{low:g}, {high:g}], γ {name}"
        centres = _uniform(box[0, 0].expand(n), box[0, 1].expand(n), generator)
        mode = "domain"
    else:
        slope = n / length if gamma is None else gamma
        directions = torch.ones(n, 1, dtype=torch.float64)
        centres = torch.linspace(low, high, n, dtype=torch.float64)
        if n == 1:
            centres = torch.tensor([low + length / 2], dtype=torch.float64)
        name = f"γ = n/(b−a) = {slope:g}" if gamma is None else f"γ = {slope:g} as given"
        text, mode = f"x_j uniform grid of [{low:g}, {high:g}], {name}", "grid"
    slopes = torch.full((n,), slope, dtype=torch.float64)
    return StructuredFirstLayer(
        text, activation, mode, directions, directions[:, 0] * centres, slopes, ((low, high),)
    )


def _in_box(
    box: Tensor, n: int, activation: str, generator: torch.Generator | None, gamma: float | None
) -> StructuredFirstLayer:
    """Place n neurons in a box of R^d with uniform density of their hyperplanes."""
    d = box.shape[0]
    middle, half = box.mean(dim=1), (box[:, 1] - box[:, 0]) / 2
    # |Ω|^{1/d} through logarithms: the volume itself over- or underflows in high dimension.
    side = math.exp(float(torch.log(2 * half).mean()))
    rule = (n ** (1 / d) - 1 if n > 1 else 1.0) / side
    slope = rule if gamma is None else gamma
    directions = _directions(n, d, activation, generator)
    reach = directions.abs() @ half
    centre = directions @ middle
    offsets = _uniform(centre - reach, centre + reach, generator)
    law = "~ N(0, I)" if activation in _UNNORMALISED else "uniform on the sphere"
    name = "as given" if gamma is not None else "= (n^{1/d} − 1)/|Ω|^{1/d}"
    text = f"a_j {law}, offsets uniform on a_j·Ω, γ {name} = {slope:g}"
    intervals = tuple((float(low), float(high)) for low, high in box.tolist())
    slopes = torch.full((n,), slope, dtype=torch.float64)
    return StructuredFirstLayer(text, activation, "domain", directions, offsets, slopes, intervals)


def _over_data(
    rows: Tensor, n: int, activation: str, generator: torch.Generator | None, gamma: float | None
) -> StructuredFirstLayer:
    """Place n neurons over data: offsets uniform over the projections, a slope per direction."""
    d = rows.shape[1]
    directions = _directions(n, d, activation, generator)
    low = torch.empty(n, dtype=torch.float64)
    high = torch.empty(n, dtype=torch.float64)
    for block in torch.split(torch.arange(n), 256):  # N×256 projections at a time
        projections = rows @ directions[block].T
        low[block], high[block] = projections.amin(dim=0), projections.amax(dim=0)
    ranges = high - low
    # Data that vary in few coordinates can be constant, to rounding, along a random direction.
    floor = 1e-12 * float(rows.abs().max()) * math.sqrt(d)
    if bool((ranges <= floor).any()):
        raise InputError(
            "data", "are constant to rounding along a direction", "centre and rescale the inputs"
        )
    offsets = _uniform(low, high, generator)
    spread = max(n ** (1 / d), _DATA_SPREAD)
    slopes = spread / ranges if gamma is None else torch.full_like(ranges, gamma)
    law = "~ N(0, I)" if activation in _UNNORMALISED else "uniform on the sphere"
    name = f"γ = {gamma:g} as given" if gamma is not None else f"γ_j = {spread:g}/|R_j|"
    text = f"a_j {law}, offsets uniform on the range R_j of the data's projections, {name}"
    return StructuredFirstLayer(text, activation, "data", directions, offsets, slopes)


def _write(layer: Layer, result: StructuredFirstLayer) -> None:
    """Write weights γ_j a_j and biases −γ_j a_j·c_j into the layer."""
    weight = result.slopes[:, None] * result.directions
    assert layer.bias is not None
    with torch.no_grad():
        layer.weight.copy_(weight.reshape(layer.weight.shape))
        layer.bias.copy_(-result.slopes * result.offsets)
