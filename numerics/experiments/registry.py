"""The list of experiments by id."""

from __future__ import annotations

from importlib import import_module

from numerics.experiments.experiment import Experiment
from theory.errors import InputError

#: Where each experiment is, as ``module:name``; imported when asked for.
EXPERIMENTS: dict[str, str] = {
    "A1": "numerics.experiments.a01_function_fitting:EXPERIMENT",
    "A2": "numerics.experiments.a02_depth_order:EXPERIMENT",
    "A3": "numerics.experiments.a03_activations:EXPERIMENT",
    "A4": "numerics.experiments.a04_images:EXPERIMENT",
    "A5": "numerics.experiments.a05_deterministic_layer:EXPERIMENT",
    "A6": "numerics.experiments.a06_poisson:EXPERIMENT",
    "A7": "numerics.experiments.a07_unity:EXPERIMENT",
    "A8": "numerics.experiments.a08_resnet:EXPERIMENT",
    "A9": "numerics.experiments.a09_sfli:EXPERIMENT",
    "A10": "numerics.experiments.a10_images:EXPERIMENT",
    "A11": "numerics.experiments.a11_ablations:EXPERIMENT",
    "A12": "numerics.experiments.a12_cost:EXPERIMENT",
    "A13": "numerics.experiments.a13_landscapes:EXPERIMENT",
    "E": "numerics.experiments.staircase_validity:EXPERIMENT",
}


def experiment(name: str) -> Experiment:
    """Return an experiment.

    Parameters
    ----------
    name : str
        Its id, upper or lower case.

    Returns
    -------
    Experiment
        The experiment.

    Raises
    ------
    InputError
        If there is none.
    """
    place = EXPERIMENTS.get(name.upper())
    if place is None:
        known = ", ".join(EXPERIMENTS)
        raise InputError("experiment", f"is {name!r}", f"choose of {known}")
    module, attribute = place.split(":")
    found: Experiment = getattr(import_module(module), attribute)
    return found
