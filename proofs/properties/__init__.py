"""Each M and F statement as a property, searched by pytest and by ``epsrank verify`` alike."""

from epsrank.proofs.properties import (
    apriori,
    continuous,
    floor_chain,
    lipschitz,
    neuron_selection,
    operators,
    rank_mixing,
    rank_order,
    rank_perturbation,
    rational_chain,
    routes,
)
from epsrank.proofs.properties.search import (
    REGISTRY,
    Counterexample,
    Outcome,
    Property,
    Tally,
    search,
    states,
)

#: All properties by name.
PROPERTIES: dict[str, Property] = REGISTRY

_MODULES = (
    apriori,
    continuous,
    floor_chain,
    lipschitz,
    neuron_selection,
    operators,
    rank_mixing,
    rank_order,
    rank_perturbation,
    rational_chain,
    routes,
)

__all__ = [
    "PROPERTIES",
    "Counterexample",
    "Outcome",
    "Property",
    "Tally",
    "search",
    "states",
]
