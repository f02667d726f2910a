"""Two thousand mutations of files of ours: none is read as another number; prints the table."""

from __future__ import annotations

import collections
import random
import shutil

import pytest

from tests.numerics.own_files import KINDS, try_mutation

_EACH = 180


@pytest.mark.parametrize("name", KINDS)
def test_no_mutation_is_read_as_another_number(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("epsrank.numerics.manifest._PAUSE", 0.0)
    kind, rng = KINDS[name], random.Random(f"slow {name}")
    made = tmp_path / "made"
    made.mkdir()
    kind.make(made)
    expected = kind.read(made)
    found: collections.Counter[str] = collections.Counter()
    for _ in range(_EACH):
        found[try_mutation(kind, made, expected, tmp_path / "copy", rng)] += 1
        shutil.rmtree(tmp_path / "copy")
    with capsys.disabled():
        print(f"\n{name}: {dict(found)}")
    assert sum(found.values()) == _EACH
    # Every mutation of what is read from is seen, but for those of a seal that is no longer one.
    assert found["refused"] + found["replaced, and said"] + found["fewer records"] > _EACH / 3
