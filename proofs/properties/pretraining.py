"""A‴: the initial ε-rank under a structured first layer, searched inside and outside its regime."""

# ruff: noqa: D401 — the docstring of a property is its statement, not a command.

from __future__ import annotations

from hypothesis import reject
from hypothesis import strategies as st

from epsrank.proofs.properties.comparisons import at_most
from epsrank.proofs.strategies import (
    Domain,
    Initialisation,
    InitialNetwork,
    initial_networks,
)
from epsrank.proofs.testing.search import Tally, states
from epsrank.theory.errors import InputError

#: The interval, and ranges of widths, numbers of hidden layers, and ε = 10^−k.
INTERVAL, WIDTHS, DEPTHS, DECADES = (-1.0, 1.0), (16, 100), (1, 4), (4, 8)

# Below it float64 features say little.
_LEAST_EPS = 1e-12

REGIME = (
    "tanh on [−1, 1], default weights after the first layer, 16 to 100 neurons, 1 to 4 hidden "
    "layers, ε from 1e-8 to 1e-4"
)

_ON_THE_INTERVAL = Domain(box=(INTERVAL,))


@states(
    "pretraining-property",
    regime=REGIME,
    share=0.25,
    network=initial_networks(
        widths=WIDTHS,
        depths=DEPTHS,
        sigma=st.just("tanh"),
        domain=st.just(_ON_THE_INTERVAL),
        init=st.just(Initialisation("default")),
        convolutions=False,
    ),
    decade=st.integers(*DECADES),
)
def structured_layers_keep_the_initial_rank(
    tally: Tally, network: InitialNetwork, decade: int
) -> None:
    """The last layer's initial ε-rank is at least as large with a structured first layer."""
    eps = 10.0**-decade
    structured = network.with_init("structured").rank(eps)
    at_most(tally, network.rank(eps), structured, "r_ε(default) ≤ r_ε(structured)")


@states(
    "pretraining-property",
    regime="any activation, domain, width up to 12 and ε, dense or convolutional",
    refutable=True,
    network=initial_networks(init=st.just(Initialisation("default"))),
    place=st.integers(0, 11),
)
def structured_layers_keep_every_initial_rank(
    tally: Tally, network: InitialNetwork, place: int
) -> None:
    """The last layer's initial ε-rank never falls with a structured first layer (this is false)."""
    # Half an eigenvalue of the default layer: at thresholds far from all of them nothing differs.
    values = network.rank(1.0).spectrum
    eps = max(float(values[place % len(values)]) / 2, _LEAST_EPS)
    try:
        structured = network.with_init("structured").rank(eps)
    except InputError:
        # A direction along which these data are constant: there is no such layer.
        reject()
    at_most(tally, network.rank(eps), structured, "r_ε(default) ≤ r_ε(structured)")
