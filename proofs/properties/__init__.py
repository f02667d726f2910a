"""Each M and F statement as a property, searched by pytest and by ``epsrank verify`` alike.

A file of properties is imported when one of its claims is asked for, or all of `PROPERTIES`.
"""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module
from typing import TYPE_CHECKING, Any

from epsrank.proofs.testing.search import (
    Counterexample,
    Outcome,
    Property,
    Tally,
    registered,
    search,
    states,
)

#: The claims that the properties of each file are evidence for.
CLAIMS: dict[str, tuple[str, ...]] = {
    "apriori": ("a-priori-floor",),
    "continuous": ("continuous-rank", "sample-rank"),
    "floor_chain": ("floor-decreases", "loss-floor", "rank-budget", "reachable-loss", "tail"),
    "lipschitz": ("lipschitz-floor",),
    "neuron_selection": ("neuron-selection", "subset-conjecture"),
    "operators": ("operator-floor",),
    "pretraining": ("pretraining-property",),
    "rank_mixing": ("rank-invariance", "rank-mixing"),
    "rank_order": (
        "duplicate-neuron", "rank-monotone-data", "rank-monotone-eps", "rank-monotone-loewner",
        "rank-monotone-neurons", "rank-trace",
    ),
    "rank_perturbation": ("rank-stability", "rank-subadditive", "rank-variational"),
    "rational_chain": (
        "floor-decreases", "floor-tight", "loss-floor", "rank-budget", "reachable-loss", "tail",
    ),
    "routes": ("float-resolution", "rank-definition"),
}  # fmt: skip

if TYPE_CHECKING:
    #: All properties by name.
    PROPERTIES: dict[str, Property]


def properties_of(claims: Collection[str] | None) -> dict[str, Property]:
    """Import what bears on some claims, or on any, and return at least their properties."""
    found: dict[str, Property] = {}
    for module, served in CLAIMS.items():
        if claims is None or set(claims) & set(served):
            import_module(f"{__name__}.{module}")
            found |= registered(f"{__name__}.{module}")
    return found


def __getattr__(name: str) -> Any:
    """Import all files when all properties are asked for (PEP 562)."""
    if name != "PROPERTIES":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    properties_of(None)
    # Once more: two files that give one name are an error.
    globals()[name] = registered(__name__)
    return globals()[name]


__all__ = [
    "PROPERTIES",
    "Counterexample",
    "Outcome",
    "Property",
    "Tally",
    "search",
    "states",
]
