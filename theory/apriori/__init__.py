"""N2 and N3: floors known before training, from distances to classes of networks and functions."""

from epsrank.theory.apriori.class_floor import class_floor, draft_class_floor, width_floor
from epsrank.theory.apriori.network_floor import AprioriFloor, apriori_floor
from epsrank.theory.apriori.poisson import dirichlet_eigenvalue, poisson_stability
from epsrank.theory.apriori.segments import SegmentedDistances, relu_distances
from epsrank.theory.apriori.widths import ellipsoid_widths, sobolev_widths

__all__ = [
    "AprioriFloor",
    "SegmentedDistances",
    "apriori_floor",
    "class_floor",
    "dirichlet_eigenvalue",
    "draft_class_floor",
    "ellipsoid_widths",
    "poisson_stability",
    "relu_distances",
    "sobolev_widths",
    "width_floor",
]
