"""From the staircases of many runs to findings on the claims of steps and of coupling.

The rule, fixed before any run was judged by it. A *setting* is judged over its seeds:

* **steps** hold in it if most of its runs are staircases: the 95 % interval (Clopper, Pearson) of
  the share of runs with `is_staircase`, two steps or more, lies above ½; they fail if it lies below
  ½; else it is open. Six seeds must agree for either.
Coupling is judged by `experiments.coupling_claims`.

The claim is *supported* if it fails nowhere and holds over all runs together, *refuted* if it holds
nowhere and fails over all runs together, a *regime* if it holds in one setting and fails in
another, and *undecided* otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from epsrank.numerics.experiments.analysis import Effect, Finding, Judgement, family_pvalue
from epsrank.numerics.experiments.coupling_claims import State, overall
from epsrank.numerics.experiments.rules import shared_rules
from epsrank.numerics.staircase.detect import detect_staircase
from epsrank.numerics.staircase.result import Staircase
from epsrank.numerics.staircase.series import Scale
from epsrank.numerics.staircase.together import Together, together
from epsrank.theory.statistics import MedianInterval, Proportion, median_interval, proportion

CLAIM = "staircase-steps"
_MOST = float(shared_rules("staircases")["majority"])


@dataclass(frozen=True)
class RunStaircase:
    """The staircase of one run."""

    #: Name of the setting, in words, for the reader.
    setting: str
    #: Seed of the run.
    seed: int
    #: What was detected.
    staircase: Staircase
    #: Whether its drops follow growth of the rank; None without ranks.
    together: Together | None = None


@dataclass(frozen=True)
class Shares:
    """What the runs of a setting, or of all, say."""

    #: Name of the setting.
    setting: str
    #: Runs that are staircases, with two steps or more, and those with one step or more.
    stairs: Proportion
    stepped: Proportion
    #: Number of steps over runs: its median, and how many runs have which number.
    steps: MedianInterval
    counts: Mapping[int, int]

    @property
    def distribution(self) -> str:
        """In words: ``"1 step in 8, 2 in 3"``."""
        (least, runs), *more = self.counts.items()
        first = f"{least} step{'' if least == 1 else 's'} in {runs}"
        return ", ".join([first, *(f"{number} in {runs}" for number, runs in more)])

    @property
    def steps_state(self) -> State:
        """Whether steps hold, by the rule above."""
        if self.stairs.low > _MOST:
            return "holds"
        return "fails" if self.stairs.high < _MOST else "open"


def run_staircase(
    setting: str,
    seed: int,
    steps: Any,
    loss: Any,
    rank: Any = None,
    scale: Scale = "log",
) -> RunStaircase:
    """Detect the staircase of a run's history, and ask whether it goes with the rank."""
    found = detect_staircase(loss, rank, times=steps, scale=scale)
    linked = None if rank is None else together(found, steps, rank)
    return RunStaircase(setting, seed, found, linked)


def shares(runs: Sequence[RunStaircase], setting: str) -> Shares:
    """Count staircases."""
    found = [run.staircase for run in runs]
    return Shares(
        setting,
        proportion(sum(s.is_staircase for s in found), len(found)),
        proportion(sum(bool(s.found) for s in found), len(found)),
        median_interval([float(len(s.found)) for s in found]),
        dict(sorted(Counter(len(s.found) for s in found).items())),
    )


def judge_steps(runs: Sequence[RunStaircase], part: str | None = None) -> Finding:
    """Return the finding on ``staircase-steps``; undecided where there are no runs.

    `runs`: Runs of any number of settings; failed ones are left out by the caller, who says so.
    """
    if not runs:
        return Finding(CLAIM, "undecided", "there are no usable runs", part=part)
    found = _steps_finding(shares_by_setting(runs), shares(runs, "all runs"), part)
    return replace(found, pvalue=_steps_pvalue(runs))


def _steps_pvalue(runs: Sequence[RunStaircase]) -> float | None:
    """Return the p-value of "more staircases than not", over seeds."""
    votes: dict[str, dict[int, float]] = {}
    for run in runs:
        found = run.staircase.is_staircase
        votes.setdefault(run.setting, {})[run.seed] = 1.0 if found else -1.0
    return family_pvalue(list(votes.values()))


def shares_by_setting(runs: Sequence[RunStaircase]) -> list[Shares]:
    """Count by setting."""
    names = list(dict.fromkeys(run.setting for run in runs))
    return [shares([run for run in runs if run.setting == name], name) for name in names]


def staircase_rows(runs: Sequence[RunStaircase]) -> list[dict[str, Any]]:
    """Return a table of the settings."""
    return [
        {
            "setting": s.setting,
            "runs": s.stairs.total,
            "with a step": s.stepped.count,
            "staircases": s.stairs.count,
            "share low": round(s.stairs.low, 3),
            "share high": round(s.stairs.high, 3),
            "median steps": s.steps.value,
            "runs by steps": s.distribution,
            "steps": s.steps_state,
        }
        for s in shares_by_setting(runs)
    ]


def _steps_finding(each: Sequence[Shares], together: Shares, part: str | None) -> Finding:
    states = [s.steps_state for s in each]
    judgement = overall(states, together.steps_state)
    text = (
        f"{together.stairs} runs are staircases, of two steps or more beyond one smooth drop with "
        f"autocorrelated noise, and {together.stepped} have a step ({together.distribution})"
    )
    return Finding(
        CLAIM,
        judgement,
        _statement(text, {s.setting: f"{s.stairs}; {s.distribution}" for s in each}, each, states),
        [Effect(f"number of steps, {s.setting}", s.steps) for s in each],
        len(each),
        _witness(each, states, judgement),
        part,
    )


def _statement(
    text: str, numbers: Mapping[str, str], each: Sequence[Shares], states: Sequence[State]
) -> str:
    """Return the sentence, with the settings where the claim holds, fails or stays open."""
    if len(each) < 2:
        return f"{each[0].setting}: {text}"
    groups = []
    for state, words in (("holds", "it holds in"), ("fails", "fails in"), ("open", "is open in")):
        names = [s.setting for s, found in zip(each, states, strict=True) if found == state]
        if names:
            groups.append(words + " " + "; ".join(f"{name} ({numbers[name]})" for name in names))
    return f"{text}; {', '.join(groups)}"


def _witness(
    each: Sequence[Shares], states: Sequence[State], judgement: Judgement
) -> dict[str, Any] | None:
    """Return the first setting in which the claim fails, where that decides something."""
    if judgement not in {"refuted", "regime"} or "fails" not in states:
        return None
    worst = each[states.index("fails")]
    return {
        "setting": worst.setting,
        "staircases": worst.stairs.to_json(),
    }
