"""Synthetic outcomes of trainings: errors that fall with a rate, ranks as planted."""

from __future__ import annotations

import numpy as np

from epsrank.numerics.sweeps.trial import Outcome, Trial

STEPS = [0, 1, 10, 20, 40, 80, 160, 320]


def planted(trial, *, rank=20, rate=1.0, floor=1e-3, status="done", diverged=False, noise=0.1):
    """A run whose error is floor + exp(−rate·step/40), both with noise by seed and arm."""
    if status == "failed":
        return Outcome(trial, "failed", cause="no memory")
    settings = dict(trial.settings)
    # By what is run, and not by its version: a new version is no new draw.
    drawn = Trial(trial.kind, settings).key
    random = np.random.default_rng([settings["seed"], int(drawn[:12], 16)])
    scale, shift = np.exp(noise * random.normal(size=2))
    steps = STEPS[:3] if diverged else STEPS
    errors = [floor * scale + float(np.exp(-rate * shift * step / 40)) for step in steps]
    eps = [str(float(value)) for value in settings.get("eps", [1e-6])]
    jitter = int(random.integers(0, 2))
    ranks = [[rank + jitter, rank + jitter]] * len(steps)
    result = {
        "status": "diverged" if diverged else "complete",
        "cause": "the loss is inf" if diverged else "all steps done",
        "task": settings["task"],
        "n_layers": 2,
        "n_features": settings.get("width", 50),
        "step": steps,
        "loss": errors,
        "training_loss": errors,
        "test_loss": errors,
        "test_accuracy": [1 - min(1.0, error) for error in errors],
        "coefficient_norm": [1.0] * len(steps),
        "reachable": [error / 1.1 for error in errors],
        "envelope": [error / 2 for error in errors],
        "reading": ["feature-limited"] * len(steps),
        "chain": ["strict"] * len(steps),
        "floors": [[0.0] * len(eps)] * len(steps),
        "rank_lower": dict.fromkeys(eps, ranks),
        "rank_upper": dict.fromkeys(eps, ranks),
        "seconds": {"initialise": 0.01, "update": 0.002},
    }
    return Outcome(trial, "done", result, seconds=1.0)
