"""Hypothesis strategies for everything a theorem of ε-rank quantifies over.

They are public: ``from epsrank.testing import feature_matrices, rank_cases`` in any test. All
arrays drawn are finite floats, small enough for exact arithmetic, and chosen to be awkward:
clustered, tiny, repeated and exactly representable eigenvalues, rank deficiency, columns 10⁻³⁰
apart, scales from 10⁻¹⁵⁰ to 10¹⁵⁰, duplicated and zero neurons, entries rounded to narrow floats.
Shrinking leads to small integers.
"""

from epsrank.proofs.strategies.domains import Domain, boxes, data_sets, domains, intervals
from epsrank.proofs.strategies.entries import (
    coefficients,
    exponents,
    full_mantissas,
    norms,
    sample_weights,
    small_integers,
    targets,
    thresholds,
)
from epsrank.proofs.strategies.features import (
    FLAVOURS,
    feature_matrices,
    feature_pairs,
    integer_features,
    narrow_features,
)
from epsrank.proofs.strategies.initial import (
    Initialisation,
    InitialNetwork,
    activations,
    first_layers,
    initial_networks,
    initialisations,
)
from epsrank.proofs.strategies.mixings import (
    dyadic_orthogonal,
    exact_mixings,
    integer_invertible,
    permutations,
    signed_permutations,
)
from epsrank.proofs.strategies.problems import FloorCase, RankCase, floor_cases, rank_cases
from epsrank.proofs.strategies.spectra import (
    KnownSpectrum,
    gram_matrices,
    hadamard,
    known_spectra,
    spectra,
)

__all__ = [
    "FLAVOURS",
    "Domain",
    "FloorCase",
    "InitialNetwork",
    "Initialisation",
    "KnownSpectrum",
    "RankCase",
    "activations",
    "boxes",
    "coefficients",
    "data_sets",
    "domains",
    "dyadic_orthogonal",
    "exact_mixings",
    "exponents",
    "feature_matrices",
    "feature_pairs",
    "first_layers",
    "floor_cases",
    "full_mantissas",
    "gram_matrices",
    "hadamard",
    "initial_networks",
    "initialisations",
    "integer_features",
    "integer_invertible",
    "intervals",
    "known_spectra",
    "narrow_features",
    "norms",
    "permutations",
    "rank_cases",
    "sample_weights",
    "signed_permutations",
    "small_integers",
    "spectra",
    "targets",
    "thresholds",
]
