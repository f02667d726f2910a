"""Each M and F statement as a property, searched by pytest and by ``epsrank verify`` alike."""

from epsrank.proofs.properties import (
    apriori,
    continuous,
    floor_chain,
    lipschitz,
    neuron_selection,
    operators,
    pretraining,
    rank_mixing,
    rank_order,
    rank_perturbation,
    rational_chain,
    routes,
)
from epsrank.proofs.testing.search import (
    Counterexample,
    Outcome,
    Property,
    Tally,
    registered,
    search,
    states,
)

#: All properties by name.
PROPERTIES: dict[str, Property] = registered(__name__)

_MODULES = (
    apriori,
    continuous,
    floor_chain,
    lipschitz,
    neuron_selection,
    operators,
    pretraining,
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
