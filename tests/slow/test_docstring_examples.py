"""The examples in docstrings give what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest


@pytest.mark.parametrize("room", ["theory", "numerics", "proofs"])
def test_examples_give_what_they_say(room):
    package = importlib.import_module(f"epsrank.{room}")
    failed, tried = [], 0
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        try:
            module = importlib.import_module(found.name)
        except ImportError:  # an extra that is not installed
            continue
        outcome = doctest.testmod(module)
        tried += outcome.attempted
        failed += [found.name] if outcome.failed else []
    assert not failed
    assert tried or room == "proofs"
