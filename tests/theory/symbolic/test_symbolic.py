"""Statements print, compile and agree with the numeric code; identities are decided by SymPy."""

from __future__ import annotations

import dataclasses
import importlib
import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import sympy as sp

from epsrank.theory.data.inputs import as_features
from epsrank.theory.data.measure import as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.floor.certified.attaining import attaining_family
from epsrank.theory.floor.decomposed.bounds import (
    envelope,
    epsilon_floor,
    floors,
    rank_budget,
    tail,
)
from epsrank.theory.floor.decomposed.decomposition import decompose
from epsrank.theory.floor.decomposed.reachable import reachable_loss
from epsrank.theory.floor.decomposed.weighting import weighted_problem
from epsrank.theory.rank import epsilon_rank
from epsrank.theory.symbolic.identities import PARTS, identities_of
from epsrank.theory.symbolic.identity import Identity
from epsrank.theory.symbolic.notation import EpsilonRank, Extremum, G, epsilon, p
from epsrank.theory.symbolic.registry import statement, statements
from epsrank.theory.symbolic.statement import Statement

EPS = 1e-3


def from_one(values, *, trailing_zero=False):
    """Return an array whose entry k is the k-th value, counted from 1 as formulas do."""
    return np.concatenate([[np.nan], values, [0.0] if trailing_zero else []])


def instance(outputs=1, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((40, 6)) * 10.0 ** -np.arange(6)
    target = rng.standard_normal((40, outputs))
    measure = as_measure("mean", None, 40)
    data = decompose(weighted_problem(as_features(features), target, measure))
    return features, target, data


def one_based(data):
    """λ, d and b in the indexing of the formulas, from their definitions."""
    lam = from_one(data.spectrum, trailing_zero=True)
    amplitudes = data.amplitudes * 2.0**data.target_exponent
    return lam, data.distances, from_one(data.singular_values * amplitudes)


@pytest.mark.parametrize("item", statements(), ids=lambda item: item.id)
def test_every_statement_prints_and_names_its_symbols(item):
    root = ET.fromstring(item.mathml)
    assert root.tag.endswith("math")
    assert len(root) > 0
    assert item.latex.count("{") == item.latex.count("}")
    assert item.symbols
    assert "None" not in item.latex
    json.dumps(item.to_json(), allow_nan=False)
    assert item.id in str(item)
    assert item.mathml in item._repr_html_()
    if item.value is None:
        with pytest.raises(InputError, match="no formula"):
            item.function()


def test_ids_are_unique_and_references_exist():
    names = [item.id for item in statements()]
    assert len(set(names)) == len(names)
    for item in statements():
        if not item.numeric:
            continue
        module, _, attribute = item.numeric.rpartition(".")
        try:
            assert hasattr(importlib.import_module(module), attribute)
        except AssertionError:
            importlib.import_module(item.numeric)
    with pytest.raises(InputError, match="F2"):
        statement("F99")


def test_every_symbol_that_occurs_has_a_meaning():
    for item in statements():
        bases = item.relation.atoms(sp.IndexedBase)
        free = {x for x in item.relation.free_symbols if not isinstance(x, sp.Indexed)}
        named = {str(x) for x in free | set(bases)} - {"max", "min"}
        assert named <= set(item.symbols), item.id


def test_rank_formula_counts_strictly():
    count = statement("D1").function()
    values = np.array([3.0, 1.0, 1.0, 0.5])
    assert count(4, 1.0, from_one(values)) == 1
    assert count(4, 0.75, from_one(values)) == 3
    features, _, data = instance()
    lam = from_one(data.spectrum)
    assert count(6, EPS, lam) == int(epsilon_rank(features, EPS))
    assert statement("M9").function()(6, EPS, lam) >= int(epsilon_rank(features, EPS))


@pytest.mark.parametrize("outputs", [1, 3])
def test_tail_formula(outputs):
    _, _, data = instance(outputs)
    weights = np.random.default_rng(1).standard_normal((6, outputs))
    found = tail(data, weights)
    lam = from_one(data.spectrum)
    gamma = from_one(np.linalg.norm(data.right.T @ weights, axis=1))
    formula = statement("F1").function()
    for kept in range(7):
        assert formula(6, kept, lam, gamma) == pytest.approx(found.squares[kept], rel=1e-9)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("norm", [0.0, 0.5, 30.0, 1e4])
def test_floor_formulas(outputs, norm):
    _, _, data = instance(outputs)
    lam, distances, _ = one_based(data)
    formula = statement("F2").function()
    expected = floors(data, norm)
    got = [formula(kept, norm, lam, distances) for kept in range(7)]
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)
    over_all = statement("F2-envelope").function()(6, norm, lam, distances)
    assert over_all == pytest.approx(envelope(data, norm), rel=1e-9)
    at_rank = statement("F2-epsilon").function()(2, EPS, norm, distances)
    assert at_rank == pytest.approx(epsilon_floor(data, 2, EPS, norm), rel=1e-9, abs=1e-12)
    squared = statement("F3-chain").function()
    value = reachable_loss(data, norm).value
    assert max(squared(kept, norm, lam, distances) for kept in range(7)) <= value * (1 + 1e-12)


@pytest.mark.parametrize("norm", [0.1, 1.0, 10.0])
def test_secular_dual_and_primal_formulas_meet_at_the_multiplier(norm):
    _, target, data = instance(2)
    lam, _, moments = one_based(data)
    found = reachable_loss(data, norm)
    square = float(np.mean(np.sum(target**2, axis=1)))
    mu = found.multiplier
    assert mu > 0
    assert statement("F3-secular").function()(6, mu, lam, moments) == pytest.approx(norm**2)
    primal = statement("F3-primal").function()(6, mu, square, lam, moments)
    dual = statement("F3-dual").function()(6, mu, norm, square, lam, moments)
    assert primal == pytest.approx(found.value, rel=1e-9)
    assert dual == pytest.approx(found.value, rel=1e-9)
    # Any other multiplier is a lower bound.
    for other in (0.5 * mu, 2 * mu):
        assert statement("F3-dual").function()(6, other, norm, square, lam, moments) < dual


def test_attaining_and_budget_formulas():
    family = attaining_family(5, 2, EPS, 3.0, 2.0, generator=0)
    formula = statement("F4").function()
    assert formula(family.alpha, family.eps, family.norm) == pytest.approx(family.floor_norm)
    _, _, data = instance()
    bound = statement("F5").function()
    for loss in (1.0, 0.5, 0.1):
        reach = bound(np.sqrt(loss), EPS, 2.0)
        first = next((k for k in range(7) if data.distances[k] <= reach), None)
        (budget,) = rank_budget(data, 2.0, EPS, [loss])
        assert budget.nominal == first


def test_our_selection_factor_is_never_larger_than_the_drafts():
    ratio = statement("N1-ratio").function()
    table = {(n, kept): ratio(n, kept) for n in range(2, 30) for kept in range(1, n)}
    assert min(table.values()) == 1
    assert all(value >= 1 for value in table.values())
    # Smaller by about n − p: the quotient to n − p lies between 1/2 and 2 beyond n − p = 1.
    assert all(0.5 <= value / (n - kept) <= 2 for (n, kept), value in table.items() if n > kept + 1)
    lam, norm = from_one([4.0, 2.0, 1.0, 0.5]), 3.0
    ours = statement("N1").function()(4, 2, norm, lam)
    assert ours == (1 + 2 * 2) * 1.0 * 9
    assert statement("N1-draft").function()(4, 2, norm, lam) == 3 * 2 * 1.5 * 9
    assert statement("N2").function()(4, 2, 0.25, 1.0, from_one([9.0, 4.0])) == pytest.approx(
        4 - np.sqrt(5 * 0.25)
    )


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part[1].__name__.strip("_"))
def test_every_identity_is_proved_and_no_changed_side_is(part):
    start, derive = part
    known = {item.id for item in statements()} | {"M3"}
    for item in derive():
        assert item.holds(), item.id
        assert item.statement in known
        assert item.statement.startswith(start)
        ET.fromstring(item.mathml)
        assert item.latex
        if isinstance(item.left, sp.MatrixBase):
            wrong = item.left + sp.ones(*item.left.shape)
        else:
            wrong = item.left + 1 if item.kind == "equal" else -item.left - 1
        assert not dataclasses.replace(item, left=wrong).holds(), item.id


def test_identities_of_a_statement_are_all_of_it_and_nothing_else():
    derived = (item for start, derive in PARTS if start == "F1" for item in derive())
    everything = [item for item in derived if item.statement == "F1"]
    assert list(identities_of(["F1"])) == everything
    assert everything
    assert identities_of(["F9"]) == ()


# Planted faults.


def test_the_draft_constant_is_not_ours():
    factor = next(item for item in identities_of(["N1-ratio"]) if item.id == "selection-factors")
    assert not dataclasses.replace(factor, right=sp.Integer(0)).holds()


def test_undecided_signs_count_as_unproved():
    x = sp.Symbol("x", real=True)
    assert not Identity("x", "D1", "a real number has no sign", x, kind="nonnegative").holds()
    assert not Identity("x", "D1", "0 is not positive", x - x, kind="positive").holds()
    assert Identity("x", "D1", "a square has", x**2, kind="nonnegative").holds()


def test_extremum_over_a_condition_does_not_compile():
    notation_only = Statement("X", "x", p, Extremum("min", p, sp.Le(p, epsilon)), (p, epsilon))
    with pytest.raises(NotImplementedError, match="notation"):
        notation_only.function()


def test_powers_of_the_notation_print():
    power = EpsilonRank(G, epsilon) ** 2 + Extremum("max", p, p, 0, 3) ** 2
    latex = sp.latex(power)
    assert r"r_{\epsilon}\left(G\right)^{2}" in latex
    assert r"\left(\max_{0 \leq p \leq 3} p\right)^{2}" in latex


def test_entry_zero_is_poisoned():
    assert np.isnan(from_one([1.0])[0])
    assert from_one([1.0], trailing_zero=True).tolist()[1:] == [1.0, 0.0]
