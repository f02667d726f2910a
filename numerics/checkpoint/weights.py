"""Weights from a file into a network; nothing but tensors is ever unpickled."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load
from torch import Tensor, nn

from epsrank.numerics.boundary import parsing, refuse_beyond_memory
from epsrank.numerics.seal import check_seal
from epsrank.theory.errors import InputError

_PICKLED = (".pt", ".pth", ".bin", ".ckpt")

# What wrappers put before every name.
_WRAPPERS = ("module.", "_orig_mod.")


def load_weights(model: nn.Module, path: str | Path, *, name: str = "--weights") -> None:
    """Put the weights in a file into a network, in place; every one must fit.

    `path` is a .safetensors file, or a .pt, .pth, .bin or .ckpt file of tensors, which is read with
    ``weights_only=True``. A state dict under the key ``"state_dict"`` or ``"model"`` is found, and
    the prefixes of data-parallel and compiled models are taken off.
    """
    file = Path(path)
    label = f"{name} {file}"
    state = _unwrapped(_read(file, label))
    own = model.state_dict()
    # A tensor that several names share is stored under one of them.
    stored = {own[key].data_ptr() for key in state if key in own and own[key].numel()}
    missing = [
        key
        for key, tensor in own.items()
        if key not in state and (not tensor.numel() or tensor.data_ptr() not in stored)
    ]
    extra = [key for key in state if key not in own]
    if missing or extra:
        parts = [f"lacks {_some(missing)}"] if missing else []
        parts += [f"has {_some(extra)} besides"] if extra else []
        raise InputError(label, " and ".join(parts), "pass the weights of the network in --model")
    wrong = [
        f"{key} is {tuple(value.shape)} there and {tuple(own[key].shape)} in the network"
        for key, value in state.items()
        if value.shape != own[key].shape
    ]
    if wrong:
        raise InputError(label, f"does not fit: {wrong[0]}", "make the network of that size")
    # Not strict, since of shared tensors one name is enough; all names are checked above.
    model.load_state_dict(state, strict=False)


def _read(file: Path, label: str) -> Any:
    """Read a file of tensors."""
    suffix = file.suffix.lower()
    if suffix != ".safetensors" and suffix not in _PICKLED:
        known = ", ".join((".safetensors", *_PICKLED))
        raise InputError(label, f"has the suffix {suffix or '(none)'!r}", f"pass one of {known}")
    try:
        file.open("rb").close()
    except OSError as error:
        raise InputError(label, f"cannot be read ({error.strerror})", "check the path") from None
    with parsing(label, "write it again", "is damaged"):
        refuse_beyond_memory(_declared(file), label)
        if suffix == ".safetensors":
            data = file.read_bytes()
            check_seal(data, file)
            return load(data)
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            # A damaged file may ask for anything, too.
            raise InputError(
                label,
                "is damaged, or holds other Python objects than tensors, which are never loaded",
                "save model.state_dict() alone, best as .safetensors",
            ) from error


def _declared(file: Path) -> int:
    """Return how many bytes a file says it holds; an archive may be compressed."""
    if not zipfile.is_zipfile(file):
        return file.stat().st_size
    with zipfile.ZipFile(file) as archive:
        return sum(member.file_size for member in archive.infolist())


def _unwrapped(found: Any) -> dict[str, Tensor]:
    """Return the state dict in what was read, without the prefixes of wrappers."""
    for key in ("state_dict", "model"):
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in found.items()
    ):
        raise InputError("--weights", "is no state dict", "save model.state_dict()")
    state = dict(found)
    # Wrappers may stand around wrappers: prefixes go one after another.
    changed = True
    while changed and state:
        changed = False
        for prefix in _WRAPPERS:
            if all(key.startswith(prefix) for key in state):
                state = {key[len(prefix) :]: value for key, value in state.items()}
                changed = True
    return state


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:4])
    return shown if len(names) <= 4 else f"{shown}, … ({len(names)} in all)"
