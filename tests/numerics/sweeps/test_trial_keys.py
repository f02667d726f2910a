"""The hash of a trial: the same for the same content, another for any other."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from epsrank.numerics.sweeps import Trial
from epsrank.theory.errors import InputError

SETTINGS = {"width": 5, "seed": 0, "learning_rate": 1e-3, "eps": [1e-6]}
# Changes only where stored outcomes shall not be found again.
KEY = "ed9b26bf0e3416d45232794904395c1e0bd06163847a0dc8b65d09239941b4db"


def test_the_key_is_pinned():
    assert Trial("train", SETTINGS).key == KEY


def test_the_key_does_not_depend_on_order_or_types_that_json_has_not():
    backwards = dict(reversed(SETTINGS.items())) | {"eps": (1e-6,)}
    assert Trial("train", backwards).key == KEY
    assert Trial("train", backwards) == Trial("train", SETTINGS)
    assert pickle.loads(pickle.dumps(Trial("train", SETTINGS))).key == KEY


def test_the_key_is_the_same_in_another_process():
    code = f"from epsrank.numerics.sweeps import Trial; print(Trial('train', {SETTINGS}).key)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == KEY


@pytest.mark.parametrize(
    "other",
    [
        {"width": 6},
        {"width": 5.0},
        {"width": "5"},
        {"seed": None},
        {"seed": False},
        {"learning_rate": 0.0010000000000000002},
        {"eps": [1e-6, 1e-4]},
        {"steps": 15_000},
    ],
)
def test_the_key_tells_other_settings_apart(other):
    assert Trial("train", SETTINGS | other).key != KEY


def test_the_key_tells_versions_apart():
    assert Trial("train", SETTINGS, version=2).key != KEY


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}])
def test_settings_that_json_has_not_are_refused(value):
    with pytest.raises(InputError, match="not JSON"):
        Trial("train", {"width": value})


def test_an_unknown_kind_is_refused():
    with pytest.raises(InputError, match="kind is 'cook'"):
        Trial("cook")
