"""Sweeps whose runs are made up: a folder with a store, without any training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from epsrank.numerics.files import write_text
from epsrank.numerics.manifest import Manifest
from epsrank.numerics.sweeps import Outcome, Sweep, Trial, TrialStore

SPEC = """\
seeds = {seeds}
targets = [0.2]
[fixed]
task = "cosines"
depth = 1
steps = 40
n_train = 20
{fixed}
[grid]
{grid}
"""


def history(loss: float, rank: int = 4, status: str = "complete") -> dict[str, Any]:
    """Return the result of a training that falls from 1 to a loss while the rank grows."""
    points = 5
    losses: list[float | None] = [loss ** (at / (points - 1)) for at in range(points)]
    ranks = [[min(rank, 2 + at)] for at in range(points)]
    if status == "diverged":
        losses[-1] = None
    return {
        "status": status,
        "step": [10 * at for at in range(points)],
        "loss": losses,
        "test_loss": [None if value is None else 1.5 * value for value in losses],
        "test_accuracy": [None] * points,
        "reachable": [0.5 * (value or 1.0) for value in losses],
        "reading": ["between"] * points,
        "rank_lower": {"1e-06": ranks},
        "rank_upper": {"1e-06": [[rank + (rank > 10)] for (rank,) in ranks]},
    }


def made_up(trial: Trial, factor: float = 1.0) -> Outcome:
    """Return the outcome of a trial: wider networks end lower, and each seed has its luck."""
    width, seed = trial.settings.get("width", 8), trial.settings["seed"]
    loss = factor * 0.5 / width * (1.0 + 0.1 * seed)
    return Outcome(trial, "done", history(loss, width), None, 0.1)


def plant(
    folder: Path, grid: str = "width = [4, 16]", seeds: int = 6, fixed: str = "",
    factor: float = 1.0, missing: int = 0, diverged: int = 0, failed: int = 0,
) -> Path:  # fmt: skip
    """Write a sweep whose first runs diverged or failed, and whose last are missing."""
    text = SPEC.format(seeds=seeds, fixed=fixed, grid=grid)
    write_text(folder / "spec.toml", text)
    Manifest(folder, "sweep").write()
    store, trials = TrialStore(folder / "store"), Sweep.parse(text).trials()
    store.folder.mkdir(exist_ok=True)
    for at, trial in enumerate(trials[: len(trials) - missing]):
        outcome = made_up(trial, factor)
        if at < diverged:
            outcome = Outcome(trial, "done", history(0.1, status="diverged"), None, 0.1)
        elif at < diverged + failed:
            outcome = Outcome(trial, "failed", {}, "no memory")
        store.put(outcome)
    return folder
