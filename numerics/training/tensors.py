"""Tensors in files, each replaced as a whole, and trees of them as JSON values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from epsrank.numerics.boundary import parsing
from epsrank.numerics.files import read_sealed, write_bytes
from epsrank.numerics.manifest import Manifest
from epsrank.numerics.seal import KEY, UNSEALED, sealed


def write_tensors(
    path: Path,
    tensors: dict[str, Tensor],
    *,
    durable: bool = True,
    manifest: Manifest | None = None,
) -> None:
    """Write tensors as safetensors with a seal, atomically."""
    # safetensors refuses tensors that share memory, or are not contiguous.
    apart = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    # Through bytes rather than save_file, whose memory map a full disk turns into a signal.
    data = sealed(safetensors.torch.save(apart, metadata={KEY: UNSEALED}))
    write_bytes(path, data, durable=durable, manifest=manifest)


def read_tensors(path: Path, within: Path | None = None) -> dict[str, Tensor]:
    """Read safetensors."""
    data = read_sealed(path, within)
    with parsing(str(path), "make it again"):
        return safetensors.torch.load(data)


# Keys of objects that stand for what JSON lacks. A dict of the tree is a list of pairs there, so
# that none of its own keys is taken for one of these.
_TENSOR, _TUPLE, _DICT = "tensor", "tuple", "dict"


def flatten(tree: Any, tensors: dict[str, Tensor], prefix: str) -> Any:
    """Write a tree of dicts, lists, tuples, numbers, strings, None and tensors as JSON values."""
    if isinstance(tree, Tensor):
        tensors[prefix] = tree
        return {_TENSOR: prefix}
    if tree is None or isinstance(tree, (bool, int, float, str)):
        return tree
    if isinstance(tree, dict):
        # Keys may be integers, which JSON objects cannot have.
        pairs = [[key, flatten(value, tensors, f"{prefix}.{key}")] for key, value in tree.items()]
        return {_DICT: pairs}
    if isinstance(tree, (list, tuple)):
        items = [flatten(item, tensors, f"{prefix}.{i}") for i, item in enumerate(tree)]
        return {_TUPLE: items} if isinstance(tree, tuple) else items
    raise TypeError(f"{prefix} is a {type(tree).__name__}, which is not kept")


def unflatten(values: Any, tensors: dict[str, Tensor]) -> Any:
    """Undo `flatten`."""
    if isinstance(values, list):
        return [unflatten(item, tensors) for item in values]
    if not isinstance(values, dict):
        return values
    if _TENSOR in values:
        return tensors[values[_TENSOR]]
    if _TUPLE in values:
        return tuple(unflatten(item, tensors) for item in values[_TUPLE])
    return {key: unflatten(value, tensors) for key, value in values[_DICT]}
