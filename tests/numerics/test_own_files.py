"""Changed files of ours are refused, replaced or cut short, and never read as other numbers."""

from __future__ import annotations

import collections
import random

import pytest

from tests.numerics.own_files import KINDS, try_mutation


@pytest.mark.parametrize("name", KINDS)
def test_no_mutation_is_read_as_another_number(name, tmp_path, monkeypatch):
    """A few for each kind; `tests/slow/numerics/test_mutated_files.py` makes a thousand."""
    monkeypatch.setattr("epsrank.numerics.manifest._PAUSE", 0.0)
    kind, rng = KINDS[name], random.Random(f"fast {name}")
    made = tmp_path / "made"
    made.mkdir()
    kind.make(made)
    expected = kind.read(made)
    found = collections.Counter(
        try_mutation(kind, made, expected, tmp_path / str(number), rng) for number in range(8)
    )
    assert sum(found.values()) == 8
