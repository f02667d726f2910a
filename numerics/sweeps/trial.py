"""A trial: one computation, named by what it computes from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Any, Literal

from epsrank.numerics.named import is_name
from epsrank.theory.errors import InputError
from epsrank.theory.strict_json import canonical

Result = Mapping[str, Any]
TrialFunction = Callable[[Mapping[str, Any]], Result]

#: Where the function of each kind of trial is, as ``module:function``. A function takes the
#: settings and returns JSON values (numbers, strings, None, lists and dicts of them).
TRIAL_KINDS: dict[str, str] = {
    "break-even": "epsrank.numerics.experiments.diagnostics.trials.break_even:break_even_trial",
    "deficit": "epsrank.numerics.experiments.diagnostics.trials.deficits:deficit_trial",
    "deficit-linear": (
        "epsrank.numerics.experiments.diagnostics.trials.deficits:deficit_linear_trial"
    ),
    "frequency": "epsrank.numerics.experiments.diagnostics.trials.frequencies:frequency_trial",
    "frequency-images": (
        "epsrank.numerics.experiments.diagnostics.trials.frequencies:frequency_images_trial"
    ),
    "condensing": "epsrank.numerics.experiments.trials.condensing:condensing_trial",
    "cost": "epsrank.numerics.experiments.trials.rank_cost:cost_trial",
    "deep-small-weights": (
        "epsrank.numerics.experiments.trials.deep_small_weights:deep_small_weights_trial"
    ),
    "early-path": "epsrank.numerics.experiments.diagnostics.trials.early_path:early_path_trial",
    "factorisation": "epsrank.numerics.experiments.trials.factorisations:factorisation_trial",
    "initial-layers": "epsrank.numerics.experiments.trials.initial_layers:initial_layers_trial",
    "neck": "epsrank.numerics.experiments.trials.neck_ranks:neck_trial",
    "one-axis": "epsrank.numerics.experiments.trials.one_axis:one_axis_trial",
    "pretraining": "epsrank.numerics.experiments.pretraining.trial:pretraining_trial",
    "large-rate": "epsrank.numerics.experiments.diagnostics.trials.regimes:large_rate_trial",
    "landscape": "epsrank.numerics.experiments.trials.checkpoint_landscapes:landscape_trial",
    "random-features": "epsrank.numerics.experiments.trials.random_features:fit_trial",
    "small-weights": "epsrank.numerics.experiments.trials.small_weights:small_weights_trial",
    "rate-grid": "epsrank.numerics.experiments.diagnostics.trials.early_path:rate_grid_trial",
    "staircase-validity": "epsrank.numerics.staircase.validity:validity_trial",
    "rewinding": "epsrank.numerics.experiments.diagnostics.trials.rewinding:rewinding_trial",
    "step-regimes": "epsrank.numerics.experiments.diagnostics.trials.regimes:step_regimes_trial",
    "stiffness": "epsrank.numerics.experiments.diagnostics.trials.stiff:stiffness_trial",
    "train": "epsrank.numerics.sweeps.training:train_trial",
    "train-many": "epsrank.numerics.ensemble.trials:train_many_trial",
}


def _names_own(settings: Mapping[str, Any]) -> bool:
    """Tell whether a training names something of the user's; no import of it for all others."""
    named = (settings.get(name) for name in ("task", "network", "activation"))
    return settings.get("task") == "data" or any(map(is_name, named))


@dataclass(frozen=True)
class Trial:
    """Settings s and the function f of a kind, so that f(s) is known by the hash of both.

    Attributes
    ----------
    kind : str
        A key of `TRIAL_KINDS`.
    settings : mapping
        JSON values only. What has no influence on the result (folders, numbers of jobs) does not
        belong here; the seed does. Where a training names what is the user's (``module:name``, or
        files of the task ``data``), the hashes of that are added under ``sources``.
    version : int
        Raised where the function changes what it returns, so that old results are not taken for
        new ones.
    """

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1

    def __post_init__(self) -> None:
        if self.kind not in TRIAL_KINDS:
            known = ", ".join(TRIAL_KINDS)
            raise InputError("kind", f"is {self.kind!r}", f"choose one of {known}")
        try:
            text = json.dumps(dict(self.settings), sort_keys=True, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(
                "settings", f"are not JSON values ({error})", "pass plain values"
            ) from (None)
        # What a JSON file gives back, so that a trial read again equals the one written.
        settings = json.loads(text)
        if self.kind == "train" and _names_own(settings):
            from epsrank.numerics.sweeps.settings import with_sources

            settings = with_sources(settings)
        object.__setattr__(self, "settings", settings)

    @cached_property
    def key(self) -> str:
        """SHA-256 of kind, version and settings in canonical JSON, in hexadecimal."""
        content = {"kind": self.kind, "version": self.version, "settings": self.settings}
        text = canonical(content)
        return hashlib.sha256(text.encode()).hexdigest()

    def function(self) -> TrialFunction:
        """Return the function of the kind.

        Returns
        -------
        callable
            From settings to result.
        """
        module, name = TRIAL_KINDS[self.kind].split(":")
        function: TrialFunction = getattr(import_module(module), name)
        return function

    def __hash__(self) -> int:
        # Settings are a mapping, which has no hash.
        return hash(self.key)


@dataclass(frozen=True)
class Outcome:
    """What became of a trial."""

    #: The trial.
    trial: Trial
    #: A run that diverges is done, and its result says so; ``failed`` is a computation that could
    #: not be carried out.
    status: Literal["done", "failed"]
    #: What the function returned; empty where it failed.
    result: Result = field(default_factory=dict)
    #: Why it failed, in one line.
    cause: str | None = None
    #: Wall-clock time it took. Differs from run to run, so no table is made from it, except those
    #: that are about cost.
    seconds: float = 0.0

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings of the trial."""
        return self.trial.settings
