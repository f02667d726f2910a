"""Cheap kinds of trials that worker processes can import, and a sweep of them to be killed."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from epsrank.theory.errors import InputError

KINDS = {"square": "sweep_kinds:square", "vector": "sweep_kinds:vector"}


def square(settings):
    """Return x², or do what the settings ask for; every call leaves a line in the log."""
    if "log" in settings:
        # One write of less than a page to a file opened for appending is not cut in two.
        with open(settings["log"], "a", encoding="utf-8") as log:
            log.write(f"{settings['x']}\n")
    time.sleep(settings.get("seconds", 0.0))
    match settings.get("end"):
        case "raise":
            raise RuntimeError("two\nlines")
        case "refuse":
            raise InputError("x", "is unlucky", "take another")
        case "exit":
            sys.exit("by itself")
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "kill unless alone" if not Path(settings["log"] + ".again").exists():
            Path(settings["log"] + ".again").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        case "nan":
            return {"y": float("nan")}
        case "object":
            return {"y": object()}
        case "list":
            return [1]
        case "interrupt":
            raise KeyboardInterrupt
    return {"y": settings["x"] ** 2, "pair": (1, 2), "nested": {"z": 0.5}}


def vector(settings):
    """Return numbers whose last bits depend on the number of threads, and that number."""
    import torch
    from threadpoolctl import threadpool_info

    threads = {entry["num_threads"] for entry in threadpool_info()} | {torch.get_num_threads()}
    generator = torch.Generator().manual_seed(settings["seed"])
    matrix = torch.randn(300, 300, generator=generator, dtype=torch.float64)
    return {"threads": max(threads), "trace": float((matrix @ matrix.T).sum())}


def calls(log) -> list[int]:
    """Return which x were computed, one entry per call."""
    path = Path(log)
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def many(log, count=40, seconds=0.01):
    """Return the trials of the sweep that is killed."""
    from epsrank.numerics.sweeps import Trial

    return [Trial("square", {"x": x, "log": str(log), "seconds": seconds}) for x in range(count)]


def register() -> None:
    """Make the kinds known to this process."""
    from epsrank.numerics.sweeps import TRIAL_KINDS

    TRIAL_KINDS.update(KINDS)


def main(folder: str, log: str, count: str) -> None:
    """Run the sweep, and say after each trial how many are finished."""
    from epsrank.numerics.sweeps import TrialStore, run_trials

    register()
    run_trials(
        many(log, int(count)),
        TrialStore(folder),
        jobs=2,
        progress=lambda done, total, text: print(done, flush=True),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
