"""From the staircases of many runs to findings on the claims of steps and of coupling.

The rule, fixed before any run was judged by it. A *setting* is judged over its seeds:

* **steps** hold in it if most of its runs are staircases: the 95 % interval (Clopper, Pearson) of
  the share of runs with `is_staircase` lies above ½; they fail if it lies below ½; else it is open.
  Six seeds must agree for either.
* **coupling** holds in it if runs are coupled (p ≤ 0.05) more often than chance has it, the
  interval of their share lying above 0.05, and the interval of the median lift lies above 1; it
  fails if the interval of the share lies below ½ and that of the lift does not lie above 1; else
  it is open. Runs in which the rank or the loss does not move count as not coupled, with lift 1.

The claim is *supported* if it fails nowhere and holds over all runs together, *refuted* if it holds
nowhere and fails over all runs together, a *regime* if it holds in one setting and fails in
another, and *undecided* otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from epsrank.numerics.experiments.analysis import Effect, Finding, Judgement, family_pvalue
from epsrank.numerics.experiments.rules import shared_rules
from epsrank.numerics.staircase.detect import detect_staircase
from epsrank.numerics.staircase.result import Staircase
from epsrank.theory.statistics import MedianInterval, Proportion, median_interval, proportion

#: p-value from which on a run is coupled.
LEVEL = float(shared_rules("staircases")["level"])
State = Literal["holds", "fails", "open"]
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


@dataclass(frozen=True)
class Shares:
    """What the runs of a setting, or of all, say."""

    #: Name of the setting.
    setting: str
    #: Runs that are staircases, and those coupled with p ≤ 0.05.
    stairs: Proportion
    coupled: Proportion
    #: Number of steps over runs.
    steps: MedianInterval
    #: Lift over runs.
    lift: MedianInterval

    @property
    def steps_state(self) -> State:
        """Whether steps hold, by the rule above."""
        if self.stairs.low > _MOST:
            return "holds"
        return "fails" if self.stairs.high < _MOST else "open"

    @property
    def coupling_state(self) -> State:
        """Whether coupling holds, by the rule above."""
        if self.coupled.low > LEVEL and self.lift.low > 1:
            return "holds"
        return "fails" if self.coupled.high < _MOST and self.lift.low <= 1 else "open"


def run_staircase(
    setting: str,
    seed: int,
    steps: Any,
    loss: Any,
    rank: Any = None,
) -> RunStaircase:
    """Detect the staircase of a run's history."""
    return RunStaircase(setting, seed, detect_staircase(loss, rank, times=steps))


def shares(runs: Sequence[RunStaircase], setting: str) -> Shares:
    """Count staircases and coupled runs."""
    found = [run.staircase for run in runs]
    # A run in which nothing moves stays in the denominator, as not coupled.
    coupled = sum(s.coupling_pvalue is not None and s.coupling_pvalue <= LEVEL for s in found)
    return Shares(
        setting,
        proportion(sum(s.is_staircase for s in found), len(found)),
        proportion(coupled, len(found)),
        median_interval([float(len(s.found)) for s in found]),
        median_interval([1.0 if s.coupling_lift is None else s.coupling_lift for s in found]),
    )


def judge_staircases(runs: Sequence[RunStaircase], part: str | None = None) -> tuple[Finding, ...]:
    """Return the findings on ``staircase-steps`` and ``coupling-together``.

    `runs`: Runs of any number of settings; failed ones are left out by the caller, who says so.
    Returns two findings; both undecided where there are no runs.
    """
    if not runs:
        return tuple(
            Finding(claim, "undecided", "there are no usable runs", part=part)
            for claim in ("staircase-steps", "coupling-together")
        )
    each = shares_by_setting(runs)
    steps = _steps_finding(each, shares(runs, "all runs"), part)
    return replace(steps, pvalue=_steps_pvalue(runs)), _coupling_finding(
        each, shares(runs, "all runs"), part
    )


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
            "staircases": s.stairs.count,
            "share low": round(s.stairs.low, 3),
            "share high": round(s.stairs.high, 3),
            "median steps": s.steps.value,
            "steps": s.steps_state,
            "coupled": s.coupled.count,
            "coupled low": round(s.coupled.low, 3),
            "coupled high": round(s.coupled.high, 3),
            "median lift": round(s.lift.value, 3),
            "coupling": s.coupling_state,
        }
        for s in shares_by_setting(runs)
    ]


def overall(states: Sequence[State], together: State) -> Judgement:
    """Join the states of settings to a judgement."""
    if "holds" in states and "fails" in states:
        return "regime"
    if "fails" not in states and together == "holds":
        return "supported"
    if "holds" not in states and together == "fails":
        return "refuted"
    return "undecided"


def _steps_finding(each: Sequence[Shares], together: Shares, part: str | None) -> Finding:
    states = [s.steps_state for s in each]
    judgement = overall(states, together.steps_state)
    text = f"{together.stairs} runs are staircases beyond smooth decay with autocorrelated noise"
    return Finding(
        "staircase-steps",
        judgement,
        _statement(text, {s.setting: str(s.stairs) for s in each}, each, states),
        [Effect(f"number of steps, {s.setting}", s.steps) for s in each],
        len(each),
        _witness(each, states, judgement),
        part,
    )


def _coupling_finding(each: Sequence[Shares], together: Shares, part: str | None) -> Finding:
    states = [s.coupling_state for s in each]
    judgement = overall(states, together.coupling_state)
    text = (
        f"in {together.coupled} runs falls of the loss meet growth of the rank (p ≤ {LEVEL:g}), "
        f"with lift {together.lift}"
    )
    return Finding(
        "coupling-together",
        judgement,
        _statement(text, {s.setting: f"{s.coupled}, lift {s.lift}" for s in each}, each, states),
        [Effect(f"lift, {s.setting}", s.lift, null=1.0) for s in each],
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
        "coupled": worst.coupled.to_json(),
        "lift": worst.lift.to_json(),
    }
