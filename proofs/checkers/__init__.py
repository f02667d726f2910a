"""The checkers, one file per family of claims.

`FAMILIES` says which claims each file bears on, so that a file is imported only where one of them
is asked for: most of them bring torch, or SymPy.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib import import_module

from epsrank.proofs.checkers.base import Checker, Context, Effort
from epsrank.proofs.ledger.claims import load_ledger
from epsrank.proofs.ledger.evidence import Kind


@dataclass(frozen=True)
class Family:
    """A file of checkers."""

    #: Its name in this folder.
    module: str
    #: The function that makes its checkers, of the effort, of the claims asked for, or of nothing.
    factory: str
    #: In words, what is done.
    title: str
    #: The claims that it may bear on.
    claims: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        """Kind of its evidence."""
        kinds: dict[str, Kind] = {
            "formal": "formal",
            "symbolic_identities": "symbolic",
            "experiments": "empirical",
            "sampling": "empirical",
            "initial_rank": "empirical",
            "initial_bounds": "property",
        }
        return kinds.get(self.module, "exact")

    def checkers(self, effort: Effort, claims: Collection[str] | None = None) -> list[Checker]:
        """Import the file, and make its checkers: all, or at least those of some claims."""
        make = getattr(import_module(f"{__name__}.{self.module}"), self.factory)
        taken = inspect.signature(make).parameters
        given = {"effort": effort, "claims": claims}
        made: list[Checker] = make(**{name: given[name] for name in taken if name in given})
        return made


def families() -> Iterator[Family]:
    """Yield all files, in the order of the report."""
    ledger = load_ledger()
    proved = tuple(c.id for c in ledger if c.theorems or c.refuting_theorems)
    measured = tuple(c.id for c in ledger if "empirical" in c.wanted)
    symbolic = tuple(c.id for c in ledger if c.symbols)
    sampled = ("sample-rank",)
    for module, factory, title, claims in (
        ("formal", "formal_checkers", "proofs in Coq", proved),
        ("witnesses", "witness_checkers", "witnesses", ("duplicate-neuron", "draft-slips")),
        ("depth_order", "depth_order_checkers", "order by depth", ("depth-order",)),
        ("resolution", "resolution_checkers", "float resolution", ("float-resolution",)),
        ("attaining", "attaining_checkers", "attaining families", ("floor-tight",)),
        ("rank_instances", "rank_instance_checkers", "ranks of instances", ("rank-definition",)),
        ("network_floor", "network_floor_checkers", "floors of trained networks",
         ("loss-floor", "reachable-loss", "tail")),
        ("operator_floor", "operator_floor_checkers", "floors of PINNs", ("operator-floor",)),
        ("lipschitz", "lipschitz_checkers", "floors of Lipschitz losses", ("lipschitz-floor",)),
        ("plateaus", "plateau_checkers", "plateaus of known cause",
         ("reading", "rank-forced", "path-length")),
        ("initial_bounds", "initial_bound_checkers", "plateaus of small weights",
         ("plateau-bound", "condensation-bound")),
        ("pretraining", "pretraining_checkers", "initial ranks", ("pretraining-property",)),
        ("formal_certificates", "certificate_checkers", "certificates in Coq",
         ("rank-definition", "loss-floor", "reachable-loss")),
        ("continuous", "continuous_checkers", "continuous ranks", ("continuous-rank",)),
        ("sampling_exact", "sampling_exact_checkers", "relative concentration", sampled),
        ("sampling", "sampling_checkers", "coverage", sampled),
        ("selection", "selection_checkers", "neuron selection", ("neuron-selection",)),
        ("apriori", "apriori_checkers", "a-priori floors", ("a-priori-floor",)),
        ("apriori_depth", "apriori_depth_checkers", "one last neuron", ("apriori-depth",)),
        ("subset_conjecture", "subset_checkers", "subset conjecture", ("subset-conjecture",)),
        ("initial_rank", "initial_rank_checkers", "ε-rank at initialisation", ("init-rank",)),
        ("experiments", "experiment_checkers", "experiments on record", measured),
        ("symbolic_identities", "symbolic_checkers", "identities by SymPy", symbolic),
    ):  # fmt: skip
        yield Family(module, factory, title, claims)


def all_checkers(effort: Effort, claims: Collection[str] | None = None) -> list[Checker]:
    """Return the checkers at an effort: all, or at least those that bear on some claims."""
    from epsrank.proofs.checkers.searches import property_checkers

    made: list[Checker] = []
    for family in families():
        if claims is None or set(claims) & set(family.claims):
            made += family.checkers(effort, claims)
    return [*made, *property_checkers(claims)]


__all__ = ["Checker", "Context", "Effort", "all_checkers"]
