"""The part of a model that a callback watches."""

from __future__ import annotations

from torch import nn

from epsrank.theory.errors import InputError


def part_of(model: nn.Module, wanted: str | nn.Module | None, whole: str) -> nn.Module:
    """Return the module to watch.

    Parameters
    ----------
    model : nn.Module
        The whole.
    wanted : str, nn.Module or None
        Which part: its dotted name, itself, or all.
    whole : str
        What the whole is called in the message of an error.

    Returns
    -------
    nn.Module
        The part.

    Raises
    ------
    InputError
        If there is no such part.
    """
    if wanted is None:
        return model
    if isinstance(wanted, nn.Module):
        return wanted
    try:
        return model.get_submodule(wanted)
    except AttributeError:
        names = ", ".join(name for name, _ in model.named_children())
        raise InputError(
            "module", f"{wanted!r} is no part of {whole}", f"choose among {names}"
        ) from None
