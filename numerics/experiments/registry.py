"""The list of experiments by id."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Any

from epsrank.numerics.experiments.experiment import Experiment, MainPicture
from epsrank.theory.errors import InputError

#: Where each experiment is, as ``module:name``; imported when asked for.
EXPERIMENTS: dict[str, str] = {
    "A1": "epsrank.numerics.experiments.a01_function_fitting:EXPERIMENT",
    "A2": "epsrank.numerics.experiments.a02_depth_order:EXPERIMENT",
    "A3": "epsrank.numerics.experiments.a03_activations:EXPERIMENT",
    "A4": "epsrank.numerics.experiments.a04_images:EXPERIMENT",
    "A5": "epsrank.numerics.experiments.a05_deterministic_layer:EXPERIMENT",
    "A6": "epsrank.numerics.experiments.a06_poisson:EXPERIMENT",
    "A7": "epsrank.numerics.experiments.a07_unity:EXPERIMENT",
    "A8": "epsrank.numerics.experiments.a08_resnet:EXPERIMENT",
    "A9": "epsrank.numerics.experiments.a09_sfli:EXPERIMENT",
    "A10": "epsrank.numerics.experiments.a10_images:EXPERIMENT",
    "A11": "epsrank.numerics.experiments.a11_ablations:EXPERIMENT",
    "A12": "epsrank.numerics.experiments.a12_cost:EXPERIMENT",
    "A13": "epsrank.numerics.experiments.a13_landscapes:EXPERIMENT",
    "B1": "epsrank.numerics.experiments.initial.b01_stages:EXPERIMENT",
    "B2": "epsrank.numerics.experiments.initial.b02_transport:EXPERIMENT",
    "B3": "epsrank.numerics.experiments.initial.b03_condensation:EXPERIMENT",
    "B4": "epsrank.numerics.experiments.initial.b04_blow_up:EXPERIMENT",
    "B5": "epsrank.numerics.experiments.initial.b05_low_rank:EXPERIMENT",
    "B6": "epsrank.numerics.experiments.initial.b06_one_axis:EXPERIMENT",
    "C1": "epsrank.numerics.experiments.diagnostics.c01_regimes:EXPERIMENT",
    "C2": "epsrank.numerics.experiments.diagnostics.c02_stiffness:EXPERIMENT",
    "C3": "epsrank.numerics.experiments.diagnostics.c03_break_even:EXPERIMENT",
    "C4": "epsrank.numerics.experiments.diagnostics.c04_frequency:EXPERIMENT",
    "C5": "epsrank.numerics.experiments.diagnostics.c05_critical_period:EXPERIMENT",
    "C6": "epsrank.numerics.experiments.diagnostics.c06_rewinding:EXPERIMENT",
    "C7": "epsrank.numerics.experiments.diagnostics.c07_figures:EXPERIMENT",
    "E": "epsrank.numerics.experiments.staircase_validity:EXPERIMENT",
}


def experiment(name: str) -> Experiment:
    """Return an experiment."""
    place = EXPERIMENTS.get(name.upper())
    if place is None:
        known = ", ".join(EXPERIMENTS)
        raise InputError("experiment", f"is {name!r}", f"choose one of {known}")
    module, attribute = place.split(":")
    found: Experiment = getattr(import_module(module), attribute)
    return asked(found)


def asked(found: Experiment) -> Experiment:
    """Return an experiment with its question and main picture, where those stand in the file."""
    held = dict(_questions().get(found.id, {}))
    if found.question or not held:
        return found
    return replace(found, question=held.pop("question"), main=MainPicture(**held))


@cache
def _questions() -> Mapping[str, Any]:
    text = files("epsrank.numerics.experiments").joinpath("questions.toml").read_text("utf-8")
    return tomllib.loads(text)
