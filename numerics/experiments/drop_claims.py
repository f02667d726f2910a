"""From what drops prove to findings on ``coupling-change`` (F8) and ``coupling-rank`` (R).

Each drop that was detected is looked at from plateau to plateau: between the two moments of the
run's table (`epsrank.numerics.training.drops`) that lie nearest to its ends, on either side of it.
Proved are inequalities of these features, so that there is no test of a drop. What is asked over
seeds is how often: a *setting* holds if the 95 % interval of the share of its runs whose largest
drop has the property lies above ½, and fails if it lies below. The property is, for *change*,
V_s(B_t) > loss_t; for *rank*, T_t(p, B_t) > loss_t, p the ε-rank before at the first ε, with at
least the share of the rules of the drop (on a logarithmic scale) carried by directions beyond p.
Settings are joined as those of staircases are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from epsrank.numerics.experiments.analysis import Effect, Finding, effect, family_pvalue
from epsrank.numerics.experiments.coupling_claims import State, overall
from epsrank.numerics.experiments.histories import History
from epsrank.numerics.experiments.rules import shared_rules
from epsrank.numerics.staircase.result import Staircase, Step
from epsrank.theory.statistics import Proportion, proportion

CHANGE, RANK = "coupling-change", "coupling-rank"
_MAJORITY = float(shared_rules("staircases")["majority"])
#: Share of a drop that directions beyond the old number have to carry.
CARRIED = float(shared_rules("staircases")["carried"])


@dataclass(frozen=True)
class ProvedDrop:
    """A detected drop with what is proved between its plateaus."""

    setting: str
    seed: int
    #: As `DropFigures.to_json` gives it.
    figures: Mapping[str, Any]

    @property
    def rank(self) -> Mapping[str, Any]:
        """R at the first ε."""
        found: Mapping[str, Any] = self.figures["ranks"][0]
        return found

    @property
    def size(self) -> float:
        """How far the loss falls, in nats."""
        return math.log(self.figures["loss_before"] / self.figures["loss_after"])

    @property
    def changed(self) -> bool:
        """F8."""
        return bool(self.figures["changed"])

    @property
    def carried(self) -> bool:
        """R, with the share of the rules."""
        return bool(self.rank["necessary"]) and self.rank["share"] >= CARRIED

    def row(self) -> dict[str, Any]:
        """Return the drop as a row of a table."""
        held, rank = self.figures, self.rank
        after = held["loss_after"]
        return {
            "arm": self.setting,
            "seed": self.seed,
            "from step": held["step_before"],
            "to step": held["step_after"],
            "loss before": held["loss_before"],
            "loss after": after,
            "V/loss after": held["reachable"] / after,
            "c*": "inf" if held["factor"] is None and _searched(held) else held["factor"],
            "features had to change": held["changed"],
            "rank before": rank["rank_before"][1],
            "rank after": rank["rank_after"][0],
            "T/loss after": rank["reachable"] / after,
            "T/loss before": rank["reachable"] / held["loss_before"],
            "more directions necessary": rank["necessary"],
            "they carry the whole drop": rank["carries"],
            "share carried": rank["share"],
            "p* before": held["used_before"],
            "p* after": held["used_after"],
            **{
                f"necessary at ε = {each['eps']:g}": each["necessary"] for each in held["ranks"][1:]
            },
        }


def _searched(held: Mapping[str, Any]) -> bool:
    """Whether c* was looked for: JSON has null for ∞, and where it was not."""
    return held["factor_below"] is not None


def proved_drops(setting: str, run: History, found: Staircase) -> list[ProvedDrop]:
    """Return the detected drops of a run for which its table has two moments."""
    proved = []
    for step in found.found:
        nearest = _nearest(run, step)
        if nearest is not None:
            proved.append(ProvedDrop(setting, run.seed, nearest))
    return proved


def _nearest(run: History, step: Step) -> Mapping[str, Any] | None:
    """Return the pair of moments around a drop that lies nearest to its ends."""
    at, start, end = (float(run.steps[k]) for k in (step.index, step.start, step.end))
    around = [
        held
        for held in run.drops
        if held["step_before"] < at <= held["step_after"]
        and 0 < held["loss_after"] < held["loss_before"]
    ]
    return min(
        around,
        key=lambda held: abs(held["step_before"] - start) + abs(held["step_after"] - end),
        default=None,
    )


def drop_findings(drops: Sequence[ProvedDrop]) -> tuple[Finding, Finding]:
    """Return the findings on both claims; undecided where no drop was looked at."""
    return _finding(drops, CHANGE), _finding(drops, RANK)


def _largest(drops: Sequence[ProvedDrop]) -> list[ProvedDrop]:
    """Return the largest drop of every run."""
    held: dict[tuple[str, int], ProvedDrop] = {}
    for drop in drops:
        known = held.get((drop.setting, drop.seed))
        if known is None or drop.size > known.size:
            held[drop.setting, drop.seed] = drop
    return list(held.values())


def _finding(drops: Sequence[ProvedDrop], claim: str) -> Finding:
    largest = _largest(drops)
    if not largest:
        return Finding(claim, "undecided", "no drop with a table of moments was detected")
    settings = list(dict.fromkeys(drop.setting for drop in largest))
    votes = {
        name: {drop.seed: _has(drop, claim) for drop in largest if drop.setting == name}
        for name in settings
    }
    shares = {name: _share(list(held.values())) for name, held in votes.items()}
    states = [_state(share) for share in shares.values()]
    whole = _share([value for held in votes.values() for value in held.values()])
    judgement = overall(states, _state(whole))
    return Finding(
        claim,
        judgement,
        _statement(drops, shares, whole, claim),
        _effects(largest, settings, claim),
        len(settings),
        _witness(largest, claim) if judgement in {"regime", "refuted"} else None,
        pvalue=family_pvalue(
            [
                {seed: 1.0 if value else -1.0 for seed, value in held.items()}
                for held in votes.values()
            ]
        ),
    )


def _has(drop: ProvedDrop, claim: str) -> bool:
    return drop.changed if claim == CHANGE else drop.carried


def _share(values: Sequence[bool]) -> Proportion:
    return proportion(sum(values), len(values))


def _state(share: Proportion) -> State:
    if share.low > _MAJORITY:
        return "holds"
    return "fails" if share.high < _MAJORITY else "open"


def _ratio(drop: ProvedDrop, claim: str) -> float:
    """Return V/loss_t or T/loss_t."""
    reachable = drop.figures["reachable"] if claim == CHANGE else drop.rank["reachable"]
    return float(reachable) / float(drop.figures["loss_after"])


def _effects(drops: Sequence[ProvedDrop], settings: Sequence[str], claim: str) -> list[Effect]:
    what = "V of the features before / loss after" if claim == CHANGE else "T / loss after"
    found = [
        effect(
            f"{what}, {name}",
            [_ratio(drop, claim) for drop in drops if drop.setting == name],
            null=1.0,
        )
        for name in settings
    ]
    return [item for item in found if item is not None]


def _statement(
    drops: Sequence[ProvedDrop], shares: Mapping[str, Proportion], whole: Proportion, claim: str
) -> str:
    if claim == CHANGE:
        count = sum(drop.changed for drop in drops)
        text = f"At {count} of {len(drops)} drops the features are proved to have had to change"
    else:
        necessary = sum(bool(drop.rank["necessary"]) for drop in drops)
        carried = sum(drop.carried for drop in drops)
        every = sum(bool(drop.rank["carries"]) for drop in drops)
        text = (
            f"At {necessary} of {len(drops)} drops more directions than before are proved "
            f"necessary; they carry at least {CARRIED:g} of it in {carried}, all of it in {every}"
        )
    each = "; ".join(f"{name} {share}" for name, share in shares.items())
    return f"{text}. At the largest drop of a run in {whole}: {each}"


def _witness(drops: Sequence[ProvedDrop], claim: str) -> Mapping[str, Any] | None:
    """Return the largest drop of a run that lacks the property."""
    lacking = [drop for drop in drops if not _has(drop, claim)]
    return max(lacking, key=lambda drop: drop.size).row() if lacking else None
