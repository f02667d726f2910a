"""Nested optimiser state as tensors and JSON, without pickle, and back to the last bit."""

from __future__ import annotations

from typing import Any

from torch import Tensor

_TENSOR, _TUPLE, _DICT = "tensor", "tuple", "dict"


def flatten(tree: Any, tensors: dict[str, Tensor], prefix: str) -> Any:
    """Write a tree of dicts, lists, tuples, numbers, strings, None and tensors as JSON values.

    Parameters
    ----------
    tree : object
        The tree.
    tensors : dict of str to Tensor
        Receives the tensors, under names that begin with `prefix`.
    prefix : str
        Name of this tree.

    Returns
    -------
    object
        JSON values that refer to the tensors by name. Floats survive exactly: JSON writes the
        shortest decimal that rounds back.

    Raises
    ------
    TypeError
        If something else is in the tree.
    """
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
    """Undo `flatten`.

    Parameters
    ----------
    values : object
        JSON values.
    tensors : dict of str to Tensor
        The tensors by name.

    Returns
    -------
    object
        The tree.
    """
    if isinstance(values, list):
        return [unflatten(item, tensors) for item in values]
    if not isinstance(values, dict):
        return values
    if _TENSOR in values:
        return tensors[values[_TENSOR]]
    if _TUPLE in values:
        return tuple(unflatten(item, tensors) for item in values[_TUPLE])
    return {key: unflatten(value, tensors) for key, value in values[_DICT]}
