"""What one neuron of a convolution sees: the patches of a set of images or signals."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from epsrank.theory.errors import InputError

# Patches looked at; beyond it every m-th one is taken.
MOST_PATCHES = 65_536


def patches(x: Tensor, layer: nn.Conv1d | nn.Conv2d) -> Tensor:
    """Return the patches of x that lie fully inside, one per row, in the order of the weights.

    Row (i, position) times ``weight[j].reshape(-1)`` plus ``bias[j]`` is the output of channel j at
    that position. Stride and dilation of the layer are kept; padded positions are left out, because
    zeros at the border are not data. With groups the rows of all groups are stacked: every channel
    is placed over all of them.

    Parameters
    ----------
    x : Tensor, shape (N, C, L) or (N, C, H, W)
        Inputs.
    layer : Conv1d or Conv2d
        The convolution.

    Returns
    -------
    Tensor, shape (patches, C/groups · kernel size)
        At most about `MOST_PATCHES` rows, evenly taken.

    Raises
    ------
    InputError
        If the shape does not fit, or an image is smaller than the kernel.
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
