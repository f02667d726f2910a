"""Where the neurons of a structured first layer go (I3): one rule per kind of input."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from epsrank.theory.errors import InputError
from epsrank.theory.shown import Shown
from epsrank.theory.words import plural

# Whose directions are normal vectors as drawn, not unit vectors ([S2], cosine variant).
_UNNORMALISED = ("cosine", "sine")
# Least width, in units of 1/γ, over which the data's projections spread; ours (see Notes).
_DATA_SPREAD = 4.0


@dataclass(frozen=True, eq=False)
class StructuredFirstLayer(Shown):
    """What was set: φ_j(x) = σ(γ_j a_j·(x − c_j)), that is weight γ_j a_j and bias −γ_j a_j·c_j."""

    #: The rule used, with its numbers.
    formula: str
    #: Name of σ.
    activation: str
    #: Uniform grid of an interval, random in a box, or random over data.
    mode: str
    #: a_j: unit vectors (±1 in one dimension), or normal vectors for cosine and sine.
    directions: Tensor = field(repr=False)
    #: a_j·c_j: where along its direction neuron j is centred.
    offsets: Tensor = field(repr=False)
    #: γ_j.
    slopes: Tensor = field(repr=False)
    #: The box, one interval per input.
    domain: tuple[tuple[float, float], ...] | None = None

    def __str__(self) -> str:
        n, d = self.directions.shape
        return (
            f"structured first layer, {plural(n, 'neuron')} on "
            f"{plural(d, 'input')} ({self.mode}): {self.formula}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return what was set as plain numbers."""
        return {
            "formula": self.formula,
            "activation": self.activation,
            "mode": self.mode,
            "domain": self.domain,
            "directions": self.directions.tolist(),
            "offsets": self.offsets.tolist(),
            "slopes": self.slopes.tolist(),
        }


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


def on_interval(
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
        # linspace gives a single point the left end.
        if n == 1:
            centres = torch.tensor([low + length / 2], dtype=torch.float64)
        name = f"γ = n/(b−a) = {slope:g}" if gamma is None else f"γ = {slope:g} as given"
        text, mode = f"x_j uniform grid of [{low:g}, {high:g}], {name}", "grid"
    slopes = torch.full((n,), slope, dtype=torch.float64)
    return StructuredFirstLayer(
        text, activation, mode, directions, directions[:, 0] * centres, slopes, ((low, high),)
    )


def in_box(
    box: Tensor, n: int, activation: str, generator: torch.Generator | None, gamma: float | None
) -> StructuredFirstLayer:
    """Place n neurons in a box of R^d with uniform density of their hyperplanes."""
    d = box.shape[0]
    middle, half = box.mean(dim=1), (box[:, 1] - box[:, 0]) / 2
    # |Ω|^{1/d} through logarithms: the volume itself over- or underflows in high dimension.
    side = math.exp(float(torch.log(2 * half).mean()))
    # A single neuron would get slope 0, as on an interval.
    rule = (n ** (1 / d) - 1 if n > 1 else 1.0) / side
    slope = rule if gamma is None else gamma
    directions = _directions(n, d, activation, generator)
    # The projection a·Ω of the box is a·middle ± Σ|a_i|·half_i.
    reach = directions.abs() @ half
    centre = directions @ middle
    offsets = _uniform(centre - reach, centre + reach, generator)
    law = "~ N(0, I)" if activation in _UNNORMALISED else "uniform on the sphere"
    name = "as given" if gamma is not None else "= (n^{1/d} − 1)/|Ω|^{1/d}"
    text = f"a_j {law}, offsets uniform on a_j·Ω, γ {name} = {slope:g}"
    intervals = tuple((float(low), float(high)) for low, high in box.tolist())
    slopes = torch.full((n,), slope, dtype=torch.float64)
    return StructuredFirstLayer(text, activation, "domain", directions, offsets, slopes, intervals)


def over_data(
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
    # In units of √d·max|x|, which bounds every projection.
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


# Patches looked at; beyond it every m-th one is taken.
MOST_PATCHES = 65_536


def patches(x: Tensor, layer: nn.Conv1d | nn.Conv2d) -> Tensor:
    """Return the patches of x that lie fully inside, one per row, in the order of the weights.

    Row (i, position) times ``weight[j].reshape(-1)`` plus ``bias[j]`` is the output of channel j at
    that position. Stride and dilation of the layer are kept; padded positions are left out, because
    zeros at the border are not data. With groups the rows of all groups are stacked: every channel
    is placed over all of them.
    """
    axes = len(layer.kernel_size)
    if x.ndim != axes + 2 or x.shape[1] != layer.in_channels:
        sizes = "L" if axes == 1 else "H, W"
        raise InputError(
            "data", f"has shape {tuple(x.shape)}", f"pass (N, {layer.in_channels}, {sizes})"
        )
    windows = x
    for axis in range(axes):
        dilation = layer.dilation[axis]
        extent = (layer.kernel_size[axis] - 1) * dilation + 1
        if x.shape[axis + 2] < extent:
            raise InputError(
                "data",
                f"has shape {tuple(x.shape)}, smaller than the kernel's extent {extent}",
                "pass larger inputs",
            )
        # Windows go to a new last axis; dilation keeps every dilation-th entry of them.
        windows = windows.unfold(axis + 2, extent, layer.stride[axis])[..., ::dilation]
    # (N, C, positions…, kernel…) → (N, positions…, C, kernel…)
    windows = torch.movedim(windows, 1, axes + 1)
    per_group = layer.weight[0].numel()
    n_images, n_positions = x.shape[0], windows[0].numel() // (per_group * layer.groups)
    step = max(1, -(-n_images * n_positions * layer.groups // MOST_PATCHES))
    rows = windows.reshape(-1, per_group)
    return rows[::step]
