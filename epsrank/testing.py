"""Property-based tests of claims on ranks, floors and readings: strategies, assertions, search.

>>> from epsrank.testing import assert_rank, feature_matrices, states

Strategies draw features, targets, thresholds and networks before training; assertions compare
certified intervals, and tell an open question from a failure; `states` makes a function a property
that pytest (`assert_holds`) and ``epsrank verify --ledger mine.toml --checkers my_package`` search
for a counterexample. The Hypothesis profiles epsrank-dev, epsrank-ci and epsrank-thorough are
registered by the import.
"""

from epsrank.proofs.checkers.base import Context
from epsrank.proofs.ledger.evidence import Evidence
from epsrank.proofs.strategies import *  # noqa: F403
from epsrank.proofs.strategies import __all__ as _strategies
from epsrank.proofs.testing.assertions import (
    assert_chain,
    assert_monotone,
    assert_rank,
    assert_reading,
)
from epsrank.proofs.testing.checking import checks
from epsrank.proofs.testing.outcomes import (
    Counterexample,
    Tally,
    Undecided,
    UndecidedWarning,
    refute,
)
from epsrank.proofs.testing.profiles import register_profiles
from epsrank.proofs.testing.search import Outcome, Property, assert_holds, search, states

__all__ = [
    *_strategies,
    "Context",
    "Counterexample",
    "Evidence",
    "Outcome",
    "Property",
    "Tally",
    "Undecided",
    "UndecidedWarning",
    "assert_chain",
    "assert_holds",
    "assert_monotone",
    "assert_rank",
    "assert_reading",
    "checks",
    "refute",
    "register_profiles",
    "search",
    "states",
]

register_profiles()
