"""Mathematics of the ε-rank: definitions, floors, kernels, certified numbers. No torch here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from epsrank.theory.data.measure import Measure
    from epsrank.theory.errors import InputError
    from epsrank.theory.rank import (
        algebraic_rank,
        epsilon_rank,
        epsilon_rank_from_gram,
        epsilon_rank_from_spectrum,
        epsilon_ranks,
    )
    from epsrank.theory.rank.interval import RankInterval

__all__ = [
    "InputError",
    "Measure",
    "RankInterval",
    "algebraic_rank",
    "epsilon_rank",
    "epsilon_rank_from_gram",
    "epsilon_rank_from_spectrum",
    "epsilon_ranks",
]

_HOMES = {"InputError": "errors", "Measure": "data.measure", "RankInterval": "rank.interval"}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used (PEP 562): errors need neither NumPy nor SciPy."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'rank')}"), name)
