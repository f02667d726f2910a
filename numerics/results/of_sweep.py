"""Results from the outcomes of trials: those of a sweep's store, or its table alone."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from epsrank.numerics.files import read_bytes
from epsrank.numerics.manifest import Manifest
from epsrank.numerics.named import SOURCES
from epsrank.numerics.results.collection import RunResult, SweepResults
from epsrank.numerics.results.tables import vector_of
from epsrank.numerics.sweeps.figures import (
    STEPS_TO,
    diverged,
    final_figures,
    layer_ranks,
    reading_of,
)
from epsrank.numerics.sweeps.trial import Outcome, Trial
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Vector

#: Histories that figures and tables show, besides the ranks.
SERIES = ("loss", "training_loss", "test_loss", "test_accuracy", "reachable", "coefficient_norm")


def results_of(
    outcomes: Sequence[Outcome],
    source: str,
    targets: Sequence[float] = (),
    missing: int = 0,
    first: Sequence[str] = (),
) -> SweepResults:
    """Return what became of trials as results; settings named `first` come first."""
    runs = tuple(_run(outcome, targets, first) for outcome in outcomes)
    eps = {_first_eps(outcome) for outcome in outcomes} - {None}
    return SweepResults(source, runs, missing, eps.pop() if len(eps) == 1 else None)


def _run(outcome: Outcome, targets: Sequence[float], first: Sequence[str]) -> RunResult:
    # As a specification has them: a store sorts them by name.
    names = dict.fromkeys([*first, *outcome.settings])
    # What named things were made of follows from the names, or is the point of a comparison.
    apart = ("seed", SOURCES)
    settings = {name: outcome.settings.get(name) for name in names if name not in apart}
    reading = reading_of(outcome)
    return RunResult(
        settings=settings,
        seed=outcome.settings.get("seed"),
        status="diverged" if diverged(outcome) else outcome.status,
        cause=outcome.cause,
        figures=final_figures(outcome, targets) | layer_ranks(outcome),
        words={} if reading is None else {"reading": reading},
        series=_series(outcome),
        name=outcome.trial.key,
    )


def _series(outcome: Outcome) -> dict[str, Vector]:
    """Return the histories of a training run."""
    result = outcome.result
    if outcome.trial.kind != "train" or "step" not in result:
        return {}
    found = {"step": vector_of(result["step"])}
    found |= {name: vector_of(result[name]) for name in SERIES if name in result}
    for end in ("rank_lower", "rank_upper"):
        # Of the last layer, at the first ε.
        ranks = next(iter(result[end].values()))
        found[end] = vector_of([layers[-1] if layers else None for layers in ranks])
    return {name: values for name, values in found.items() if not np.isnan(values).all()}


def _first_eps(outcome: Outcome) -> float | None:
    ranks = outcome.result.get("rank_lower") if outcome.trial.kind == "train" else None
    return float(next(iter(ranks))) if isinstance(ranks, Mapping) and ranks else None


def read_sweep(folder: Path) -> SweepResults:
    """Read what the store of a sweep has of its last specification."""
    from epsrank.numerics.sweeps.spec import Sweep
    from epsrank.numerics.sweeps.store import TrialStore

    spec = folder / "spec.toml"
    # A digit that changed would leave out runs without a word; older folders have no checksum.
    if spec.name in Manifest(folder, "sweep").files:
        read_bytes(spec, folder)
    plan = Sweep.from_toml(spec)
    found = stored_outcomes(plan.trials(), TrialStore(folder / "store"))
    outcomes = [outcome for outcome in found if outcome is not None]
    missing = len(found) - len(outcomes)
    return results_of(outcomes, str(folder), plan.targets, missing, plan.varied)


def stored_outcomes(trials: Sequence[Trial], store: Any) -> list[Outcome | None]:
    """Return what a store has of the trials of a plan, whether computed alone or with others."""
    alone = [store.get(trial) for trial in trials]
    if all(alone) or trials[0].kind != "train":
        return alone
    from epsrank.numerics.ensemble.trials import stored_runs

    together = stored_runs(trials, store)
    return [one or other for one, other in zip(alone, together, strict=True)]


def read_results_table(path: Path) -> SweepResults:
    """Read the table of a sweep or an import alone, of this version or an earlier one."""
    found = results_in(path)
    if found is None:
        raise InputError(
            str(path),
            "is no table of results",
            "name that of a sweep, or its folder",
        )
    return found


def results_in(path: Path) -> SweepResults | None:
    """Read a table; None where its columns are not those of results."""
    from epsrank.numerics.files import read_table

    table = read_table(path)
    names = table.column_names
    if "status" not in names or not any(name.startswith("final.") for name in names):
        return None
    return SweepResults(str(path), tuple(map(_row, table.to_pylist())))


def _row(row: Mapping[str, Any]) -> RunResult:
    """Read one row: of a sweep, where the seed is a setting, or of `SweepResults.table`."""
    settings = {
        name.removeprefix("settings."): _parsed(value)
        for name, value in row.items()
        if name.startswith("settings.") and value is not None
    }
    seed = settings.pop("seed", row.get("seed"))
    status = row["status"]
    if status == "done" and row.get("result.status") == "diverged":
        status = "diverged"
    final = {name.removeprefix("final."): value for name, value in row.items()
             if name.startswith("final.") and value is not None}  # fmt: skip
    figures = {name: float(value) for name, value in final.items() if not isinstance(value, str)}
    if status == "diverged":
        figures.setdefault("loss", math.inf)
    if status != "failed":  # empty in the table of a sweep: never
        never = [name for name in row if name.startswith(f"final.{STEPS_TO}")]
        figures = {name.removeprefix("final."): math.inf for name in never} | figures
    words = {name: value for name, value in final.items() if isinstance(value, str)}
    name = row.get("name") or row.get("key") or ""
    return RunResult(settings, seed, status, row.get("cause"), figures, words, {}, name)


def _parsed(value: Any) -> Any:
    """Return a list that a table holds as text."""
    if isinstance(value, str) and value.startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
