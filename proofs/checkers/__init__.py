"""The checkers, one file per family of claims."""

from epsrank.proofs.checkers.apriori import apriori_checkers
from epsrank.proofs.checkers.attaining import attaining_checkers
from epsrank.proofs.checkers.base import Checker, Context, Effort
from epsrank.proofs.checkers.continuous import continuous_checkers
from epsrank.proofs.checkers.depth_order import depth_order_checkers
from epsrank.proofs.checkers.experiments import experiment_checkers
from epsrank.proofs.checkers.formal import formal_checkers
from epsrank.proofs.checkers.formal_certificates import certificate_checkers
from epsrank.proofs.checkers.initial_rank import initial_rank_checkers
from epsrank.proofs.checkers.lipschitz import lipschitz_checkers
from epsrank.proofs.checkers.network_floor import network_floor_checkers
from epsrank.proofs.checkers.operator_floor import operator_floor_checkers
from epsrank.proofs.checkers.plateaus import plateau_checkers
from epsrank.proofs.checkers.pretraining import pretraining_checkers
from epsrank.proofs.checkers.rank_instances import rank_instance_checkers
from epsrank.proofs.checkers.resolution import resolution_checkers
from epsrank.proofs.checkers.sampling import sampling_checkers
from epsrank.proofs.checkers.sampling_exact import sampling_exact_checkers
from epsrank.proofs.checkers.searches import property_checkers
from epsrank.proofs.checkers.selection import selection_checkers
from epsrank.proofs.checkers.subset_conjecture import subset_checkers
from epsrank.proofs.checkers.symbolic_identities import symbolic_checkers
from epsrank.proofs.checkers.witnesses import witness_checkers


def all_checkers(effort: Effort) -> list[Checker]:
    """Return every checker at an effort."""
    return [
        *formal_checkers(),
        *witness_checkers(),
        *depth_order_checkers(),
        *resolution_checkers(),
        *attaining_checkers(),
        *rank_instance_checkers(effort),
        *network_floor_checkers(effort),
        *operator_floor_checkers(),
        *lipschitz_checkers(),
        *plateau_checkers(),
        *pretraining_checkers(),
        *certificate_checkers(effort),
        *continuous_checkers(effort),
        *sampling_exact_checkers(),
        *sampling_checkers(),
        *selection_checkers(effort),
        *apriori_checkers(),
        *subset_checkers(),
        *initial_rank_checkers(),
        *experiment_checkers(),
        *symbolic_checkers(),
        *property_checkers(),
    ]


__all__ = ["Checker", "Context", "Effort", "all_checkers"]
