"""From what runs say of drops and ranks together to a finding on ``coupling-together``.

The runs of a setting are asked as one, since a run has few drops: their statistics add up, and so
do the draws of the null, seeds being independent (`epsrank.numerics.staircase.together`). Coupling
*holds* in a setting of enough runs if that p-value is at most the level of the rules and more of
the rank's growth lies before drops than before places at random, in the median over runs. It
*fails* if the p-value is above the level although the test had the power of the rules to find
perfect coupling in these very records. Else it is *open*; a setting without a drop, or whose rank
is saturated, is *not testable* and open as well. Settings are joined as those of staircases are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from epsrank.numerics.experiments.analysis import Effect, Finding, Judgement
from epsrank.numerics.experiments.rules import shared_rules
from epsrank.numerics.staircase.together import Together, combined_power, combined_pvalue
from epsrank.theory.statistics import MedianInterval, median_interval

State = Literal["holds", "fails", "open"]
CLAIM = "coupling-together"
LEVEL = float(shared_rules("staircases")["level"])
LEAST_RUNS = int(shared_rules("staircases")["least_runs"])
POWER = float(shared_rules("staircases")["power"])


@dataclass(frozen=True, eq=False)
class CoupledSetting:
    """What the runs of a setting, or of all, say together."""

    #: Name of the setting.
    name: str
    #: All of them.
    runs: Sequence[Together]

    @cached_property
    def testable(self) -> list[Together]:
        """Those with a drop and a rank that grows."""
        return [run for run in self.runs if run.statistic is not None]

    @cached_property
    def lift(self) -> MedianInterval | None:
        """Of the runs that can be tested."""
        lifts = [run.lift for run in self.testable if run.lift is not None]
        return median_interval(lifts) if lifts else None

    @cached_property
    def lag(self) -> MedianInterval | None:
        """Signed lags of all drops, as shares of the record; positive where the rank is first."""
        lags = [lag for run in self.testable for lag in run.lags]
        return median_interval(lags) if lags else None

    # Permutations of the null are drawn for both: once each.
    @cached_property
    def pvalue(self) -> float | None:
        """Of the runs together."""
        return combined_pvalue(self.runs)

    @cached_property
    def power(self) -> float | None:
        """Of that test, simulated for these records."""
        return combined_power(self.runs)

    @property
    def state(self) -> State:
        """By the rule above."""
        p, power, lift = self.pvalue, self.power, self.lift
        if p is None or power is None or len(self.testable) < LEAST_RUNS:
            return "open"
        if p <= LEVEL:
            return "holds" if lift is not None and lift.value > 1 else "open"
        return "fails" if power >= POWER else "open"

    def row(self) -> dict[str, Any]:
        """Return the setting as a row of a table."""
        lift, lag = self.lift, self.lag
        best = [run.best_pvalue for run in self.testable if run.best_pvalue is not None]
        return {
            "setting": self.name,
            "runs": len(self.runs),
            "testable": len(self.testable),
            "drops": sum(run.drops for run in self.testable),
            "lag": None if lag is None else round(lag.value, 4),
            "lag, low": None if lag is None else round(lag.low, 4),
            "lag, high": None if lag is None else round(lag.high, 4),
            "lift": None if lift is None else round(lift.value, 3),
            "p": self.pvalue,
            "power": self.power,
            "least p of a run at its lags": min(best) if best else None,
            "coupling": self.state if self.testable else "not testable",
        }


def coupled_settings(runs: Sequence[tuple[str, Together | None]]) -> list[CoupledSetting]:
    """Return the settings of runs that have ranks."""
    held: dict[str, list[Together]] = {}
    for setting, run in runs:
        if run is not None:
            held.setdefault(setting, []).append(run)
    return [CoupledSetting(name, mine) for name, mine in held.items()]


def judge_together(each: Sequence[CoupledSetting], part: str | None = None) -> Finding:
    """Return the finding; undecided where there is nothing to test."""
    whole = CoupledSetting("all runs", [run for item in each for run in item.runs])
    if not whole.testable:
        return Finding(CLAIM, "undecided", "no run can be tested: no drop, or no growth", part=part)
    states = [item.state for item in each]
    judgement = overall(states, whole.state)
    effects = [
        Effect(f"lift, {item.name}", lift, null=1.0)
        for item in each
        if (lift := item.lift) is not None
    ]
    return Finding(
        CLAIM,
        judgement,
        _statement(each, whole),
        effects,
        len(each),
        _witness(each, judgement),
        part,
        power=whole.power,
        pvalue=whole.pvalue,
    )


def overall(states: Sequence[State], together: State) -> Judgement:
    """Join the states of settings to a judgement."""
    if "holds" in states and "fails" in states:
        return "regime"
    if "fails" not in states and together == "holds":
        return "supported"
    if "holds" not in states and together == "fails":
        return "refuted"
    return "undecided"


def _statement(each: Sequence[CoupledSetting], whole: CoupledSetting) -> str:
    drops = sum(run.drops for run in whole.testable)
    lag = whole.lag
    text = (
        f"In the {len(whole.testable)} of {len(whole.runs)} runs that can be tested {drops} drops "
        f"follow growth of the rank with p = {whole.pvalue:.2g} and power {whole.power:.2f}"
    )
    if lag is not None:
        text += f"; the rank is {lag.value:+.3f} of the record ahead ({lag.low:+.3f} to "
        text += f"{lag.high:+.3f})"
    groups = []
    for state, words in (("holds", "it holds in"), ("fails", "fails in"), ("open", "is open in")):
        names = [
            f"{item.name} (p = {item.pvalue:.2g}, power {item.power:.2f})"
            if item.testable
            else f"{item.name} (not testable)"
            for item in each
            if item.state == state
        ]
        if names:
            groups.append(f"{words} {'; '.join(names)}")
    return text if len(each) < 2 else f"{text}; {', '.join(groups)}"


def _witness(each: Sequence[CoupledSetting], judgement: Judgement) -> Mapping[str, Any] | None:
    """Return the first setting in which the claim fails, where that decides something."""
    worst = next((item for item in each if item.state == "fails"), None)
    return None if worst is None or judgement not in {"refuted", "regime"} else worst.row()
