"""Which runs of two collections belong together: the same settings and the same seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from epsrank.numerics.results.collection import RunResult, SweepResults, frozen
from epsrank.theory.words import plural

# Settings that change no number that is compared, or say only where data lie.
_NOT_COMPARED = ("threads", "device", "data")
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class Pairing:
    """Pairs of runs, and what has no partner."""

    #: Per cell of settings its pairs, A before B.
    cells: tuple[tuple[Mapping[str, Any], tuple[tuple[RunResult, RunResult], ...]], ...]
    #: Settings in which the two differ, the same in all runs of each: (in A, in B).
    differences: Mapping[str, tuple[Any, Any]]
    #: What could not be paired, and why, one line each.
    unpaired: tuple[str, ...] = field(default=())

    @property
    def count(self) -> int:
        """Number of pairs."""
        return sum(len(pairs) for _, pairs in self.cells)


def pair(a: SweepResults, b: SweepResults) -> Pairing:
    """Pair the runs of A and B by seed and settings.

    A setting that is one value in all of A and another in all of B is what is compared. Every
    setting that varies on either side has to agree in a pair.
    """
    sides = [[(run, _completed(run)) for run in results.runs] for results in (a, b)]
    names = list(dict.fromkeys(name for side in sides for _, settings in side for name in settings
                               if name not in _NOT_COMPARED))  # fmt: skip
    differences: dict[str, tuple[Any, Any]] = {}
    keys: list[str] = []
    notes: list[str] = []
    for name in names:
        held = [{frozen(settings.get(name)): settings.get(name) for _, settings in side}
                for side in sides]  # fmt: skip
        alone = [all(name not in settings for _, settings in side) for side in sides]
        constant = all(len(values) == 1 for values in held)
        if constant and held[0].keys() != held[1].keys():
            differences[name] = (*held[0].values(), *held[1].values())  # type: ignore[assignment]
        elif any(alone):
            if not constant:
                known, other = ("A", "B") if alone[1] else ("B", "A")
                notes.append(f"{name} varies in {known}, and {other} does not say it")
        elif not constant:
            keys.append(name)
    return _pair_by(sides, keys, differences, notes)


def _pair_by(
    sides: list[list[tuple[RunResult, dict[str, Any]]]], keys: list[str],
    differences: dict[str, tuple[Any, Any]], notes: list[str],
) -> Pairing:  # fmt: skip
    """Pair by the settings that are keys, and the seed."""
    found: list[dict[tuple[str, str], tuple[RunResult, dict[str, Any]]]] = []
    for label, side in zip("AB", sides, strict=True):
        own: dict[tuple[str, str], tuple[RunResult, dict[str, Any]]] = {}
        places = [
            ((frozen({name: settings.get(name) for name in keys}), frozen(run.seed)), run, settings)
            for run, settings in side
        ]
        times = Counter(key for key, _, _ in places)
        several = [key for key, count in times.items() if count > 1]
        if several:
            example = _described(next(s for key, _, s in places if key == several[0]), keys,
                                 next(r for key, r, _ in places if key == several[0]))  # fmt: skip
            notes.append(
                f"{label}: {plural(sum(times[key] for key in several), 'run')} "
                "share their settings and seed "
                f"with others ({example})"
            )
        failed = [run for key, run, _ in places if run.status == "failed"]
        if failed:
            notes.append(f"{label}: {plural(len(failed), 'run')} failed")
        for key, run, settings in places:
            if times[key] == 1 and run.status != "failed":
                own[key] = (run, settings)
        found.append(own)
    for label, mine, others in (("A", found[0], found[1]), ("B", found[1], found[0])):
        lone = [entry for key, entry in mine.items() if key not in others]
        if lone:
            told = [_described(settings, keys, run) for run, settings in lone[:_SHOWN]]
            more = f" and {len(lone) - _SHOWN} more" if len(lone) > _SHOWN else ""
            notes.append(f"{label} only: {'; '.join(told)}{more}")
    cells: dict[str, tuple[dict[str, Any], list[tuple[RunResult, RunResult]]]] = {}
    for key, (run, settings) in found[0].items():
        if key in found[1]:
            shown = {name: settings.get(name) for name in keys}
            cells.setdefault(key[0], (shown, []))[1].append((run, found[1][key][0]))
    return Pairing(
        tuple((settings, tuple(pairs)) for settings, pairs in cells.values()),
        differences,
        tuple(notes),
    )


def _described(settings: Mapping[str, Any], keys: list[str], run: RunResult) -> str:
    named = [f"{name}={settings.get(name)}" for name in keys]
    return " ".join([*named, f"seed={run.seed}"])


def _completed(run: RunResult) -> dict[str, Any]:
    """Return settings with what a training run takes where nothing is said."""
    if "task" not in run.settings:
        return dict(run.settings)
    from epsrank.numerics.training.config import DEFAULT_RATES, RunConfig

    found = {**RunConfig().to_json(), **run.settings}
    if "learning_rate" not in run.settings:
        found["learning_rate"] = DEFAULT_RATES.get(found["optimizer"])
    del found["seed"]
    return found
