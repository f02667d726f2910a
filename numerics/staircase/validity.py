"""How reliable `detect_staircase` is: false positives on nulls, recall and timing when planted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from epsrank.numerics.staircase.comparators import pelt, threshold
from epsrank.numerics.staircase.detect import LEVEL, detect_staircase
from epsrank.numerics.staircase.families import (
    CLEAR,
    DECAYS,
    NULLS,
    SHAPES,
    TRENDS,
    TROUBLED,
    Planted,
    integer_ranks,
    loss_and_rank,
    null_series,
    planted_steps,
    sigmoids,
    smooth_decay,
    training_curve,
)
from epsrank.theory.errors import InputError
from epsrank.theory.statistics import Proportion, proportion

Detector = Callable[..., Any]

LENGTHS = (30, 60, 126, 250, 1000)
CORRELATIONS = (0.0, 0.5, 0.9)
STEP_COUNTS = (1, 2, 3, 5)
#: What is asked of a detector: most of the nulls flagged, least recall, and placed to within.
FALSE_POSITIVES, RECALL, PLACED = 0.05, 0.95, 0.01
#: Lengths from which on it is asked.
LEAST_NULL, LEAST_PLANTED = 60, 126
_RANKS = ("flickering rank", "growing rank", "jumping rank")
# A step that is found farther than this from a planted one is another one.
_NEAR = 0.05
#: Those that the table of the experiment compares.
DETECTORS: Mapping[str, Detector] = {
    "ours": detect_staircase,
    "PELT": pelt,
    "threshold": threshold,
}


def cases() -> list[dict[str, Any]]:
    """Return what is tried at every length: ``correlation`` is None without noise of that kind."""
    found: list[dict[str, Any]] = []
    for correlation in CORRELATIONS:
        # Other troubles come with white noise; a random walk has ρ = 1 whatever the noise.
        names = NULLS if correlation == 0 else (*DECAYS, *TROUBLED[:2], *CLEAR)
        found += [{"group": "null", "family": name, "correlation": correlation} for name in names]
    # At ρ = 0.9 even the best test of exactly these steps misses too many, unless it takes jumps of
    # the noise to be small (tests/numerics/staircase/test_oracle.py).
    for correlation in CORRELATIONS[:2]:
        for family in ("steps", "steps after a transient"):
            found += [
                {"group": "planted", "family": family, "correlation": correlation, "steps": count}
                for count in STEP_COUNTS
            ]
    found.append({"group": "planted", "family": "ramps", "correlation": 0.0, "steps": 2})
    found += [
        {"group": "planted", "family": name, "correlation": None, "steps": count}
        for name in SHAPES
        for count in STEP_COUNTS[1:]
    ]
    found += [
        {"group": "planted", "family": "training", "correlation": None, "steps": count}
        for count in (1, 2, 3)
    ]
    found.append({"group": "null", "family": "training", "correlation": None, "steps": 0})
    found += [
        # Without the first family, which without noise is constant.
        {"group": "null", "family": f"noiseless {n}", "correlation": None}
        for n in DECAYS[1:]
    ]
    for name in _RANKS:
        group, steps = ("planted", 2) if name == "jumping rank" else ("null", 0)
        found.append({"group": group, "family": name, "correlation": None, "steps": steps})
    for group in ("coupling null", "coupling planted"):
        for trend in TRENDS:
            found.append({"group": group, "family": f"{trend} steps", "correlation": None})
    found += [
        {"group": "coupling null", "family": f"{trend} smooth", "correlation": None}
        for trend in TRENDS
    ]
    return found


def validity_trial(settings: Mapping[str, Any], detector: Detector | None = None) -> dict[str, Any]:
    """Apply the detector to series of one case, and count."""
    detector = DETECTORS[str(settings.get("detector", "ours"))] if detector is None else detector
    length, family = int(settings["length"]), str(settings["family"])
    flagged = planted = extra = 0
    errors: list[float] = []
    for number in range(int(settings["series"])):
        # A seed per series: it does not depend on how they are cut into trials.
        key = [int(settings["seed"]), length, *_code(settings), number]
        generator = np.random.default_rng(key)
        if str(settings["group"]).startswith("coupling"):
            trend, how = family.split()
            coupled = settings["group"] == "coupling planted"
            drawn = loss_and_rank(generator, length, trend, coupled, 6 if how == "steps" else 0)
            p = detector(drawn[0], drawn[1]).coupling_pvalue
            flagged += p is not None and p <= LEVEL
            continue
        truth = _draw(settings, generator, length)
        result = detector(truth.series, scale="linear", direction=truth.direction)
        flagged += result.is_staircase
        planted += len(truth.steps)
        matched = match(truth.steps, result.steps, length)
        errors += matched
        extra += len(result.steps) - len(matched)
    return {
        "series": int(settings["series"]),
        "flagged": int(flagged),
        "planted": planted,
        "found": len(errors),
        "errors": [round(error, 5) for error in errors],
        "extra": extra,
    }


def match(planted: Sequence[int], found: Sequence[int], length: int) -> list[float]:
    """Pair planted with detected steps, nearest ones first."""
    # Two measurements at least: in short series 5 % is less than noise moves a step.
    most = max(2.0, _NEAR * length)
    pairs = sorted((abs(a - b), a, b) for a in planted for b in found if abs(a - b) <= most)
    left, right, distances = set(planted), set(found), []
    for distance, a, b in pairs:
        if a in left and b in right:
            left.remove(a)
            right.remove(b)
            distances.append(distance / length)
    return distances


def validity_rows(
    results: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]],
) -> list[dict[str, Any]]:
    """Put results of `validity_trial` into a table."""
    sums: dict[tuple[Any, ...], dict[str, Any]] = {}
    for settings, result in results:
        names = ("detector", "group", "family", "correlation", "steps", "length")
        key = tuple(settings.get(name) for name in names)
        total = sums.setdefault(
            key, {"series": 0, "flagged": 0, "planted": 0, "found": 0, "extra": 0, "errors": []}
        )
        for name in total:
            total[name] = total[name] + result[name]
    return [_row(key, total) for key, total in sums.items()]


def _row(key: tuple[Any, ...], total: Mapping[str, Any]) -> dict[str, Any]:
    detector, group, family, correlation, steps, length = key
    flagged = proportion(total["flagged"], total["series"])
    row: dict[str, Any] = {
        "detector": detector or "ours",
        "group": group,
        "family": family,
        "autocorrelation": correlation,
        "planted steps": steps or 0,
        "length": length,
        "series": total["series"],
        "flagged": flagged.value,
        "flagged low": round(flagged.low, 4),
        "flagged high": round(flagged.high, 4),
    }
    row |= dict.fromkeys(
        ("recall", "recall low", "recall high", "placed", "timing error", "extra steps")
    )
    met = _met(flagged, FALSE_POSITIVES, at_most=True)
    if group == "coupling planted":
        met = _met(flagged, RECALL, at_most=False)
    if total["planted"]:
        recall = proportion(total["found"], total["planted"])
        errors = np.array(total["errors"])
        row |= {
            "recall": recall.value,
            "recall low": round(recall.low, 4),
            "recall high": round(recall.high, 4),
            "extra steps": total["extra"] / total["series"],
        }
        met = _met(recall, RECALL, at_most=False)
        if errors.size:
            # To within one measurement nothing can be placed; 1e-9 allows for the division by n.
            placed = float(np.mean(errors <= max(PLACED, 1.0 / length) + 1e-9))
            row |= {"placed": placed, "timing error": float(np.quantile(errors, 0.95))}
    asked = length >= (LEAST_PLANTED if total["planted"] else LEAST_NULL)
    row["target met"] = met if asked or group.startswith("coupling") else "none set"
    return row


def _met(share: Proportion, target: float, *, at_most: bool) -> str:
    """Say whether a share meets a target: yes, no, or missed by no more than sampling error."""
    if share.value <= target if at_most else share.value >= target:
        return "yes"
    missed = share.low > target if at_most else share.high < target
    return "no" if missed else "within error"


def validate_detector(
    detector: Detector,
    *,
    lengths: Sequence[int] = LENGTHS,
    series: int = 200,
    seed: int = 0,
    coupling: bool = False,
) -> list[dict[str, Any]]:
    """Measure a detector of staircases on series whose truth is known.

    Nulls have one step at most: the share of them that is flagged as a staircase should be at most
    5 % in every family, at 60 points and more. Of planted steps of 3 standard deviations of the
    noise at least 95 % should be found at 126 points and more, within 1 % of the length.

    Parameters
    ----------
    detector : callable
        ``detector(series, scale="linear", direction="down" or "up")`` returns an object with
        ``steps``, indices of the first entry beyond each step, and ``is_staircase``, true for two
        steps or more. With `coupling` it takes ``(series, rank)`` too, and has ``coupling_pvalue``.
    lengths : sequence of int
        Lengths of the series.
    series : int
        Series per family and length. Of 200, 12 may be flagged at a true rate of 5 %.
    seed : int
        Seed of all series.
    coupling : bool
        Whether the coupling of losses and ranks is tried as well.

    Returns
    -------
    list of dict
        A row per family, correlation of the noise and length: ``flagged`` and ``recall`` with their
        Clopper–Pearson intervals, ``placed`` (share within 1 %), ``extra steps`` per series, and
        ``target met``: yes, no, within error, or none set.

    Raises
    ------
    InputError
        If there is no series or no length.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> always = lambda series, **how: SimpleNamespace(steps=(5, 9), is_staircase=True)
    >>> rows = validate_detector(always, lengths=(60,), series=3)
    >>> {row["flagged"] for row in rows}
    {1.0}
    """
    if not lengths or series < 1:
        raise InputError("series", f"is {series}", "pass at least one series and one length")
    plan = [
        case | {"length": n, "series": series, "seed": seed}
        for n in lengths
        for case in cases()
        if coupling or not str(case["group"]).startswith("coupling")
    ]
    return validity_rows((settings, validity_trial(settings, detector)) for settings in plan)


def _draw(settings: Mapping[str, Any], generator: np.random.Generator, length: int) -> Planted:
    """Draw one series of a case of steps."""
    family, correlation = str(settings["family"]), settings["correlation"]
    if family in _RANKS:
        return integer_ranks(family, generator, length)
    if family.startswith("noiseless "):
        return Planted(smooth_decay(family.removeprefix("noiseless "), generator, length))
    if family in SHAPES:
        return sigmoids(SHAPES[family], generator, length, int(settings["steps"]))
    if family == "training":
        return training_curve(generator, length, int(settings["steps"]))
    if settings["group"] == "planted":
        width = 0.03 if family == "ramps" else 0.0
        return planted_steps(
            generator,
            length,
            float(correlation),
            int(settings["steps"]),
            width=width,
            transient=family.endswith("transient"),
        )
    return null_series(family, generator, length, float(correlation))


def _code(settings: Mapping[str, Any]) -> list[int]:
    """Return numbers, as part of a seed, that differ between cases."""
    text = f"{settings['group']}|{settings['family']}"
    correlation = settings["correlation"]
    # Without correlation: a number that none of them has, as they are at most 1000 here.
    share = 10**6 if correlation is None else round(1000 * float(correlation))
    return [*text.encode(), share, int(settings.get("steps") or 0), int(settings.get("chunk") or 0)]
