"""ε-rank of neural-network features: certified counts, loss floors, training and verification.

The names below are imported when first used, so that ``import epsrank`` takes no time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numerics.structured import structured_first_layer_
    from theory.errors import InputError
    from theory.floor.loss_floor import loss_floor
    from theory.floor.result import LossFloor
    from theory.rank import (
        epsilon_rank,
        epsilon_rank_from_gram,
        epsilon_rank_from_spectrum,
        epsilon_ranks,
    )
    from theory.rank_interval import RankInterval

__version__ = "0.1.0"

_HOMES = {
    "InputError": "theory.errors",
    "LossFloor": "theory.floor.result",
    "RankInterval": "theory.rank_interval",
    "epsilon_rank": "theory.rank",
    "epsilon_rank_from_gram": "theory.rank",
    "epsilon_rank_from_spectrum": "theory.rank",
    "epsilon_ranks": "theory.rank",
    "loss_floor": "theory.floor.loss_floor",
    "structured_first_layer_": "numerics.structured",
}

__all__ = [
    "InputError",
    "LossFloor",
    "RankInterval",
    "__version__",
    "epsilon_rank",
    "epsilon_rank_from_gram",
    "epsilon_rank_from_spectrum",
    "epsilon_ranks",
    "loss_floor",
    "structured_first_layer_",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562).

    Parameters
    ----------
    name : str
        Attribute that was asked for.

    Returns
    -------
    object
        The object of that name.

    Raises
    ------
    AttributeError
        If the name is not public.
    """
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names.

    Returns
    -------
    list of str
        The names.
    """
    return sorted(__all__)
