"""Verdicts follow from evidence by one table, and from nothing else."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from epsrank.proofs.ledger.evidence import Evidence
from epsrank.proofs.ledger.verdict import VERDICTS, derive_verdict
from epsrank.theory.strict_json import worded


def _item(kind, state="passed", part=None):
    return Evidence("c", kind, state, "t", part=part)


ALL = ("formal", "exact", "symbolic", "property", "empirical")


@pytest.mark.parametrize(
    ("wanted", "evidence", "verdict"),
    [
        (ALL, [], "open"),
        (ALL, [_item("formal")], "proved"),
        (ALL, [_item("exact"), _item("formal")], "proved"),
        (ALL, [_item("exact"), _item("property")], "certified on instances"),
        (ALL, [_item("symbolic")], "supported"),
        (ALL, [_item("property")], "supported"),
        (ALL, [_item("empirical")], "supported"),
        (ALL, [_item("empirical", "regime")], "supported only in a regime"),
        (ALL, [_item("empirical", "regime"), _item("property")], "supported"),
        (ALL, [_item("exact"), _item("property", "refuted")], "refuted"),
        (ALL, [_item("formal"), _item("exact", "refuted")], "refuted"),
        (ALL, [_item("exact", "skipped"), _item("property")], "supported"),
        (ALL, [_item("exact", "undecided")], "undecided"),
        (ALL, [_item("empirical", "undecided"), _item("exact", "skipped")], "undecided"),
        (ALL, [_item("empirical", "undecided"), _item("property")], "supported"),
        # A theorem without a proof is no test, nor is a kind that the claim does not ask for.
        (ALL, [_item("formal", "undecided")], "open"),
        (("exact",), [_item("property", "undecided")], "open"),
        (ALL, [_item("exact", "error"), _item("property")], "supported"),
        (ALL, [_item("exact", "error")], "open"),
        (ALL, [_item("exact", "skipped"), _item("exact")], "certified on instances"),
        # Evidence of a kind that the claim does not ask for is shown, but decides nothing …
        (("formal",), [_item("property"), _item("exact")], "open"),
        (("formal", "property"), [_item("property"), _item("exact")], "supported"),
        # … except that a witness is a witness.
        (("formal",), [_item("property", "refuted")], "refuted"),
    ],
)
def test_derivation(wanted, evidence, verdict):
    assert derive_verdict(wanted, evidence) == verdict
    assert verdict in VERDICTS


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        ([_item("exact", "refuted", "a"), _item("exact", "refuted", "b")], "refuted"),
        ([_item("exact", "refuted", "a"), _item("exact", "passed", "b")], "undecided"),
        ([_item("exact", "undecided", "a"), _item("exact", "passed", "b")], "undecided"),
        ([_item("exact", "refuted", "a")], "open"),
        ([_item("exact", "passed", "a"), _item("property", "passed", "b")], "supported"),
        ([_item("exact", "passed", "a"), _item("exact", "passed", "b")], "certified on instances"),
        ([_item("exact", "passed", "a")], "open"),
    ],
)
def test_parts_are_judged_one_by_one(evidence, verdict):
    assert derive_verdict(ALL, evidence, ("a", "b")) == verdict


def test_json_has_no_nan_and_keeps_fractions():
    value = {
        "x": math.nan,
        "y": [np.float64(math.inf), Fraction(1, 3), np.int64(2), np.bool_(True)],
        "z": np.eye(2),
        "t": (1, None),
    }
    assert worded(value) == {
        "x": "nan",
        "y": ["inf", "1/3", 2, True],
        "z": [[1.0, 0.0], [0.0, 1.0]],
        "t": [1, None],
    }
