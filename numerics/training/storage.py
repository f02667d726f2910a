"""The folder of a run: tensors, and the files of `numerics.writing`, each replaced as a whole."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from epsrank.numerics.writing import (
    damaged,
    read_json,
    read_table,
    remove_parts,
    write_atomically,
    write_bytes,
    write_json,
    write_table,
    write_text,
)
from epsrank.theory.errors import InputError

__all__ = [
    "read_json",
    "read_table",
    "read_tensors",
    "remove_parts",
    "write_atomically",
    "write_bytes",
    "write_json",
    "write_table",
    "write_tensors",
    "write_text",
]


def write_tensors(path: Path, tensors: dict[str, Tensor], *, durable: bool = True) -> None:
    """Write tensors as safetensors, atomically.

    Parameters
    ----------
    path : Path
        Where.
    tensors : dict of str to Tensor
        What; copied to the CPU and apart from each other first.
    durable : bool
        Whether to wait until the file is on disk.
    """
    apart = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    # Through bytes rather than save_file, whose memory map a full disk turns into a signal.
    data = safetensors.torch.save(apart)
    write_bytes(path, data, durable=durable)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read safetensors.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict of str to Tensor
        The tensors, on the CPU.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    try:
        return safetensors.torch.load(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise InputError(*damaged(path, error)) from None
