"""Convolutions as output layers: at every position u = φW + b, and φ is the patch that it sees."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

# Most numbers of the patches of one batch.
_MOST = 2**26


class Plain:
    """What a linear layer takes and gives: rows on the last axis."""

    #: What φ is, where it is not what enters the layer.
    words = ""

    def entered(self, features: Tensor) -> Tensor:
        """Return φ on the last axis."""
        return features

    def given(self, output: Tensor) -> Tensor:
        """Return u on the last axis."""
        return output

    def put(self, rows: Tensor) -> Tensor:
        """Return rows as the layer gives them."""
        return rows


class Patches(Plain):
    """What a convolution takes and gives, as rows of positions."""

    def __init__(self, layer: _ConvNd) -> None:
        self._layer = layer
        self._axes = len(layer.kernel_size)
        self._single = is_pointwise(layer)
        size = "×".join(map(str, layer.kernel_size))
        self.words = "" if self._single else f"φ of patches {size}"

    def entered(self, features: Tensor) -> Tensor:
        """Return the patch of every position, in the order of its weights."""
        x = features if features.ndim == self._axes + 2 else features[None]
        if self._single:
            return x.movedim(1, -1)
        layer = self._layer
        x = F.pad(x, layer._reversed_padding_repeated_twice)
        sizes: list[Any] = [list(layer.kernel_size), list(layer.dilation), list(layer.stride)]
        if self._axes == 1:
            x, sizes = x.unsqueeze(2), [[1, *own] for own in sizes]
        kernel, dilation, stride = sizes
        found = F.unfold(x, kernel, dilation=dilation, stride=stride)
        if found.numel() > _MOST:
            raise MemoryError(f"patches of {found.numel()} numbers are too many for a reading")
        return found.transpose(1, 2)

    def given(self, output: Tensor) -> Tensor:
        """Return u on the last axis."""
        return output.movedim(-self._axes - 1, -1)

    def put(self, rows: Tensor) -> Tensor:
        """Return rows as the layer gives them."""
        return rows.movedim(-1, -self._axes - 1)


def is_pointwise(layer: _ConvNd) -> bool:
    """Whether each position is mapped for itself."""
    ones = (*layer.kernel_size, *layer.stride)
    return all(one == 1 for one in ones) and not any(layer._reversed_padding_repeated_twice)


def is_readable(module: nn.Module) -> bool:
    """Whether a convolution is one map φW + b of patches."""
    return (
        isinstance(module, _ConvNd)
        and not isinstance(module, _ConvTransposeNd)
        and module.groups == 1
        and module.padding_mode == "zeros"
        and (is_pointwise(module) or len(module.kernel_size) < 3)
    )


def form_of(head: nn.Module) -> Plain:
    """Return how a layer's values lie."""
    return Patches(head) if isinstance(head, _ConvNd) and is_readable(head) else Plain()


def patch_weights(head: _ConvNd) -> tuple[Tensor, Tensor | None]:
    """Return W (n, k) and b (k,) of the patches."""
    weight = head.weight.detach()
    bias = None if head.bias is None else head.bias.detach()
    return weight.reshape(len(weight), -1).T, bias
